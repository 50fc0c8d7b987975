/**
 * G.711 look-up tables and plain loops (ITU-T G.711, μ-law and A-law), made from the `alawmulaw` package once
 * at start; a test holds them to it and to the Recommendation's arithmetic on every input. Linear samples are
 * 16 bits wide, the Recommendation's 14 or 13 bits at the top. A sample exactly on a decision value, which the
 * Recommendation leaves open, goes to the louder side, of either sign. Frames that pass many times a second
 * take the packed loops of `g711-frame.ts`.
 */
import { alaw, mulaw } from "alawmulaw";

/** Linear 16-bit sample of each of the 256 code words. */
export const ULAW_TO_PCM: Int16Array = makeDecodeTable(mulaw.decode);
export const ALAW_TO_PCM: Int16Array = makeDecodeTable(alaw.decode);
/** Code word of each 16-bit sample, indexed by `sample & 0xffff`. */
export const PCM_TO_ULAW: Uint8Array = makeEncodeTable(mulaw.encodeSample);
export const PCM_TO_ALAW: Uint8Array = makeEncodeTable(alaw.encodeSample);
/**
 * Code word of the other law for each code word: what decoding and encoding again gives. The Recommendation's
 * own conversion tables equate levels in dBm0 instead, which the full scales of the two laws put 0.03 dB apart,
 * and so name the next code word for some; here the linear sample stays what it is.
 */
export const ULAW_TO_ALAW: Uint8Array = recode(ULAW_TO_PCM, PCM_TO_ALAW);
export const ALAW_TO_ULAW: Uint8Array = recode(ALAW_TO_PCM, PCM_TO_ULAW);
/** The code word of silence: +0 in μ-law; in A-law, which has no 0, the smallest positive step. */
export const ULAW_SILENCE = 0xff;
export const ALAW_SILENCE = 0xd5;
/** Sample rate of every G.711 stream here. */
export const ULAW_BYTES_PER_MS = 8;

function makeDecodeTable(decode: (codes: Uint8Array) => Int16Array): Int16Array {
  return Int16Array.from(decode(Uint8Array.from({ length: 256 }, (_, code) => code)));
}

function makeEncodeTable(encodeSample: (sample: number) => number): Uint8Array {
  const table = new Uint8Array(65_536);
  for (let i = 0; i < 65_536; i++) table[i] = encodeSample((i << 16) >> 16);
  return table;
}

function recode(decode: Int16Array, encode: Uint8Array): Uint8Array {
  return Uint8Array.from(decode, (sample) => encode[sample & 0xffff] as number);
}

/** Decodes `ulaw` into `pcm`, which must be at least as long. */
export function decodeUlaw(ulaw: Uint8Array, pcm: Int16Array): void {
  for (let i = 0; i < ulaw.length; i++) pcm[i] = ULAW_TO_PCM[ulaw[i] as number] as number;
}

/** Encodes `pcm` into `ulaw`, which must be at least as long. */
export function encodeUlaw(pcm: Int16Array, ulaw: Uint8Array): void {
  for (let i = 0; i < pcm.length; i++) ulaw[i] = PCM_TO_ULAW[(pcm[i] as number) & 0xffff] as number;
}

/** Decodes `codes` of A-law into `pcm`, which must be at least as long. */
export function decodeAlaw(codes: Uint8Array, pcm: Int16Array): void {
  for (let i = 0; i < codes.length; i++) pcm[i] = ALAW_TO_PCM[codes[i] as number] as number;
}

/** Encodes `pcm` into A-law `codes`, which must be at least as long. */
export function encodeAlaw(pcm: Int16Array, codes: Uint8Array): void {
  for (let i = 0; i < pcm.length; i++) codes[i] = PCM_TO_ALAW[(pcm[i] as number) & 0xffff] as number;
}
