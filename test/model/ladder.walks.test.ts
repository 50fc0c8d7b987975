/** Ladders with live pages in thousands of worlds, and the bugs that these worlds find. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { assign } from "xstate";
import { type LadderContext, recordLadder } from "../../machines/ladder.facts.ts";
import { ladderMachine } from "../../machines/ladder.machine.ts";
import { INCIDENT_OUTCOMES, LADDER_PHASES, PAGE_RESULTS } from "../../machines/ladder.types.ts";
import { recordPage } from "../../machines/page.facts.ts";
import { pageMachine } from "../../machines/page.machine.ts";
import { timerFrom } from "../../machines/timer.ts";
import type { Logics } from "./ladder.rig.ts";
import { walk } from "./ladder.world.ts";

const SEED = 20_261_126;
const RUNS = 600;
const picks = fc.array(fc.nat(100_000_000), { minLength: 20, maxLength: 120 });

describe("any order of events around a ladder", () => {
  test("leaves one owner or an outcome, and nothing that rings", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(picks, (numbers) => {
        expect(walk(numbers, undefined, (what) => void seen.add(what))).toEqual([]);
      }),
      { numRuns: RUNS, seed: SEED },
    );
    // The walks lead everywhere, or the check above would be worth little.
    const voice = PAGE_RESULTS.map((result) => `page by voice: ${result}`);
    const rings = ["acknowledged", "declined", "voicemail", "no-answer", "busy", "failed"].map(
      (result) => `ring by voice: ${result}`,
    );
    const texts = ["acknowledged", "declined", "failed", "cancelled", "timed-out"].map(
      (result) => `page by sms: ${result}`,
    );
    const outcomes = INCIDENT_OUTCOMES.map((outcome) => `outcome: ${outcome}`);
    const all = [...LADDER_PHASES, ...voice, ...rings, ...texts, ...outcomes];
    expect(all.filter((what) => !seen.has(what))).toEqual([]);
  });
});

const ringOf = ({ pages, ringLabel }: LadderContext) => pages[ringLabel ?? ""];
const page = (changes: Parameters<typeof pageMachine.provide>[0]): Logics => ({
  page: pageMachine.provide(changes),
  ladder: ladderMachine,
});
const ladder = (changes: Parameters<typeof ladderMachine.provide>[0]): Logics => ({
  page: pageMachine,
  ladder: ladderMachine.provide(changes),
});

const MUTANTS: readonly (readonly [string, Logics])[] = [
  [
    "a voicemail accepts",
    page({
      actions: {
        record: assign(({ context, event }) =>
          recordPage(
            context,
            event.type === "human.answered" && event.answer === "voicemail"
              ? { ...event, answer: "accepted" }
              : event,
          ),
        ),
      },
    }),
  ],
  [
    "a page does not heed that it is cancelled",
    page({
      actions: {
        record: assign(({ context, event }) =>
          event.type === "page.cancel" ? {} : recordPage(context, event),
        ),
      },
    }),
  ],
  ["a call is not hung up", page({ actions: { hangUp: () => undefined } })],
  [
    "a call that shows itself after it was taken back is let ring",
    page({
      actions: {
        record: assign(({ context, event }) => {
          const unwanted = context.cancelled !== null && context.legSid === null;
          return { ...recordPage(context, event), ...(unwanted ? { legSid: null } : {}) };
        }),
      },
    }),
  ],
  [
    "a text that had its result cannot be acknowledged any more",
    page({
      actions: {
        record: assign(({ context, event }) =>
          event.type === "page.acknowledged" && context.result !== null ? {} : recordPage(context, event),
        ),
      },
    }),
  ],
  [
    "a window is measured from the last event",
    ladder({
      actions: {
        record: assign(({ context, event }) => {
          const facts = recordLadder(context, event);
          const timer = timerFrom(facts.nowMs ?? context.nowMs, context.policy.ackTimeoutMs);
          return { ...facts, timer };
        }),
      },
    }),
  ],
  [
    "a window is cut short",
    ladder({
      guards: {
        windowOver: ({ context: { nowMs, timer } }) => nowMs > (timer.setAtMs + timer.dueAtMs) / 2,
      },
    }),
  ],
  [
    "whoever says yes last owns it",
    ladder({ guards: { ownerLost: ({ context }) => context.arrived === false || context.acks.length > 0 } }),
  ],
  ["whoever is rung has it taken from them", ladder({ guards: { ringOver: () => true } })],
  [
    "picking up is enough",
    ladder({ guards: { ringAccepted: ({ context }) => ringOf(context)?.answered === true } }),
  ],
  [
    "people are paged for an incident that is not let go of",
    ladder({ actions: { release: assign({ ringLabel: null, arrived: null }) } }),
  ],
  ["an incident that is over goes on", ladder({ guards: { closed: () => false } })],
];

describe("a ladder that is wrong is found out", () => {
  for (const [bug, logics] of MUTANTS) {
    test(`when ${bug}`, () => {
      const found = fc.check(
        fc.property(picks, (numbers) => walk(numbers, logics).length === 0),
        { numRuns: RUNS, seed: SEED, endOnFailure: true },
      );
      expect(found.failed).toBe(true);
    });
  }
});
