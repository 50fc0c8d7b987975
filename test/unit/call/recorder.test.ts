import { describe, expect, test } from "bun:test";
import { readBegun } from "../../../engine/audit/begun.ts";
import { chainStart, entryHash } from "../../../engine/platform/hash-chain.ts";
import { Recorder, resumeRecorder } from "../../../engine/call/recorder.ts";
import { callInput } from "../../../engine/call/call-input.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { MemoryStore } from "../../support/fake-ports.ts";
import { LADDER } from "./ladder-setup.ts";
import { CALL_SID, deploymentOf, START_MS } from "./support.ts";

const INPUT = callInput(
  { callSid: CALL_SID, conferenceName: `af-${CALL_SID}`, from: "+15550142", to: "+15550123" },
  deploymentOf(LADDER),
  START_MS,
);
const POLICY = INPUT.policy;

const LIMIT = 5000;

function make() {
  const clock = new VirtualClock(START_MS);
  const store = new MemoryStore();
  const recorder = new Recorder(CALL_SID, clock, store);
  return { clock, store, recorder, entries: () => store.logs.get(CALL_SID) ?? [] };
}

describe("the log of a call", () => {
  test("says what happened and when, in the call's own order, each entry chained to the one before", () => {
    const { clock, recorder, entries } = make();
    recorder.write("note", "call.begun", { agent: "a" });
    clock.advance(1500);
    recorder.write("event", "model.ready", {});
    const first = {
      callSid: CALL_SID,
      seq: 1,
      at: "2023-11-14T22:13:20.000Z",
      kind: "note",
      name: "call.begun",
      data: { agent: "a" },
    } as const;
    const second = {
      callSid: CALL_SID,
      seq: 2,
      at: "2023-11-14T22:13:21.500Z",
      kind: "event",
      name: "model.ready",
      data: {},
    } as const;
    const start = chainStart(CALL_SID);
    const middle = entryHash(start, first);
    const end = entryHash(middle, second);
    expect(entries()).toEqual([
      { ...first, prev: start, hash: middle },
      { ...second, prev: middle, hash: end },
    ]);
    expect(recorder.head).toEqual({ entries: 2, hash: end });
  });

  test("is hashed as it will be read back, whatever becomes of the object that was logged", () => {
    const { recorder, entries } = make();
    const shared = { list: [1, undefined, Number.NaN], at: new Date(0), left: undefined };
    recorder.write("media", "m", { items: shared });
    shared.list.push(2);
    const [{ prev, hash, ...content }] = entries() as [AuditEntry];
    expect(content.data).toEqual({ items: { list: [1, null, null], at: "1970-01-01T00:00:00.000Z" } });
    expect(entryHash(prev ?? "", content)).toBe(hash ?? "");
  });

  test("says of what no JSON can hold that it could not be written", () => {
    const { recorder, entries } = make();
    const circular: Record<string, unknown> = {};
    circular["value"] = circular;
    recorder.write("note", "odd", circular);
    recorder.write("note", "next", {});
    expect(entries().map(({ name, data }) => [name, Object.keys(data)])).toEqual([
      ["odd", ["unwritable"]],
      ["next", []],
    ]);
  });

  test("does not name or quote a person, but notes that there was something", () => {
    const { recorder, entries } = make();
    recorder.write("effect", "page.call", { id: "1", to: "+15550100", label: "human-1" });
    recorder.write("event", "op.escalate", { to: null, from: "+15550100", text: "hello", urgency: "high" });
    expect(entries().map((entry) => entry.data)).toEqual([
      { id: "1", to: "[number 1]", label: "human-1" },
      { to: null, from: "[redacted]", text: "[redacted]", urgency: "high" },
    ]);
  });

  test("has one name for each number and address, also after a restart, so that what is the same stays so", () => {
    const { clock, store, recorder, entries } = make();
    const numbers = ["+15550100", "https://push.example/hook", "+15550100", "+15550101"];
    for (const to of numbers) recorder.write("effect", "page.call", { to });
    const resumed = new Recorder(CALL_SID, clock, store, null, recorder.known);
    for (const to of ["+15550101", "+15550102"]) resumed.write("effect", "page.call", { to });
    expect(entries().map(({ data }) => data["to"])).toEqual([
      "[number 1]",
      "[address 2]",
      "[number 1]",
      "[number 3]",
      "[number 3]",
      "[number 4]",
    ]);
  });

  test("keeps the label under which somebody left who comes back", () => {
    const { recorder, entries } = make();
    recorder.write("event", "human.returned", { label: "human-2", from: "human-1" });
    expect(entries()[0]?.data).toEqual({ label: "human-2", from: "human-1" });
  });

  test("begins with all that the machine was started with, without a number or an address", () => {
    const { recorder, entries } = make();
    const { rungs: _rungs, ...policy } = POLICY;
    const input = { ...INPUT, legs: "of the context" };
    recorder.begin("nurse line", input);
    expect(entries()[0]).toMatchObject({ seq: 1, kind: "note", name: "call.begun" });
    const data = entries()[0]?.data;
    expect(readBegun(data)).toEqual(data as never);
    expect(data).toEqual({
      agent: "nurse line",
      engine: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      machines: expect.stringMatching(/^[0-9a-f]{64}$/),
      input: {
        ...INPUT,
        policy: {
          ...policy,
          rungs: [
            {
              name: "primary",
              contacts: [{ name: "nurse", voice: "[number 1]", sms: "[number 1]", push: "[address 2]" }],
            },
            {
              name: "secondary",
              contacts: [{ name: "Dr. Lee", voice: null, sms: "[number 3]", push: null }],
            },
          ],
        },
      },
    });
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
    const event = { type: "model.failed", at: START_MS, code: "x", message: undefined };
    recorder.write("event", "model.failed", event);
    recorder.write("result", "effect.done", { type: "effect.done", at: 1, id: "1" });
    expect(entries().map(({ data }) => data)).toEqual([{ code: "x" }, { id: "1" }]);
  });

  test("keeps the time of an event that had to wait, since machines go by that", () => {
    const { recorder, entries } = make();
    recorder.write("event", "model.ready", { type: "model.ready", at: START_MS - 3 });
    expect(entries()[0]?.data).toEqual({ at: START_MS - 3 });
  });

  test("says when it is full, without a gap, keeps a place for the end, and counts what is left out", () => {
    const { recorder, entries } = make();
    for (let n = 0; n < LIMIT + 7; n++) recorder.write("event", "media.drained", { n });
    recorder.write("note", "log.closed", { endReason: "caller_left" });
    expect(entries()).toHaveLength(LIMIT);
    expect(entries().every((entry, i) => entry.seq === i + 1)).toBe(true);
    expect(entries().at(-3)).toMatchObject({ name: "media.drained", data: { n: LIMIT - 3 } });
    expect(entries().at(-2)).toMatchObject({ kind: "note", name: "log.full", data: { limit: LIMIT } });
    expect(entries().at(-1)).toMatchObject({ kind: "note", name: "log.closed" });
    // Two more than the seven: the notes took the places of entries.
    expect(recorder.dropped).toBe(9);
  });

  test("has its last place for the end when the end comes just before it is full", () => {
    const { recorder, entries } = make();
    for (let n = 0; n < LIMIT - 2; n++) recorder.write("event", "media.drained", { n });
    recorder.write("note", "log.closed", {});
    expect(entries()).toHaveLength(LIMIT - 1);
    expect(entries().at(-1)?.name).toBe("log.closed");
    expect(recorder.dropped).toBe(0);
  });

  test("takes nothing after the end, and counts it", () => {
    const { recorder, entries } = make();
    recorder.write("note", "log.closed", {});
    const head = recorder.head;
    recorder.write("result", "effect.done", {});
    recorder.write("note", "log.closed", {});
    expect(entries()).toHaveLength(1);
    expect([recorder.head, recorder.dropped]).toEqual([head, 2]);
  });
});

