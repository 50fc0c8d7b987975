import { describe, expect, test } from "bun:test";
import { Recorder } from "../../../engine/call/recorder.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { MemoryStore } from "../../support/fake-ports.ts";
import { CALL_SID, START_MS } from "./support.ts";

const LIMIT = 5000;

function make() {
  const clock = new VirtualClock(START_MS);
  const store = new MemoryStore();
  const recorder = new Recorder(CALL_SID, clock, store);
  return { clock, recorder, entries: () => store.logs.get(CALL_SID) ?? [] };
}

describe("the log of a call", () => {
  test("says what happened and when, in the call's own order", () => {
    const { clock, recorder, entries } = make();
    recorder.write("note", "call.begun", { agent: "a" });
    clock.advance(1500);
    recorder.write("event", "model.ready", {});
    expect(entries()).toEqual([
      {
        callSid: CALL_SID,
        seq: 1,
        at: "2023-11-14T22:13:20.000Z",
        kind: "note",
        name: "call.begun",
        data: { agent: "a" },
      },
      {
        callSid: CALL_SID,
        seq: 2,
        at: "2023-11-14T22:13:21.500Z",
        kind: "event",
        name: "model.ready",
        data: {},
      },
    ]);
  });

  test("does not name or quote a person, but notes that there was something", () => {
    const { recorder, entries } = make();
    recorder.write("effect", "carrier.ringHuman", { id: "1", to: "+15550100", label: "human-1" });
    recorder.write("event", "op.escalate", { to: null, from: "+15550100", text: "hello", urgency: "high" });
    expect(entries().map((entry) => entry.data)).toEqual([
      { id: "1", to: "[redacted]", label: "human-1" },
      { to: null, from: "[redacted]", text: "[redacted]", urgency: "high" },
    ]);
  });

  test("keeps the reason of the carrier and hides the reason of the model and of the operator", () => {
    const { recorder, entries } = make();
    for (const name of ["participant.left", "tool.escalate", "tool.endCall", "op.escalate"]) {
      recorder.write("event", name, { reason: "chest pain" });
    }
    recorder.write("event", "op.escalate", { reason: null });
    expect(entries().map((entry) => entry.data["reason"])).toEqual([
      "chest pain",
      "[redacted]",
      "[redacted]",
      "[redacted]",
      null,
    ]);
  });

  test("does not repeat an event's type and time, nor what it does not have", () => {
    const { recorder, entries } = make();
    recorder.write("event", "model.failed", { type: "model.failed", at: 1, code: "x", message: undefined });
    expect(entries()[0]?.data).toEqual({ code: "x" });
  });

  test("ends in a note when it is full, without a gap, and counts what is left out", () => {
    const { recorder, entries } = make();
    for (let n = 0; n < LIMIT + 7; n++) recorder.write("event", "media.drained", { n });
    expect(entries()).toHaveLength(LIMIT);
    expect(entries().every((entry, i) => entry.seq === i + 1)).toBe(true);
    expect(entries().at(-2)).toMatchObject({ name: "media.drained", data: { n: LIMIT - 2 } });
    expect(entries().at(-1)).toMatchObject({ kind: "note", name: "log.full", data: { limit: LIMIT } });
    // One more than the seven: the note took the place of an entry.
    expect(recorder.dropped).toBe(8);
  });
});
