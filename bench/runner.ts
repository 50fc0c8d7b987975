/**
 * What every benchmark is made of: variants of the same work, timed in turn within one run. Absolute times
 * drift with whatever else the machine does; ratios from one run hardly do, so those are what is judged.
 */
import { InvariantError, invariant } from "../engine/errors.ts";
import type { Clock } from "../engine/ports.ts";

/** One file per claim, `bench/*.bench.ts`, each exporting one of these as `bench`. */
export interface Bench {
  readonly name: string;
  /** One sentence that the figures support or refute. */
  readonly claim: string;
  /** How long a full run may take before it counts as stuck. Default two minutes. */
  limitMs?(options: BenchOptions): number;
  run(options: BenchOptions): Promise<Rows>;
}

export interface BenchOptions {
  /** Tiny parameters: the figures mean nothing, but everything runs. */
  readonly smoke: boolean;
  readonly clock: Clock;
  /** How long calls come and go in the soak. */
  readonly soakMinutes: number;
  /** Origin of a running engine: the region's budget from its metrics instead of a run here. */
  readonly from: string | null;
}

export type Unit =
  | "ns"
  | "µs"
  | "ms"
  | "s"
  | "min"
  | "/s"
  | "/min"
  | "events/s"
  | "%"
  | "dB"
  | "calls"
  | "kB"
  | "MB"
  /** A plain number. */
  | "";

/** What was promised. */
export type Target = { readonly of: "median" | "p99" | "ratio" } & (
  { readonly atMost: number } | { readonly atLeast: number }
);

export interface Row {
  readonly what: string;
  readonly unit: Unit;
  readonly median: number;
  /** `null` for a figure that is a single number. */
  readonly p99: number | null;
  readonly samples: number;
  /** Median, over the repetitions, of this variant's time by the baseline's of the same repetition. */
  readonly ratio: number | null;
  readonly baseline: boolean;
  readonly target: Target | null;
}

export interface Rows {
  readonly rows: readonly Row[];
  /** Folded from everything the variants made, so that no work can be optimised away. */
  readonly hash: number;
  /** Sentences to be read with the rows: a verdict, what was discarded, what cannot be compared, what was tried. */
  readonly notes?: readonly string[];
  readonly pictures?: readonly Picture[];
}

/** How often which latency came: drawn as one SVG. */
export interface Picture {
  readonly title: string;
  readonly series: readonly PictureSeries[];
}

/** Counts in {@link PICTURE_EDGES_MS}: one more count than edges, for what lies above the last. */
export interface PictureSeries {
  readonly name: string;
  readonly counts: readonly number[];
}

/** Twelve bins to the decade, 10 µs to 10 s. */
export const PICTURE_EDGES_MS: readonly number[] = Array.from(
  { length: 73 },
  (_, i) => 0.01 * 10 ** (i / 12),
);

export function pictureSeries(name: string, valuesMs: ArrayLike<number>): PictureSeries {
  const counts = PICTURE_EDGES_MS.map(() => 0);
  counts.push(0);
  for (let i = 0; i < valuesMs.length; i++) {
    const at = PICTURE_EDGES_MS.findIndex((edge) => (valuesMs[i] as number) <= edge);
    const bin = at < 0 ? counts.length - 1 : at;
    counts[bin] = (counts[bin] as number) + 1;
  }
  return { name, counts };
}

export interface Summary {
  readonly median: number;
  readonly p99: number;
  readonly samples: number;
}

export interface Variant {
  readonly name: string;
  /** Does the work `operations` times and returns a fold of its results. */
  run(operations: number): number | Promise<number>;
}

export interface CompareOptions {
  readonly clock: Clock;
  /** The first is the baseline. */
  readonly variants: readonly Variant[];
  readonly repetitions: number;
  readonly operations: number;
  /** Repetitions before those that count. */
  readonly warmUps: number;
}

export interface Compared {
  readonly name: string;
  /** Nanoseconds per operation; a sample is the mean over one repetition. */
  readonly ns: Summary;
  readonly ratio: number | null;
  readonly hash: number;
}

