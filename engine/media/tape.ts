import type { RecordedAudio } from "../recordings-port.ts";
import { ULAW_BYTES_PER_MS } from "./g711.ts";

/** Eight seconds. A piece without a sound takes no memory. */
const PIECE_BYTES = 64 * 1024;
/** Two hours from the beginning of the call; what comes later is dropped and counted. */
const MAX_BYTES = 2 * 3_600_000 * ULAW_BYTES_PER_MS;
/** Chunks of one run of speech follow each other exactly; less than this between them is rounding. */
const MIN_GAP_BYTES = ULAW_BYTES_PER_MS;
const SILENCE = 0xff;

/**
 * What was sent to the carrier of certain items, laid out as it was played: byte `n` belongs to `n / 8` ms
 * after the beginning, with silence in between. Audio is placed as if the carrier got it at once.
 */
export class Tape implements RecordedAudio {
  readonly counters = { tapeDroppedBytes: 0 };
  readonly #startMs: number;
  readonly #maxBytes: number;
  /** A piece without a sound is not there. */
  readonly #pieces: (Uint8Array | undefined)[] = [];
  #bytes = 0;

  /** @param startMs when the call began, on the monotonic clock. */
  constructor(startMs: number, maxBytes = MAX_BYTES) {
    this.#startMs = startMs;
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The first `count` of `bytes` begin to play at `atMs`. Hot path. */
  add(bytes: Uint8Array, count: number, atMs: number): void {
    const due = this.#at(atMs);
    const from = due - this.#bytes < MIN_GAP_BYTES ? this.#bytes : due;
    const fits = Math.max(0, Math.min(count, this.#maxBytes - from));
    this.counters.tapeDroppedBytes += count - fits;
    for (let done = 0; done < fits;) {
      const index = Math.floor((from + done) / PIECE_BYTES);
      const offset = (from + done) % PIECE_BYTES;
      const piece = (this.#pieces[index] ??= new Uint8Array(PIECE_BYTES).fill(SILENCE));
      const part = Math.min(fits - done, PIECE_BYTES - offset);
      for (let i = 0; i < part; i++) piece[offset + i] = bytes[done + i] as number;
      done += part;
    }
    if (fits > 0) this.#bytes = from + fits;
  }

  /** Nothing is played from `atMs` on of what was added so far. */
  cut(atMs: number): void {
    const end = Math.max(0, this.#at(atMs));
    if (end >= this.#bytes) return;
    this.#bytes = end;
    const last = Math.floor(end / PIECE_BYTES);
    this.#pieces.length = Math.min(this.#pieces.length, last + 1);
    this.#pieces[last]?.fill(SILENCE, end % PIECE_BYTES);
  }

  *pieces(): Iterable<Uint8Array> {
    const silence = new Uint8Array(PIECE_BYTES).fill(SILENCE);
    for (let at = 0; at < this.#bytes; at += PIECE_BYTES) {
      const piece = this.#pieces[at / PIECE_BYTES] ?? silence;
      yield piece.subarray(0, this.#bytes - at);
    }
  }

  #at(ms: number): number {
    return Math.floor((ms - this.#startMs) * ULAW_BYTES_PER_MS);
  }
}
