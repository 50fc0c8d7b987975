/**
 * The one event that comes in bulk, cut out of its JSON text without parsing the object. Only the shape that
 * OpenAI sends is taken: one flat object without blanks, with the seven known keys, each once, in any order,
 * plain identifiers and small integers. Everything else is left to `JSON.parse`.
 *
 * The alphabet of the base64 is not looked at: only a decoder has to read every character, and it does. For
 * any text with a well-formed delta the result is that of `JSON.parse`.
 */
import type { ModelAudio } from "../../engine/ports.ts";

const PLAIN_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

const QUOTE = 34;
const COMMA = 44;
const CLOSE_BRACE = 125;
const ZERO = 48;
const NINE = 57;

interface Key {
  /** The key with all that stands before its value. */
  readonly head: string;
  readonly bit: number;
  readonly kind: "constant" | "id" | "index" | "delta";
}

const TYPE: Key = { head: '"type":"response.output_audio.delta', bit: 1, kind: "constant" };
const EVENT_ID: Key = { head: '"event_id":"', bit: 2, kind: "id" };
const RESPONSE_ID: Key = { head: '"response_id":"', bit: 4, kind: "id" };
const ITEM_ID: Key = { head: '"item_id":"', bit: 8, kind: "id" };
const OUTPUT_INDEX: Key = { head: '"output_index":', bit: 16, kind: "index" };
const CONTENT_INDEX: Key = { head: '"content_index":', bit: 32, kind: "index" };
const DELTA: Key = { head: '"delta":"', bit: 64, kind: "delta" };
const ALL_KEYS = 127;

/** The key that begins with this letter, after its quote. */
function keyAt(text: string, at: number): Key | null {
  switch (text.charCodeAt(at + 1)) {
    case 116:
      return TYPE;
    case 101:
      return EVENT_ID;
    case 114:
      return RESPONSE_ID;
    case 105:
      return ITEM_ID;
    case 111:
      return OUTPUT_INDEX;
    case 99:
      return CONTENT_INDEX;
    case 100:
      return DELTA;
    default:
      return null;
  }
}

/** The audio of a `response.output_audio.delta` in its usual shape, or `null`: parse it the slow way. */
export function cutAudioDelta(text: string): ModelAudio | null {
  // Every event begins with its type or its id: most others are told apart here.
  if (!text.startsWith('{"')) return null;
  let at = 1;
  let seen = 0;
  let responseId = "";
  let itemId = "";
  let contentIndex = 0;
  let base64 = "";
  for (;;) {
    const key = keyAt(text, at);
    if (!key || (seen & key.bit) !== 0 || !text.startsWith(key.head, at)) return null;
    seen |= key.bit;
    at += key.head.length;
    if (key.kind === "index") {
      const end = integerEnd(text, at);
      if (end < 0) return null;
      if (key === CONTENT_INDEX) contentIndex = Number(text.slice(at, end));
      at = end;
    } else {
      const end = key.kind === "constant" ? at : text.indexOf('"', at);
      if (end < 0 || text.charCodeAt(end) !== QUOTE) return null;
      if (key.kind === "id") {
        const value = text.slice(at, end);
        if (!PLAIN_ID.test(value)) return null;
        if (key === RESPONSE_ID) responseId = value;
        else if (key === ITEM_ID) itemId = value;
      } else if (key.kind === "delta") {
        base64 = text.slice(at, end);
      }
      at = end + 1;
    }
    const next = text.charCodeAt(at);
    at++;
    if (next === COMMA) continue;
    if (next !== CLOSE_BRACE || seen !== ALL_KEYS || at !== text.length) return null;
    // An escape inside the delta would have been decoded by a parser.
    return base64.includes("\\") ? null : { responseId, itemId, contentIndex, base64 };
  }
}

/** Bytes that `base64` decodes to. */
export function base64Bytes(base64: string): number {
  const length = base64.length;
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return Math.floor(((length - padding) * 3) / 4);
}

/** Where a non-negative integer of at most six digits and without a leading zero ends, or -1. */
function integerEnd(text: string, from: number): number {
  let at = from;
  while (at - from < 7) {
    const code = text.charCodeAt(at);
    if (!(code >= ZERO && code <= NINE)) break;
    at++;
  }
  const digits = at - from;
  if (digits === 0 || digits > 6 || (digits > 1 && text.charCodeAt(from) === ZERO)) return -1;
  return at;
}
