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

  /** Milliseconds, since `start`. */
  stop(): { readonly p99Ms: number; readonly maxMs: number } {
    this.#clock.clearTimeout(this.#timer);
    const values = this.#values;
    // Not a single timer came: nothing could be later.
    if (values.length === 0) return { p99Ms: Number.POSITIVE_INFINITY, maxMs: Number.POSITIVE_INFINITY };
    return { p99Ms: summarise(values).p99, maxMs: values.reduce((max, value) => Math.max(max, value), 0) };
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
