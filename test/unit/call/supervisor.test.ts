import { describe, expect, test } from "bun:test";
import type { CallStart } from "../../../engine/call/call-input.ts";
import { beginCall, CALLER, makeCalls, streaming } from "./calls-setup.ts";
import { CALL_SID, settle } from "./support.ts";

const OTHER_SID = "CA00000000000000000000000000000002";
const startOf = (callSid: string): CallStart => ({
  callSid,
  conferenceName: `af-${callSid}`,
  from: CALLER,
  to: "+15550123",
});
const GONE = { type: "caller.gone", reason: "dial_ended" } as const;

describe("the supervisor", () => {
  test("begins a call once: a second beginning finds the first", () => {
    const { supervisor, model, store } = makeCalls();
    const first = supervisor.begin(startOf(CALL_SID));
    expect(supervisor.begin(startOf(CALL_SID))).toBe(first);
    expect(supervisor.size).toBe(1);
    expect(model.sessions).toHaveLength(1);
    expect(store.logs.get(CALL_SID)?.filter((entry) => entry.name === "call.begun")).toHaveLength(1);
  });

  test("turns away calls beyond the limit, and takes the next when one is over", async () => {
    const { supervisor, index, store } = makeCalls({ deployment: { limits: { maxLiveCalls: 1 } } });
    supervisor.begin(startOf(CALL_SID));
    expect(supervisor.begin(startOf(OTHER_SID))).toBe("full");
    expect(index.getSnapshot().context).toMatchObject({ started: 1, refused: { full: 1 } });
    expect(store.rows.has(OTHER_SID)).toBe(false);
    supervisor.deliver(CALL_SID, GONE);
    await settle();
    expect(supervisor.begin(startOf(OTHER_SID))).toBe(supervisor.get(OTHER_SID) as never);
  });

  test("knows a call that is there already even when it is full or draining", () => {
    const { supervisor, index } = makeCalls({ deployment: { limits: { maxLiveCalls: 1 } } });
    const first = supervisor.begin(startOf(CALL_SID));
    void supervisor.drain();
    expect(supervisor.begin(startOf(CALL_SID))).toBe(first);
    expect(supervisor.begin(startOf(OTHER_SID))).toBe("draining");
    expect(index.getSnapshot().context.refused).toEqual({ draining: 1 });
  });

  test("turns calls away while the loop runs late under its own load, and leaves the live ones alone", () => {
    const overload = { loopLatenessMs: 5, minLiveCalls: 2 };
    const { supervisor, clock, lines, index } = makeCalls({ deployment: { overload } });
    supervisor.begin(startOf(CALL_SID));
    supervisor.observeLateness(50);
    expect(supervisor.refusal).toBeNull();
    supervisor.begin(startOf(OTHER_SID));
    supervisor.observeLateness(50);
    expect(supervisor.begin(startOf("CA00000000000000000000000000000003"))).toBe("overloaded");
    expect(supervisor.size).toBe(2);
    for (let second = 0; second < 6; second++) {
      clock.advance(1000);
      supervisor.observeLateness(1);
    }
    expect(supervisor.refusal).toBeNull();
    expect(index.getSnapshot().context.refused).toEqual({ overloaded: 1 });
    const told = lines.filter((line) => line.event.startsWith("engine."));
    expect(told).toMatchObject([
      { event: "engine.overloaded", latenessMs: 50, calls: 2 },
      { event: "engine.takes_calls_again", calls: 2 },
    ]);
  });

  test("turns calls away while nothing can be written, and goes on with those it has", () => {
    const { supervisor, store, index } = makeCalls();
    const first = supervisor.begin(startOf(CALL_SID));
    store.failing = "the disk is full";
    expect(supervisor.begin(startOf(OTHER_SID))).toBe("storage");
    expect(supervisor.get(CALL_SID)).toBe(first as never);
    store.failing = null;
    expect(supervisor.begin(startOf(OTHER_SID))).not.toBeString();
    expect(index.getSnapshot().context.refused).toEqual({ storage: 1 });
  });

  test("hands an event to the call that it is for, and says when there is none", async () => {
    const calls = makeCalls();
    await streaming(calls);
    beginCall(calls, OTHER_SID);
    expect(calls.supervisor.deliver(CALL_SID, { type: "op.hangup" })).toBe(true);
    await settle();
    expect(calls.supervisor.all().map((session) => session.callSid)).toEqual([OTHER_SID]);
    expect(calls.supervisor.deliver(CALL_SID, { type: "op.hangup" })).toBe(false);
  });

  test("drops a repetition of an occurrence by its key", () => {
    const calls = makeCalls();
    const session = beginCall(calls);
    for (let n = 0; n < 3; n++) calls.supervisor.deliver(CALL_SID, { type: "model.ready" }, "same");
    expect(session.row().metrics).toMatchObject({ eventsRepeated: 2 });
  });

  test("remembers which calls are over and forgets the keys of their legs", async () => {
    const calls = makeCalls();
    await streaming(calls);
    expect(calls.legKeys.size).toBe(1);
    expect(calls.supervisor.isOver(CALL_SID)).toBe(false);
    calls.supervisor.deliver(CALL_SID, GONE);
    await settle();
    expect(calls.supervisor.get(CALL_SID)).toBeNull();
    expect(calls.supervisor.isOver(CALL_SID)).toBe(true);
    expect(calls.legKeys.size).toBe(0);
    expect(calls.over).toEqual([CALL_SID]);
  });

  test("drained, resolves at once without calls, else when the last of them is over", async () => {
    const idle = makeCalls();
    await idle.supervisor.drain();
    expect(idle.supervisor.refusal).toBe("draining");

    const { supervisor } = makeCalls();
    for (const callSid of [CALL_SID, OTHER_SID]) supervisor.begin(startOf(callSid));
    let drained = 0;
    for (let n = 0; n < 2; n++) void supervisor.drain().then(() => drained++);
    supervisor.deliver(CALL_SID, GONE);
    await settle();
    expect(drained).toBe(0);
    supervisor.deliver(OTHER_SID, GONE);
    await settle();
    expect(drained).toBe(2);
  });

  test("is over with a call whose cleanup throws, and goes on with the others", async () => {
    const calls = makeCalls({
      onCallEnded: () => {
        throw new Error("broken cleanup");
      },
    });
    for (const callSid of [CALL_SID, OTHER_SID]) beginCall(calls, callSid);
    const drained = calls.supervisor.drain();
    for (const callSid of [CALL_SID, OTHER_SID]) calls.supervisor.deliver(callSid, GONE);
    await drained;
    expect(calls.supervisor.size).toBe(0);
    const failures = calls.lines.filter((line) => line.event === "call.cleanup_failed");
    expect(failures.map((line) => [line["callSid"], line["error"]])).toEqual([
      [CALL_SID, "broken cleanup"],
      [OTHER_SID, "broken cleanup"],
    ]);
  });

  test("ends every call when it must, and each caller is told", async () => {
    const calls = makeCalls({ deployment: { agent: { apology: "Sorry." } } });
    await streaming(calls);
    beginCall(calls, OTHER_SID);
    calls.supervisor.endAll();
    await settle();
    const told = calls.carrier.requests.filter(([operation]) => operation === "updateCall");
    expect(told.map(([, callSid]) => callSid)).toEqual([CALL_SID, OTHER_SID]);
    for (const callSid of [CALL_SID, OTHER_SID]) {
      calls.supervisor.deliver(callSid, { type: "caller.gone", reason: "farewell" });
    }
    await settle();
    expect(calls.supervisor.size).toBe(0);
    expect([...calls.store.rows.values()].map((row) => row.endReason)).toEqual([
      "engine_shutdown",
      "engine_shutdown",
    ]);
  });

  test("abandons what did not end in time: a row is made, and nothing runs on", async () => {
    const calls = makeCalls();
    const { stream } = await streaming(calls);
    calls.supervisor.endAll();
    await settle();
    calls.supervisor.abandonAll();
    expect(calls.supervisor.size).toBe(0);
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({ state: "ended", endReason: "engine_shutdown" });
    expect(stream.leg.closed).toBe(true);
    expect(calls.model.sessions.map((each) => each.closed)).toEqual([true]);
    expect(calls.clock.pendingTimers).toBe(0);
  });
});
