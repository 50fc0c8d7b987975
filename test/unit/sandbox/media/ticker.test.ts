import { expect, test } from "bun:test";
import { SpreadTicker, Ticker } from "../../../../adapters/sandbox/carrier/media/ticker.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import type { Clock } from "../../../../engine/ports.ts";

class Counter {
  ticks = 0;
  onTick: () => void = () => undefined;
  tick(): void {
    this.ticks++;
    this.onTick();
  }
}

/** A clock whose timers come late by what `lateMs` says; negative: early, if they are long enough. */
function lateClock(clock: VirtualClock, lateMs: () => number): Clock {
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    setTimeout: (fn, delayMs) =>
      clock.setTimeout(fn, delayMs + (delayMs > 5 ? lateMs() : Math.max(0, lateMs()))),
    clearTimeout: (handle) => clock.clearTimeout(handle),
  };
}

test("a ticker ticks every member once a period and has a timer only while it has members", () => {
  const clock = new VirtualClock();
  const ticker = new Ticker(clock, 20);
  expect(clock.pendingTimers).toBe(0);
  const [a, b] = [new Counter(), new Counter()];
  ticker.add(a);
  ticker.add(b);
  ticker.add(a);
  expect(ticker.size).toBe(2);
  expect(clock.pendingTimers).toBe(1);
  clock.advance(1_000);
  expect([a.ticks, b.ticks]).toEqual([50, 50]);
  ticker.remove(a);
  clock.advance(100);
  expect([a.ticks, b.ticks]).toEqual([50, 55]);
  ticker.remove(b);
  expect(clock.pendingTimers).toBe(0);
});

test("lateness does not add up: after many late timers the number of ticks is what the time says", () => {
  const clock = new VirtualClock();
  const ticker = new Ticker(
    lateClock(clock, () => 7),
    20,
  );
  const counter = new Counter();
  ticker.add(counter);
  clock.advance(10_007);
  expect(counter.ticks).toBe(500);
  ticker.stop();
});

test("a timer that fires early ticks nothing until its time", () => {
  const clock = new VirtualClock();
  const ticker = new Ticker(
    lateClock(clock, () => -3),
    20,
  );
  const counter = new Counter();
  ticker.add(counter);
  clock.advance(19);
  expect(counter.ticks).toBe(0);
  clock.advance(1);
  expect(counter.ticks).toBe(1);
  clock.advance(980);
  expect(counter.ticks).toBe(50);
  ticker.stop();
});

test("a short stall is made up for in one burst, a long one only in part", () => {
  const clock = new VirtualClock();
  let lateMs = 0;
  const ticker = new Ticker(
    lateClock(clock, () => lateMs),
    20,
  );
  const counter = new Counter();
  lateMs = 80;
  ticker.add(counter);
  lateMs = 0;
  clock.advance(100);
  expect(counter.ticks).toBe(5);
  lateMs = 1_000;
  clock.advance(20);
  lateMs = 0;
  clock.advance(1_020);
  // 51 were due by then: one on time, 10 in the burst after the stall, and one more 20 ms later.
  expect(ticker.counters().skipped).toBeGreaterThan(0);
  expect(counter.ticks + ticker.counters().skipped).toBe(Math.floor(clock.monotonicMs() / 20));
  ticker.stop();
  expect(clock.pendingTimers).toBe(0);
});

test("members may leave, join and throw from inside a tick", () => {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const ticker = new Ticker(clock, 20, (error) => errors.push(error));
  const [first, second, third] = [new Counter(), new Counter(), new Counter()];
  first.onTick = () => {
    ticker.remove(second);
    ticker.add(third);
    throw new Error("broken");
  };
  ticker.add(first);
  ticker.add(second);
  clock.advance(20);
  expect([first.ticks, second.ticks, third.ticks]).toEqual([1, 0, 0]);
  clock.advance(20);
  expect([first.ticks, second.ticks, third.ticks]).toEqual([2, 0, 1]);
  expect(errors).toHaveLength(2);
  expect(ticker.counters().errors).toBe(2);
  third.onTick = () => ticker.stop();
  clock.advance(20);
  expect(clock.pendingTimers).toBe(0);
});

test("a member that removes itself and comes back in the same tick goes on with one timer", () => {
  const clock = new VirtualClock();
  const ticker = new Ticker(clock, 20);
  const counter = new Counter();
  counter.onTick = () => {
    ticker.remove(counter);
    ticker.add(counter);
  };
  ticker.add(counter);
  clock.advance(200);
  expect(counter.ticks).toBe(10);
  expect(clock.pendingTimers).toBe(1);
  ticker.stop();
});

test("spread members are ticked as often as others, in groups at evenly shifted instants", () => {
  const clock = new VirtualClock();
  clock.advance(7);
  const ticker = new SpreadTicker({ clock, periodMs: 20, phases: 4, onError: () => undefined });
  const instants = Array.from({ length: 8 }, () => [] as number[]);
  const members = instants.map((at) => ({ tick: () => void at.push(clock.monotonicMs() % 20) }));
  for (const member of [...members, ...members]) ticker.add(member);
  expect(ticker.size).toBe(8);
  clock.advance(200);
  expect(instants.every((at) => at.length === 10 && new Set(at).size === 1)).toBe(true);
  expect(instants.map((at) => at[0]).toSorted()).toEqual([0, 0, 10, 10, 15, 15, 5, 5]);
  for (const member of members) ticker.remove(member);
  expect([ticker.size, clock.pendingTimers]).toEqual([0, 0]);
});
