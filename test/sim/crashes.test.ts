/** Worlds in which engines end in the middle of anything, and others go on. */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { crashPlanOf } from "./crash-draw.ts";
import { CRASH_MUTANTS } from "./crash-mutants.ts";
import { planOf } from "./draw.ts";
import { simulate } from "./simulate.ts";
import { warmUp } from "./world.ts";
import { runWorlds, seedsOf } from "./worlds.ts";

const WORLDS = 200;
/** A guard, nothing is timed by it. */
const WORLDS_GUARD_MS = 300_000;
/** Every mutant is found within this many worlds. */
const MUTANT_WORLDS = 200;

beforeAll(warmUp);

test("a plan with crashes is that of its seed, with longer calls and no other faults", () => {
  for (const seed of seedsOf(1, 200)) {
    const { crashes, callers, faults, ...rest } = crashPlanOf(seed);
    const plan = planOf(seed);
    expect(plan).toMatchObject(rest);
    expect(plan.crashes).toBeUndefined();
    expect([0, plan.faults.length]).toContain(faults.length);
    expect(callers.map(({ acts }) => acts)).toEqual(plan.callers.map(({ acts }) => acts));
    expect(crashes?.length).toBeWithin(1, 4);
  }
});

test("a world with crashes is the same, event by event, whenever its seed is", () => {
  for (const seed of [1, 3, 12]) {
    const first = simulate(crashPlanOf(seed));
    simulate(planOf(seed));
    expect(simulate(crashPlanOf(seed))).toEqual(first);
  }
});

describe("a world with crashes that once broke a rule", () => {
  const FOUND = {
    "took a ring that was still asked for when its call was over for lost": 20_377,
    "took a ring for another's, whose call was over": 20_417,
    "sent a text after the ack that an engine had been trying to send": 71_557,
    "took the older of two texts for the newer, as it was taken up later": 70_867,
    "told somebody twice who was not asked again in between, as the caller had left": 149_023,
    "gave up the caller after three legs that found no engine": 77_888,
    "knew nothing of a caller whom it had just let into the conference": 241_387,
  };
  for (const [what, seed] of Object.entries(FOUND)) {
    test(`does not any more: it ${what}`, () => {
      expect(simulate(crashPlanOf(seed)).violations).toEqual([]);
    });
  }
});

test(
  `no rule is broken in ${WORLDS} worlds with crashes`,
  async () => {
    const args = ["--crashes", "--worlds", String(WORLDS)];
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "run.ts"), ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [text, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    const summary = text.slice(text.indexOf(`${WORLDS} worlds with crashes`));
    expect({ errors, exitCode: await child.exited, summary }).toEqual({
      errors: "",
      exitCode: 0,
      summary: expect.stringContaining("ms of CPU a world"),
    });
    // Engines that end where nothing happens would prove nothing.
    for (const state of ["arriving", "streaming", "escalating", "coaching"]) {
      expect(Number(new RegExp(`(\\d+)  engine ends in ${state}\\n`).exec(text)?.[1])).toBeGreaterThan(3);
    }
  },
  WORLDS_GUARD_MS,
);

describe("the rules find it when", () => {
  for (const { name, seed, rules, tampering = {}, patch } of CRASH_MUTANTS) {
    test(`${name}`, () => {
      const undo = patch?.();
      try {
        const seeds = [seed, ...seedsOf(1, MUTANT_WORLDS)];
        const options = { tampering, stopAt: 1, counts: rules, draw: crashPlanOf };
        const found = runWorlds(seeds, options).failures[0];
        expect(found?.outcome.violations.map(({ rule }) => rule)).toBeDefined();
      } finally {
        undo?.();
      }
    });
  }
});
