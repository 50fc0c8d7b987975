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
    // The model's first audio is of no interest here; its configuration takes half a second.
    const world = await begin({ tap: tap.tap, modelFaults: { slowReaderMs: 250 }, persona: "silent" });
    const { phone } = await world.phone(CALLER);
    const callSid = await phone.dial(NUMBER);
    await world.until("the stream is open", () => world.carrier.state().streams.length === 1);
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
    const caller: Uint8Array[] = [];
    const human: Uint8Array[] = [];
    const world = await begin({ tap: tap.tap });
    const { callSid, phone } = await call(world, { onFrame: (frame) => void caller.push(frame.slice()) });
    const coached = await handOver(world, callSid, { onFrame: (frame) => void human.push(frame.slice()) });
    const before = tap.sent().length;
    const words = "My chest hurts.";
    await coached.speak(noise(words, 800), words);
    // Frames are told apart by their bytes: those that the coach said, as far as they came.
    const whispered = (): Set<string> => framesOf(tap.sent().slice(before));
    const heardOf = (frames: readonly Uint8Array[], said: Set<string>): number =>
      [...framesOf(joined(frames))].filter((frame) => said.has(frame)).length;
    await world.until("the human has heard a second of it", () => heardOf(human, whispered()) >= 50);
    expect(heardOf(caller, framesOf(noise(words, 800)))).toBeGreaterThan(0);
    expect(heardOf(caller, whispered())).toBe(0);
    phone.hangUp();
    await ended(world, callSid);
  });
});

function framesOf(audio: Uint8Array): Set<string> {
  const frames = new Set<string>();
  for (let at = 0; at + FRAME_BYTES <= audio.length; at += FRAME_BYTES) {
    const frame = audio.subarray(at, at + FRAME_BYTES);
    if (!frame.includes(SILENCE)) frames.add(frame.toBase64());
  }
  return frames;
}
