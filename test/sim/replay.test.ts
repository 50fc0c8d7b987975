/** What the log of any world says is what the machines do again, from the log alone (design §9, 7). */
import { beforeAll, expect, test } from "bun:test";
import type { ChainedEntry } from "../../engine/platform/hash-chain.ts";
import { replay } from "../../engine/audit/replay.ts";
import { MACHINES } from "../../engine/audit/rerun.ts";
import { callLogicOn } from "../../engine/call/deadline.ts";
import { callMachine } from "../../machines/call.machine.ts";
import type { MemoryStore } from "../support/fake-ports.ts";
import { planOf } from "./draw.ts";
import { simulate } from "./simulate.ts";
import { type Tampering, warmUp } from "./world.ts";
import { seedsOf } from "./worlds.ts";

const WORLDS = 50;
const PER_TEST = 25;

beforeAll(warmUp);

function logsOf(seed: number, tampering: Tampering = {}): ChainedEntry[][] {
  let store: MemoryStore | null = null;
  simulate(planOf(seed), {
    ...tampering,
    engine: (options) => {
      store = options.store as MemoryStore;
      return options;
    },
  });
  return [...((store as MemoryStore | null)?.logs.values() ?? [])] as ChainedEntry[][];
}

for (let first = 1; first <= WORLDS; first += PER_TEST) {
  test(`the logs of worlds ${first} to ${first + PER_TEST - 1} replay to the same states and effects`, () => {
    const reached = new Set<string>();
    let compared = 0;
    for (const seed of seedsOf(first, PER_TEST)) {
      for (const log of logsOf(seed)) {
        const replayed = replay(log);
        expect({ seed, ...replayed }).toMatchObject({ outcome: "agrees", divergence: null });
        compared += replayed.compared;
        for (const { kind, name } of log) if (kind === "state") reached.add(name);
      }
    }
    // Logs in which nothing happens would prove nothing.
    expect(compared).toBeGreaterThan(PER_TEST * 40);
    for (const state of ["escalating", "coaching", "incident", "ended"]) expect(reached).toContain(state);
  });
}

test("so does the log of a call whose machine failed, by the machine that fails", () => {
  const guards = {
    humanJoined: (): never => {
      throw new Error("a guard that throws");
    },
  };
  const call = callMachine.provide({ guards });
  for (const seed of [1, 2, 3]) {
    const [log = []] = logsOf(seed, { logic: (clock) => callLogicOn(clock).provide({ guards }) });
    expect(log.some(({ name }) => name === "actor.failed")).toBe(true);
    expect(replay(log, { ...MACHINES, call })).toMatchObject({ outcome: "agrees", divergence: null });
    expect(replay(log).outcome).toBe("diverges");
  }
});
