/** What happens in one world, as data: made from a seed, kept as JSON, made smaller by leaving parts out. */
import { seededIds } from "../../engine/platform/ids.ts";
import { CALLER_LINES, type CallerLine } from "./voices.ts";

/** What the caller and the operator do; `atMs` is virtual time since the caller dialled. */
export type Act = { readonly atMs: number } & (
  | { readonly do: "say"; readonly line: CallerLine; readonly ms: number }
  | { readonly do: "hangUp" }
  | { readonly do: "command"; readonly command: Readonly<Record<string, unknown>> }
);

/** What a person does in a call that reached them; `afterMs` counts from the answer, or the step before. */
export type Step = { readonly afterMs: number } & (
  | { readonly do: "press"; readonly key: string }
  | { readonly do: "say"; readonly ms: number }
  | { readonly do: "hangUp" }
);

/** How one ringing of a phone goes. */
export interface Reaction {
  readonly outcome: "answer" | "ignore" | "decline" | "busy" | "voicemail";
  readonly afterMs: number;
  readonly steps: readonly Step[];
}

export type Fault = { readonly atMs: number; readonly forMs: number } & (
  | {
      readonly kind: "callbacks";
      readonly dropRate: number;
      readonly duplicateRate: number;
      readonly delayMs: readonly [number, number];
    }
  | {
      readonly kind: "rest";
      readonly status: number;
      readonly phase: "before" | "after";
      readonly times: number;
      readonly match: string;
    }
  | {
      readonly kind: "restTimeout";
      readonly phase: "before" | "after";
      readonly times: number;
      readonly match: string;
    }
  | { readonly kind: "mediaDrop" }
  | { readonly kind: "modelDrop" }
  | { readonly kind: "modelRefuse"; readonly times: number }
  | { readonly kind: "modelSlow"; readonly firstAudioDelayMs: number }
  | { readonly kind: "marksLost"; readonly rate: number }
  | { readonly kind: "webhookLost"; readonly match: string; readonly phase: "before" | "after" }
);

export interface Plan {
  /** Of what is left to chance while it runs: latencies, ids, jitter. */
  readonly seed: number;
  readonly ackTimeoutMs: number;
  readonly afterHandover: "coach" | "remove";
  readonly callsPerSecond: number;
  /** One way, the least and the most. */
  readonly latencyMs: readonly [number, number];
  readonly acts: readonly Act[];
  /** By phone number: how its first, second, … ringing goes; further ones are ignored. */
  readonly people: Readonly<Record<string, readonly Reaction[]>>;
  readonly faults: readonly Fault[];
  /** When the caller hangs up, if they are still there. */
  readonly endMs: number;
}

export const ON_CALL = ["+15550100", "+15550101", "+15550102"] as const;

/** Draws from a seed. */
class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededIds(seed).random;
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  between(min: number, max: number): number {
    return Math.round(min + this.#random() * (max - min));
  }

  /** By weight. */
  pick<T>(...choices: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.#random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of choices) {
      at -= weight;
      if (at < 0) return value;
    }
    return (choices.at(-1) as readonly [number, T])[1];
  }

  times<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }
}

/** The same seed gives the same plan, always. */
export function planOf(seed: number): Plan {
  // Neighbouring seeds begin alike: their first draws are thrown away.
  const dice = new Dice(Math.imul(seed + 1, 0x9e3779b1));
  dice.times(3, () => dice.chance(0));
  const endMs = dice.between(18_000, 55_000);
  return {
    seed,
    ackTimeoutMs: dice.between(4000, 12_000),
    afterHandover: dice.pick([4, "coach"], [1, "remove"]),
    callsPerSecond: dice.pick([3, 10], [1, 1]),
    latencyMs: dice.pick([4, [2, 15]], [1, [20, 120]], [1, [1, 400]]),
    acts: acts(dice, endMs),
    people: Object.fromEntries(
      ON_CALL.map((number) => [number, dice.times(dice.between(1, 3), () => reaction(dice))]),
    ),
    faults: dice.chance(0.6) ? dice.times(dice.between(1, 3), () => fault(dice, endMs)) : [],
    endMs,
  };
}

