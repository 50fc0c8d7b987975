/** When it is known that nothing which was sent can sound any more. */
import { describe, expect, test } from "bun:test";
import { setUpCall, setUpBridge } from "./bridge-setup.ts";
import { chunk, setUp, speech } from "./leg-setup.ts";

describe("a leg that is flushed", () => {
  test("says so when the carrier has cleared all that was sent, however long the line stood still", () => {
    let stallMs = 0;
    const { clock, wheel, carrier, leg } = setUp({ oneWayMs: 30, jitterMs: () => stallMs });
    leg.play(chunk("i1", speech(4000)));
    clock.advance(60);
    stallMs = 2000;
    clock.advance(40);
    let flushedMs = Number.NaN;
    leg.cut(true);
    leg.flush(() => (flushedMs = clock.monotonicMs()));
    clock.advance(1500);
    expect(flushedMs).toBeNaN();
    clock.advance(10_000);
    expect(flushedMs).toBeGreaterThanOrEqual(carrier.clearedAtMs);
    expect(carrier.bufferedMs()).toBe(0);
    expect(wheel.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  test("asks again when the mark is lost on its way back, and when the socket refuses", () => {
    let refusals = 3;
    let losses = 2;
    const { clock, carrier, leg } = setUp({ losesMark: () => losses-- > 0 });
    carrier.sendResult = (text) => (refusals-- > 0 ? 0 : text.length);
    let flushes = 0;
    leg.flush(() => flushes++);
    clock.advance(5000);
    expect(flushes).toBe(1);
    expect(carrier.events.slice(0, 2)).toEqual(["clear", "mark"]);
  });

  test("tells nobody once it is closed", () => {
    const { clock, leg } = setUp({ oneWayMs: 30 });
    let flushes = 0;
    leg.flush(() => flushes++);
    leg.dispose();
    leg.flush(() => flushes++);
    clock.advance(5000);
    expect(flushes).toBe(0);
  });
});

describe("a bridge that is flushed", () => {
  test("before there ever was a leg says so at once", () => {
    let flushes = 0;
    setUpBridge().bridge.flush(() => flushes++);
    expect(flushes).toBe(1);
  });

  test("says so with the next leg when this one goes before it could", () => {
    const { bridge, clock, leg, newLeg } = setUpCall({ oneWayMs: 30 });
    let flushes = 0;
    bridge.flush(() => flushes++);
    leg.dispose();
    bridge.detachLeg(leg);
    clock.advance(5000);
    expect(flushes).toBe(0);
    bridge.attachLeg(newLeg().leg);
    expect(flushes).toBe(1);
  });
});
