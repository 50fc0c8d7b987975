/** Sub-buckets per power of two: a value is told to half a bucket, which is 1/32 of it (3.1 %). */
const SUB_BITS = 4;
const SUB_BUCKETS = 1 << SUB_BITS;
/** Buckets from 2^-10 ms (0.98 µs) up to 2^16 ms (65.5 s). */
const MIN_EXPONENT = -10;
const MAX_EXPONENT = 16;
const BUCKETS = (MAX_EXPONENT - MIN_EXPONENT) * SUB_BUCKETS + 1;

/** The bits of a float32 are its exponent and then its fraction: the top ones number the bucket. */
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
const SHIFT = 23 - SUB_BITS;
/** Number of the bucket below the first: bucket 0 holds all that is shorter than 2^-10 ms. */
const BASE = ((127 + MIN_EXPONENT) << SUB_BITS) - 1;

/**
 * Upper bounds, in ms, of the buckets that Prometheus is told. Each is an edge between two buckets in here,
 * so that the cumulative counts are exact.
 */
export const BOUNDS_MS: readonly number[] = [
  0.0078125, 0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 40, 60, 80, 120, 200,
  400, 800, 1600, 3200, 6400, 12_800, 25_600,
];

/**
 * Durations in log-linear buckets of fixed size: recording is a few operations on typed arrays and allocates
 * nothing. Quantiles are right to 3.2 % between 1 µs and 65 s; shorter ones count as less than 1 µs, longer
 * ones as 65 s.
 */
export class Histogram {
  readonly boundsMs = BOUNDS_MS;
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** Hot path. A negative value, which a clock that steps back could make, counts as 0. */
  record(ms: number): void {
    const value = ms > 0 ? ms : 0;
    const bucket = bucketOf(value);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
    this.#sumMs += value;
    if (value > this.#maxMs) this.#maxMs = value;
  }

  /** The value that a share `q` (0..1) of all records does not exceed, in ms; 0 when there are none. */
  quantile(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen >= rank) return Math.min(middleOf(bucket), this.#maxMs);
    }
    return 0;
  }

  /** Adds all records of `other`. */
  mergeFrom(other: Histogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#counts[bucket] = (this.#counts[bucket] as number) + (other.#counts[bucket] as number);
    }
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    if (other.#maxMs > this.#maxMs) this.#maxMs = other.#maxMs;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#sumMs = 0;
    this.#maxMs = 0;
  }

  /** Every bucket that holds something: what its values are below, in ms, and how many there are. */
  buckets(): readonly (readonly [belowMs: number, count: number])[] {
    const found: (readonly [number, number])[] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) found.push([edgeAbove(bucket), count]);
    });
    return found;
  }

  /** How many records are shorter than each of {@link BOUNDS_MS}, in its order. */
  cumulative(): readonly number[] {
    let bucket = 0;
    let seen = 0;
    return BOUNDS_MS.map((boundMs) => {
      for (const end = bucketOf(boundMs); bucket < end; bucket++) seen += this.#counts[bucket] as number;
      return seen;
    });
  }
}

function bucketOf(ms: number): number {
  float[0] = ms;
  const bucket = ((bits[0] as number) >>> SHIFT) - BASE;
  return bucket < 0 ? 0 : bucket < BUCKETS ? bucket : BUCKETS - 1;
}

function edgeAbove(bucket: number): number {
  return 2 ** (MIN_EXPONENT + Math.floor(bucket / SUB_BUCKETS)) * (1 + (bucket % SUB_BUCKETS) / SUB_BUCKETS);
}

function middleOf(bucket: number): number {
  if (bucket === 0) return 0;
  const octave = 2 ** (MIN_EXPONENT + Math.floor((bucket - 1) / SUB_BUCKETS));
  return octave * (1 + (((bucket - 1) % SUB_BUCKETS) + 0.5) / SUB_BUCKETS);
}
