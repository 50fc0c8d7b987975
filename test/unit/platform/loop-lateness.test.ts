import { describe, expect, test } from "bun:test";
import { LoopLateness } from "../../../engine/platform/loop-lateness.ts";
import { StallingClock } from "../media/fake-carrier.ts";

const WINDOW_MS = 10_000;

function setUp() {
  const clock = new StallingClock();
  const seconds: number[] = [];
  const cpu = { user: 0, system: 0 };
  const lateness = new LoopLateness({
    clock,
    onSecond: (lateMs) => void seconds.push(lateMs),
    cpuUsage: () => ({ ...cpu }),
  });
  return { clock, seconds, cpu, lateness };
}

describe("the lateness of the loop", () => {
  test("is nothing while every tick comes in time, and is told once a second", () => {
    const { clock, seconds, lateness } = setUp();
    clock.advance(WINDOW_MS + 20);
    expect(seconds).toEqual(Array.from({ length: 10 }, () => 0));
    expect(lateness.total.count).toBe(Math.floor((WINDOW_MS + 20) / 11));
    expect(lateness.total.maxMs).toBe(0);
  });

  test("is told as that of most of the last five seconds: one stall is not yet overload", () => {
    const { clock, seconds } = setUp();
    clock.advance(4500);
    clock.stall(400);
    clock.advance(5600);
    expect(seconds.every((ms) => ms === 0)).toBe(true);
    // Late for good: in every second some ticks come 30 ms after their time.
    const before = seconds.length;
    for (let second = 0; second < 4; second++) {
      for (let i = 0; i < 5; i++) {
        clock.stall(30);
        clock.advance(170);
      }
    }
    expect(seconds.slice(before, before + 2)).toEqual([0, 0]);
    expect(seconds.at(-1)).toBeGreaterThan(15);
  });

  test("counts every tick that a stall has swallowed, each with its own lateness", () => {
    const { clock, lateness } = setUp();
    clock.advance(2000);
    const before = lateness.total.count;
    clock.stall(1100);
    clock.advance(11);
    const late = lateness.total.count - before;
    expect([99, 100, 101]).toContain(late);
    expect(lateness.total.maxMs).toBeGreaterThan(1090);
    // As late as they would have been, evenly from none to all of the stall.
    expect(lateness.total.sumMs / late).toBeCloseTo(1100 / 2, -1.5);
    expect(lateness.quantile(0.99)).toBeGreaterThan(1000);
  });

  test("goes on at the grid after a stall, without a burst", () => {
    const { clock, lateness } = setUp();
    clock.stall(5000);
    clock.advance(11);
    const { count } = lateness.total;
    clock.advance(1100);
    expect(lateness.total.count - count).toBe(100);
  });

  test("tells of one late tick in a hundred only above the 99th percentile", () => {
    const { clock, lateness } = setUp();
    for (let i = 0; i < 5; i++) {
      clock.advance(1000);
      clock.stall(8);
    }
    clock.advance(1000);
    expect(lateness.quantile(0.99)).toBe(0);
    expect(lateness.quantile(1)).toBeCloseTo(8, 0);
  });

  test("forgets what is ten seconds back", () => {
    const { clock, lateness } = setUp();
    clock.advance(500);
    clock.stall(300);
    clock.advance(WINDOW_MS - 1500);
    expect(lateness.quantile(1)).toBeGreaterThan(290);
    clock.advance(2000);
    expect(lateness.quantile(1)).toBe(0);
    expect(lateness.total.maxMs).toBeGreaterThan(290);
  });

  test("of a stall longer than the window, tells that all of it was late", () => {
    const { clock, lateness } = setUp();
    clock.stall(60_000);
    clock.advance(11);
    expect(lateness.total.count).toBe(Math.floor(WINDOW_MS / 11) + 1);
    expect(lateness.quantile(0.01)).toBeGreaterThan(WINDOW_MS);
  });

  test("comes with the share of a core that the process used", () => {
    const { clock, cpu, lateness } = setUp();
    expect(lateness.cpuShare).toBe(0);
    cpu.user += 200_000;
    cpu.system += 50_000;
    clock.advance(1001);
    expect(lateness.cpuShare).toBeCloseTo(0.25, 2);
    clock.advance(1001);
    expect(lateness.cpuShare).toBe(0);
  });

  test("holds one timer, and none once stopped", () => {
    const { clock, lateness } = setUp();
    clock.advance(5000);
    expect(clock.pendingTimers).toBe(1);
    lateness.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
