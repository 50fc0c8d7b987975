import { expect, test } from "bun:test";
import { PacingWheel } from "../../../engine/media/wheel.ts";
import { StallingClock } from "./fake-carrier.ts";

test("a slot is called every 20 ms on absolute deadlines, without drift", () => {
  const clock = new StallingClock();
  const wheel = new PacingWheel({ clock });
  const at: number[] = [];
  wheel.add({ onSlot: (nowMs) => void at.push(nowMs) });
  for (let i = 0; i < 1000; i++) {
    // Each call is a little late; the next one must not be.
    clock.stall(0.3);
    clock.advance(20);
  }
  expect(at.length).toBeGreaterThanOrEqual(1014);
  expect(at.length).toBeLessThanOrEqual(1016);
  wheel.stop();
  expect(clock.pendingTimers).toBe(0);
});

test("five hundred slots share one timer and are spread over the slot", () => {
  const clock = new StallingClock();
  const wheel = new PacingWheel({ clock });
  const calls = new Map<number, number>();
  for (let i = 0; i < 500; i++) {
    wheel.add({ onSlot: (nowMs) => void calls.set(nowMs, (calls.get(nowMs) ?? 0) + 1) });
  }
  expect(clock.pendingTimers).toBe(1);
  clock.advance(20);
  expect([...calls.values()]).toEqual([125, 125, 125, 125]);
  expect(clock.pendingTimers).toBe(1);
  wheel.stop();
});

test("after a stall each slot is called once, not once per missed slot", () => {
  const clock = new StallingClock();
  const wheel = new PacingWheel({ clock });
  let calls = 0;
  wheel.add({ onSlot: () => void calls++ });
  clock.advance(19);
  clock.stall(1000);
  clock.advance(2);
  expect(calls).toBe(1);
  clock.advance(20);
  expect(calls).toBe(2);
  expect(wheel.counters().skippedTicks).toBeGreaterThan(150);
  wheel.stop();
});

test("the timer runs only while there is something to pace", () => {
  const clock = new StallingClock();
  const wheel = new PacingWheel({ clock });
  expect(clock.pendingTimers).toBe(0);
  const slot = { onSlot: () => wheel.remove(slot) };
  wheel.add(slot);
  wheel.add(slot);
  expect(wheel.size).toBe(1);
  expect(clock.pendingTimers).toBe(1);
  clock.advance(40);
  expect(wheel.size).toBe(0);
  expect(clock.pendingTimers).toBe(0);
  wheel.remove(slot);
  expect(wheel.size).toBe(0);
  wheel.stop();
  wheel.add(slot);
  expect(clock.pendingTimers).toBe(0);
});

test("a slot that throws is paced no more; the others are", () => {
  const clock = new StallingClock();
  const wheel = new PacingWheel({ clock });
  let calls = 0;
  const thrower = {
    onSlot() {
      throw new Error("broken leg");
    },
  };
  wheel.add({ onSlot: () => void calls++ });
  wheel.add(thrower);
  for (let i = 0; i < 6; i++) wheel.add({ onSlot: () => void calls++ });
  clock.advance(40);
  expect(calls).toBe(14);
  expect(wheel.size).toBe(7);
  expect(wheel.counters().slotErrors).toBe(1);
  wheel.stop();
});

test("a timer that fires early is set again and calls nobody twice", () => {
  const clock = new StallingClock();
  const wheel = new PacingWheel({ clock });
  const at: number[] = [];
  wheel.add({ onSlot: (nowMs) => void at.push(nowMs) });
  clock.stall(-0.7);
  clock.advance(200);
  expect(at.length).toBe(9);
  for (let i = 1; i < at.length; i++) expect((at[i] as number) - (at[i - 1] as number)).toBeGreaterThan(18);
  wheel.stop();
});
