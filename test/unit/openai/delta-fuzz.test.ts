/** The cutting of audio deltas, and the text of appends, against `JSON.parse`. */
import { describe, expect, test } from "bun:test";
import { AudioDeltaReader } from "../../../adapters/openai/audio-delta.ts";
import { EventIds } from "../../../adapters/openai/client-events.ts";
import { parseServerEvent } from "../../../adapters/openai/server-events.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import type { ModelAudio } from "../../../engine/ports.ts";

const MESSAGES = 100_000;
const ids = seededIds(20_261_127);
const below = (n: number): number => Math.floor(ids.random() * n);
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;

const AUDIO = Array.from({ length: 256 }, (_, i) =>
  Uint8Array.from({ length: i < 128 ? 800 : below(400) }, () => below(256)).toBase64(),
);

type Fields = Record<string, unknown>;

/** Few responses and items, so that most deltas follow one of the same item. */
function usual(): Fields {
  return {
    type: "response.output_audio.delta",
    event_id: `event_${below(1_000_000)}`,
    response_id: `resp_${below(2)}`,
    item_id: `item_${below(2)}`,
    output_index: below(2),
    content_index: pick([0, 0, 0, 1, 12]),
    delta: pick(AUDIO),
  };
}

const SCRAPS = [
  '"',
  "\\",
  "{",
  "}",
  ",",
  ":",
  " ",
  "0",
  "-",
  "1e3",
  ".5",
  "\n",
  "\t",
  "\u0000",
  "\u0007",
  "\u007f",
  "é",
  "\ud800",
  '\\"',
  "\\/",
  "\\u0041",
  '","delta":"AAAA',
  '"x":{"delta":"AAAA"},',
  '"delta":"QUJD",',
  '"item_id":"i",',
  "null",
  "[]",
  "true",
  "=",
  "==",
  "/",
  "_",
  '"__proto__":{"delta":"AAAA"},',
  '"content_index":2,',
  '"}',
  '","x":"',
];

function splice(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}

const TEXT_CHANGES: readonly ((text: string) => string)[] = [
  (text) => splice(text, below(text.length), 0, pick(SCRAPS)),
  (text) => splice(text, below(text.length), 1, pick(SCRAPS)),
  // Most of a message is audio: the places where it begins and ends get their share of the changes.
  (text) => splice(text, Math.max(0, text.length - 1 - below(8)), below(2), pick(SCRAPS)),
  (text) => splice(text, Math.min(text.length, below(230)), below(2), pick(SCRAPS)),
  (text) => splice(text, below(text.length), 1 + below(3), ""),
  (text) => {
    const at = below(text.length);
    return splice(text, at, 1, String.fromCharCode(text.charCodeAt(at) ^ (1 << below(8))));
  },
  (text) => {
    const at = below(text.length);
    return splice(text, at, 1, `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`);
  },
  (text) => text.slice(0, below(text.length)),
  (text) => text + pick(SCRAPS),
  (text) => pick(SCRAPS) + text,
  (text) => text.replaceAll("/", "\\/"),
  (text) => text.replaceAll('":', '": '),
];

const delta = (event: Fields): string => event["delta"] as string;

const FIELD_CHANGES: readonly ((event: Fields) => Fields)[] = [
  (event) => Object.fromEntries(Object.entries(event).toSorted(() => ids.random() - 0.5)),
  (event) => Object.fromEntries(Object.entries(event).filter(([key]) => key !== pick(Object.keys(event)))),
  (event) => ({ ...event, more: 1 }),
  (event) => ({
    ...event,
    type: pick(["response.output_audio.done", "response.output_text.delta", "error", 1]),
  }),
  (event) => ({ ...event, event_id: pick(["", "a b", "é", 'a"b', "a\\b", 1, null, "x".repeat(300)]) }),
  (event) => ({ ...event, response_id: pick(["", "resp 1", "é", 1, null, "x".repeat(300)]) }),
  (event) => ({ ...event, item_id: pick(["", "item\n", 'i"', 1, null, {}]) }),
  (event) => ({ ...event, content_index: pick(["0", -1, 1.5, 1e21, 1_000_000, null, [0]]) }),
  (event) => ({ ...event, output_index: pick(["0", -1, 1.5, 1e21, 1_000_000, null, {}]) }),
  (event) => ({ ...event, delta: pick([null, 1, {}, [], " ", "=", "==", "====", "A", "AA", "AAA", "AA=A"]) }),
  (event) => ({ ...event, delta: delta(event).replace(/=+$/, "") }),
  (event) => ({ ...event, delta: delta(event).replaceAll("+", "-").replaceAll("/", "_") }),
  (event) => ({
    ...event,
    delta: splice(delta(event), below(delta(event).length), 1, pick([" ", "\n", "=", "é", '"'])),
  }),
  (event) => ({ ...event, delta: splice(delta(event), below(delta(event).length), 4, "    ") }),
];

