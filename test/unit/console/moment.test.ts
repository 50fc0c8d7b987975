/** Moments of a call that was really made, on fake ports. */
import { describe, expect, test } from "bun:test";
import {
  caughtUp,
  entryAt,
  indexOf,
  machinesOf,
  momentAt,
  nextEvent,
  turnsOf,
  withEntries,
} from "../../../engine/console/app/moment.ts";
import { MACHINE_HASH } from "../../../engine/call/machine-hash.ts";
import { activeIds } from "../../../engine/console/app/store.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { handedOver, makeCalls } from "../call/calls-setup.ts";
import { CALL_SID } from "../call/support.ts";

async function log(): Promise<readonly AuditEntry[]> {
  const calls = makeCalls();
  await handedOver(calls);
  return calls.store.logs.get(CALL_SID) ?? [];
}

describe("a moment of a log", () => {
  test("has before the first entry nobody, and after the last what there is now", async () => {
    const entries = await log();
    expect(momentAt(entries, 0)).toMatchObject({ seq: 0, actors: [], legs: [] });
    const now = momentAt(entries, Number.POSITIVE_INFINITY);
    expect(now.seq).toBe(entries.length);
    expect(now.actors.map(({ actor, machine }) => [actor, machine])).toContainEqual(["call", "call"]);
    expect(now.actors.map(({ actor, machine }) => [actor, machine])).toContainEqual(["ladder-1", "ladder"]);
    expect(now.actors.map(({ actor, machine }) => [actor, machine])).toContainEqual([
      "ladder-1/human-1",
      "page",
    ]);
    expect(now.legs).toContainEqual({ label: "human-1", status: "in the room" });
    expect(activeIds("call", now.actors[0]?.value)[0]).toBe("call.coaching");
  });

  test("is the same whether it is reached from the front or the back", async () => {
    const entries = await log();
    const states = entries.map(({ seq }) => activeIds("call", momentAt(entries, seq).actors[0]?.value)[0]);
    const path = states.filter((state, at) => state !== undefined && state !== states[at - 1]);
    expect(path).toEqual(["call.arriving", "call.streaming", "call.escalating", "call.coaching"]);
  });

  test("names the edge just taken by the key of the drawing", async () => {
    const entries = await log();
    const asked = entries.find(({ kind, name }) => kind === "event" && name === "op.escalate");
    const step = entries.find(
      ({ seq, kind, name }) => seq > (asked?.seq ?? 0) && kind === "step" && name === "call",
    );
    const [actor] = momentAt(entries, step?.seq ?? 0).actors;
    expect(actor?.event).toBe("op.escalate");
    expect(actor?.edges.map(({ source, event, index }) => `${source}|${event}|${index}`)).toContain(
      "call.streaming|op.escalate|0",
    );
  });

  test("has an effect until it is answered", async () => {
    const entries = await log();
    const asked = entries.find(({ kind, name }) => kind === "effect" && name === "carrier.addAi");
    const answered = entries.find(({ kind, data }) => kind === "result" && data["id"] === asked?.data["id"]);
    const names = (seq: number): string[] => momentAt(entries, seq).pending.map(({ name }) => name);
    expect(names(asked?.seq ?? 0)).toContain("carrier.addAi");
    expect(names(answered?.seq ?? 0)).not.toContain("carrier.addAi");
  });
});

const bare: AuditEntry = {
  callSid: CALL_SID,
  seq: 1,
  at: "2023-11-14T22:13:20.000Z",
  kind: "note",
  name: "call.begun",
  data: {},
  prev: null,
  hash: null,
};

