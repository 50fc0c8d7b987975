/** Marks looked back on for the fastest round trip: about 40 s of speech at one mark per 160 ms. */
const ROUND_TRIPS = 256;
/** The carrier counts as behind only when that many marks in a row say so. */
const RECENT_MARKS = 4;
const BEHIND_MIN_MS = 20;
/** Marks looked back on for how much their round trips differ: about 5 s of speech. */
const SPREAD_MARKS = 32;
/** Taken for the spread before this many marks have shown it. */
const ENOUGH_MARKS = 8;
const ASSUMED_SPREAD_MS = 60;
/** What rounding, the carrier's own 20 ms steps and the scheduling of both ends may add. */
const SPREAD_FLOOR_MS = 5;

/**
 * What the marks that came back tell about the path. Each is late against the byte clock by the way there
 * and back, by what the carrier is behind, and by chance.
 */
export class RoundTrips {
  readonly #all = new Float64Array(ROUND_TRIPS);
  readonly #recent = new Float64Array(RECENT_MARKS);
  readonly #excess = new Float64Array(SPREAD_MARKS);
  #count = 0;
  #recentCount = 0;
  #fastestMs = 0;
  #lastMs = 0;
  #behindMs = 0;

  get isKnown(): boolean {
    return this.#count > 0;
  }

  /** The fastest recent round trip, 0 while unknown. */
  get fastestMs(): number {
    return this.#fastestMs;
  }

  /** The round trip of the newest mark. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** How far the carrier plays behind the byte clock, as far as several marks in a row agree. */
  get behindMs(): number {
    return this.#behindMs;
  }

  /**
   * By how much one trip may differ from another. The range of a few samples is less than that of all that
   * may come: that of n evenly spread ones is (n − 1) / (n + 1) of it on average, which is made up for.
   */
  get spreadMs(): number {
    const count = Math.min(this.#count, SPREAD_MARKS);
    let mostMs = 0;
    for (let i = 0; i < count; i++) mostMs = Math.max(mostMs, this.#excess[i] as number);
    if (count < ENOUGH_MARKS) return Math.max(mostMs, ASSUMED_SPREAD_MS);
    return SPREAD_FLOOR_MS + (mostMs * (count + 1)) / (count - 1);
  }

  /** A mark came back this late against the byte clock. */
  learn(lateMs: number): void {
    const tripMs = Math.max(0, lateMs);
    this.#lastMs = tripMs;
    this.#all[this.#count % ROUND_TRIPS] = tripMs;
    this.#recent[this.#recentCount++ % RECENT_MARKS] = tripMs;
    this.#fastestMs = least(this.#all, Math.min(this.#count + 1, ROUND_TRIPS));
    const leastMs = this.#recentCount < RECENT_MARKS ? 0 : least(this.#recent, RECENT_MARKS);
    const excessMs = leastMs - this.#fastestMs;
    this.#behindMs = excessMs >= BEHIND_MIN_MS ? excessMs : 0;
    this.#excess[this.#count % SPREAD_MARKS] = Math.max(0, tripMs - this.#fastestMs - this.#behindMs);
    this.#count++;
  }

  /** The carrier's buffer ran dry or was cleared: whatever delayed it before delays it no more. */
  forgetBehind(): void {
    this.#recentCount = 0;
    this.#behindMs = 0;
  }
}

function least(values: Float64Array, count: number): number {
  let min = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) min = Math.min(min, values[i] as number);
  return min;
}
