/**
 * The one event that comes in bulk, cut out of its JSON text without parsing the object. Only the shape that
 * OpenAI sends is taken: one flat object without blanks, with the seven known keys, each once, in any order,
 * plain identifiers and small integers. Everything else is left to `JSON.parse`, and what is taken is what
 * that would give: the decoder reads every character of the delta and lets nothing but base64 pass.
 */
import type { ModelAudio } from "../../engine/ports.ts";

const PLAIN_ID = /^[A-Za-z0-9_.:-]{1,128}$/;

const QUOTE = 34;
const COMMA = 44;
const CLOSE_BRACE = 125;
const ZERO = 48;
const NINE = 57;
const EQUALS = 61;

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

/** What stands before the response, when the keys come in OpenAI's own order. */
const HEAD = /\{"type":"response\.output_audio\.delta","event_id":"[A-Za-z0-9_.:-]{1,128}",/y;
/** Longer deltas are left to the parser: OpenAI's are of some kilobytes. */
const MAX_BYTES = 64 * 1024;
const decoded = new Uint8Array(MAX_BYTES);

/** The deltas of one connection. */
export class AudioDeltaReader {
  /** The audio of the delta that was cut last by any reader: `byteCount` bytes of it. */
  readonly bytes: Uint8Array = decoded;
  byteCount = 0;
  /**
   * Deltas of one item differ in nothing but their event id and their audio. What stands between the two
   * was read key by key once, and is compared as a whole from then on.
   */
  #between = "";
  #last: ModelAudio | null = null;
  #deltaFrom = 0;

  /** The audio of a `response.output_audio.delta` in its usual shape, or `null`: parse it the slow way. */
  cut(text: string): ModelAudio | null {
    const last = this.#last;
    HEAD.lastIndex = 0;
    const betweenFrom = HEAD.test(text) ? HEAD.lastIndex : 0;
    if (last && betweenFrom > 0 && text.startsWith(this.#between, betweenFrom)) {
      const from = betweenFrom + this.#between.length;
      const end = text.length - 2;
      const closed = text.charCodeAt(end) === QUOTE && text.charCodeAt(end + 1) === CLOSE_BRACE;
      if (from > end || !closed) return null;
      const base64 = text.slice(from, end);
      if (!this.#decode(base64, text, from)) return null;
      const { responseId, itemId, contentIndex } = last;
      return { responseId, itemId, contentIndex, base64 };
    }
    const delta = this.#readKeys(text);
    if (!delta || !this.#decode(delta.base64, text, this.#deltaFrom)) return null;
    const isLastKey = this.#deltaFrom + delta.base64.length + 2 === text.length;
    if (betweenFrom > 0 && isLastKey) {
      this.#between = text.slice(betweenFrom, this.#deltaFrom);
      this.#last = { ...delta, base64: "" };
    }
    return delta;
  }

  /** Any order of the keys; the alphabet of the base64 is not looked at. */
  #readKeys(text: string): ModelAudio | null {
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
        const value = text.slice(at, end);
        if (key.kind === "id" && !PLAIN_ID.test(value)) return null;
        if (key === RESPONSE_ID) responseId = value;
        else if (key === ITEM_ID) itemId = value;
        else if (key === DELTA) {
          base64 = value;
          this.#deltaFrom = at;
        }
        at = end + 1;
      }
      const next = text.charCodeAt(at);
      at++;
      if (next === COMMA) continue;
      const complete = next === CLOSE_BRACE && seen === ALL_KEYS && at === text.length;
      return complete ? { responseId, itemId, contentIndex, base64 } : null;
    }
  }

  /**
   * Only padded base64 of the standard alphabet passes: no escape that a parser would have decoded, and no
   * white space, which the decoder skips, so that fewer bytes come of it than the length promises.
   */
  #decode(base64: string, text: string, from: number): boolean {
    const { length } = base64;
    if ((length & 3) !== 0) return false;
    const end = from + length;
    // Looked up in the whole text: the first look at a character of a slice would copy the slice.
    const padding = length === 0 || text.charCodeAt(end - 1) !== EQUALS ? 0 : 1;
    const bytes = (length >> 2) * 3 - padding - (padding > 0 && text.charCodeAt(end - 2) === EQUALS ? 1 : 0);
    if (bytes > MAX_BYTES) return false;
    try {
      this.byteCount = bytes;
      return decoded.setFromBase64(base64).written === bytes;
    } catch {
      return false;
    }
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
