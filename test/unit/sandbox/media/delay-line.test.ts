import { expect, test } from "bun:test";
import { DelayLine } from "../../../../adapters/sandbox/carrier/media/delay-line.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";

/** A delay without jitter. */
const steady = (delayMs: number) => ({ delayMs, random: () => 0 });

test("every item comes out after the delay, in order, by one timer", () => {
  const clock = new VirtualClock();
  const out: [number, number][] = [];
  const line = new DelayLine<number>(clock, steady(75), (item) => out.push([item, clock.monotonicMs()]));
  line.push(1);
  line.push(2);
  clock.advance(20);
  line.push(3);
  expect(clock.pendingTimers).toBe(1);
  clock.advance(1_000);
  expect(out).toEqual([
    [1, 75],
    [2, 75],
    [3, 95],
  ]);
  expect(clock.pendingTimers).toBe(0);
});

test("without a delay items come out at once and no timer runs", () => {
  const clock = new VirtualClock();
  const out: number[] = [];
  const line = new DelayLine<number>(clock, steady(0), (item) => out.push(item));
  line.push(1);
  expect(out).toEqual([1]);
  expect(clock.pendingTimers).toBe(0);
});

test("clearing forgets what is under way, its timer too", () => {
  const clock = new VirtualClock();
  const out: number[] = [];
  const line = new DelayLine<number>(clock, steady(75), (item) => out.push(item));
  line.push(1);
  line.clear();
  expect(clock.pendingTimers).toBe(0);
  clock.advance(100);
  expect(out).toEqual([]);
  line.push(2);
  clock.advance(75);
  expect(out).toEqual([2]);
});

test("clearing from inside a delivery stops the rest of it", () => {
  const clock = new VirtualClock();
  const out: number[] = [];
  const line: DelayLine<number> = new DelayLine<number>(clock, steady(10), (item) => {
    out.push(item);
    line.clear();
  });
  line.push(1);
  line.push(2);
  clock.advance(100);
  expect(out).toEqual([1]);
  expect(clock.pendingTimers).toBe(0);
});

test("a full line lets its oldest item out early and loses nothing", () => {
  const clock = new VirtualClock();
  let last = 0;
  const line = new DelayLine<number>(clock, steady(1_000), (item) => {
    expect(item).toBe(++last);
  });
  for (let i = 1; i <= 20_010; i++) line.push(i);
  expect(last).toBe(10);
  expect(line.early).toBe(10);
  clock.advance(1_000);
  expect(last).toBe(20_010);
});

test("with jitter each item takes up to that much longer, and none overtakes another", () => {
  const clock = new VirtualClock();
  const out: [number, number][] = [];
  const shares = [0.9, 0, 0.5];
  const delay = { delayMs: 50, jitterMs: 100, random: () => shares.shift() ?? 0 };
  const line = new DelayLine<number>(clock, delay, (item) => out.push([item, clock.monotonicMs()]));
  line.push(1);
  clock.advance(20);
  line.push(2);
  clock.advance(80);
  line.push(3);
  clock.advance(1_000);
  expect(out).toEqual([
    [1, 140],
    [2, 140],
    [3, 200],
  ]);
});
