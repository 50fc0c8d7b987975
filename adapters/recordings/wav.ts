import type { RecordedAudio } from "../../engine/ports.ts";

const RATE_HZ = 8000;
const ULAW_FORMAT_TAG = 7;
const HEADER_BYTES = 58;
/** A chunk of an odd length is followed by a byte that does not count. */
const PADDING = new Uint8Array(1);

/** Length of the file that {@link wavPieces} makes. */
export function wavBytes(audioBytes: number): number {
  return HEADER_BYTES + audioBytes + (audioBytes % 2);
}

/**
 * A WAV file of mono μ-law at 8 kHz, piece by piece. As Microsoft's WAVEFORMATEX asks for formats other than
 * PCM, the format has a size of its extension, and the number of samples is stated in `fact`.
 */
export function* wavPieces(audio: RecordedAudio): Iterable<Uint8Array> {
  yield header(audio.bytes);
  yield* audio.pieces();
  if (audio.bytes % 2 === 1) yield PADDING;
}

function header(audioBytes: number): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES);
  const view = new DataView(out.buffer);
  const put = (at: number, text: string): void => out.set(new TextEncoder().encode(text), at);
  put(0, "RIFF");
  view.setUint32(4, wavBytes(audioBytes) - 8, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 18, true);
  view.setUint16(20, ULAW_FORMAT_TAG, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, RATE_HZ, true);
  view.setUint32(28, RATE_HZ, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  put(38, "fact");
  view.setUint32(42, 4, true);
  view.setUint32(46, audioBytes, true);
  put(50, "data");
  view.setUint32(54, audioBytes, true);
  return out;
}
