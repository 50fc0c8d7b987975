import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { heardPart } from "../../../engine/media/agent-transcript.ts";
import { ProviderError } from "../../../engine/errors.ts";
import { setUpCall } from "./bridge-setup.ts";
import { speech } from "./leg-setup.ts";

describe("the part of a text that was heard", () => {
  test("is cut back to whole words", () => {
    const text = "I am reaching the on-call nurse";
    expect(heardPart(text, 0, 1000)).toBe("");
    expect(heardPart(text, 1000, 1000)).toBe(text);
    expect(heardPart(text, 500, 1000)).toBe("I am reaching");
    expect(heardPart(text, 1, 1000)).toBe("");
    expect(heardPart("Hello", 900, 1000)).toBe("");
    expect(heardPart("", 500, 1000)).toBe("");
    expect(heardPart(text, 500, 0)).toBe("");
  });

  test("is a prefix that ends at a word, never longer than its share", () => {
    const words = fc.array(fc.stringMatching(/^[a-zäöü,.!-]{1,12}$/), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(words, fc.nat({ max: 1000 }), (list, heardMs) => {
        const text = list.join(" ");
        const part = heardPart(text, heardMs, 1000);
        expect(text.startsWith(part)).toBe(true);
        expect(part.length).toBeLessThanOrEqual((text.length * heardMs) / 1000);
        if (part !== "")
          expect(list.join(" ").split(" ").slice(0, part.split(" ").length).join(" ")).toBe(part);
      }),
    );
  });
});

describe("the transcript of a call", () => {
  test("has an agent's item once it was heard to the end, with its speaker of the time it began", () => {
    const { bridge, say, clock, transcript } = setUpCall();
    const startedAtMs = clock.now();
    say("i1", speech(8000));
    bridge.setSpeaker("coach");
    expect(transcript).toEqual([]);
    clock.advance(1500);
    expect(transcript).toEqual([
      {
        atMs: startedAtMs,
        speaker: "agent",
        text: "text of i1",
        heardText: "text of i1",
        heardMs: 1000,
        generatedMs: 1000,
      },
    ]);
    say("i2", speech(800));
    clock.advance(1000);
    expect(transcript[1]?.speaker).toBe("coach");
  });

  test("has the words heard of an item that was cut, and all that was generated", () => {
    const { bridge, clock, transcript } = setUpCall();
    bridge.responseStarted("r1");
    for (const delta of ["I am reaching ", "the on-call ", "nurse"]) {
      bridge.agentTextDelta({ itemId: "i1", responseId: "r1", delta });
    }
    bridge.audio({ responseId: "r1", itemId: "i1", contentIndex: 0, base64: speech(16_000).toBase64() });
    clock.advance(1000);
    bridge.speechStarted();
    bridge.agentTextDelta({ itemId: "i1", responseId: "r1", delta: " too late" });
    expect(transcript).toHaveLength(1);
    expect(transcript[0]).toMatchObject({
      text: "I am reaching the on-call nurse",
      heardText: "I am reaching",
      generatedMs: 2000,
    });
    expect(bridge.counters().transcriptLateChars).toBe(9);
  });

  test("waits for text that comes after the last sound", () => {
    const { bridge, clock, transcript } = setUpCall();
    bridge.responseStarted("r1");
    bridge.audio({ responseId: "r1", itemId: "i1", contentIndex: 0, base64: speech(800).toBase64() });
    bridge.audioDone({ itemId: "i1" });
    clock.advance(2000);
    bridge.agentTextDelta({ itemId: "i1", responseId: "r1", delta: "Goodbye." });
    expect(transcript).toEqual([]);
    bridge.responseDone({ responseId: "r1", status: "completed", usage: null });
    expect(transcript[0]).toMatchObject({ text: "Goodbye.", heardText: "Goodbye.", heardMs: 100 });
  });

  test("has the caller's words at the time they were begun", () => {
    const { bridge, clock, transcript } = setUpCall();
    const begunAtMs = clock.now();
    bridge.speechStarted();
    clock.advance(2000);
    bridge.speechStopped();
    bridge.userText({ itemId: "u1", text: "Hello?" });
    bridge.userText({ itemId: "u2", text: "  " });
    expect(transcript).toEqual([{ atMs: begunAtMs, speaker: "caller", text: "Hello?" }]);
  });

  test("keeps what was played when the model's connection breaks in the middle of an item", () => {
    const { bridge, say, clock, transcript } = setUpCall();
    say("i1", speech(8000), "r1", false);
    clock.advance(400);
    bridge.reconnecting(new ProviderError("connection_lost", "gone", true));
    clock.advance(2000);
    expect(transcript).toHaveLength(1);
    expect(transcript[0]).toMatchObject({ heardMs: 1000, generatedMs: 1000 });
  });

  test("keeps what the lost leg had played of an answer that goes on", () => {
    const { bridge, say, clock, transcript, leg } = setUpCall();
    say("i1", speech(800), "r1", false);
    clock.advance(1000);
    bridge.detachLeg(leg);
    say("i1", speech(800), "r1", false);
    bridge.responseDone({ responseId: "r1", status: "completed", usage: null });
    expect(transcript).toHaveLength(1);
    expect(transcript[0]).toMatchObject({ heardMs: 100, generatedMs: 200 });
  });

  test("is bounded: beyond 64 open items the oldest is written as it is", () => {
    const { bridge, transcript } = setUpCall();
    for (let i = 0; i < 100; i++) {
      bridge.agentTextDelta({ itemId: `i${i}`, responseId: "r1", delta: `text ${i}` });
    }
    expect(transcript).toHaveLength(36);
    expect(bridge.counters().transcriptForced).toBe(36);
    bridge.close();
    expect(transcript).toHaveLength(100);
  });
});
