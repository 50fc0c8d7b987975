/**
 * The one event that comes in bulk, cut out of its JSON text without parsing the object. Only the shape that
 * OpenAI sends is taken: one flat object with the seven known keys, each once, in any order, plain identifiers,
 * small integers and base64. Everything else is left to `JSON.parse`, so that the answer is the same.
 */
import type { ModelAudio } from "../../engine/ports.ts";

const AUDIO_DELTA = "response.output_audio.delta";
const PLAIN_ID = /^[A-Za-z0-9_.:-]{1,128}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const QUOTE = 34;
const COLON = 58;
const COMMA = 44;
const SPACE = 32;
const ZERO = 48;
const NINE = 57;

const KEY_BITS: ReadonlyMap<string, number> = new Map([
  ["type", 1],
  ["event_id", 2],
  ["response_id", 4],
  ["item_id", 8],
  ["output_index", 16],
  ["content_index", 32],
  ["delta", 64],
]);
const ALL_KEYS = 127;

/** The audio of a `response.output_audio.delta` in its usual shape, or `null`: parse it the slow way. */
export function cutAudioDelta(text: string): ModelAudio | null {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACE) return null;
  at++;
  let seen = 0;
  let responseId = "";
  let itemId = "";
  let contentIndex = 0;
  let base64 = "";
  for (;;) {
    at = skipSpace(text, at);
    if (text.charCodeAt(at) !== QUOTE) return null;
    const keyEnd = text.indexOf('"', at + 1);
    if (keyEnd < 0) return null;
    const key = text.slice(at + 1, keyEnd);
    const bit = KEY_BITS.get(key);
    if (bit === undefined || (seen & bit) !== 0) return null;
    seen |= bit;
    at = skipSpace(text, keyEnd + 1);
    if (text.charCodeAt(at) !== COLON) return null;
    at = skipSpace(text, at + 1);
    if (bit === 16 || bit === 32) {
      const end = integerEnd(text, at);
      if (end < 0) return null;
      if (bit === 32) contentIndex = Number(text.slice(at, end));
      at = end;
    } else {
      if (text.charCodeAt(at) !== QUOTE) return null;
      const end = text.indexOf('"', at + 1);
      if (end < 0) return null;
      const value = text.slice(at + 1, end);
      // A backslash fails both patterns, so the quote found above is the end of the string.
      if (!(bit === 64 ? BASE64 : PLAIN_ID).test(value)) return null;
      if (bit === 1 && value !== AUDIO_DELTA) return null;
      if (bit === 4) responseId = value;
      else if (bit === 8) itemId = value;
      else if (bit === 64) base64 = value;
      at = end + 1;
    }
    at = skipSpace(text, at);
    const next = text.charCodeAt(at);
    if (next === COMMA) {
      at++;
      continue;
    }
    if (next !== CLOSE_BRACE || seen !== ALL_KEYS) return null;
    return skipSpace(text, at + 1) === text.length ? { responseId, itemId, contentIndex, base64 } : null;
  }
}

/** Bytes that `base64` decodes to. */
export function base64Bytes(base64: string): number {
  const length = base64.length;
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return Math.floor(((length - padding) * 3) / 4);
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) === SPACE) at++;
  return at;
}

/** Where a non-negative integer of at most six digits and without a leading zero ends, or -1. */
function integerEnd(text: string, from: number): number {
  let at = from;
  while (at - from < 7) {
    const code = text.charCodeAt(at);
    if (code < ZERO || code > NINE || Number.isNaN(code)) break;
    at++;
  }
  const digits = at - from;
  if (digits === 0 || digits > 6 || (digits > 1 && text.charCodeAt(from) === ZERO)) return -1;
  return at;
}
