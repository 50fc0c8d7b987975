/** With recording on, what the coach whispered is kept: its bytes alone, at their place in the call. */
import { describe, expect, test } from "bun:test";
import type { CallRow } from "../../engine/ports.ts";
import { begin, call, ended, handOver, stateOf } from "../support/steps.ts";
import { listen, SILENCE, spoken } from "../support/tap.ts";
import { noise, type World } from "../support/world.ts";

const WAV_HEADER_BYTES = 58;
const GREETING = "Hello there.";
/** What the coach has advice for. */
const SYMPTOM = "My chest hurts.";
const noiseOf = (text: string): Buffer => Buffer.from(noise(text, text.length * 40));

/** Every row that is saved from now on. */
function rowsOf(world: World): readonly CallRow[] {
  const rows: CallRow[] = [];
  const { saveCall } = world.store;
  world.store.saveCall = (row) => {
    rows.push(row);
    saveCall.call(world.store, row);
  };
  return rows;
}

describe("the coach's track", () => {
  test("holds exactly what was whispered, and nothing that the caller was told", async () => {
    const tap = listen();
    const deployment = { recording: "conference", agent: { greeting: GREETING } } as const;
    const world = await begin({ tap: tap.tap, deployment });
    const rows = rowsOf(world);
    const { phone, callSid } = await call(world);
    const isHeardBy = (speaker: string) =>
      world.engine.supervisor
        .get(callSid)
        ?.row()
        .protected.transcript.some((entry) => entry.speaker === speaker && entry.heardText === entry.text);
    await world.until("the greeting was heard", () => isHeardBy("agent"));
    const human = await handOver(world, callSid);
    await human.speak(noise(SYMPTOM, 800), SYMPTOM);
    await world.until("a whisper was heard to its end", () => isHeardBy("coach"));
    human.hangUp();
    await world.until("streaming", () => stateOf(world, callSid) === "streaming");
    phone.hangUp();
    expect((await ended(world, callSid)).metrics["tapeDroppedBytes"]).toBe(0);
    const row = await world.until("the track is kept", () => rows.find((each) => each.recordings.length > 0));
    expect(row).toMatchObject({ callSid, state: "ended", recordings: ["coach"] });

    const url = `${world.engine.origin}/api/calls/${callSid}/recordings/coach.wav`;
    const wav = Buffer.from(await (await fetch(url)).bytes());
    const audio = wav.subarray(WAV_HEADER_BYTES, WAV_HEADER_BYTES + wav.readUInt32LE(54));
    // Only the last may have been cut, when the human left: its row has whole milliseconds.
    const whispers = row.protected.transcript.filter((entry) => entry.speaker === "coach");
    const words = Buffer.concat(whispers.map(({ text }) => noiseOf(text)));
    const heardBytes = whispers.reduce((sum, { heardMs = 0 }) => sum + heardMs * 8, 0);
    const taped = spoken(audio);
    expect(taped.equals(words.subarray(0, taped.length))).toBe(true);
    expect(taped.length - heardBytes).toBeWithin(0, 8);
    expect(heardBytes).toBeGreaterThan(0);

    // The agent's words went the same way, before the coach's.
    const greeting = noiseOf(GREETING);
    expect(spoken(tap.sent()).subarray(0, greeting.length).equals(greeting)).toBe(true);
    expect(audio.findIndex((byte) => byte !== SILENCE)).toBeGreaterThan(greeting.length);
    expect(world.warnings).toEqual([]);
  });

  test("of a call that the engine's stop cuts short is kept, and named, before the engine is gone", async () => {
    const world = await begin({ deployment: { recording: "leg", agent: { greeting: GREETING } } });
    let heard = 0;
    const { callSid } = await call(world);
    const human = await handOver(world, callSid, {
      onFrame: (frame) => {
        if (!frame.includes(SILENCE)) heard++;
      },
    });
    await human.speak(noise(SYMPTOM, 800), SYMPTOM);
    heard = 0;
    // The caller says nothing, and nobody hears themselves.
    await world.until("the human hears a whisper", () => heard >= 5);
    const rows = rowsOf(world);
    await world.engine.stop(0);
    expect(rows.at(-1)).toMatchObject({ callSid, state: "ended", recordings: ["coach"] });
  });
});
