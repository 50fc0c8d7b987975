/**
 * Reads histograms out of Prometheus text (exposition format 0.0.4,
 * https://prometheus.io/docs/instrumenting/exposition_formats/). Strict: what is not of that format is
 * refused, not skipped.
 */
import { InvariantError } from "../engine/errors.ts";

export interface MetricHistogram {
  /** Upper bounds of the buckets, ascending; the last is infinite. */
  readonly bounds: readonly number[];
  /** Samples at or below each bound. */
  readonly counts: readonly number[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const COMMENT = new RegExp(`^# (?:HELP (${NAME})(?: .*)?|TYPE (${NAME}) (\\w+))$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)(?: -?\\d+)?$`);
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;
const NUMBER = /^[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|Inf|NaN)$/i;

/**
 * Every family of type histogram, by name; those with other labels than `le` are added up.
 *
 * @throws InvariantError with the number of the line that is not of the format, or the name of a histogram
 * whose buckets are none.
 */
export function readHistograms(text: string): ReadonlyMap<string, MetricHistogram> {
  const families = new Map<string, Map<number, number>>();
  text.split("\n").forEach((line, index) => {
    const wrong = (): never => {
      throw new InvariantError(`line ${index + 1} is not Prometheus text: ${line.slice(0, 80)}`);
    };
    if (line === "") return;
    if (line.startsWith("#")) {
      const [, , name, type] = COMMENT.exec(line) ?? [];
      if (type === "histogram" && name !== undefined) families.set(name, new Map());
      // Any other comment is allowed, but not a broken declaration.
      if (!COMMENT.test(line) && /^# (?:HELP|TYPE)\b/.test(line)) wrong();
      return;
    }
    const [, name = "", labels = "", digits = ""] = SAMPLE.exec(line) ?? wrong();
    const le = labelsOf(labels, wrong).get("le");
    const value = numberOf(digits) ?? wrong();
    const buckets = name.endsWith("_bucket") ? families.get(name.slice(0, -"_bucket".length)) : undefined;
    if (buckets === undefined) return;
    const bound = (le === undefined ? null : numberOf(le)) ?? wrong();
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  });
  // A family may be declared and have nothing to tell yet.
  const told = [...families].filter(([, buckets]) => buckets.size > 0);
  return new Map(told.map(([name, buckets]) => [name, histogramOf(name, buckets)]));
}

/** Samples in all. */
export function sampleCount({ counts }: MetricHistogram): number {
  return counts.at(-1) ?? 0;
}

/**
 * As `histogram_quantile` of Prometheus: linear within a bucket, whose samples are taken to lie evenly. What
 * lies above the last finite bound is told as that bound. `null` without samples.
 */
export function histogramQuantile(histogram: MetricHistogram, q: number): number | null {
  const { bounds, counts } = histogram;
  const total = sampleCount(histogram);
  if (total === 0) return null;
  const rank = q * total;
  const at = counts.findIndex((count) => count >= rank && count > 0);
  const below = at === 0 ? 0 : (counts[at - 1] as number);
  const upper = bounds[at] as number;
  const lower = at === 0 ? Math.min(0, upper) : (bounds[at - 1] as number);
  if (upper === Number.POSITIVE_INFINITY) return lower;
  return lower + (upper - lower) * ((rank - below) / ((counts[at] as number) - below));
}

function histogramOf(name: string, buckets: ReadonlyMap<number, number>): MetricHistogram {
  const sorted = [...buckets].toSorted(([a], [b]) => a - b);
  const bounds = sorted.map(([bound]) => bound);
  const counts = sorted.map(([, count]) => count);
  const rises = counts.every((count, i) => count >= (counts[i - 1] ?? 0));
  if (bounds.at(-1) !== Number.POSITIVE_INFINITY || !rises) {
    throw new InvariantError(`${name} is no histogram: its buckets must rise and end with le="+Inf"`);
  }
  return { bounds, counts };
}

function labelsOf(text: string, wrong: () => never): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  for (let rest = text; rest !== "";) {
    const [whole, name = "", value = ""] = LABEL.exec(rest) ?? wrong();
    labels.set(name, value);
    rest = rest.slice(whole.length);
  }
  return labels;
}

function numberOf(text: string): number | null {
  if (!NUMBER.test(text)) return null;
  return Number(text.replace(/Inf$/i, "Infinity"));
}
