/** What is told of how long things took, on virtual time. */
import { describe, expect, test } from "bun:test";
import { ArrivalDelay } from "../../../engine/media/arrival-delay.ts";
import { MediaMetrics, TIMED_EVERY } from "../../../engine/media/media-metrics.ts";
import { PacingWheel } from "../../../engine/media/wheel.ts";
import { Histogram } from "../../../engine/platform/histogram.ts";
import { inbound, setUpCall } from "./bridge-setup.ts";
import { StallingClock } from "./fake-carrier.ts";
import { speech } from "./leg-setup.ts";

const FRAME = speech(160);

function call(options: Parameters<typeof setUpCall>[0] = {}) {
  const metrics = new MediaMetrics();
  return { ...setUpCall(options, { metrics }), metrics };
}

const turnsIn = (told: readonly unknown[]): unknown[] =>
  told.filter((each) => Array.isArray(each) && each[0] === "turn");

describe("the delay of arrival", () => {
  test("is what a message took longer than the fastest of the last seconds", () => {
    const delay = new ArrivalDelay();
    expect(delay.of(1000, 0)).toBe(0);
    expect(delay.of(1030, 20)).toBe(10);
    expect(delay.of(1035, 40)).toBe(0);
    expect(delay.of(1065, 60)).toBe(10);
  });

  test("forgets a fastest message, so that a path that got longer, or a clock that drifts, is the new normal", () => {
    const delay = new ArrivalDelay();
    delay.of(0, 0);
    const late = Array.from({ length: 60 }, (_, i) => delay.of(200 * i + 250, 200 * i));
    expect([late[0], late.at(-1)]).toEqual([250, 0]);
  });
});

describe("the metrics of the media path", () => {
  test("time one message of many from the carrier until its audio is with the model", () => {
    const { leg, session, clock, metrics } = call();
    session.appendAudio = () => clock.stall(3);
    for (let i = 0; i < 2 * TIMED_EVERY; i++) leg.onText(inbound(FRAME, i * 20));
    expect(metrics.inboundHandling.count).toBe(2);
    expect(metrics.inboundHandling.sumMs).toBe(6);
    expect(metrics.arrivalDelay.count).toBe(2);
  });

  test("do not count audio that is held because no model is ready", () => {
    const { leg, bridge, clock, metrics } = call();
    bridge.reconnecting({ code: "x" } as never);
    for (let i = 0; i < TIMED_EVERY; i++) leg.onText(inbound(FRAME, i * 20));
    bridge.ready();
    expect(metrics.inboundHandling.count).toBe(0);
    clock.advance(20);
    leg.onText(inbound(FRAME, TIMED_EVERY * 20));
    expect(metrics.inboundHandling.count).toBe(1);
  });

  test("time a piece of speech to its first frame, and not the frames that wait to be played", () => {
    const { carrier, clock, metrics, say } = call();
    carrier.sendResult = (text) => {
      clock.stall(2);
      return text.length;
    };
    // Ten pieces of 100 ms: of the first two something is sent at once, then the carrier has its lead.
    say("i1", speech(8000));
    clock.advance(3000);
    expect(metrics.outboundHandling.count).toBe(1);
    for (let item = 2; item <= 8; item++) {
      say(`i${item}`, speech(800));
      clock.advance(1000);
    }
    // The ninth piece that nothing waited before: every eighth is timed.
    expect(metrics.outboundHandling.count).toBe(2);
    expect(metrics.outboundHandling.sumMs).toBe(2 * 2);
  });

  test("time the caller's turn to the first frame of the answer, for all and in the call's own row", () => {
    const { bridge, clock, metrics, say } = call();
    for (const [turn, waitMs] of [600, 900, 1000].entries()) {
      bridge.speechStarted();
      bridge.speechStopped();
      clock.advance(waitMs);
      say(`i${turn}`, speech(1600));
      clock.advance(5000);
    }
    expect(metrics.turn.count).toBe(3);
    expect(metrics.turn.sumMs).toBe(2500);
    const { turnMsMedian = 0, turnMsMax } = bridge.counters();
    expect(turnMsMedian).toBeGreaterThan(870);
    expect(turnMsMedian).toBeLessThan(930);
    expect(turnMsMax).toBe(1000);
  });

  test("say of each answer where its time went, once its first frame is out", () => {
    const { bridge, clock, told, say } = call();
    bridge.speechStarted();
    bridge.speechStopped();
    clock.advance(200);
    bridge.responseStarted("r1");
    clock.advance(90);
    // The same response: that it has begun is known already.
    bridge.audio({ responseId: "r1", itemId: "i1", contentIndex: 0, base64: speech(800).toBase64() });
    const turns = turnsIn(told);
    expect(turns).toEqual([["turn", { turnMs: 290, decideMs: 200, speakMs: 90, sendMs: 0, roundTripMs: 0 }]]);
    clock.advance(3000);
    say("unasked", speech(800));
    expect(turnsIn(told)).toHaveLength(1);
  });

  test("take what is said before the caller's turn is over for no answer to it", () => {
    const { bridge, clock, metrics, say } = call();
    bridge.speechStarted();
    say("i1", speech(8000));
    bridge.speechStopped();
    clock.advance(3000);
    expect(metrics.turn.count).toBe(0);
  });

  test("time a barge-in until clear is on its way, and no other cut", () => {
    const { bridge, carrier, clock, metrics, say } = call();
    carrier.sendResult = (text) => {
      if (text.includes('"clear"')) clock.stall(4);
      return text.length;
    };
    say("i1", speech(8000));
    clock.advance(200);
    bridge.speechStarted();
    expect(metrics.bargeIn.sumMs).toBe(4);
    bridge.speechStarted();
    say("i2", speech(8000));
    clock.advance(200);
    bridge.setGate("closed");
    expect(metrics.bargeIn.count).toBe(1);
  });

  test("tell the carrier's round trip by its marks, and keep it when the stream is gone", () => {
    const { bridge, leg, clock, metrics, say } = call({ oneWayMs: 35 });
    expect(bridge.counters()["carrierRoundTripMs"]).toBe(0);
    say("i1", speech(8000));
    clock.advance(3000);
    expect(metrics.carrierRoundTrip.count).toBeGreaterThan(5);
    expect(metrics.carrierRoundTrip.quantile(0.5)).toBeCloseTo(70, -1);
    bridge.detachLeg(leg);
    expect(bridge.counters()["carrierRoundTripMs"]).toBe(70);
  });

  test("tell how late the pacing wheel ran", () => {
    const clock = new StallingClock();
    const lateness = new Histogram();
    const wheel = new PacingWheel({ clock, lateness });
    wheel.add({ onSlot: () => undefined });
    clock.advance(100);
    clock.stall(7);
    clock.advance(20);
    expect(lateness.count).toBeGreaterThan(4);
    expect(Math.round(lateness.maxMs)).toBe(7);
    wheel.stop();
  });
});
