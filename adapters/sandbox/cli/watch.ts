/** Waiting for something to become true, re-examined whenever something has changed. */
import type { Clock } from "../../../engine/ports.ts";

/** `stopped`: the whole watch was stopped. */
export type WatchOutcome = "met" | "timeout" | "stopped";

interface Waiter {
  readonly check: () => boolean;
  readonly settle: (outcome: WatchOutcome) => void;
}

export class Watch {
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when `check` holds: now, or after a later {@link poke}. */
  until(check: () => boolean, timeoutMs: number): Promise<WatchOutcome> {
    if (check()) return Promise.resolve("met");
    if (this.#stopped) return Promise.resolve("stopped");
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => waiter.settle("timeout"), timeoutMs);
      const waiter: Waiter = {
        check,
        settle: (outcome) => {
          this.#waiters.delete(waiter);
          this.#clock.clearTimeout(timer);
          resolve(outcome);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  /** Something changed. */
  poke(): void {
    for (const waiter of this.#waiters) if (waiter.check()) waiter.settle("met");
  }

  /** Ends every wait, and those to come. */
  stop(): void {
    this.#stopped = true;
    for (const waiter of this.#waiters) waiter.settle("stopped");
  }
}