describe("a leg", () => {
  const told = (...events: readonly (readonly [name: string, data: object])[]) => {
    const label = "human-1";
    const entries = events.map(([name, data], at) => ({
      ...bare,
      seq: at + 1,
      kind: "event" as const,
      name,
      data: { label, ...data },
    }));
    return momentAt(entries, Number.POSITIVE_INFINITY).legs;
  };
  const joined = ["participant.joined", {}] as const;

  test("is in the room however late the carrier says that its call was answered", () => {
    const late = ["leg.status", { status: "in-progress" }] as const;
    expect(told(late, joined)).toEqual([{ label: "human-1", status: "in the room" }]);
    expect(told(joined, late)).toEqual([{ label: "human-1", status: "in the room" }]);
  });

  test("is over when its call is, whether or not it has left the room", () => {
    const over = ["leg.status", { status: "completed" }] as const;
    expect(told(joined, over)).toEqual([{ label: "human-1", status: "completed" }]);
    expect(told(joined, ["participant.left", {}], over)).toEqual([{ label: "human-1", status: "left" }]);
  });
});

describe("a log", () => {
  test("names the machines that it was made on", async () => {
    expect(machinesOf(await log())).toBe(MACHINE_HASH);
    expect(machinesOf([])).toBeNull();
  });

  test("is stepped through event by event, each with all that it led to at once", async () => {
    const entries = await log();
    const stops: number[] = [];
    for (let at = 0; at < entries.length && stops.length < entries.length;) {
      at = nextEvent(entries, at, 1);
      stops.push(at);
    }
    expect(stops.at(-1)).toBe(entries.length);
    const back = stops.slice(0, -1).toReversed();
    let at = entries.length;
    for (const stop of back.slice(0, 5)) expect((at = nextEvent(entries, at, -1))).toBe(stop);
    expect(nextEvent(entries, 1, -1)).toBe(1);
  });

  test("takes each entry once, in order, and notices a hole", async () => {
    const entries = await log();
    const [first, rest] = [entries.slice(0, 5), entries.slice(3)];
    expect(withEntries(first, rest)).toEqual(entries);
    expect(withEntries(entries, first)).toBe(entries);
    expect(withEntries(first, entries.slice(6))).toBeNull();
  });

  test("keeps what was told of while it was asked for", async () => {
    const entries = await log();
    const said = ["hello", "how are you?"].map((text) => ({ speaker: "caller" as const, text, atMs: 1 }));
    const loaded = { entries: entries.slice(0, 5), said: said.slice(0, 1) };
    expect(caughtUp(loaded, null)).toBe(loaded);
    expect(caughtUp(loaded, { entries: entries.slice(0, 7), said })).toEqual({
      entries: entries.slice(0, 7),
      said,
    });
    expect(caughtUp({ entries, said }, loaded)).toEqual({ entries, said });
    // With a hole between the two it is asked for again.
    const behind = { entries: entries.slice(6, 8), said: [] };
    expect(caughtUp(loaded, behind)).toEqual(loaded);
  });

  test("is found by time: the last entry that was written by then", () => {
    const entries = [1, 2, 3, 5].map((seq) => ({ ...bare, seq, at: `2023-11-14T22:13:2${seq}.000Z` }));
    const timesMs = entries.map(({ at }) => Date.parse(at));
    const at = (second: string): number =>
      entryAt(entries, timesMs, Date.parse(`2023-11-14T22:13:${second}Z`));
    expect(["20.000", "21.000", "22.999", "24.000", "59.000"].map(at)).toEqual([1, 1, 2, 3, 5]);
    expect(entryAt([], [], 0)).toBe(0);
    expect([0, 3, 4, 9].map((seq) => indexOf(entries, seq))).toEqual([0, 2, 3, -1]);
  });

  test("has the times of the answers", () => {
    const data = { turnMs: 310, decideMs: 200, speakMs: 90, sendMs: 20, roundTripMs: 60 };
    const at = "2023-11-14T22:13:20.000Z";
    const entry = { callSid: CALL_SID, seq: 4, at, prev: null, hash: null };
    const entries = [
      { ...entry, kind: "media", name: "turn", data },
      { ...entry, kind: "media", name: "barge_in", data: {} },
    ] as const;
    expect(turnsOf(entries)).toEqual([{ seq: 4, atMs: Date.parse(at), ...data }]);
  });
});
