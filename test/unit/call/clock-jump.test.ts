/** The machine's clock is set while people are paged, in one engine and between two: nobody's time is cut or drawn out. */
import { describe, expect, test } from "bun:test";
import type { ChainedEntry } from "../../../engine/platform/hash-chain.ts";
import { replay } from "../../../engine/audit/replay.ts";
import { lastSavedAtMs, loadUnfinished, resumeUnfinished } from "../../../engine/call/restore.ts";
import { AckTokens } from "../../../engine/http/ack-tokens.ts";
import { StreamTokens } from "../../../engine/media/stream-tokens.ts";
import { SteadyClock } from "../../../engine/platform/steady-clock.ts";
import { SetClock } from "../platform/set-clock.ts";
import { type Calls, makeCalls, openStream } from "./calls-setup.ts";
import { called, DOCTOR, LADDER, log, NURSE, paging, row, texts, wait, WINDOW_MS } from "./ladder-setup.ts";
import { CALL_SID, settle, START_MS } from "./support.ts";

const HOUR_MS = 3_600_000;
const JUMPS_MS = [HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS];
/** Of the time that a deadline may come early or late by. */
const BOUND = 0.01;

/** What an engine goes by on a machine whose clock is set. */
class EngineClock extends SetClock {
  #steady = this.#begin();

  #begin(): SteadyClock {
    return new SteadyClock({
      now: () => super.now(),
      monotonicMs: () => this.monotonicMs(),
      setTimeout: (fn, delayMs) => this.setTimeout(fn, delayMs),
      clearTimeout: (handle) => this.clearTimeout(handle),
    });
  }

  /** Another process, which knows no more than what the machine shows. */
  begin(): SteadyClock {
    this.#steady = this.#begin();
    return this.#steady;
  }

  override now(): number {
    return this.#steady.now();
  }
}

function begin(): { clock: EngineClock; calls: Calls } {
  const clock = new EngineClock(START_MS);
  return { clock, calls: makeCalls({ clock, deployment: LADDER }) };
}

function agrees(calls: Calls): void {
  const times = log(calls).map(({ at }) => at);
  expect(times).toEqual(times.toSorted());
  expect(replay(log(calls) as readonly ChainedEntry[])).toMatchObject({ divergence: null, why: null });
}

const secondRung = (calls: Calls) => texts(calls).filter(({ to }) => to === DOCTOR).length;

for (const byMs of JUMPS_MS) {
  describe(`a clock that is set by ${byMs / HOUR_MS} h`, () => {
    test("leaves a rung its time", async () => {
      const { clock, calls } = begin();
      await paging(calls);
      expect(called(calls)).toEqual([NURSE]);
      await wait(calls, 10_000);
      clock.set(byMs);
      await wait(calls, (WINDOW_MS - 10_000) * (1 - BOUND) - 1);
      expect(secondRung(calls)).toBe(0);
      await wait(calls, WINDOW_MS * 2 * BOUND + 2);
      expect(secondRung(calls)).toBe(1);
      agrees(calls);
    });

    test("leaves links and streams their time", () => {
      const clock = new EngineClock(START_MS);
      const acks = new AckTokens({ secret: "a-secret-for-tests", clock });
      const streams = new StreamTokens({ secret: "a-secret-for-tests", clock, ttlMs: 60_000 });
      const ack = acks.issue(CALL_SID, "push-1");
      const stream = streams.issue({ callSid: CALL_SID, legKey: "ai-1" });
      clock.set(byMs);
      expect(acks.open(ack)).toMatchObject({ callSid: CALL_SID, expired: false });
      expect(streams.check(stream)).toMatchObject({ callSid: CALL_SID });
    });
  });
}

/** The engine dies, the machine's clock is set, and another comes back after `awayMs`. */
async function restarted(byMs: number, awayMs: number): Promise<Calls> {
  const { clock, calls } = begin();
  await paging(calls);
  await wait(calls, 10_000);
  calls.supervisor.handOverAll();
  calls.followUps.handOver();
  calls.carrier.requests.length = 0;
  clock.set(byMs);
  clock.advance(awayMs);
  const steady = clock.begin();
  const { store, carrier } = calls;
  const next = makeCalls({ clock, deployment: LADDER, world: { store, carrier } });
  const found = await loadUnfinished({ ...next, clock: steady });
  steady.notBefore(lastSavedAtMs(found));
  resumeUnfinished(found, { ...next, gateway: { resumeTokens: () => undefined } });
  await settle();
  const session = next.supervisor.get(CALL_SID);
  if (session) openStream(session, clock, "ai-1", "MZ2");
  await settle();
  return next;
}

describe("a clock that is set between two engines", () => {
  test("back: a rung is late by the time since its call was last saved, and by no more", async () => {
    const calls = await restarted(-24 * HOUR_MS, 5000);
    const leftMs = WINDOW_MS - 10_000;
    await wait(calls, leftMs - 1);
    expect(secondRung(calls)).toBe(0);
    await wait(calls, 1 + leftMs * 2 * BOUND);
    expect(secondRung(calls)).toBe(1);
    agrees(calls);
  });

  test("forward: that is an absence to whoever comes back; the rung ends, and the next has its time", async () => {
    const calls = await restarted(HOUR_MS, 5000);
    await wait(calls, 1);
    expect(secondRung(calls)).toBe(1);
    const before = called(calls).length;
    await wait(calls, WINDOW_MS - 10_000);
    expect(called(calls)).toHaveLength(before);
    agrees(calls);
  });

  test("forward by more than a call may last: it ends as one that did", async () => {
    const calls = await restarted(24 * HOUR_MS, 5000);
    await wait(calls, 60_000);
    expect(row(calls)).toMatchObject({ state: "ended", endReason: "time_limit" });
    agrees(calls);
  });
});
