/** Many worlds, one after the other, and what they came to together. */
import { planOf } from "./draw.ts";
import type { Plan } from "./plan.ts";
import { type Outcome, simulate } from "./simulate.ts";
import type { Tampering } from "./world.ts";

export interface Failure {
  readonly seed: number;
  readonly outcome: Outcome;
}

export interface Tally {
  worlds: number;
  virtualMs: number;
  events: number;
  /** In how many worlds each state, outcome and so on was reached. */
  readonly reached: Map<string, number>;
  /** The first few. */
  readonly failures: Failure[];
  failed: number;
}

const MAX_KEPT_FAILURES = 5;

export function newTally(): Tally {
  return { worlds: 0, virtualMs: 0, events: 0, reached: new Map(), failures: [], failed: 0 };
}

/** Runs the worlds of these seeds; `stopAt` failures end it early. */
export function runWorlds(
  seeds: Iterable<number>,
  options: {
    readonly tampering?: Tampering;
    readonly stopAt?: number;
    /** Only these rules count; default: all. */
    readonly counts?: readonly string[];
    /** Default: {@link planOf}. */
    readonly draw?: (seed: number) => Plan;
  } = {},
): Tally {
  const { tampering = {}, stopAt = Number.POSITIVE_INFINITY, counts, draw = planOf } = options;
  const tally = newTally();
  for (const seed of seeds) {
    add(tally, seed, simulate(draw(seed), tampering), counts);
    if (tally.failed >= stopAt) break;
  }
  return tally;
}

function add(tally: Tally, seed: number, outcome: Outcome, counts: readonly string[] | undefined): void {
  tally.worlds++;
  tally.virtualMs += outcome.virtualMs;
  tally.events += outcome.events;
  for (const what of outcome.reached) tally.reached.set(what, (tally.reached.get(what) ?? 0) + 1);
  const broken = outcome.violations.filter(({ rule }) => !counts || counts.includes(rule));
  if (broken.length === 0) return;
  tally.failed++;
  if (tally.failures.length < MAX_KEPT_FAILURES) tally.failures.push({ seed, outcome });
}

/** The seeds `from`, `from + every`, … of `count` seeds in all from `first` on. */
export function* seedsOf(first: number, count: number, offset = 0, every = 1): Generator<number> {
  for (let i = offset; i < count; i += every) yield first + i;
}
