/** A call that was recorded, in a real browser: its log and its sound have one playhead. */
import { describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { MAX_DRIFT_MS } from "../../engine/console/app/playhead.ts";
import { openWatched, skipsBrowser } from "./chromium.ts";
import { beOnCall, call, GUARD_MS, untilCall, untilSpokenTo } from "./handset-driver.ts";
import { share } from "./setup.ts";
import { until } from "../support/until.ts";

const shared = share({
  deployment: () => ({
    recording: "leg" as const,
    agent: { greeting: "Hello." },
    escalation: {
      rungs: [{ name: "primary", contacts: [{ name: "Nurse Ada", voice: "+15550100" }] }],
    },
  }),
  env: { TANDEM_ENCRYPTION_KEY: "11".repeat(32) },
});

/** A call in which the coach has whispered, to its end. */
async function recordedCall(): Promise<string> {
  const context = await shared.browser.newContext();
  const onCall = await beOnCall(context, shared.engine);
  const caller = await call(context, shared.engine);
  await caller.say("I need a nurse, please.");
  await onCall.phase("incoming");
  await onCall.press("Answer");
  await onCall.phase("in-call");
  await untilSpokenTo(onCall);
  await onCall.press("1");
  await untilCall(shared.engine, "coaching", ({ state }) => state === "coaching");
  await caller.say("My chest hurts.");
  await untilCall(shared.engine, "the coach has whispered", ({ transcript }) =>
    transcript.some(({ speaker }) => speaker === "coach"),
  );
  await caller.press("Hang up");
  const { callSid } = await untilCall(
    shared.engine,
    "the track is kept",
    (row) => row.state === "ended" && (row as unknown as { recordings: string[] }).recordings.length > 0,
  );
  await context.close();
  return callSid;
}

interface Seen {
  /** Where the sound is, and how long it is. */
  readonly soundMs: number;
  readonly lengthMs: number;
  readonly paused: boolean;
  readonly rate: number;
  /** Of the playhead. */
  readonly atMs: number;
  readonly atEnd: boolean;
  readonly entry: number;
}

/** Runs in the page. */
function look(): Seen {
  const { document } = globalThis as unknown as Record<string, any>;
  const of = (name: string) => document.querySelector(`[data-testid=${name}]`);
  const audio = of("audio");
  return {
    soundMs: audio.currentTime * 1000,
    lengthMs: audio.duration * 1000,
    paused: audio.paused,
    rate: audio.playbackRate,
    atMs: Number(of("scrub-time").value),
    atEnd: of("scrub-time").value === of("scrub-time").max,
    entry: Number(of("scrub").value),
  };
}

/** Runs in the page: how fast the sound was whenever it went on, however late somebody looks. */
function keepRates(): void {
  const page = globalThis as unknown as Record<string, any>;
  const kept: number[] = (page["keptRates"] = []);
  const audio = page["document"].querySelector("audio");
  audio.addEventListener("timeupdate", () => {
    if (!audio.paused && audio.currentTime > 1.5) kept.push(audio.playbackRate);
  });
}

async function untilSeen(page: Page, what: string, check: (seen: Seen) => boolean): Promise<Seen> {
  const seen = async (): Promise<Seen | null> => {
    const now = await page.evaluate(look);
    return check(now) ? now : null;
  };
  return await until(what, seen, 50, GUARD_MS);
}

const apartMs = ({ soundMs, atMs }: Seen): number => Math.abs(soundMs - atMs);

describe.skipIf(skipsBrowser)("a recorded call", () => {
  test("plays with its log, and each moves the other", async () => {
    const callSid = await recordedCall();
    const context = await shared.browser.newContext();
    const { origin } = shared.engine;
    const { page, wrongs } = await openWatched(context, `${origin}/console/calls/${callSid}`, [origin]);
    page.setDefaultTimeout(GUARD_MS);
    const at = (name: string) => page.getByTestId(name);
    await at("scrub-time").waitFor();
    const { entry: last } = await page.evaluate(look);

    await at("play").click();
    const first = await untilSeen(page, "it sounds", ({ soundMs, entry }) => soundMs > 500 && entry < last);
    await untilSeen(page, "the log goes on with it", ({ entry }) => entry > first.entry);
    await at("play").click();
    const stopped = await untilSeen(page, "it stops", ({ paused }) => paused);
    expect(apartMs(stopped)).toBeLessThan(MAX_DRIFT_MS);
    expect(stopped.lengthMs).toBeGreaterThan(stopped.soundMs);

    // By time, by the log, and by whoever else moves the sound.
    await at("scrub-time").fill("2000");
    expect(await page.evaluate(look)).toMatchObject({ soundMs: 2000, atMs: 2000, paused: true });
    const before = (await page.evaluate(look)).entry;
    await at("step-on").click();
    const stepped = await untilSeen(page, "a step", ({ entry }) => entry > before);
    expect(stepped.soundMs).toBeGreaterThan(2000);
    expect(apartMs(stepped)).toBeLessThan(MAX_DRIFT_MS);
    await page.evaluate(() => {
      (globalThis as unknown as Record<string, any>)["document"].querySelector("audio").currentTime = 1;
    });
    const pulled = await untilSeen(page, "the log follows the sound", ({ atMs }) => atMs === 1000);
    expect(pulled.entry).toBeLessThan(stepped.entry);
    await page.waitForURL(`**#at=${pulled.entry}`);

    // Many times as fast, to the end of the log, which goes on behind that of the sound.
    await page.evaluate(keepRates);
    await at("player").getByRole("combobox").selectOption("16");
    await at("play").click();
    const end = await untilSeen(
      page,
      "the end",
      ({ entry, paused, atEnd }) => entry === last && paused && atEnd,
    );
    expect(end.atMs).toBeGreaterThanOrEqual(Math.floor(end.lengthMs));
    const rates = await page.evaluate(`keptRates`);
    expect(rates).toContain(16);
    expect(new Set(rates as number[]).size).toBe(1);

    // Without the sound it plays in time, as any call does.
    await at("track-coach").uncheck();
    await at("player").getByRole("combobox").selectOption("1");
    expect(await page.locator("audio").count()).toBe(0);
    await at("play").click();
    const entry = async (): Promise<number> => Number(await at("scrub").inputValue());
    await until("the log begins anew", async () => (await entry()) < last, 50, GUARD_MS);
    await until("the log goes on", async () => (await entry()) > 1, 50, GUARD_MS);
    expect(wrongs).toEqual([]);
    await context.close();
  }, 120_000);
});
