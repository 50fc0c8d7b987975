/** Base64 of G.711 audio: sizes and strict decoding without a new buffer per frame. */

const SCRATCH_BYTES = 64 * 1024;
const scratch = new Uint8Array(SCRATCH_BYTES);
const EQUALS = 61;

/** Bytes that padded base64 of this length stands for; the text is not looked at otherwise. */
export function base64Bytes(base64: string): number {
  const length = base64.length;
  if (length === 0) return 0;
  let padding = 0;
  if (base64.charCodeAt(length - 1) === EQUALS) padding = base64.charCodeAt(length - 2) === EQUALS ? 2 : 1;
  return Math.floor((length * 3) / 4) - padding;
}

/**
 * Bytes in `base64`, or -1 unless it is canonical enough to be passed on as it is: padded, not empty, only
 * the standard alphabet (so it can go into JSON text without escaping), at most 64 KiB decoded.
 */
export function checkedBase64Bytes(base64: string): number {
  const length = base64.length;
  if (length === 0 || (length & 3) !== 0) return -1;
  const bytes = base64Bytes(base64);
  if (bytes <= 0 || bytes > SCRATCH_BYTES) return -1;
  try {
    // The decoder skips white space, so a text with any would give fewer bytes than its length promises.
    return scratch.setFromBase64(base64).written === bytes ? bytes : -1;
  } catch {
    return -1;
  }
}

/** What the text last found good here stands for, at the start of this memory; the next check overwrites it. */
export function checkedBytes(): Uint8Array {
  return scratch;
}

/**
 * Decodes into memory that the next call overwrites. `null` when the text is not base64.
 */
export function decodeBase64(base64: string): Uint8Array | null {
  try {
    if (base64.length > SCRATCH_BYTES) return Uint8Array.fromBase64(base64);
    return scratch.subarray(0, scratch.setFromBase64(base64).written);
  } catch {
    return null;
  }
}
