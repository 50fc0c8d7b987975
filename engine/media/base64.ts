/** Base64 of G.711 audio: sizes and strict decoding without a new buffer per frame. */

const SCRATCH_BYTES = 64 * 1024;
const scratch = new Uint8Array(SCRATCH_BYTES);
const EQUALS = 61;

/** Bytes that padded base64 of this length stands for; the text is not looked at otherwise. */
export function base64Bytes(base64: string): number {
  return Math.floor((base64.length * 3) / 4) - padding(base64, 0, base64.length);
}

/**
 * Bytes in `base64`, or -1 unless it is canonical enough to be passed on as it is: padded, not empty, only
 * the standard alphabet (so it can go into JSON text without escaping), at most 64 KiB decoded.
 */
export function checkedBase64Bytes(base64: string): number {
  return checkedSliceBytes(base64, base64, 0);
}

/**
 * The same for a `slice` of `text` that begins at `from`. The padding is read from the whole text: the first
 * look at a character of a slice would copy it, and the decoder reads it without.
 */
export function checkedSliceBytes(slice: string, text: string, from: number): number {
  const { length } = slice;
  if (length === 0 || (length & 3) !== 0) return -1;
  const bytes = (length >> 2) * 3 - padding(text, from, from + length);
  return bytes <= SCRATCH_BYTES && decodesTo(slice, bytes) ? bytes : -1;
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

/** The decoder skips white space, so a text with any gives fewer bytes than its length promises. */
function decodesTo(base64: string, bytes: number): boolean {
  try {
    return scratch.setFromBase64(base64).written === bytes;
  } catch {
    return false;
  }
}

function padding(text: string, from: number, end: number): number {
  if (end === from || text.charCodeAt(end - 1) !== EQUALS) return 0;
  return text.charCodeAt(end - 2) === EQUALS ? 2 : 1;
}
