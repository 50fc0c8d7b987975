/** Bounded exponential backoff with jitter. */
import type { Ids } from "../../engine/ports.ts";

export interface BackoffPolicy {
  readonly maxAttempts: number;
  readonly baseMs: number;
  readonly maxMs: number;
}

export class Backoff {
  readonly #policy: BackoffPolicy;
  readonly #ids: Ids;
  #attempts = 0;

  constructor(policy: BackoffPolicy, ids: Ids) {
    this.#policy = policy;
    this.#ids = ids;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** Milliseconds to wait before the next attempt, or null when there are to be no more. */
  next(): number | null {
    if (this.#attempts >= this.#policy.maxAttempts) return null;
    const ceilingMs = Math.min(this.#policy.maxMs, this.#policy.baseMs * 2 ** this.#attempts);
    this.#attempts++;
    return ceilingMs * (0.5 + this.#ids.random() / 2);
  }

  reset(): void {
    this.#attempts = 0;
  }
}
