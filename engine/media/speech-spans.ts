import type { SpanSink } from "./voice-activity.ts";

/** Some minutes of talk. Who asks about a turn asks within seconds of it. */
const MAX_SPANS = 64;

/** When one leg spoke, lately: the oldest span makes room for a new one and is counted. Allocates nothing. */
export class SpeechSpans implements SpanSink {
  readonly counters = { spans: 0, spansForgotten: 0, spokenMs: 0 };
  readonly #starts: Float64Array;
  readonly #ends: Float64Array;
  #at = -1;
  #open = false;

  constructor(maxSpans = MAX_SPANS) {
    this.#starts = new Float64Array(maxSpans).fill(NaN);
    this.#ends = new Float64Array(maxSpans).fill(NaN);
  }

  began(startMs: number): void {
    if (this.counters.spans >= this.#starts.length) this.counters.spansForgotten++;
    this.counters.spans++;
    this.#at = (this.#at + 1) % this.#starts.length;
    this.#starts[this.#at] = startMs;
    this.#ends[this.#at] = startMs;
    this.#open = true;
  }

  lasts(endMs: number): void {
    if (!this.#open) return;
    const before = this.#ends[this.#at] as number;
    // A clock that was set a little back does not shorten what was said.
    if (endMs <= before) return;
    this.counters.spokenMs += endMs - before;
    this.#ends[this.#at] = endMs;
  }

  ended(): void {
    this.#open = false;
  }

  /** How much was said between the two times, as far as is known by now. */
  spokenMs(fromMs: number, toMs: number): number {
    let sum = 0;
    for (let i = 0; i < this.#starts.length; i++) {
      const overlap = Math.min(this.#ends[i] as number, toMs) - Math.max(this.#starts[i] as number, fromMs);
      if (overlap > 0) sum += overlap;
    }
    return sum;
  }
}
