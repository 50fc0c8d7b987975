import { describe, expect, test } from "bun:test";
import { type CallContext, initialContext, type Leg, newLeg } from "../../../machines/context.ts";
import type { CallEvent } from "../../../machines/events.ts";
import { UsageMeter } from "../../../engine/cost/usage-meter.ts";

const S = 1000;
const base = initialContext({ callSid: "CA1", startedAtMs: 0 } as never);

function facts(legs: readonly Leg[], more: Partial<CallContext> = {}): CallContext {
  return { ...base, answeredAtMs: 0, legs: Object.fromEntries(legs.map((leg) => [leg.label, leg])), ...more };
}

const caller = newLeg("caller", "caller", { status: "joined" });
const ai = newLeg("ai-1", "ai", { status: "joined" });
const human = newLeg("human-1", "human", { status: "joined" });
const left = (leg: Leg): Leg => ({ ...leg, status: "left" });
const at = (ms: number): CallEvent => ({ type: "media.quiet", at: ms });
const status = (
  ms: number,
  value: "in-progress" | "completed" | "no-answer",
  callSid = "CA2",
): CallEvent => ({
  type: "leg.status",
  at: ms,
  label: "human-1",
  callSid,
  status: value,
});
const stream = (type: "ai.streamStarted" | "ai.streamClosed", ms: number) =>
  ({ type, at: ms, label: "ai-1", streamSid: "MZ1", streamCallSid: "CA3", reason: "stop" }) as CallEvent;

describe("what a call uses of the carrier", () => {
  test("is counted by leg and stream, each rounded up to a minute by itself", () => {
    const meter = new UsageMeter({ recording: "none" });
    meter.see(at(0), facts([caller]));
    meter.see(at(1 * S), facts([caller, ai]));
    meter.see(stream("ai.streamStarted", 1 * S), facts([caller, ai]));
    meter.see(status(30 * S, "in-progress"), facts([caller, ai]));
    meter.see(at(40 * S), facts([caller, ai, human]));
    // Told twice, it is one leg.
    meter.see(status(41 * S, "in-progress"), facts([caller, ai, human]));
    meter.see(stream("ai.streamClosed", 62 * S), facts([caller, left(ai), human]));
    meter.see(status(125 * S, "completed"), facts([caller, left(ai), left(human)]));
    meter.see(at(130 * S), facts([left(caller), left(ai), left(human)], { callerGone: true }));
    // inbound 130 s; outbound 95 s; the AI 61 s; in the room 130 s, 61 s and 85 s.
    const minutes = { inbound: 3, outbound: 2, app: 2, stream: 2, conference: 3 + 2 + 2, recording: 0 };
    expect(meter.minutesAt(999 * S)).toEqual(minutes);
    meter.close(999 * S);
    expect(meter.minutesAt(9999 * S)).toEqual(minutes);
  });

  test("counts each fork of a leg as a stream of its own, beside the AI's, and one that comes again as another", () => {
    const meter = new UsageMeter({ recording: "none" });
    meter.see(stream("ai.streamStarted", 0), facts([caller, ai]));
    meter.fork("caller", true, 0);
    meter.fork("human-1", true, 10 * S);
    meter.fork("human-1", false, 20 * S);
    meter.fork("human-1", true, 30 * S);
    meter.fork("human-1", false, 35 * S);
    meter.see(stream("ai.streamClosed", 61 * S), facts([caller, left(ai)]));
    // The AI 61 s, the caller's fork 62 s so far, the person's 10 s and 5 s.
    expect(meter.minutesAt(62 * S).stream).toBe(2 + 2 + 1 + 1);
    // Another engine ends what runs of them: the stream of a leg that lives on is gone with the socket.
    const next = new UsageMeter({ recording: "none", before: meter.saved(true) });
    next.endForks(70 * S);
    expect(next.minutesAt(9999 * S).stream).toBe(6);
  });

  test("has nothing of a phone that rang in vain, and a minute of one that was picked up for a moment", () => {
    const meter = new UsageMeter({ recording: "none" });
    meter.see(status(5 * S, "no-answer", "CA9"), facts([]));
    expect(meter.minutesAt(9 * S).outbound).toBe(0);
    meter.see(status(10 * S, "in-progress"), facts([]));
    meter.see(status(10 * S, "completed"), facts([]));
    expect(meter.minutesAt(90 * S).outbound).toBe(1);
    // Overtaken on its way.
    meter.see(status(11 * S, "in-progress"), facts([]));
    expect(meter.minutesAt(900 * S).outbound).toBe(1);
  });

  test("records the mix while two were in the room, or the AI's leg: one of them", () => {
    const mix = new UsageMeter({ recording: "conference" });
    const leg = new UsageMeter({ recording: "leg" });
    for (const meter of [mix, leg]) {
      meter.see(at(0), facts([caller]));
      meter.see(at(50 * S), facts([caller, ai]));
      meter.see(at(100 * S), facts([caller, left(ai)]));
      meter.see(at(200 * S), facts([left(caller), left(ai)], { callerGone: true }));
    }
    expect([mix.minutesAt(0).recording, leg.minutesAt(0).recording]).toEqual([3, 1]);
  });

  test("counts texts once they were sent", () => {
    const meter = new UsageMeter({ recording: "none" });
    const done = { type: "effect.done", at: 1, id: "x", label: null } as const;
    for (const name of ["page.sms", "ladder.tellCaller", "page.call"])
      meter.see({ ...done, name }, facts([]));
    meter.see(
      { ...done, type: "effect.failed", name: "page.sms", code: 1, status: 0, message: "" },
      facts([]),
    );
    expect(meter.messages).toBe(2);
  });

  test("goes on in another engine where it was: what ran goes on running, and nothing is counted twice", () => {
    const first = new UsageMeter({ recording: "none" });
    first.see(at(0), facts([caller]));
    first.see(status(10 * S, "in-progress"), facts([caller]));
    const handedOver = JSON.parse(JSON.stringify(first.saved(false))) as unknown;
    const second = new UsageMeter({ recording: "none", before: handedOver });
    second.see(at(70 * S), facts([caller]));
    second.see(status(100 * S, "completed"), facts([caller]));
    expect(second.minutesAt(110 * S)).toMatchObject({ inbound: 2, outbound: 2, conference: 2 });
    expect(second.partial).toBe(false);
  });

  test("says that something may be missing when the engine before died, and ever after", () => {
    const first = new UsageMeter({ recording: "none" });
    first.see(at(0), facts([caller]));
    const second = new UsageMeter({ recording: "none", before: first.saved(true) });
    expect([second.partial, second.minutesAt(70 * S).inbound]).toEqual([true, 2]);
    expect(new UsageMeter({ recording: "none", before: second.saved(false) }).partial).toBe(true);
    // Of an engine that did not count.
    expect(new UsageMeter({ recording: "none", before: null }).partial).toBe(true);
  });
});
