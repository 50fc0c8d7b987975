/**
 * Paths through the machines, driven: the whole engine on the sandbox goes through every state and every edge,
 * but for those named here. What it took is read from the log that it keeps of each call.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { callMachine } from "../../../machines/call.machine.ts";
import { incidentMachine } from "../../../machines/incident.machine.ts";
import { ladderMachine } from "../../../machines/ladder.machine.ts";
import { pageMachine } from "../../../machines/page.machine.ts";
import { warmUp } from "../../sim/world.ts";
import { Coverage } from "../coverage.ts";
import { Driven } from "./driven.ts";
import type { DrivenPlan } from "./plan.ts";
import { drivePage, pageSetup } from "./page-driver.ts";
import { pagePaths } from "./page-paths.ts";
import { ALL } from "./plans.ts";

const BUG = "only by a bug of our own: an actor that throws";
const UNHEARD =
  "only when the engine was restarted in between: the key of a person comes after the word, with the call's sid, " +
  "that they have picked up, and both from the same phone call";

const RESTARTED = "only by an engine that goes on with what another left: see test/golden";

/** Edges that no world takes, and why. */
const UNTAKEN: Readonly<Record<string, string>> = {
  'call.streaming.closing: deadline [deadline {"name":"drain"}] → call.wrapUp':
    "only by a bug of our own: the voice is given the same time, and says by itself that it is over",
  "ladder: xstate.error.actor.* → (stays)": BUG,
  "page.voice.calling: always [accepted] → page.voice.accepted": UNHEARD,
  "page.voice.unheard: always [accepted] → page.voice.accepted": UNHEARD,
  "page.voice.ringing: always [accepted] → page.voice.accepted": UNHEARD,
  "page.voice.accepted: always [timeUp] → page.done": UNHEARD,
  "incident.open: xstate.error.actor.ladder → incident.ended": BUG,
  "call.arriving: engine.restored → (stays)": RESTARTED,
  "call.removed: engine.restored → (stays)": RESTARTED,
  "call.coaching.whisper.releasing: engine.restored → (stays)": RESTARTED,
};

const coverages = [callMachine, ladderMachine, pageMachine, incidentMachine].map(
  (machine) => new Coverage(machine as never),
);
const played = new Map<DrivenPlan, readonly string[]>();

/** Plays a path once, and returns what was wrong with it. */
function play(plan: DrivenPlan): readonly string[] {
  const known = played.get(plan);
  if (known) return known;
  const call = new Driven(plan.setup);
  plan.acts(call);
  const errors = call.errors.filter((each) => plan.errors?.includes(each) !== true);
  const wrong = [...call.ends(), ...errors.map((each) => `logged ${each}`)];
  for (const coverage of coverages) coverage.saw(call.seen);
  played.set(plan, wrong);
  return wrong;
}

/** Along the paths of `xstate/graph`. */
const PAGE_PATHS = Object.fromEntries(
  pagePaths().map((path) => [
    path.name,
    { setup: pageSetup(path), acts: (call: Driven) => drivePage(call, path) },
  ]),
);

beforeAll(warmUp);

for (const [part, plans] of Object.entries(ALL)) {
  describe(`the engine on the sandbox: ${part}`, () => {
    for (const [name, plan] of Object.entries(plans)) {
      test(`${name}`, () => {
        expect(play(plan)).toEqual([]);
      });
    }
  });
}

describe("the engine on the sandbox: a phone's page goes where the machine alone goes", () => {
  for (const [name, plan] of Object.entries(PAGE_PATHS)) {
    test(`${name}`, () => {
      expect(play(plan)).toEqual([]);
    });
  }
});

describe("all of that together", () => {
  test("goes through every state and edge of every machine, but for those that are named", () => {
    const plans = [...Object.values(ALL), PAGE_PATHS].flatMap((part) => Object.values(part));
    for (const plan of plans) play(plan);
    expect(coverages.flatMap((coverage) => coverage.missing).toSorted()).toEqual(
      Object.keys(UNTAKEN).toSorted(),
    );
  });

  afterAll(() => {
    for (const coverage of coverages) process.stdout.write(`${coverage.report()}\n`);
    for (const [edge, why] of Object.entries(UNTAKEN)) process.stdout.write(`never: ${edge} (${why})\n`);
  });
});
