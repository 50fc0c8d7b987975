import type { Clock } from "../engine/ports.ts";
import { summarise } from "./runner.ts";

const EVERY_MS = 5;

/** How late this process's own timers come: a clock that is late itself times nothing. */
export class LatenessWatch {
  readonly #clock: Clock;
  #values: number[] = [];
  #timer: unknown = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    this.#values = [];
    this.#arm();
  }

  /** The 99th percentile since `start`, in milliseconds. */
  stop(): number {
    this.#clock.clearTimeout(this.#timer);
    // Not a single timer came: nothing could be later.
    return this.#values.length === 0 ? Number.POSITIVE_INFINITY : summarise(this.#values).p99;
  }

  #arm(): void {
    const dueMs = this.#clock.monotonicMs() + EVERY_MS;
    this.#timer = this.#clock.setTimeout(() => {
      // Timers are cut to whole milliseconds and may fire early.
      this.#values.push(Math.max(0, this.#clock.monotonicMs() - dueMs));
      this.#arm();
    }, EVERY_MS);
  }
}
