import { invariant } from "../errors.ts";

/** A histogram with few, given bounds, for durations that people make and not machines: seconds to hours. */
export class DurationBuckets {
  readonly boundsMs: readonly number[];
  readonly #counts: number[];
  #count = 0;
  #sumMs = 0;

  constructor(boundsMs: readonly number[]) {
    invariant(
      boundsMs.every((bound, i) => i === 0 || bound > (boundsMs[i - 1] as number)),
      "bounds rise",
    );
    this.boundsMs = boundsMs;
    this.#counts = boundsMs.map(() => 0);
  }

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  /** A negative value, which a clock that steps back could make, counts as 0. */
  record(ms: number): void {
    const value = Math.max(0, ms);
    const bucket = this.boundsMs.findIndex((bound) => value <= bound);
    if (bucket >= 0) this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#count++;
    this.#sumMs += value;
  }

  /** How many records do not exceed each bound. */
  cumulative(): readonly number[] {
    let seen = 0;
    return this.#counts.map((count) => (seen += count));
  }
}
