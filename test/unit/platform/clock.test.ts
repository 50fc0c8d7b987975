import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";

describe("the virtual clock", () => {
  test("fires timers in the order of their times, and of one time in the order they were set", () => {
    const clock = new VirtualClock();
    const { random } = seededIds(3);
    const wanted: { readonly atMs: number; readonly order: number }[] = [];
    const fired: { readonly atMs: number; readonly order: number }[] = [];
    for (let order = 0; order < 500; order++) {
      const atMs = Math.floor(random() * 50);
      const handle = clock.setTimeout(() => fired.push({ atMs: clock.monotonicMs(), order }), atMs);
      if (random() < 0.3) clock.clearTimeout(handle);
      else wanted.push({ atMs, order });
    }
    expect(clock.pendingTimers).toBe(wanted.length);
    clock.advance(50);
    expect(fired).toEqual(wanted.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order));
    expect(clock.pendingTimers).toBe(0);
  });

  test("steps to the next timer and fires that one alone", () => {
    const clock = new VirtualClock(1000);
    const fired: string[] = [];
    clock.setTimeout(() => {
      fired.push("a");
      clock.setTimeout(() => fired.push("b"), 5);
    }, 10);
    expect(clock.step()).toBe(true);
    expect([clock.now(), ...fired]).toEqual([1010, "a"]);
    expect(clock.step(14)).toBe(false);
    expect(clock.monotonicMs()).toBe(10);
    expect(clock.step(15)).toBe(true);
    expect(fired).toEqual(["a", "b"]);
    expect(clock.step()).toBe(false);
  });

  test("takes a timer that was cleared twice, or has fired, for gone", () => {
    const clock = new VirtualClock();
    const handle = clock.setTimeout(() => undefined, 1);
    clock.clearTimeout(handle);
    clock.clearTimeout(handle);
    const other = clock.setTimeout(() => undefined, 1);
    clock.advance(1);
    clock.clearTimeout(other);
    clock.clearTimeout(null);
    expect(clock.pendingTimers).toBe(0);
  });
});