function acts(dice: Dice, endMs: number): Act[] {
  const all: Act[] = dice.times(dice.between(0, 4), () => ({
    atMs: dice.between(500, endMs),
    do: "say",
    line: dice.pick(
      [3, "more"],
      [2, "hello"],
      [1, "person"],
      [0.3, "bye"],
    ) satisfies (typeof CALLER_LINES)[number],
    ms: dice.between(300, 1500),
  }));
  const begin = dice.between(1500, 9000);
  if (dice.chance(0.65)) all.push({ atMs: begin, do: "say", line: "person", ms: 600 });
  else if (dice.chance(0.8)) all.push({ atMs: begin, do: "command", command: escalate(dice) });
  all.push(
    ...dice.times(dice.pick([6, 0], [3, 1], [1, 3]), (): Act => ({
      atMs: dice.between(500, endMs),
      do: "command",
      command: dice.pick(
        [2, { command: "restore" }],
        [2, { command: "coach" }],
        [2, { command: "remove" }],
        [1, { command: "hangup" }],
        [2, escalate(dice)],
      ),
    })),
  );
  // Most calls last; a caller may also leave at any moment, the first ones included.
  if (dice.chance(0.3)) all.push({ atMs: dice.between(0, endMs), do: "hangUp" });
  return all.toSorted((a, b) => a.atMs - b.atMs);
}

function escalate(dice: Dice): Readonly<Record<string, unknown>> {
  return dice.pick(
    [4, { command: "escalate", reason: "staff" }],
    [1, { command: "escalate", to: ON_CALL[1], reason: "staff" }],
  );
}

function reaction(dice: Dice): Reaction {
  const outcome = dice.pick<Reaction["outcome"]>(
    [10, "answer"],
    [2, "ignore"],
    [1, "decline"],
    [1, "busy"],
    [1.5, "voicemail"],
  );
  const afterMs = dice.between(200, 6000);
  if (outcome !== "answer") return { outcome, afterMs, steps: [] };
  const steps: Step[] = [];
  const key = dice.pick([12, "1"], [1.5, "2"], [0.5, "5"], [1, ""]);
  if (key !== "") steps.push({ afterMs: dice.between(200, 5000), do: "press", key });
  if (key === "1") {
    steps.push(...dice.times(dice.between(0, 2), (): Step => inRoom(dice)));
    if (dice.chance(0.7)) {
      // At once after the key, or after a while in the room.
      const staysMs = dice.chance(0.2) ? dice.between(0, 600) : dice.between(600, 20_000);
      steps.push({ afterMs: staysMs, do: "hangUp" });
    }
  } else if (dice.chance(0.7)) steps.push({ afterMs: dice.between(0, 6000), do: "hangUp" });
  return { outcome, afterMs, steps };
}

function inRoom(dice: Dice): Step {
  if (dice.chance(0.85)) return { afterMs: dice.between(300, 5000), do: "say", ms: dice.between(300, 1500) };
  return { afterMs: dice.between(500, 8000), do: "press", key: dice.pick([2, "*"], [1, "1"], [1, "#"]) };
}

const REST_PATHS = ["", "/Participants", "/Calls", "/Conferences", "human-1", "ai-1"] as const;
const HOOKS = [
  "/twilio/human",
  "/twilio/conference",
  "/twilio/leg-status",
  "/twilio/ai-leg",
  "/twilio/after-",
] as const;

function fault(dice: Dice, endMs: number): Fault {
  const when = { atMs: dice.chance(0.3) ? 0 : dice.between(0, endMs), forMs: dice.between(1000, endMs) };
  const phase = dice.pick<"before" | "after">([1, "before"], [1, "after"]);
  const match = dice.pick(...REST_PATHS.map((path) => [1, path] as const));
  const times = dice.between(1, 4);
  return dice.pick<() => Fault>(
    [4, () => ({ ...when, kind: "callbacks", ...callbackFault(dice) })],
    [
      2,
      () => ({ ...when, kind: "rest", status: dice.pick([1, 429], [1, 500], [1, 503]), phase, times, match }),
    ],
    [1, () => ({ ...when, kind: "restTimeout", phase, times, match })],
    [2, () => ({ ...when, kind: "mediaDrop" })],
    [1.5, () => ({ ...when, kind: "modelDrop" })],
    [0.5, () => ({ ...when, kind: "modelRefuse", times })],
    [0.5, () => ({ ...when, kind: "modelSlow", firstAudioDelayMs: dice.between(500, 3000) })],
    [1, () => ({ ...when, kind: "marksLost", rate: dice.pick([1, 0.2], [1, 1]) })],
    [
      0.7,
      () => ({
        ...when,
        kind: "webhookLost",
        phase,
        match: dice.pick(...HOOKS.map((hook) => [1, hook] as const)),
      }),
    ],
  )();
}

function callbackFault(dice: Dice) {
  return {
    dropRate: dice.pick([2, 0], [2, 0.15], [1, 0.5], [0.4, 1]),
    duplicateRate: dice.pick([1, 0], [1, 0.3]),
    delayMs: dice.pick<readonly [number, number]>([2, [0, 0]], [2, [0, 1500]], [1, [500, 4000]]),
  };
}
