/** Makes plans in which engines end, on top of those in which none does. */
import { Dice } from "./dice.ts";
import { planOf } from "./draw.ts";
import type { Crash, Plan } from "./plan.ts";

/** Apart from the draws of the plan itself. */
const SALT = 0x2545f491;

/** The same seed gives the same plan, always: that of {@link planOf}, with crashes, longer calls and fewer faults. */
export function crashPlanOf(seed: number): Plan {
  const plan = planOf(seed);
  const dice = new Dice(seed ^ SALT);
  const lastMs = Math.max(...plan.callers.map(({ atMs, endMs }) => atMs + endMs));
  const crashes = dice.times(dice.pick([6, 1], [3, 2], [2, 3]), () => crash(dice, lastMs));
  const downMs = crashes.reduce((sum, each) => sum + each.downMs, 0);
  // Most callers are still there when the next engine comes.
  const moreMs = dice.chance(0.8) ? downMs + dice.ms(1000, 6000) : 0;
  const callers = plan.callers.map((each) => ({ ...each, endMs: each.endMs + moreMs }));
  return { ...plan, callers, faults: dice.chance(0.3) ? plan.faults : [], crashes };
}

function crash(dice: Dice, lastMs: number): Crash {
  const isKill = dice.chance(0.85);
  return {
    how: isKill ? "kill" : "term",
    byMs: dice.ms(300, Math.min(lastMs, 12_000)),
    on: dice.chance(0.65) ? moment(dice) : null,
    downMs: dice.pick(
      [6, () => dice.ms(200, 1500)],
      [3, () => dice.ms(1500, 6000)],
      [1, () => dice.ms(6000, 30_000)],
    )(),
    drainMs: isKill || dice.chance(0.5) ? 0 : dice.ms(0, 3000),
    againMs: isKill || dice.chance(0.7) ? null : dice.ms(0, 2000),
  };
}

const EFFECTS = [
  "page.call",
  "page.sms",
  "page.push",
  "page.",
  "carrier.addAi",
  "carrier.mute",
  "carrier.coach",
  "carrier.hangUp",
  "carrier.",
  "ladder.",
] as const;
const STATES = ["streaming", "escalating", "coaching", "removed", "wrapUp", "paging", "ringing"] as const;
const REQUESTS = ["/Calls.json", "/Messages.json", "/Participants", "/push/", "/Calls/", ""] as const;
const HOOKS = ["/twilio/human", "/twilio/conference", "/leg-status", "/twilio/sms", "/ack/", ""] as const;

function moment(dice: Dice): Crash["on"] {
  const one = (all: readonly string[]): string => dice.pick(...all.map((each) => [1, each] as const));
  const drawn = dice.pick<() => Pick<NonNullable<Crash["on"]>, "moment" | "match">>(
    [3, () => ({ moment: "committed", match: `intent ${one(EFFECTS)}` })],
    [2, () => ({ moment: "committed", match: `done ${one(EFFECTS)}` })],
    [2, () => ({ moment: "committed", match: `state ${one(STATES)}` })],
    [1, () => ({ moment: "written", match: `${one(["intent", "done"])} ${one(EFFECTS)}` })],
    [3, () => ({ moment: "sent", match: one(REQUESTS) })],
    [3, () => ({ moment: "answered", match: one(REQUESTS) })],
    [1, () => ({ moment: "asked", match: one(HOOKS) })],
  )();
  const afterMs = dice.pick([4, () => 0], [3, () => dice.between(0, 30)], [2, () => dice.ms(30, 1000)])();
  return { ...drawn, nth: dice.pick([4, 1], [2, 2], [1, 3]), afterMs };
}
