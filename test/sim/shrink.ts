/** Makes a failing plan smaller: parts are left out as long as the same rule is still broken. */
import { type Crash, type Person, type Plan, type Reaction } from "./plan.ts";
import { simulate } from "./simulate.ts";
import type { Tampering } from "./world.ts";

/** Worlds tried at most. */
const MAX_TRIES = 600;

const IGNORED: Reaction = { outcome: "ignore", afterMs: 0, steps: [] };

/** The smallest plan found that breaks `rule`; the plan itself when nothing can be left out. */
export function shrink(plan: Plan, rule: string, tampering: Tampering = {}): Plan {
  let best = plan;
  let tries = 0;
  const fails = (candidate: Plan): boolean => {
    tries++;
    return simulate(candidate, tampering).violations.some((each) => each.rule === rule);
  };
  for (let smaller = true; smaller && tries < MAX_TRIES;) {
    smaller = false;
    for (const candidate of smallerPlans(best)) {
      if (tries >= MAX_TRIES) break;
      if (!fails(candidate)) continue;
      best = candidate;
      smaller = true;
      break;
    }
  }
  return best;
}

/** Each with one part less, the largest parts first. */
function* smallerPlans(plan: Plan): Generator<Plan> {
  const { faults, callers, people, ladder, crashes } = plan;
  for (const smaller of smallerCrashes(crashes ?? [])) yield { ...plan, crashes: smaller };
  if (faults.length > 1) yield { ...plan, faults: [] };
  if (callers.length > 1) for (const caller of callers) yield { ...plan, callers: [{ ...caller, atMs: 0 }] };
  for (const [i] of faults.entries()) yield { ...plan, faults: faults.toSpliced(i, 1) };
  for (const [i, caller] of callers.entries()) {
    const withActs = (acts: typeof caller.acts): Plan => ({
      ...plan,
      callers: callers.with(i, { ...caller, acts }),
    });
    if (caller.acts.length > 1) yield withActs([]);
    for (const [j] of caller.acts.entries()) yield withActs(caller.acts.toSpliced(j, 1));
  }
  const { rungs } = ladder;
  const withRungs = (now: typeof rungs): Plan => ({ ...plan, ladder: { ...ladder, rungs: now } });
  for (const [i, contacts] of rungs.entries()) {
    if (rungs.length > 1) yield withRungs(rungs.toSpliced(i, 1));
    for (const [j, contact] of contacts.entries()) {
      if (contacts.length > 1) yield withRungs(rungs.with(i, contacts.toSpliced(j, 1)));
      const { channels } = contact;
      if (channels.length < 2) continue;
      for (const [k] of channels.entries()) {
        yield withRungs(rungs.with(i, contacts.with(j, { ...contact, channels: channels.toSpliced(k, 1) })));
      }
    }
  }
  for (const [i, person] of people.entries()) {
    for (const smaller of smallerPeople(person)) yield { ...plan, people: people.with(i, smaller) };
  }
  for (const share of [0.5, 0.75, 0.9]) {
    for (const [i, caller] of callers.entries()) {
      const endMs = Math.round(caller.endMs * share);
      const acts = caller.acts.filter((act) => act.atMs < endMs);
      yield { ...plan, callers: callers.with(i, { ...caller, endMs, acts }) };
    }
  }
  if (plan.latencyMs[1] > 15) yield { ...plan, latencyMs: [2, 15] };
  if (plan.callsPerSecond < 10) yield { ...plan, callsPerSecond: 10 };
  if (plan.recording !== "none") yield { ...plan, recording: "none" };
}

function* smallerCrashes(crashes: readonly Crash[]): Generator<readonly Crash[]> {
  for (const [i, crash] of crashes.entries()) {
    yield crashes.toSpliced(i, 1);
    if (crash.downMs > 1000) yield crashes.with(i, { ...crash, downMs: 1000 });
    if (crash.how === "term") yield crashes.with(i, { ...crash, how: "kill" });
  }
}

/** A reaction that is left out keeps its place, so that the next does not take it. */
function* smallerPeople(person: Person): Generator<Person> {
  const { rings } = person;
  for (const what of ["rings", "texts", "pushes"] as const) {
    if (person[what].length > 0) yield { ...person, [what]: [] };
  }
  for (const [i, ring] of rings.entries()) {
    if (ring.outcome === "ignore") continue;
    yield { ...person, rings: rings.with(i, IGNORED) };
    for (const [j] of ring.steps.entries()) {
      yield { ...person, rings: rings.with(i, { ...ring, steps: ring.steps.toSpliced(j, 1) }) };
    }
  }
  for (const what of ["texts", "pushes"] as const) {
    const all = person[what];
    for (const [i, replies] of all.entries()) {
      for (const [j] of replies.entries()) {
        yield { ...person, [what]: all.with(i, replies.toSpliced(j, 1)) };
      }
    }
  }
}
