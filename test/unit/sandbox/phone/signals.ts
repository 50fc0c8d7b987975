/** Signals for tests of phone audio. */
import { PCM_TO_ULAW, ULAW_TO_PCM } from "../../../../engine/media/g711.ts";

/** A sine of `hz`, -1..1. */
export function sine(hz: number, rateHz: number, samples: number, amplitude = 0.5): Float32Array {
  return Float32Array.from(
    { length: samples },
    (_, n) => amplitude * Math.sin((2 * Math.PI * hz * n) / rateHz),
  );
}

/** A tone in μ-law at 8 kHz. */
export function toneUlaw(hz: number, ms: number, amplitude = 0.4): Uint8Array {
  const wave = sine(hz, 8000, ms * 8, amplitude);
  return Uint8Array.from(wave, (value) => PCM_TO_ULAW[Math.round(value * 32_767) & 0xffff] as number);
}

/** Samples of -1..1 of μ-law. */
export function ulawToFloat(ulaw: Uint8Array): Float32Array {
  return Float32Array.from(ulaw, (code) => (ULAW_TO_PCM[code] as number) / 32_768);
}

/**
 * Least-squares fit of a sine of known frequency: its amplitude, and the signal-to-noise ratio in dB of
 * what the fit leaves over. The first and last `skip` samples are left out.
 */
export function fitTone(
  samples: Float32Array,
  hz: number,
  rateHz: number,
  skip = 400,
): { readonly amplitude: number; readonly snrDb: number } {
  let ss = 0;
  let cc = 0;
  let sc = 0;
  let sx = 0;
  let cx = 0;
  for (let n = skip; n < samples.length - skip; n++) {
    const s = Math.sin((2 * Math.PI * hz * n) / rateHz);
    const c = Math.cos((2 * Math.PI * hz * n) / rateHz);
    const x = samples[n] as number;
    ss += s * s;
    cc += c * c;
    sc += s * c;
    sx += s * x;
    cx += c * x;
  }
  const det = ss * cc - sc * sc;
  const a = (sx * cc - cx * sc) / det;
  const b = (cx * ss - sx * sc) / det;
  let signal = 0;
  let noise = 0;
  for (let n = skip; n < samples.length - skip; n++) {
    const fit = a * Math.sin((2 * Math.PI * hz * n) / rateHz) + b * Math.cos((2 * Math.PI * hz * n) / rateHz);
    signal += fit * fit;
    noise += ((samples[n] as number) - fit) ** 2;
  }
  return { amplitude: Math.hypot(a, b), snrDb: 10 * Math.log10(signal / noise) };
}

export function rms(samples: Float32Array, skip = 400): number {
  let sum = 0;
  for (let n = skip; n < samples.length - skip; n++) sum += (samples[n] as number) ** 2;
  return Math.sqrt(sum / (samples.length - 2 * skip));
}

export interface WavSpec {
  readonly format: number;
  readonly bits: number;
  readonly channels: number;
  readonly rateHz: number;
  /** Interleaved sample data. */
  readonly data: Uint8Array;
  /** Writes WAVE_FORMAT_EXTENSIBLE with the format in its sub-format GUID. */
  readonly extensible?: boolean;
  /** Chunks between the format and the data. */
  readonly extra?: readonly (readonly [string, Uint8Array])[];
  /** Written instead of the true size of the data. */
  readonly declaredBytes?: number;
}

/** The bytes of a WAV file. */
export function makeWav(spec: WavSpec): Uint8Array {
  const fmt = new Uint8Array(spec.extensible ? 40 : 16);
  const view = new DataView(fmt.buffer);
  const block = (spec.channels * spec.bits) / 8;
  view.setUint16(0, spec.extensible ? 0xfffe : spec.format, true);
  view.setUint16(2, spec.channels, true);
  view.setUint32(4, spec.rateHz, true);
  view.setUint32(8, spec.rateHz * block, true);
  view.setUint16(12, block, true);
  view.setUint16(14, spec.bits, true);
  if (spec.extensible) {
    view.setUint16(16, 22, true);
    view.setUint16(18, spec.bits, true);
    view.setUint16(24, spec.format, true);
    fmt.set([0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71], 28);
  }
  const chunks = [chunk("fmt ", fmt), ...(spec.extra ?? []).map(([id, body]) => chunk(id, body))];
  chunks.push(chunk("data", spec.data, spec.declaredBytes));
  const size = chunks.reduce((sum, part) => sum + part.length, 4);
  const head = new Uint8Array(12);
  head.set(Buffer.from("RIFF"));
  new DataView(head.buffer).setUint32(4, size, true);
  head.set(Buffer.from("WAVE"), 8);
  return new Uint8Array(Buffer.concat([head, ...chunks]));
}

function chunk(id: string, body: Uint8Array, declaredBytes = body.length): Uint8Array {
  const out = new Uint8Array(8 + body.length + (body.length % 2));
  out.set(Buffer.from(id));
  new DataView(out.buffer).setUint32(4, declaredBytes, true);
  out.set(body, 8);
  return out;
}

/** Interleaved samples of one format; `channels` are of equal length, -1..1. */
export function encodeSamples(
  channels: readonly Float32Array[],
  bytes: number,
  put: (view: DataView, at: number, value: number) => void,
): Uint8Array {
  const frames = channels[0]?.length ?? 0;
  const view = new DataView(new ArrayBuffer(frames * channels.length * bytes));
  let at = 0;
  for (let n = 0; n < frames; n++) {
    for (const channel of channels) {
      put(view, at, channel[n] as number);
      at += bytes;
    }
  }
  return new Uint8Array(view.buffer);
}
