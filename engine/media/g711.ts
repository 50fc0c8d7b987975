/**
 * G.711 μ-law look-up tables (ITU-T G.711), made from the `alawmulaw` package once at start; a test holds
 * them to it on every input.
 */
import { mulaw } from "alawmulaw";

/** Linear 16-bit sample of each of the 256 code words. */
export const ULAW_TO_PCM: Int16Array = makeDecodeTable();
/** Code word of each 16-bit sample, indexed by `sample & 0xffff`. */
export const PCM_TO_ULAW: Uint8Array = makeEncodeTable();
/** The code word of silence (+0). */
export const ULAW_SILENCE = 0xff;
/** Sample rate of every μ-law stream here. */
export const ULAW_BYTES_PER_MS = 8;

function makeDecodeTable(): Int16Array {
  const codes = new Uint8Array(256);
  for (let i = 0; i < 256; i++) codes[i] = i;
  return Int16Array.from(mulaw.decode(codes));
}

function makeEncodeTable(): Uint8Array {
  const table = new Uint8Array(65_536);
  for (let i = 0; i < 65_536; i++) table[i] = mulaw.encodeSample((i << 16) >> 16);
  return table;
}

/** Decodes `ulaw` into `pcm`, which must be at least as long. */
export function decodeUlaw(ulaw: Uint8Array, pcm: Int16Array): void {
  for (let i = 0; i < ulaw.length; i++) pcm[i] = ULAW_TO_PCM[ulaw[i] as number] as number;
}

/** Encodes `pcm` into `ulaw`, which must be at least as long. */
export function encodeUlaw(pcm: Int16Array, ulaw: Uint8Array): void {
  for (let i = 0; i < pcm.length; i++) ulaw[i] = PCM_TO_ULAW[(pcm[i] as number) & 0xffff] as number;
}
