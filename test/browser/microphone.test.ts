/** A caller's microphone and ear, from the browser to the model and back, by what the audio is. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { createHearing } from "../../adapters/sandbox/hearing.ts";
import { type Model, startModel } from "../../adapters/sandbox/model/server.ts";
import { resample } from "../../adapters/sandbox/phone/resample.ts";
import { createSpeech } from "../../adapters/sandbox/speech/speech.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { listen } from "../support/tap.ts";
import { until } from "../support/until.ts";
import { ulawToFloat } from "../unit/sandbox/phone/signals.ts";
import { launch, skipsBrowser } from "./chromium.ts";
import { audible, call, GUARD_MS, untilCall, untilHeard, untilReceived } from "./handset-driver.ts";
import { bestFit, envelope } from "./likeness.ts";
import { type SandboxEngine, startSandboxEngine } from "./sandbox-engine.ts";
import { SETUP_TIMEOUT_MS } from "./setup.ts";

const MODEL_KEY = "a-key-for-tests-only";
const GREETING = "Hello, this is the after-hours line.";
const SAID = "I would like to know when you open tomorrow.";
/** What the sandbox's model answers to speech whose words it does not know. */
const ANSWER = "Thank you. Could you tell me a little more about that?";
/** After the words, until the file begins again: the answer has room in it, however busy the machine is. */
const PAUSE_MS = 10_000;
/** Levels are compared in pieces of 40 ms. */
const PIECE = 320;

const folder = mkdtempSync(join(tmpdir(), "tandem-microphone-"));
const tap = listen();
const speech = createSpeech({ log: silentLog });
let spoken: Float32Array;
let model: Model;
let engine: SandboxEngine;
let browser: Browser;

/** What Chromium takes for a microphone: mono, 16 bits, 48 kHz. */
function wav48k(samples: Float32Array): Uint8Array {
  const at48k = resample(samples, 8000, 48_000);
  const bytes = new Uint8Array(44 + at48k.length * 2);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("RIFF"), 0);
  view.setUint32(4, bytes.length - 8, true);
  bytes.set(new TextEncoder().encode("WAVEfmt "), 8);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 48_000, true);
  view.setUint32(28, 96_000, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  bytes.set(new TextEncoder().encode("data"), 36);
  view.setUint32(40, at48k.length * 2, true);
  at48k.forEach((sample, i) => view.setInt16(44 + i * 2, Math.round(sample * 32_000), true));
  return bytes;
}

beforeAll(async () => {
  if (skipsBrowser) return;
  const words = ulawToFloat(await speech.say(SAID));
  spoken = new Float32Array(words.length + PAUSE_MS * 8);
  spoken.set(words);
  const path = join(folder, "microphone.wav");
  writeFileSync(path, wav48k(spoken));
  const parts = { clock: systemClock, ids: seededIds(5), log: silentLog, hearing: createHearing(), speech };
  model = await startModel({ ...parts, apiKey: MODEL_KEY, tap: tap.tap });
  engine = await startSandboxEngine({
    deployment: () => ({ agent: { greeting: GREETING } }),
    env: { OPENAI_API_KEY: MODEL_KEY, OPENAI_BASE_URL: model.url },
  });
  browser = await launch(path);
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await engine?.kill();
  await browser?.close();
  await model?.stop();
  speech.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(skipsBrowser)("a caller with a microphone", () => {
  test("is heard by the model as they speak, and hears what the model says", async () => {
    const context = await browser.newContext();
    const caller = await call(context, engine);
    await caller.logged("The microphone is on.");
    // A turn without words: no recogniser knows them from their sound.
    const { state } = await untilCall(engine, "the AI has answered the caller", ({ transcript }) =>
      transcript.some(({ speaker, text }) => speaker === "agent" && ANSWER.startsWith(text)),
    );
    expect(state).toBe("streaming");

    const answer = await speech.say(ANSWER);
    await untilReceived(caller, answer, 0.7);
    await untilHeard(caller, ulawToFloat(answer), 0.5);
    const sent = new Set(tap.items().flatMap(audible));
    const frames = audible(caller.received());
    // Whoever waits for the AI alone in the room hears music, for as long as it takes to come.
    const heard = frames.slice(frames.findIndex((frame) => sent.has(frame)));
    expect(heard.filter((frame) => sent.has(frame)).length / heard.length).toBeGreaterThan(0.6);

    const round = envelope(spoken, PIECE);
    // The words, and the pause after them.
    const halfRound = () => tap.received().length > spoken.length / 2;
    await until("half a round comes to the model", halfRound, 50, GUARD_MS);
    const received = envelope(ulawToFloat(tap.received()), PIECE);
    expect(bestFit(received.slice(-round.length), round)).toBeGreaterThan(0.8);

    // Two open microphones in one room hear everything twice.
    const other = await call(context, engine);
    await other.logged("The microphone is on.");
    await caller.logged("Another handset has the microphone now.");
    await caller.press("Talk here");
    await caller.section.getByRole("button", { name: "Microphone on" }).waitFor();
    await other.logged("Another handset has the microphone now.");
    expect(caller.wrongs).toEqual([]);
    await context.close();
  });
});
