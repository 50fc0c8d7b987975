/** Audio is the same bytes in the same order, both ways, from the first word on. Checked by content. */
import { describe, expect, test } from "bun:test";
import { begin, call, ended, handOver, stateOf } from "../support/steps.ts";
import { joined, listen, SILENCE, spoken } from "../support/tap.ts";
import { CALLER, noise, NUMBER } from "../support/world.ts";

const FRAME_BYTES = 160;
/** The greeting's noise lasts 40 ms a character. */
const GREETING = "Hello there.";

describe("audio", () => {
  test("reaches the model byte for byte, the words before it was ready included", async () => {
    const tap = listen();
    // The model's first audio is of no interest here; its configuration takes longer than the stream to open.
    const world = await begin({ tap: tap.tap, modelFaults: { slowReaderMs: 1000 }, persona: "silent" });
    const { phone } = await world.phone(CALLER);
    const callSid = await phone.dial(NUMBER);
    await world.until("the stream is open at both ends", () => world.engine.gateway.live === 1);
    expect(stateOf(world, callSid)).toBe("arriving");
    const words = noise("the first words of a caller", 1200);
    const outcome = phone.speak(words);
    await world.until("streaming", () => stateOf(world, callSid) === "streaming");
    world.model.faults.set({ slowReaderMs: null });
    expect(await outcome).toBe("said");
    await world.until("all of it has arrived", () => spoken(tap.received()).length >= words.length);
    expect(spoken(tap.received()).equals(Buffer.from(words))).toBe(true);
    phone.hangUp();
    const row = await ended(world, callSid);
    // The proof that some of it did wait for the model.
    expect(row.metrics["heldBytes"]).toBeGreaterThan(FRAME_BYTES);
    expect(row.metrics["heldDroppedBytes"]).toBe(0);
  });

  test("reaches the caller byte for byte", async () => {
    const tap = listen();
    const heard: Uint8Array[] = [];
    const world = await begin({ tap: tap.tap, deployment: { agent: { greeting: GREETING } } });
    const { phone } = await world.phone(CALLER, { onFrame: (frame) => void heard.push(frame.slice()) });
    const callSid = await phone.dial(NUMBER);
    await world.until("streaming", () => stateOf(world, callSid) === "streaming");
    // Whatever was heard until here is the music of a conference that waits.
    heard.length = 0;
    const greeting = noise(GREETING, GREETING.length * 40);
    await world.until("the greeting was heard", () => spoken(joined(heard)).length >= greeting.length);
    expect(spoken(tap.sent()).equals(Buffer.from(greeting))).toBe(true);
    expect(spoken(joined(heard)).equals(Buffer.from(greeting))).toBe(true);
    phone.hangUp();
    await ended(world, callSid);
  });

  test("of a coach reaches the human and never the caller", async () => {
    const tap = listen();
    const world = await begin({ tap: tap.tap });
    const words = Buffer.from(noise("My chest hurts.", 800));
    const heard = { caller: 0, human: 0, wordsByCaller: 0 };
    let before = Number.POSITIVE_INFINITY;
    // Noise repeats nowhere: a frame that is found among the coach's bytes was said by the coach.
    const isWhisper = (frame: Uint8Array): boolean => {
      const { buffer, byteOffset, length } = tap.sent();
      return !frame.includes(SILENCE) && Buffer.from(buffer, byteOffset, length).indexOf(frame, before) >= 0;
    };
    const { callSid, phone } = await call(world, {
      onFrame: (frame) => {
        if (isWhisper(frame)) heard.caller++;
        if (!frame.includes(SILENCE) && words.includes(frame)) heard.wordsByCaller++;
      },
    });
    const coached = await handOver(world, callSid, {
      onFrame: (frame) => {
        if (isWhisper(frame)) heard.human++;
      },
    });
    before = tap.sent().length;
    await coached.speak(words, "My chest hurts.");
    await world.until("the human has heard a second of the whisper", () => heard.human >= 50);
    expect(heard.wordsByCaller).toBeGreaterThan(0);
    expect(heard.caller).toBe(0);
    phone.hangUp();
    await ended(world, callSid);
  });
});
