import type { Clock } from "../../engine/ports.ts";

export interface CallBudgetOptions {
  /** Requests per second; a fraction is allowed: 0.5 is one in two seconds. */
  readonly callsPerSecond: number;
  /** Waiting requests beyond this are refused. */
  readonly maxQueue: number;
  readonly clock: Clock;
}

interface Waiter {
  readonly priority: number;
  readonly repeated: boolean;
  readonly sinceMs: number;
  readonly settle: (outcome: "granted" | "closed" | "withdrawn") => void;
}

/** Added to the window so that requests whose delivery takes unequal time still keep the rate on arrival. */
const WINDOW_MARGIN_MS = 20;

/**
 * Twilio's calls per second for requests that create calls: a token bucket whose tokens come back one window
 * after they were taken, so that no window ever holds more than the rate. First come, first served within a
 * priority; a higher priority goes first. Overflow policy: a full queue refuses the newcomer.
 */
export class CallBudget {
  readonly #burst: number;
  readonly #windowMs: number;
  readonly #maxQueue: number;
  readonly #clock: Clock;
  /** When the latest `burst` tokens were taken, oldest first. */
  readonly #takenMs: number[] = [];
  readonly #queue: Waiter[] = [];
  #timer: unknown = null;
  #closed = false;
  #granted = 0;
  #delayed = 0;
  #refused = 0;
  #waitedMs = 0;

  constructor(options: CallBudgetOptions) {
    this.#burst = Math.max(1, Math.floor(options.callsPerSecond));
    this.#windowMs = (this.#burst / options.callsPerSecond) * 1000 + WINDOW_MARGIN_MS;
    this.#maxQueue = options.maxQueue;
    this.#clock = options.clock;
  }

  /**
   * Resolves when the request may be sent; `full`, `closed` and `withdrawn` (by `signal`) mean that it must not
   * be. A `repeated` request, which has had its turn once, goes before the others of its priority.
   */
  acquire(
    priority = 0,
    repeated = false,
    signal?: AbortSignal,
  ): Promise<"granted" | "full" | "closed" | "withdrawn"> {
    if (this.#closed) return Promise.resolve("closed");
    if (this.#queue.length === 0 && this.#waitMs() <= 0) {
      this.#take();
      return Promise.resolve("granted");
    }
    if (this.#queue.length >= this.#maxQueue) {
      this.#refused++;
      return Promise.resolve("full");
    }
    this.#delayed++;
    return new Promise((settle) => {
      const behind = this.#queue.findIndex(
        (waiter) =>
          waiter.priority < priority || (waiter.priority === priority && repeated && !waiter.repeated),
      );
      const withdraw = (): void => {
        const at = this.#queue.indexOf(waiter);
        if (at >= 0) this.#queue.splice(at, 1);
        settle("withdrawn");
      };
      const waiter: Waiter = {
        priority,
        repeated,
        sinceMs: this.#clock.monotonicMs(),
        settle: (outcome) => {
          signal?.removeEventListener("abort", withdraw);
          settle(outcome);
        },
      };
      signal?.addEventListener("abort", withdraw, { once: true });
      this.#queue.splice(behind === -1 ? this.#queue.length : behind, 0, waiter);
      this.#arm();
    });
  }

  counters(): Readonly<Record<string, number>> {
    return {
      budget_granted: this.#granted,
      budget_delayed: this.#delayed,
      budget_refused: this.#refused,
      budget_waited_ms: Math.round(this.#waitedMs),
      budget_queue_depth: this.#queue.length,
    };
  }

  /** Settles every waiting request as `closed`. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    for (const waiter of this.#queue.splice(0)) waiter.settle("closed");
  }

  #waitMs(): number {
    const oldest = this.#takenMs[0];
    if (oldest === undefined || this.#takenMs.length < this.#burst) return 0;
    return oldest + this.#windowMs - this.#clock.monotonicMs();
  }

  #take(): void {
    this.#granted++;
    this.#takenMs.push(this.#clock.monotonicMs());
    if (this.#takenMs.length > this.#burst) this.#takenMs.shift();
  }

  #arm(): void {
    if (this.#timer !== null || this.#queue.length === 0) return;
    this.#timer = this.#clock.setTimeout(() => this.#onTimer(), Math.max(1, this.#waitMs()));
  }

  #onTimer(): void {
    this.#timer = null;
    while (this.#queue.length > 0 && this.#waitMs() <= 0) {
      const waiter = this.#queue.shift();
      if (!waiter) break;
      this.#take();
      this.#waitedMs += this.#clock.monotonicMs() - waiter.sinceMs;
      waiter.settle("granted");
    }
    this.#arm();
  }
}
