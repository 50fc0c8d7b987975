import type { Clock } from "../ports.ts";

/** Allows bursts of `capacity` and `perSecond` in the long run. */
export class TokenBucket {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #capacity: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledMs: number;

  constructor(clock: Pick<Clock, "monotonicMs">, capacity: number, perSecond: number) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#perSecond = perSecond;
    this.#tokens = capacity;
    this.#filledMs = clock.monotonicMs();
  }

  /** Takes one token; `false` when there is none. */
  take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledMs) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(this.#capacity, this.#tokens + gained);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
