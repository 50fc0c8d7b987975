/** Durations in fixed buckets: recording costs nothing that the measured path could feel. */
const BUCKET_MS = 0.05;
/** Longer ones share the last bucket. */
const MAX_MS = 2_000;

export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  /** Non-empty buckets: upper edge in milliseconds, and how many. */
  readonly buckets: readonly (readonly [upToMs: number, count: number])[];
}

export class Histogram {
  readonly #counts = new Uint32Array(Math.ceil(MAX_MS / BUCKET_MS) + 1);
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  record(ms: number): void {
    const bucket = Math.max(0, Math.min(this.#counts.length - 1, Math.floor(ms / BUCKET_MS)));
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#maxMs = 0;
  }

  /** Upper edge of the bucket that holds the value which `share` of all do not exceed; 0 without values. */
  quantile(share: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.max(1, Math.ceil(this.#count * share));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen < rank) continue;
      const isLast = bucket === this.#counts.length - 1;
      return isLast ? this.#maxMs : Math.min((bucket + 1) * BUCKET_MS, this.#maxMs);
    }
    return this.#maxMs;
  }

  summary(): Distribution {
    const buckets: (readonly [number, number])[] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) buckets.push([Math.round((bucket + 1) * BUCKET_MS * 100) / 100, count]);
    });
    return {
      count: this.#count,
      p50: this.quantile(0.5),
      p99: this.quantile(0.99),
      p999: this.quantile(0.999),
      max: this.#maxMs,
      buckets,
    };
  }
}
