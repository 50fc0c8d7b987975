/** A call whose model speaks PCM16 at 24 kHz: understood both ways, and interrupted where it was heard. */
import { describe, expect, test } from "bun:test";
import { begin, ended, stateOf } from "../support/steps.ts";
import { joined, listen, SILENCE } from "../support/tap.ts";
import { CALLER, noise, NUMBER, type World, type WorldOptions } from "../support/world.ts";
import { rms, ulawToFloat } from "../unit/sandbox/phone/signals.ts";

const ULAW_BYTES_PER_MS = 8;
const PCM_BYTES_PER_MS = 48;
/** The world's noise lasts 40 ms a character. */
const CHARACTER_MS = 40;
const MAX_ERROR_MS = 60;

/** A caller who is connected, and all that they have heard since. */
async function connected(options: WorldOptions, greeting: string) {
  const tap = listen();
  const heard: Uint8Array[] = [];
  const deployment = { agent: { audioFormat: "pcm24k" as const, greeting } };
  const world: World = await begin({ ...options, tap: tap.tap, deployment });
  const { phone } = await world.phone(CALLER, { onFrame: (frame) => void heard.push(frame.slice()) });
  const callSid = await phone.dial(NUMBER);
  await world.until("streaming", () => stateOf(world, callSid) === "streaming");
  // Whatever was heard until here is the music of a conference that waits.
  heard.length = 0;
  const fromFirstSound = (): Uint8Array => {
    const all = joined(heard);
    const first = all.findIndex((byte) => byte !== SILENCE);
    return first < 0 ? new Uint8Array(0) : all.subarray(first);
  };
  return { tap, world, phone, callSid, fromFirstSound };
}

/** Correlation of two signals at no delay, 1 for the same shape. */
function likeness(one: Float32Array, other: Float32Array): number {
  const dot = (a: Float32Array, b: Float32Array): number =>
    a.reduce((sum, value, n) => sum + value * (b[n] as number), 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

describe("a model that speaks PCM16 at 24 kHz", () => {
  test("is heard by the caller, understands what they say, and answers it", async () => {
    const greeting = "Hello there, this is the night line.";
    const { tap, world, phone, callSid, fromFirstSound } = await connected(
      { persona: "echo-text" },
      greeting,
    );
    const said = noise(greeting, greeting.length * CHARACTER_MS);
    await world.until("the greeting was heard", () => fromFirstSound().length >= said.length);
    expect(tap.sent().length).toBe((said.length / ULAW_BYTES_PER_MS) * PCM_BYTES_PER_MS);
    const heard = ulawToFloat(fromFirstSound().subarray(0, said.length));
    const wanted = ulawToFloat(said);
    // White noise is the worst there is for two filters: what they take is at the very top of the band.
    expect(likeness(heard, wanted)).toBeGreaterThan(0.9);
    expect(20 * Math.log10(rms(heard) / rms(wanted))).toBeGreaterThan(-4);
    expect(rms(heard)).toBeLessThan(rms(wanted));
    const question = "Can I speak to a nurse?";
    await phone.speak(noise(question, 1200), question);
    const answeredMs = (greeting.length + question.length) * CHARACTER_MS;
    await world.until("the answer", () => tap.sent().length >= answeredMs * PCM_BYTES_PER_MS);
    // What the caller said may be told after the answer to it.
    const lines = (): string[] =>
      (world.engine.supervisor.get(callSid)?.row().protected.transcript ?? []).map(
        ({ speaker, text }) => `${speaker}: ${text.trim()}`,
      );
    await world.until("all of it was heard", () => lines().length === 3);
    expect(lines().toSorted()).toEqual([`agent: ${question}`, `agent: ${greeting}`, `caller: ${question}`]);
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(row.metrics).toMatchObject({ badModelAudio: 0 });
    expect(world.warnings).toEqual([]);
  });

  test("is told where it was interrupted", async () => {
    const tenSeconds = "x".repeat(250);
    const { tap, world, phone, callSid, fromFirstSound } = await connected({}, tenSeconds);
    await world.until("two seconds were heard", () => fromFirstSound().length >= 2000 * ULAW_BYTES_PER_MS);
    expect(tap.sent().length).toBe(10_000 * PCM_BYTES_PER_MS);
    void phone.speak(noise("stop", 600));
    const truncate = await world.until(
      "the model is told",
      () => tap.messages("conversation.item.truncate")[0],
    );
    await world.until("the caller's words have been said", () => !phone.speaking);
    const heard = fromFirstSound();
    const last = heard.findLastIndex((byte) => byte !== SILENCE);
    const truthMs = (last + 1) / ULAW_BYTES_PER_MS;
    expect(Math.abs(Number(truncate["audio_end_ms"]) - truthMs)).toBeLessThanOrEqual(MAX_ERROR_MS);
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(row.metrics["bargeIns"]).toBe(1);
    expect(row.protected.transcript[0]).toMatchObject({ speaker: "agent", generatedMs: 10_000 });
    expect(world.warnings).toEqual([]);
  });
});
