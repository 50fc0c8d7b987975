import { describe, expect, test } from "bun:test";
import { base64Bytes, cutAudioDelta } from "../../../adapters/openai/audio-delta.ts";
import { parseServerEvent } from "../../../adapters/openai/server-events.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import type { ModelAudio } from "../../../engine/ports.ts";

const ids = seededIds(20_261_122);
const pick = <T>(list: readonly T[]): T => list[Math.floor(ids.random() * list.length)] as T;

function usual(): Record<string, unknown> {
  const bytes = Uint8Array.from({ length: Math.floor(ids.random() * 400) }, () => ids.random() * 256);
  return {
    type: "response.output_audio.delta",
    event_id: ids.sid("event_"),
    response_id: ids.sid("resp_"),
    item_id: ids.sid("item_"),
    output_index: Math.floor(ids.random() * 3),
    content_index: Math.floor(ids.random() * 12),
    delta: bytes.toBase64(),
  };
}

function shuffled(event: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(event)
      .map((entry) => ({ entry, key: ids.random() }))
      .toSorted((a, b) => a.key - b.key)
      .map(({ entry }) => entry),
  );
}

/** What the slow way makes of the text. */
function slow(text: string): ModelAudio | null {
  const parsed = parseServerEvent(text);
  if (parsed.kind !== "event" || parsed.event.type !== "response.output_audio.delta") return null;
  const { response_id: responseId, item_id: itemId, content_index: contentIndex, delta } = parsed.event;
  return { responseId, itemId, contentIndex, base64: delta };
}

/** Changes one place of the text: what a broken or hostile server might send. */
function mutate(text: string): string {
  const at = Math.floor(ids.random() * text.length);
  const scrap = pick([
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
    "\u0000",
    "\u0007",
    "é",
    '\\"',
    "\\u0041",
    '","delta":"AAAA',
    '"x":{"delta":"AAAA"},',
    '"delta":"QUJD",',
    "null",
    "[]",
    "true",
    "=",
    "==",
    "\t",
  ]);
  return pick([
    () => text.slice(0, at) + scrap + text.slice(at),
    () => text.slice(0, at) + text.slice(at + 1),
    () => text.slice(0, at) + scrap + text.slice(at + 1),
    () => text.slice(0, at),
    () => text + scrap,
    () => scrap + text,
  ])();
}

describe("audio delta cut", () => {
  test("takes the usual message without parsing it", () => {
    for (let i = 0; i < 500; i++) {
      const event = usual();
      const text = JSON.stringify(event);
      expect(cutAudioDelta(text)).toEqual({
        responseId: event["response_id"],
        itemId: event["item_id"],
        contentIndex: event["content_index"],
        base64: event["delta"],
      } as ModelAudio);
    }
  });

  test("takes any order of the keys", () => {
    for (let i = 0; i < 200; i++) {
      const text = JSON.stringify(shuffled(usual()));
      expect(cutAudioDelta(text)).toEqual(slow(text));
      expect(cutAudioDelta(text)).not.toBeNull();
    }
  });

  test("whatever it takes with well-formed base64, JSON.parse takes with the same result", () => {
    let taken = 0;
    let left = 0;
    let undecodable = 0;
    for (let i = 0; i < 20_000; i++) {
      let text = JSON.stringify(ids.random() < 0.5 ? usual() : shuffled(usual()));
      const changes = 1 + Math.floor(ids.random() * 3);
      for (let n = 0; n < changes; n++) text = mutate(text);
      const cut = cutAudioDelta(text);
      if (!cut) {
        left++;
      } else if (/^[A-Za-z0-9+/]*={0,2}$/.test(cut.base64)) {
        taken++;
        expect({ text, cut }).toEqual({ text, cut: slow(text) as ModelAudio });
      } else {
        undecodable++;
        expect(slow(text)).toBeNull();
      }
    }
    expect(taken).toBeGreaterThan(500);
    expect(left).toBeGreaterThan(5000);
    expect(undecodable).toBeGreaterThan(100);
  });

  test("leaves everything unusual to JSON.parse", () => {
    const text = JSON.stringify(usual());
    for (const odd of [
      text.replace('"delta":"', '"delta":"\\u0041'),
      text.replace('"output_index":', '"output_index":-'),
      text.replace('"output_index":', '"output_index":0'),
      text.replace("{", '{"obfuscation":"x",'),
      text.replace("output_audio.delta", "output_text.delta"),
      text.replace("{", '{"item_id":"again",'),
      text.replaceAll('":', '": '),
      text.replace('"event_id":"', '"event_id":"\\"'),
      text.replace("event_", "event_\n"),
      text.replace(/"event_id":"[^"]*",/, ""),
      `[${text}]`,
      `${text}${text}`,
      "{}",
      "",
    ]) {
      expect(cutAudioDelta(odd)).toBeNull();
    }
  });

  test("the size of the audio is that of the decoded bytes", () => {
    for (let length = 0; length < 50; length++) {
      expect(base64Bytes(new Uint8Array(length).toBase64())).toBe(length);
    }
  });
});