function changed(): string {
  const kind = below(10);
  const event = kind < 3 ? pick(FIELD_CHANGES)(usual()) : usual();
  let text = JSON.stringify(event);
  if (kind < 6) return text;
  for (let n = 1 + below(3); n > 0 && text.length > 2; n--) text = pick(TEXT_CHANGES)(text);
  return text;
}

/** What the slow way makes of the text. */
function slow(text: string): ModelAudio | null {
  const parsed = parseServerEvent(text);
  if (parsed.kind !== "event" || parsed.event.type !== "response.output_audio.delta") return null;
  const {
    response_id: responseId,
    item_id: itemId,
    content_index: contentIndex,
    delta: base64,
  } = parsed.event;
  return { responseId, itemId, contentIndex, base64 };
}

describe("cutting audio deltas without parsing them", () => {
  test(`of ${MESSAGES} changed events, those cut are those that JSON.parse reads the same way`, () => {
    const reader = new AudioDeltaReader();
    let cut = 0;
    for (let i = 0; i < MESSAGES; i++) {
      const text = changed();
      const chunk = reader.cut(text);
      if (!chunk) continue;
      cut++;
      const said = slow(text);
      const bytes = Uint8Array.fromBase64(chunk.base64);
      const same =
        said !== null &&
        said.responseId === chunk.responseId &&
        said.itemId === chunk.itemId &&
        said.contentIndex === chunk.contentIndex &&
        said.base64 === chunk.base64 &&
        Buffer.compare(bytes, reader.bytes.subarray(0, reader.byteCount)) === 0;
      if (!same) throw new Error(`cut as ${JSON.stringify(chunk)}: ${text}`);
    }
    expect(cut).toBeGreaterThan(MESSAGES / 4);
    expect(cut).toBeLessThan((MESSAGES * 3) / 4);
  });

  test("a delta as the one before but for its end is not taken for whole", () => {
    const reader = new AudioDeltaReader();
    const text = JSON.stringify({ ...usual(), delta: "QUJD" });
    expect(reader.cut(text)?.base64).toBe("QUJD");
    for (let length = 0; length < text.length; length++) {
      for (const end of ["", "}", '"}', '}"}']) {
        const broken = text.slice(0, length) + end;
        const said = slow(broken);
        // Audio without its padding is for the parser to take.
        const cut = reader.cut(broken) ?? said;
        expect({ broken, cut }).toEqual({ broken, cut: said });
      }
    }
  });
});

describe("the text of an append", () => {
  test("is what JSON.stringify would write", () => {
    const events = new EventIds();
    for (let i = 1; i <= 20_000; i++) {
      const audio = pick(AUDIO);
      const written = JSON.stringify({ type: "input_audio_buffer.append", event_id: `append_${i}`, audio });
      if (events.appendText(audio) !== written) throw new Error(`not as written: ${audio}`);
    }
  });

  test("of anything at all is an append of exactly that, or there is none", () => {
    const events = new EventIds();
    let made = 0;
    for (let i = 0; i < 20_000; i++) {
      let audio = pick(AUDIO).slice(0, below(40));
      for (let n = below(3); n > 0; n--) {
        const odd = pick([...SCRAPS, String.fromCharCode(below(0x30)), String.fromCharCode(below(0x10000))]);
        audio = splice(audio, below(audio.length), below(2), odd);
      }
      const text = events.appendText(audio);
      if (text === null) continue;
      made++;
      const { event_id, ...rest } = JSON.parse(text);
      expect(rest).toEqual({ type: "input_audio_buffer.append", audio });
      expect(events.lookUp(event_id)).toEqual({ kind: "append", target: "" });
    }
    expect(made).toBeGreaterThan(5000);
    expect(made).toBeLessThan(19_000);
  });
});