/**
 * Times all variants in each repetition, each time beginning with another one, so that whatever slows the
 * machine for a while slows them all.
 *
 * @throws InvariantError when two variants do not give the same result: they would not have done the same work.
 */
export async function compare(options: CompareOptions): Promise<readonly Compared[]> {
  const { clock, variants, repetitions, operations, warmUps } = options;
  invariant(variants.length > 0 && repetitions > 0 && operations > 0, "compare: nothing to measure");
  const times = variants.map(() => new Float64Array(repetitions));
  const hashes = variants.map(() => 0);
  for (let repetition = -warmUps; repetition < repetitions; repetition++) {
    for (let turn = 0; turn < variants.length; turn++) {
      const index = (turn + Math.max(0, repetition)) % variants.length;
      const startMs = clock.monotonicMs();
      const result = (variants[index] as Variant).run(operations);
      const hash = typeof result === "number" ? result : await result;
      const elapsedMs = clock.monotonicMs() - startMs;
      hashes[index] = fold(hashes[index] as number, hash);
      if (repetition >= 0) (times[index] as Float64Array)[repetition] = (elapsedMs * 1e6) / operations;
    }
  }
  const baseline = times[0] as Float64Array;
  return variants.map(({ name }, index) => {
    if (hashes[index] !== hashes[0])
      throw new InvariantError(`"${name}" and "${variants[0]?.name}" gave different results`);
    const own = times[index] as Float64Array;
    const ratio = index === 0 ? null : pairedRatio(own, baseline);
    return { name, ns: summarise(own), ratio, hash: hashes[index] as number };
  });
}

/** Median of the pairs' ratios. Pairs whose baseline took no measurable time say nothing and are left out. */
export function pairedRatio(own: ArrayLike<number>, baseline: ArrayLike<number>): number | null {
  const ratios: number[] = [];
  for (let i = 0; i < Math.min(own.length, baseline.length); i++) {
    const base = baseline[i] as number;
    if (base > 0) ratios.push((own[i] as number) / base);
  }
  return ratios.length === 0 ? null : summarise(ratios).median;
}

/** Median (mean of the middle two) and p99 by nearest rank. */
export function summarise(values: ArrayLike<number>): Summary {
  invariant(values.length > 0, "summarise: no values");
  const sorted = Float64Array.from(values).toSorted();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] as number;
  return { median, p99, samples: sorted.length };
}

/** One more result into a hash of results; the order counts. */
export function fold(hash: number, value: number): number {
  return (Math.imul(hash, 31) + value) | 0;
}

/** One more text into a hash. Reading a character makes the text whole, as writing it to a socket would. */
export function foldText(hash: number, text: string, at: number): number {
  return fold(hash, text.length * 256 + text.charCodeAt(at));
}

/** A row from a comparison. */
export function comparedRow(compared: Compared, target: Target | null = null): Row {
  const unit = compared.ns.median < 10_000 ? "ns" : "µs";
  const scale = unit === "ns" ? 1 : 1e-3;
  return {
    what: compared.name,
    unit,
    median: compared.ns.median * scale,
    p99: compared.ns.p99 * scale,
    samples: compared.ns.samples,
    ratio: compared.ratio,
    baseline: compared.ratio === null,
    target,
  };
}

/** A row from single samples, measured in turn with `baseline` or being the baseline of others. */
export function sampledRow(row: {
  readonly what: string;
  readonly unit: Unit;
  readonly values: ArrayLike<number>;
  /** Left out: this row has nothing to be compared with. */
  readonly against?: ArrayLike<number> | "is the baseline";
  readonly target?: Target;
}): Row {
  const { what, unit, values, against } = row;
  const ratio = against === undefined || typeof against === "string" ? null : pairedRatio(values, against);
  return {
    what,
    unit,
    ...summarise(values),
    ratio,
    baseline: against === "is the baseline",
    target: row.target ?? null,
  };
}

/** Whether the target was met; `null` when there is none, or no figure to hold against it. */
export function isMet({ target, ...row }: Row): boolean | null {
  const figure = target === null ? null : row[target.of];
  if (target === null || figure === null) return null;
  return "atMost" in target ? figure <= target.atMost : figure >= target.atLeast;
}
