/** Calls of yesterday: what the machines did in them is what they would do today, or it was changed on purpose. */
import { beforeAll, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { divergenceLines } from "../../engine/audit/replay-cli.ts";
import { replay } from "../../engine/audit/replay.ts";
import { MACHINES } from "../../engine/audit/rerun.ts";
import { callMachine } from "../../machines/call.machine.ts";
import { LIVE_STATES } from "../../machines/events.ts";
import { INCIDENT_OUTCOMES, LADDER_PHASES } from "../../machines/ladder.types.ts";
import { warmUp } from "../sim/world.ts";
import { CALLS } from "./calls.ts";
import { compact, entriesOf, load, namesOf, pathOf } from "./corpus.ts";
import { record } from "./record.ts";

const MAX_BYTES = 1_000_000;

beforeAll(warmUp);

describe("the corpus", () => {
  for (const name of namesOf()) {
    test(`${name} would go as it went (if not, and on purpose: bun run corpus --update)`, async () => {
      const entries = await load(name);
      const { outcome, divergence, why } = replay(entries ?? []);
      expect({ outcome, how: divergence ? divergenceLines(divergence) : why }).toEqual({
        outcome: "agrees",
        how: null,
      });
    });
  }

  test("has calls in every state, of every phase and outcome of a ladder, and stays small", async () => {
    const seen = new Set<unknown>();
    let bytes = 0;
    for (const name of namesOf()) {
      bytes += statSync(pathOf(name)).size;
      for (const { kind, name: state, data } of (await load(name)) ?? []) {
        if (kind === "state") seen.add(state).add(data["phase"]).add(data["outcome"]);
      }
    }
    expect([...seen]).toEqual(
      expect.arrayContaining([...LIVE_STATES, ...LADDER_PHASES, ...INCIDENT_OUTCOMES]),
    );
    expect(bytes).toBeLessThan(MAX_BYTES);
  });

  test("names nobody's number", async () => {
    for (const name of namesOf()) {
      expect(await Bun.file(pathOf(name)).text()).not.toMatch(/\+1555\d+/);
    }
  });

  test("shows a change of a machine in the calls that it concerns, and in no other", async () => {
    const call = callMachine.provide({ guards: { ownerConsults: () => false } });
    const diverging: string[] = [];
    for (const { name } of CALLS) {
      if (replay((await load(name)) ?? [], { ...MACHINES, call }).outcome === "diverges")
        diverging.push(name);
    }
    expect(diverging).toContain("consult");
    expect(diverging).not.toContain("coach");
  });

  test("can be made anew: the same call gives the same log, as it is kept and read back", () => {
    const [call] = CALLS;
    if (!call) throw new Error("there is one");
    const text = compact(record(call));
    expect(compact(record(call))).toBe(text);
    expect(entriesOf(text)).toEqual([...record(call)]);
  });
});
