import { expect, test } from "bun:test";
import { Conversation, makeEntry, MAX_ITEMS } from "../../../../adapters/sandbox/model/conversation.ts";
import type { Item } from "../../../../adapters/sandbox/model/wire.ts";

const user = (id: string): Item => ({
  id,
  type: "message",
  role: "user",
  content: [{ type: "input_audio" }],
});

test("the oldest item is dropped and counted beyond the bound", () => {
  const conversation = new Conversation("conv_1");
  for (let i = 0; i < MAX_ITEMS + 2; i++) conversation.append(`item_${i}`, makeEntry(user(`item_${i}`), ""));
  expect(conversation.size).toBe(MAX_ITEMS);
  expect(conversation.droppedItems).toBe(2);
  expect(conversation.get("item_1")).toBeUndefined();
  expect(conversation.get("item_2")).toBeDefined();
});

test("input audio can be retrieved until newer audio needs the room", () => {
  const conversation = new Conversation("conv_1");
  const entries = ["a", "b", "c"].map((id) => {
    const entry = makeEntry(user(id), "");
    conversation.append(id, entry);
    conversation.keepAudio(entry, new Uint8Array(1_500_000).fill(id.charCodeAt(0)));
    return entry;
  });
  expect(entries.map((e) => e.inputAudio?.length ?? 0)).toEqual([0, 1_500_000, 1_500_000]);
  const kept = conversation.view("c") as { content: { audio: string }[] };
  expect(Uint8Array.fromBase64(kept.content[0]?.audio ?? "")).toHaveLength(1_500_000);
  conversation.remove("c");
  expect(conversation.view("c")).toBeNull();
});
