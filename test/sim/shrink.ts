/** Makes a failing plan smaller: parts are left out as long as the same rule is still broken. */
import type { Plan, Reaction } from "./plan.ts";
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
  if (plan.faults.length > 1) yield { ...plan, faults: [] };
  if (plan.acts.length > 1) yield { ...plan, acts: [] };
  for (const [i] of plan.faults.entries()) yield { ...plan, faults: plan.faults.toSpliced(i, 1) };
  for (const [i] of plan.acts.entries()) yield { ...plan, acts: plan.acts.toSpliced(i, 1) };
  for (const [number, reactions] of Object.entries(plan.people)) {
    if (reactions.length > 0) yield withReactions(plan, number, []);
    for (const [i, reaction] of reactions.entries()) {
      if (reaction.outcome === "ignore") continue;
      yield withReactions(plan, number, reactions.with(i, IGNORED));
      for (const [j] of reaction.steps.entries()) {
        const fewer = { ...reaction, steps: reaction.steps.toSpliced(j, 1) };
        yield withReactions(plan, number, reactions.with(i, fewer));
      }
    }
  }
  for (const share of [0.5, 0.75, 0.9]) {
    const endMs = Math.round(plan.endMs * share);
    yield { ...plan, endMs, acts: plan.acts.filter((act) => act.atMs < endMs) };
  }
  if (plan.latencyMs[1] > 15) yield { ...plan, latencyMs: [2, 15] };
  if (plan.callsPerSecond < 10) yield { ...plan, callsPerSecond: 10 };
}

function withReactions(plan: Plan, number: string, reactions: readonly Reaction[]): Plan {
  return { ...plan, people: { ...plan.people, [number]: reactions } };
}
