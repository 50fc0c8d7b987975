/** Makes plans from seeds. Most calls are short: what matters happens in their first seconds. */
import type { Channel } from "../../machines/ladder.types.ts";
import { Dice } from "./dice.ts";
import {
  type Act,
  type CallerPlan,
  type ContactPlan,
  type Fault,
  type Ladder,
  numberOf,
  PEOPLE,
  type Person,
  type Plan,
  type Reaction,
  type Reply,
  type Step,
} from "./plan.ts";

/** The same seed gives the same plan, always. */
export function planOf(seed: number): Plan {
  const dice = new Dice(seed);
  if (dice.chance(0.15)) dice.grainMs = 500;
  // Where people are busy with texts of several calls.
  const texts = dice.chance(0.15);
  const callers = dice.times(texts ? 2 : dice.pick([12, 1], [1, 2]), () => caller(dice));
  const nextMs = texts ? 800 : 3000;
  const first = callers.map((each, index) => ({ ...each, atMs: index === 0 ? 0 : dice.ms(0, nextMs) }));
  const lastMs = Math.max(...first.map(({ atMs, endMs }) => atMs + endMs));
  return {
    seed,
    ladder: texts ? ladder(dice, 2, TEXTED) : ladder(dice, PEOPLE, CHANNELS),
    recording: dice.pick([8, "none"], [1, "leg"], [1, "conference"]),
    callsPerSecond: dice.pick([4, 10], [1, 1]),
    latencyMs: dice.pick([5, [2, 15]], [1, [20, 120]], [1, [1, 400]]),
    callers: first,
    people: dice.times(PEOPLE, () => person(dice, texts)),
    faults: dice.chance(0.5) ? dice.times(dice.between(1, 3), () => fault(dice, lastMs)) : [],
  };
}

// ---------------------------------------------------------------- who is on call

const CHANNELS: readonly (readonly [number, readonly Channel[]])[] = [
  [5, ["voice"]],
  [3, ["voice", "sms"]],
  [1.5, ["voice", "sms", "push"]],
  [1, ["voice", "push"]],
  [0.7, ["sms"]],
  [0.5, ["push"]],
  [0.3, ["sms", "push"]],
];

const TEXTED: typeof CHANNELS = [
  [2, ["sms"]],
  [2, ["voice", "sms"]],
  [1, ["sms", "push"]],
];

/** Among so many people. */
function ladder(dice: Dice, among: number, channels: typeof CHANNELS): Ladder {
  const rungs = dice.times(dice.pick([3, 1], [4, 2], [2, 3], [0.7, 4]), () => {
    const people = dice.some(dice.pick([6, 1], [2, 2], [1, 3]), [...Array(among).keys()]);
    return people.map((who): ContactPlan => ({ person: who, channels: dice.pick(...channels) }));
  });
  return {
    rungs,
    ackTimeoutMs: dice.chance(0.7) ? dice.ms(1000, 4000) : dice.ms(4000, 8000),
    repeat: dice.pick([1, 0], [5, 1], [1, 2]),
    againAfterMs: dice.ms(1000, 5000),
    afterHandover: dice.pick([4, "coach"], [1, "remove"]),
  };
}

// ---------------------------------------------------------------- callers

function caller(dice: Dice): CallerPlan {
  const endMs = dice.pick(
    [14, () => dice.ms(4500, 12_000)],
    [3, () => dice.ms(12_000, 30_000)],
    // Long enough for the longest consultation.
    [0.3, () => dice.ms(75_000, 90_000)],
  )();
  return { atMs: 0, acts: acts(dice, endMs), endMs };
}

function acts(dice: Dice, endMs: number): Act[] {
  const all: Act[] = dice.times(dice.between(0, 3), () => ({
    atMs: dice.ms(500, endMs),
    do: "say",
    line: dice.pick([3, "more"], [2, "hello"], [1, "person"], [0.3, "bye"]),
    ms: dice.between(300, 1200),
  }));
  const begin = dice.ms(1200, 3500);
  if (dice.chance(0.55)) all.push({ atMs: begin, do: "say", line: "person", ms: 500 });
  else if (dice.chance(0.9)) all.push({ atMs: begin, do: "command", command: escalate(dice) });
  all.push(
    ...dice.times(dice.pick([6, 0], [3, 1], [1, 3]), (): Act => ({
      atMs: dice.ms(500, endMs),
      do: "command",
      command: command(dice),
    })),
  );
  // Most calls last; a caller may also leave at any moment, the first ones included.
  if (dice.chance(0.3)) all.push({ atMs: dice.ms(0, endMs), do: "hangUp" });
  return all.toSorted((a, b) => a.atMs - b.atMs);
}

function command(dice: Dice): Readonly<Record<string, unknown>> {
  return dice.pick(
    [2, { command: "restore" }],
    [2, { command: "coach" }],
    [2, { command: "remove" }],
    [1.5, { command: "hold" }],
    [1.5, { command: "resume" }],
    [0.7, { command: "hangup" }],
    [2.5, escalate(dice)],
  );
}

function escalate(dice: Dice): Readonly<Record<string, unknown>> {
  return dice.pick(
    [4, { command: "escalate", reason: "staff" }],
    [1, { command: "escalate", to: numberOf(1), reason: "staff" }],
  );
}

// ---------------------------------------------------------------- people

function person(dice: Dice, texts: boolean): Person {
  return {
    rings: dice.times(dice.between(1, 3), () => reaction(dice)),
    texts: dice.times(texts ? 4 : dice.between(0, 2), () => replies(dice, true)),
    pushes: dice.times(dice.between(0, 2), () => replies(dice, false)),
  };
}

