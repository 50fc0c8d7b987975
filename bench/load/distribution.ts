import type { Histogram } from "../../engine/platform/histogram.ts";

/** Durations in milliseconds, as they are told to another process. */
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** Non-empty buckets: upper edge, and how many. */
  readonly buckets: readonly (readonly [upToMs: number, count: number])[];
}

export function distribution(histogram: Histogram): Distribution {
  return {
    count: histogram.count,
    p50: histogram.quantile(0.5),
    p99: histogram.quantile(0.99),
    p999: histogram.quantile(0.999),
    max: histogram.maxMs,
    buckets: histogram.buckets(),
  };
}
