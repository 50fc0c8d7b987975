import { describe, expect, test } from "bun:test";
import { Conversation, MAX_ENTRIES } from "../../../adapters/openai/conversation.ts";
import { heardText } from "../../../adapters/openai/heard-text.ts";

const MS = 8;
const heard = (itemId: string, heardMs: number, receivedMs: number) => ({
  responseId: "resp_1",
  itemId,
  contentIndex: 0,
  heardMs,
  heardErrorMs: 0,
  receivedMs,
});

function spoken(text: string, ms: number): Conversation {
  const conversation = new Conversation([], "pcmu", () => undefined);
  conversation.agentDelta("item_1", text);
  conversation.agentAudio("item_1", ms * MS, true);
  return conversation;
}

describe("heard text", () => {
  test("ends at the last whole word within the share", () => {
    const text = "I am reaching the on-call nurse.";
    expect(heardText(text, 0)).toBe("");
    expect(heardText(text, 0.1)).toBe("I");
    expect(heardText(text, 0.5)).toBe("I am reaching");
    expect(heardText(text, 1)).toBe(text);
    expect(heardText(text, 7)).toBe(text);
    expect(heardText(text, Number.NaN)).toBe("");
  });

  test("is always a beginning of the text and grows with the share", () => {
    const text = "Überall sind Wörter: 東京で話します, один два 👩‍⚕️ end";
    let before = "";
    for (let share = 0; share <= 1; share += 0.01) {
      const cut = heardText(text, share);
      expect(text).toStartWith(cut);
      expect(cut.length).toBeGreaterThanOrEqual(before.length);
      before = cut;
    }
    expect(before.length).toBeGreaterThan(text.length / 2);
  });
});

