const BUCKETS = 100;
const BUCKET_MS = 20;
/** Later than the histogram can say: the sender's clock began anew. */
const RANGE_MS = BUCKETS * BUCKET_MS;
/** One sample, the worst delay, is taken from each interval of this length. */
const INTERVAL_MS = 500;
/** The fastest of this many intervals before the present one, 2 s, is what delay is measured against. */
const HISTORY = 4;
const FORGET_FACTOR = 0.983;
/** The first samples weigh more: the factor is at most 1 − 2 / (n + 1) for sample n. */
const START_WEIGHT = 2;
const START_DELAY_MS = 80;
/** Where the scale of the histogram is taken into it: about every 20 minutes. */
const MIN_SCALE = 1e-18;

/**
 * How much later than the fastest the messages of one stream arrive, as the delay manager of libwebrtc's NetEQ
 * finds it: relative to the fastest of the last 2 s; the maximum of each 500 ms goes into a histogram of 100
 * buckets of 20 ms that forgets by 0.983 a sample. The two clocks need not agree, only run at about the same
 * rate. Takes no memory after it is made.
 */
export class DelayEstimator {
  /** Shares of the samples, divided by `#scale`: forgetting is one multiplication, not one for each bucket. */
  readonly #histogram = new Float64Array(BUCKETS);
  #scale = 1;
  readonly #minima = new Float64Array(HISTORY).fill(Infinity);
  /** The smallest arrival less timestamp: of this interval, and of it and the history. */
  #intervalFastestMs = Infinity;
  #fastestMs = Infinity;
  #worstMs = -1;
  #endMs = -Infinity;
  #oldest = 0;
  #samples = 0;
  #clockJumps = 0;

  /** Maxima taken into the histogram: one for every 500 ms in which something arrived. */
  get samples(): number {
    return this.#samples;
  }

  /** How often the stream's clock began anew. */
  get clockJumps(): number {
    return this.#clockJumps;
  }

  /**
   * Notes one arrival and returns by how many milliseconds it was later than the fastest. `arrivalMs` must
   * not fall; `timestampMs` is the stream's own clock. A delay beyond 2 s is a clock that began anew.
   */
  note(arrivalMs: number, timestampMs: number): number {
    if (arrivalMs >= this.#endMs) this.#endInterval(arrivalMs);
    const transitMs = arrivalMs - timestampMs;
    const delayMs = transitMs - this.#fastestMs;
    if (delayMs < 0 || delayMs >= RANGE_MS) return this.#fastest(transitMs);
    if (transitMs < this.#intervalFastestMs) this.#intervalFastestMs = transitMs;
    if (delayMs > this.#worstMs) this.#worstMs = delayMs;
    return delayMs;
  }

  /** The stream's clock begins anew: the delays stay known, the fastest arrival does not. */
  restart(): void {
    this.#minima.fill(Infinity);
    this.#intervalFastestMs = Infinity;
    this.#fastestMs = Infinity;
  }

  /**
   * The delay that a share `q` (0..1) of the half seconds stayed within, in whole buckets of 20 ms; 80 before
   * the first half second is over.
   */
  delayQuantileMs(q: number): number {
    if (this.#samples === 0) return START_DELAY_MS;
    let bucket = 0;
    let beyond = 1 - (this.#histogram[0] as number) * this.#scale;
    while (beyond > 1 - q && bucket < BUCKETS - 1) {
      beyond -= (this.#histogram[++bucket] as number) * this.#scale;
    }
    return (bucket + 1) * BUCKET_MS;
  }

  /** The first arrival, one that is faster than all, or one on another clock. */
  #fastest(transitMs: number): number {
    const known = this.#fastestMs !== Infinity;
    if (known && Math.abs(transitMs - this.#fastestMs) >= RANGE_MS) {
      this.#clockJumps++;
      this.restart();
    }
    this.#intervalFastestMs = transitMs;
    this.#fastestMs = transitMs;
    this.#worstMs = Math.max(this.#worstMs, 0);
    return 0;
  }

  #endInterval(arrivalMs: number): void {
    if (this.#worstMs >= 0) this.#sample(this.#worstMs);
    this.#worstMs = -1;
    // After a pause some intervals had no arrivals, and what is older than 2 s says nothing any more.
    const passed = this.#endMs === -Infinity ? 1 : 1 + Math.floor((arrivalMs - this.#endMs) / INTERVAL_MS);
    let fastestMs = this.#intervalFastestMs;
    for (let i = 0; i < passed && i < HISTORY; i++) {
      this.#minima[this.#oldest] = fastestMs;
      fastestMs = Infinity;
      this.#oldest = (this.#oldest + 1) % HISTORY;
    }
    for (let i = 0; i < HISTORY; i++) fastestMs = Math.min(fastestMs, this.#minima[i] as number);
    this.#fastestMs = fastestMs;
    this.#intervalFastestMs = Infinity;
    this.#endMs = arrivalMs + INTERVAL_MS;
  }

  #sample(worstMs: number): void {
    const histogram = this.#histogram;
    const bucket = Math.min(BUCKETS - 1, Math.floor(worstMs / BUCKET_MS));
    this.#samples++;
    const factor = Math.max(0, Math.min(FORGET_FACTOR, 1 - START_WEIGHT / (this.#samples + 1)));
    this.#scale *= factor;
    if (this.#scale < MIN_SCALE) {
      for (let i = 0; i < BUCKETS; i++) histogram[i] = (histogram[i] as number) * this.#scale;
      this.#scale = 1;
    }
    histogram[bucket] = (histogram[bucket] as number) + (1 - factor) / this.#scale;
  }
}
