/**
 * The three audio formats of a Realtime session (`audio/pcm` is PCM16 little endian at 24 kHz). Inside, the
 * sandbox speaks and recognises μ-law at 8 kHz.
 */
import {
  ALAW_TO_ULAW,
  ULAW_TO_ALAW,
  ULAW_TO_PCM,
  decodeAlaw,
  decodeUlaw,
  encodeUlaw,
} from "../../../engine/media/g711.ts";
import type { AudioFormat } from "./wire.ts";

/** 24 kHz to 8 kHz. */
const RATIO = 3;

export function bytesPerMs(format: AudioFormat): number {
  return format === "audio/pcm" ? 48 : 8;
}

/** Bytes that stand for one sample of μ-law at 8 kHz. */
export function bytesPerUlawSample(format: AudioFormat): number {
  return format === "audio/pcm" ? 2 * RATIO : 1;
}

export function sampleRate(format: AudioFormat): number {
  return format === "audio/pcm" ? 24_000 : 8_000;
}

/** Linear samples at the format's own rate. An odd last byte of PCM16 is dropped. */
export function decodeAudio(format: AudioFormat, bytes: Uint8Array): Int16Array {
  if (format === "audio/pcm") {
    const samples = new Int16Array(bytes.length >> 1);
    for (let i = 0; i < samples.length; i++) {
      samples[i] = (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8);
    }
    return samples;
  }
  const samples = new Int16Array(bytes.length);
  if (format === "audio/pcmu") decodeUlaw(bytes, samples);
  else decodeAlaw(bytes, samples);
  return samples;
}

/**
 * Received audio as μ-law at 8 kHz, for recognition. Exact for `audio/pcmu`, and for 24 kHz that was made by
 * keeping each μ-law sample, delayed or not, and interpolating two between; otherwise an approximation that is
 * not recognised.
 */
export function toUlaw(format: AudioFormat, bytes: Uint8Array): Uint8Array {
  if (format === "audio/pcmu") return bytes;
  if (format === "audio/pcma") return bytes.map((code) => ALAW_TO_ULAW[code] as number);
  const samples = decodeAudio(format, bytes);
  const kept = new Int16Array(Math.ceil(samples.length / RATIO));
  for (let i = 0; i < kept.length; i++) kept[i] = samples[i * RATIO] as number;
  const ulaw = new Uint8Array(kept.length);
  encodeUlaw(kept, ulaw);
  return ulaw;
}

/** Speech as the session wants it: μ-law as it is, A-law by table, 24 kHz by linear interpolation. */
export function fromUlaw(format: AudioFormat, ulaw: Uint8Array): Uint8Array {
  if (format === "audio/pcmu") return ulaw;
  if (format === "audio/pcma") return ulaw.map((code) => ULAW_TO_ALAW[code] as number);
  const out = new Uint8Array(ulaw.length * 2 * RATIO);
  for (let i = 0; i < ulaw.length; i++) {
    const from = ULAW_TO_PCM[ulaw[i] as number] as number;
    const to = i + 1 < ulaw.length ? (ULAW_TO_PCM[ulaw[i + 1] as number] as number) : from;
    for (let k = 0; k < RATIO; k++) {
      const sample = Math.round(from + ((to - from) * k) / RATIO);
      const at = (i * RATIO + k) * 2;
      out[at] = sample & 0xff;
      out[at + 1] = (sample >> 8) & 0xff;
    }
  }
  return out;
}