describe("conversation", () => {
  test("truncates at what was heard, in whole milliseconds", () => {
    const conversation = spoken("one two three four", 1000);
    const cut = conversation.cut(heard("item_1", 500.9, 1000));
    expect(cut).toEqual({ kind: "truncate", itemId: "item_1", audioEndMs: 500 });
    expect(conversation.history()).toEqual([{ role: "assistant", text: "one two" }]);
  });

  test("never truncates beyond the audio that was received", () => {
    const own = spoken("one two", 299).cut(heard("item_1", 500, 700));
    expect(own).toMatchObject({ audioEndMs: 299 });
    const told = spoken("one two", 1000).cut(heard("item_1", 500, 320.5));
    expect(told).toMatchObject({ audioEndMs: 320 });
  });

  test("deletes what was not heard, and an item whose audio does not exist yet", () => {
    const conversation = spoken("one two", 1000);
    expect(conversation.cut(heard("item_1", 0.9, 1000))).toEqual({ kind: "delete", itemId: "item_1" });
    conversation.agentItem("item_2");
    expect(conversation.cut(heard("item_2", 40, 40))).toEqual({ kind: "delete", itemId: "item_2" });
    expect(conversation.cut(heard("item_3", 0, 0))).toBeNull();
    expect(conversation.history()).toEqual([]);
  });

  test("an item is cut once", () => {
    const conversation = spoken("one two three four", 1000);
    conversation.cut(heard("item_1", 500, 1000));
    expect(conversation.cut(heard("item_1", 100, 1000))).toBeNull();
    expect(conversation.history()).toEqual([{ role: "assistant", text: "one two" }]);
  });

  test("late audio and text of a cut item enlarge the whole, not what was heard", () => {
    const conversation = spoken("one two", 1000);
    conversation.cut(heard("item_1", 500, 1000));
    expect(conversation.history()).toEqual([{ role: "assistant", text: "one" }]);
    conversation.agentAudio("item_1", 1000 * MS, false);
    conversation.agentText("item_1", "one two three four");
    expect(conversation.history()).toEqual([{ role: "assistant", text: "one" }]);
  });

  test("audio that was not passed on does not count as said", () => {
    const conversation = spoken("one two three four", 500);
    conversation.agentAudio("item_1", 500 * MS, false);
    expect(conversation.history()).toEqual([{ role: "assistant", text: "one two" }]);
  });

  test("of PCM16 at 24 kHz 48 bytes are a millisecond, and a cut never lies beyond what came", () => {
    const conversation = new Conversation([], "pcm24k", () => undefined);
    conversation.agentDelta("item_1", "one two three four");
    conversation.agentAudio("item_1", 1000 * 48 - 1, true);
    expect(conversation.cut(heard("item_1", 2000, 2000))).toMatchObject({ audioEndMs: 999 });
    const half = new Conversation([], "pcm24k", () => undefined);
    half.agentDelta("item_1", "one two three four");
    half.agentAudio("item_1", 1000 * 48, true);
    expect(half.cut(heard("item_1", 500, 1000))).toMatchObject({ kind: "truncate", audioEndMs: 500 });
    expect(half.history()).toEqual([{ role: "assistant", text: "one two" }]);
  });

  test("a turn keeps its place although its transcript comes after the answer", () => {
    const conversation = new Conversation([{ role: "system", text: "context" }], "pcmu", () => undefined);
    conversation.userCommitted("item_u");
    conversation.agentDelta("item_a", "An answer.");
    conversation.userText("item_u", "A question.");
    expect(conversation.history().map((i) => i.text)).toEqual(["context", "A question.", "An answer."]);
  });

  test("a replayed item that is cut is replaced by its heard text, one never heard is deleted", () => {
    const conversation = spoken("one two three four", 1000);
    conversation.agentDelta("item_2", "five six");
    conversation.agentAudio("item_2", 1000 * MS, true);
    const created: string[] = [];
    conversation.replay((id, role, text) => created.push(`${id} ${role} ${text}`));
    expect(created).toEqual(["tandem_1 assistant one two three four", "tandem_2 assistant five six"]);
    const cut = conversation.cut(heard("item_1", 500, 1000));
    const item = { role: "assistant", text: "one two" };
    expect(cut).toMatchObject({ kind: "replace", itemId: "tandem_1", item });
    expect(conversation.cut(heard("item_2", 0, 1000))).toEqual({ kind: "delete", itemId: "tandem_2" });
  });

  test("has what a coach said as a note that the caller did not hear it, and what the others said meanwhile", () => {
    const conversation = spoken("How can I help?", 1000);
    conversation.userCommitted("item_2");
    conversation.userText("item_2", "My chest hurts.");
    conversation.speakAs("coach");
    conversation.userCommitted("item_3");
    conversation.userText("item_3", "Hello, this is the nurse. Since when?");
    conversation.agentDelta("item_4", "Ask about the left arm.");
    conversation.agentAudio("item_4", 1000 * MS, true);
    conversation.userCommitted("item_5");
    conversation.userText("item_5", "Since this morning.");
    conversation.speakAs("agent");
    conversation.agentDelta("item_6", "I am back with you.");
    conversation.agentAudio("item_6", 1000 * MS, true);
    const expected = [
      { role: "assistant", text: "How can I help?" },
      { role: "user", text: "My chest hurts." },
      { role: "user", text: "Hello, this is the nurse. Since when?" },
      {
        role: "system",
        text: expect.stringMatching(/the caller did not hear it: Ask about the left arm\.$/),
      },
      { role: "user", text: "Since this morning." },
      { role: "assistant", text: "I am back with you." },
    ];
    expect(conversation.history() as unknown[]).toEqual(expected);
    const replayed: unknown[] = [];
    conversation.replay((_id, role, text) => replayed.push({ role, text }));
    expect(replayed).toEqual(expected);
    // And once more, when the session after that one is made of the history.
    expect(new Conversation(conversation.history(), "pcmu", () => undefined).history() as unknown[]).toEqual(
      expected,
    );
  });

  test("of a whisper that was cut has what was heard of it, a replayed one included", () => {
    const conversation = new Conversation([], "pcmu", () => undefined);
    conversation.speakAs("coach");
    conversation.agentDelta("item_1", "one two three four");
    conversation.agentAudio("item_1", 1000 * MS, true);
    conversation.speakAs("agent");
    conversation.replay(() => undefined);
    const item = { role: "system", text: expect.stringMatching(/: one two$/) };
    expect(conversation.cut(heard("item_1", 500, 1000))).toMatchObject({ kind: "replace", item });
    expect(conversation.history() as unknown[]).toEqual([item]);
  });

  test("is bounded: the oldest entries leave and are counted", () => {
    let dropped = 0;
    const conversation = new Conversation([], "pcmu", () => dropped++);
    for (let i = 0; i < MAX_ENTRIES + 7; i++) conversation.addText("user", `text ${i}`);
    expect(dropped).toBe(7);
    expect(conversation.history()).toHaveLength(MAX_ENTRIES);
    expect(conversation.history()[0]?.text).toBe("text 7");
  });
});
