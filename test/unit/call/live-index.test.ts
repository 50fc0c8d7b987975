import { describe, expect, test } from "bun:test";
import { createLiveIndex, type LiveCall } from "../../../engine/call/live-index.ts";

const call = (callSid: string, state = "arriving"): LiveCall => ({
  callSid,
  state,
  value: state,
  startedAtMs: 1,
  role: "agent",
});

describe("the index of live calls", () => {
  test("shows each call as it is now, until it is over", () => {
    const index = createLiveIndex();
    const calls = () => index.getSnapshot().context.calls;
    index.send({ type: "begun", call: call("a") });
    index.send({ type: "begun", call: call("b") });
    index.send({ type: "moved", call: call("a", "streaming") });
    expect(calls()).toEqual({ a: call("a", "streaming"), b: call("b") });
    index.send({ type: "over", callSid: "a", reason: "caller_hung_up" });
    expect(calls()).toEqual({ b: call("b") });
  });

  test("does not bring back a call that is over", () => {
    const index = createLiveIndex();
    index.send({ type: "begun", call: call("a") });
    index.send({ type: "over", callSid: "a", reason: "caller_hung_up" });
    index.send({ type: "moved", call: call("a", "streaming") });
    expect(index.getSnapshot().context.calls).toEqual({});
  });

  test("counts beginnings, refusals and endings by their reason", () => {
    const index = createLiveIndex();
    for (const sid of ["a", "b", "c"]) index.send({ type: "begun", call: call(sid) });
    for (const reason of ["full", "overloaded", "full"]) index.send({ type: "refused", reason });
    index.send({ type: "over", callSid: "a", reason: "caller_hung_up" });
    index.send({ type: "over", callSid: "b", reason: "caller_hung_up" });
    index.send({ type: "over", callSid: "c", reason: "model_failed" });
    expect(index.getSnapshot().context).toEqual({
      calls: {},
      started: 3,
      restored: 0,
      refused: { full: 2, overloaded: 1 },
      ended: { caller_hung_up: 2, model_failed: 1 },
    });
  });

  test("tells who subscribed of each change, with a value that does not change any more", () => {
    const index = createLiveIndex();
    const before = index.getSnapshot().context;
    const seen: number[] = [];
    index.subscribe((snapshot) => void seen.push(Object.keys(snapshot.context.calls).length));
    index.send({ type: "begun", call: call("a") });
    index.send({ type: "over", callSid: "a", reason: "caller_hung_up" });
    expect(seen).toEqual([1, 0]);
    expect(before).toEqual({ calls: {}, started: 0, restored: 0, ended: {}, refused: {} });
  });
});
