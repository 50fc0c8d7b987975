import { describe, expect, test } from "bun:test";
import { AudioDeltaReader, base64Bytes } from "../../../adapters/openai/audio-delta.ts";
import { parseServerEvent } from "../../../adapters/openai/server-events.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import type { ModelAudio } from "../../../engine/ports.ts";

/** What a reader makes of a text that has seen nothing before it. */
const cutAudioDelta = (text: string) => new AudioDeltaReader().cut(text);

const ids = seededIds(20_261_122);

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