function reaction(dice: Dice): Reaction {
  const outcome = dice.pick<Reaction["outcome"]>(
    [10, "answer"],
    [2, "ignore"],
    [1, "decline"],
    [1, "busy"],
    [1.5, "voicemail"],
  );
  const afterMs = dice.chance(0.8) ? dice.ms(100, 2500) : dice.ms(2500, 6000);
  if (outcome !== "answer") return { outcome, afterMs, steps: [] };
  const steps: Step[] = [];
  const key = dice.pick([10, "1"], [2, "3"], [1.5, "2"], [0.5, "5"], [1, ""]);
  if (key !== "") steps.push({ afterMs: dice.ms(300, 2500), do: "press", key });
  if (key === "5") steps.push({ afterMs: dice.ms(500, 2500), do: "press", key: "1" });
  if (key === "" || key === "2") {
    if (dice.chance(0.7)) steps.push({ afterMs: dice.ms(0, 4000), do: "hangUp" });
  } else steps.push(...inRoom(dice));
  return { outcome, afterMs, steps };
}

/** After the key that accepts: at once, or after a while in the room. */
function inRoom(dice: Dice): Step[] {
  const steps: Step[] = dice.times(dice.between(0, 2), () =>
    dice.chance(0.75)
      ? {
          afterMs: dice.ms(300, 3000),
          do: "say",
          line: dice.pick([4, "chat"], [1, "take back"]),
          ms: dice.between(300, 1000),
        }
      : { afterMs: dice.ms(500, 4000), do: "press", key: dice.pick([1, "1"], [1, "#"]) },
  );
  const leave = dice.pick([5, "hangUp"], [3, "menu"], [3, "stay"]);
  const staysMs = dice.chance(0.2) ? dice.ms(0, 600) : dice.ms(600, 8000);
  if (leave === "hangUp") steps.push({ afterMs: staysMs, do: "hangUp" });
  if (leave === "menu") {
    steps.push({ afterMs: staysMs, do: "press", key: "*" });
    const then = dice.pick([3, "1"], [2, "3"], [1, "7"], [2, ""]);
    if (then !== "") steps.push({ afterMs: dice.ms(500, 4000), do: "press", key: then });
    if (dice.chance(0.6)) steps.push({ afterMs: dice.ms(0, 4000), do: "hangUp" });
  }
  return steps;
}

/** Nothing, one answer, or several: by one word and its opposite, by link and by text, once more and late. */
function replies(dice: Dice, isText: boolean): Reply[] {
  return dice.times(dice.pick([2, 0], [6, 1], [2, 2]), (): Reply => {
    const afterMs = dice.chance(0.7) ? dice.ms(50, 3000) : dice.ms(3000, 14_000);
    if (!isText || dice.chance(0.3)) {
      return { afterMs, do: dice.pick([4, "accept"], [2, "look"], [1.5, "decline"]) };
    }
    const body = dice.pick([4, "1"], [1, "Yes"], [1, " take."], [1.5, "2"], [0.5, "no"], [0.5, "who?"]);
    return { afterMs, do: "reply", body, named: dice.chance(0.4) };
  });
}

// ---------------------------------------------------------------- what goes wrong

const REST_PATHS = ["", "/Participants", "/Calls", "/Conferences", "/Messages", "human-1", "ai-1"] as const;
const HOOKS = [
  "/twilio/human",
  "/twilio/conference",
  "/twilio/leg-status",
  "/twilio/ai-leg",
  "/twilio/after-",
  "/twilio/sms",
  "/ack/",
  "/push/",
] as const;

function fault(dice: Dice, lastMs: number): Fault {
  const when = { atMs: dice.chance(0.3) ? 0 : dice.ms(0, lastMs), forMs: dice.ms(1000, lastMs) };
  const phase = dice.pick<"before" | "after">([1, "before"], [1, "after"]);
  const match = dice.pick(...REST_PATHS.map((path) => [1, path] as const));
  const times = dice.between(1, 4);
  const hook = dice.pick(...HOOKS.map((each) => [1, each] as const));
  return dice.pick<() => Fault>(
    [4, () => ({ ...when, kind: "callbacks", ...callbackFault(dice) })],
    [
      2,
      () => ({ ...when, kind: "rest", status: dice.pick([1, 429], [1, 500], [1, 503]), phase, times, match }),
    ],
    [1, () => ({ ...when, kind: "restTimeout", phase, times, match })],
    [2, () => ({ ...when, kind: "mediaDrop" })],
    [2, () => ({ ...when, kind: "mediaStall", stallMs: dice.ms(100, 3000) })],
    [1.5, () => ({ ...when, kind: "modelDrop" })],
    [0.5, () => ({ ...when, kind: "modelRefuse", times })],
    [0.5, () => ({ ...when, kind: "modelSlow", firstAudioDelayMs: dice.between(500, 3000) })],
    [1, () => ({ ...when, kind: "marksLost", rate: dice.pick([1, 0.2], [1, 1]) })],
    [0.7, () => ({ ...when, kind: "texts", status: dice.pick([1, "undelivered"], [1, "failed"]), times })],
    [0.5, () => ({ ...when, kind: "pushes", status: dice.pick([1, 500], [1, 404]), times })],
    [1, () => ({ ...when, kind: "webhookLost", phase, match: hook })],
  )();
}

function callbackFault(dice: Dice) {
  return {
    dropRate: dice.pick([2, 0], [2, 0.15], [1, 0.5], [0.4, 1]),
    duplicateRate: dice.pick([1, 0], [1, 0.3]),
    delayMs: dice.pick<readonly [number, number]>([2, [0, 0]], [2, [0, 1500]], [1, [500, 4000]]),
  };
}
