/** Thousands of worlds, the same world twice, and deliberate bugs that the rules must find. */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { LADDER_MUTANTS } from "./ladder-mutants.ts";
import { MUTANTS } from "./mutants.ts";
import { planOf } from "./draw.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";
import { warmUp } from "./world.ts";
import { runWorlds, seedsOf } from "./worlds.ts";

const WORLDS = 1800;
/** Of this machine: a guard, nothing is timed by it. */
const WORLDS_GUARD_MS = 300_000;
/** Every mutant is found within this many worlds. */
const MUTANT_WORLDS = 400;

beforeAll(warmUp);

describe("a world", () => {
  test("is the same, event by event, whenever its seed is", () => {
    for (const seed of [1, 7, 21, 1048, 5227]) {
      const first = simulate(planOf(seed));
      // Something else in between: nothing of a world may outlive it.
      simulate(planOf(seed + 1));
      expect(simulate(planOf(seed))).toEqual(first);
    }
  });

  test("is another one with another seed", () => {
    const hashes = [...seedsOf(1, 20)].map((seed) => simulate(planOf(seed)).hash);
    expect(new Set(hashes).size).toBe(20);
  });

  test("is known from its plan as JSON", () => {
    const plan = planOf(33);
    expect(simulate(JSON.parse(JSON.stringify(plan))).hash).toBe(simulate(plan).hash);
  });
});

describe("a world that once broke a rule", () => {
  const FOUND = {
    "told people of a page that was never sent": 405_221,
    "left a caller in silence while somebody was briefed": 501_270,
    "left the AI alone in the room": 2_003_756,
    "let two people in for one incident": 2_006_128,
    "took a lost page of a follow-up for a second row": 3_004_904,
    "went on after its log was full": 3_059_186,
    "let the caller hear a whisper that a line had held back": 3_097_582,
    "went on paging when it was not heard that somebody had come and gone": 4_008_309,
    "took a reply for one to a text that had gone out before another": 5_002_658,
    "let somebody back in whose incident another had by then": 4_014_963,
  };
  for (const [what, seed] of Object.entries(FOUND)) {
    test(`does not any more: it ${what}`, () => {
      expect(simulate(planOf(seed)).violations).toEqual([]);
    });
  }
});

test(
  `no rule is broken in ${WORLDS} worlds`,
  async () => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "run.ts"), "--worlds", String(WORLDS)], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [text, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    const summary = text.slice(text.indexOf(`${WORLDS} worlds from seed 1`));
    expect({ errors, exitCode: await child.exited, summary }).toEqual({
      errors: "",
      exitCode: 0,
      summary: expect.stringContaining("ms of CPU a world"),
    });
    // Worlds in which nothing happens would prove nothing.
    for (const reached of ["human in the room", "handover coached", "handover removed", "log replayed"]) {
      expect(Number(new RegExp(`(\\d+)  ${reached}\\n`).exec(text)?.[1])).toBeGreaterThan(WORLDS / 50);
    }
  },
  WORLDS_GUARD_MS,
);

describe("the rules find it when", () => {
  for (const { name, seed, rules, tampering = {}, patch } of [...MUTANTS, ...LADDER_MUTANTS]) {
    test(`${name}`, () => {
      const undo = patch?.();
      try {
        const seeds = [seed, ...seedsOf(1, MUTANT_WORLDS)];
        const found = runWorlds(seeds, { tampering, stopAt: 1, counts: rules }).failures[0];
        expect(found?.outcome.violations.map(({ rule }) => rule)).toBeDefined();
      } finally {
        undo?.();
      }
    });
  }
});

test("a failing plan is made small", () => {
  const mutant = MUTANTS.find(({ name }) => name === "the last row is never saved");
  const plan = planOf(1);
  const small = shrink(plan, "no-row", mutant?.tampering);
  expect(small.faults).toEqual([]);
  expect(small.people.every((each) => Object.values(each).flat().length === 0)).toBe(true);
  expect(small.callers).toHaveLength(1);
  expect(small.callers[0]?.acts).toEqual([]);
  expect(small.callers[0]?.endMs).toBeLessThan((plan.callers[0]?.endMs ?? 0) / 10);
  expect(small.ladder.rungs).toHaveLength(1);
});