describe("the log of a call whose engine died", () => {
  test("goes on with the next number, on the same chain", async () => {
    const { clock, store, recorder, entries } = make();
    recorder.write("note", "call.begun", {});
    const resumed = await resumeRecorder(CALL_SID, clock, store, []);
    expect(resumed?.head).toEqual(recorder.head);
    resumed?.write("note", "log.closed", { endReason: "engine_lost" });
    expect(entries().map(({ seq, name }) => [seq, name])).toEqual([
      [1, "call.begun"],
      [2, "log.closed"],
    ]);
    expect(entries()[1]?.prev).toBe(recorder.head.hash);
  });

  test("stays as it is when it was closed already", async () => {
    const { clock, store, recorder, entries } = make();
    recorder.write("note", "log.closed", {});
    const resumed = await resumeRecorder(CALL_SID, clock, store, []);
    resumed?.write("note", "log.closed", {});
    expect(entries()).toHaveLength(1);
    expect(resumed?.head).toEqual(recorder.head);
  });

  test("is left alone when nothing was logged, or nothing was chained", async () => {
    const { clock, store, recorder, entries } = make();
    expect(await resumeRecorder(CALL_SID, clock, store, [])).toBeNull();
    recorder.write("note", "call.begun", {});
    store.logs.set(
      CALL_SID,
      entries().map((entry) => ({ ...entry, prev: null, hash: null })),
    );
    expect(await resumeRecorder(CALL_SID, clock, store, [])).toBeNull();
  });
});
