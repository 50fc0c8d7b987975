import type { Clock } from "../../../engine/ports.ts";
import type { Timers } from "./timers.ts";

interface Waiting {
  readonly dial: () => void;
}

/**
 * The calls-per-second queue: excess is queued, not refused. Bounded: a full queue refuses (Twilio's limit is
 * 24 hours' worth, error 22005).
 */
export class CallQueue {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #gapMs: number;
  readonly #waiting: Waiting[] = [];
  readonly #max: number;
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #armed = false;

  constructor(options: { clock: Clock; timers: Timers; callsPerSecond: number; max?: number }) {
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#gapMs = 1000 / options.callsPerSecond;
    this.#max = options.max ?? 10000;
  }

  get size(): number {
    return this.#waiting.length;
  }

  get full(): boolean {
    return this.#waiting.length >= this.#max;
  }

  /** Queues a call; `estimateMs` is how long it will wait. `cancel` takes it out again. */
  add(dial: () => void): { readonly estimateMs: number; cancel(): void } {
    const untilNext = Math.max(0, this.#nextAtMs - this.#clock.monotonicMs());
    const estimateMs = Math.round(untilNext + this.#waiting.length * this.#gapMs);
    const entry: Waiting = { dial };
    this.#waiting.push(entry);
    this.#arm();
    return {
      estimateMs,
      cancel: () => {
        const index = this.#waiting.indexOf(entry);
        if (index >= 0) this.#waiting.splice(index, 1);
      },
    };
  }

  clear(): void {
    this.#waiting.length = 0;
  }

  /** Always through a timer: the answer to the request that created the call must come first. */
  #arm(): void {
    if (this.#armed || this.#waiting.length === 0) return;
    this.#armed = true;
    this.#timers.after(Math.max(0, this.#nextAtMs - this.#clock.monotonicMs()), () => {
      this.#armed = false;
      const entry = this.#waiting.shift();
      if (!entry) return;
      this.#nextAtMs = this.#clock.monotonicMs() + this.#gapMs;
      entry.dial();
      this.#arm();
    });
  }
}
