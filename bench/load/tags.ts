/**
 * Numbers of 24 bits inside base64 text: each frame of a call's audio carries its own number, so that it can be
 * told which frame came back, and when it had left.
 */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const VALUES = new Uint8Array(256);
for (let i = 0; i < 64; i++) VALUES[CODES[i] as number] = i;

export const TAG_BYTES = 3;
export const TAG_CHARS = 4;
const TAG_MASK = 0xffffff;

/** Writes `value` as the four base64 characters from `at`. */
export function putTag(text: Uint8Array, at: number, value: number): void {
  text[at] = CODES[(value >> 18) & 63] as number;
  text[at + 1] = CODES[(value >> 12) & 63] as number;
  text[at + 2] = CODES[(value >> 6) & 63] as number;
  text[at + 3] = CODES[value & 63] as number;
}

/** The number in the three bytes from byte `offset` of the base64 text that begins at `at`. */
export function readTag(text: Uint8Array, at: number, offset: number): number {
  const group = Math.floor(offset / 3);
  const shift = offset - group * 3;
  const first = readGroup(text, at + group * 4);
  if (shift === 0) return first;
  const second = readGroup(text, at + group * 4 + 4);
  return shift === 1
    ? ((first << 8) & TAG_MASK) | (second >> 16)
    : ((first << 16) & TAG_MASK) | (second >> 8);
}

function readGroup(text: Uint8Array, at: number): number {
  return (
    ((VALUES[text[at] as number] as number) << 18) |
    ((VALUES[text[at + 1] as number] as number) << 12) |
    ((VALUES[text[at + 2] as number] as number) << 6) |
    (VALUES[text[at + 3] as number] as number)
  );
}

/** Bytes that the base64 text from `at` to `end` stands for. */
export function decodedBytes(text: Uint8Array, at: number, end: number): number {
  const padding = text[end - 1] === EQUALS ? (text[end - 2] === EQUALS ? 2 : 1) : 0;
  return ((end - at) / 4) * 3 - padding;
}

const EQUALS = 61;

/** Patches `value` in decimal over the digits that end before `end`; as many digits as the value has. */
export function putDigits(text: Uint8Array, end: number, value: number): void {
  let rest = value;
  for (let at = end - 1; rest > 0; at--) {
    const next = Math.floor(rest / 10);
    text[at] = 48 + rest - next * 10;
    rest = next;
  }
}
