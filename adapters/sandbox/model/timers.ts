import { errorText } from "../../../engine/errors.ts";
import type { Clock, Log } from "../../../engine/ports.ts";

/** The timers of one session: all end with it, and what throws in one is logged, never thrown further. */
export class Timers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pending = new Set<{ handle: unknown }>();
  #closed = false;
  /** Callbacks that threw. */
  failures = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Runs `fn` after `delayMs`; the returned function calls it off. After `close` nothing is scheduled. */
  after(delayMs: number, fn: () => void): () => void {
    if (this.#closed) return () => undefined;
    const entry: { handle: unknown } = { handle: null };
    this.#pending.add(entry);
    entry.handle = this.#clock.setTimeout(() => {
      this.#pending.delete(entry);
      try {
        fn();
      } catch (error) {
        this.failures++;
        this.#log.error("sandbox.model.timer_failed", { error: errorText(error) });
      }
    }, delayMs);
    return () => {
      if (this.#pending.delete(entry)) this.#clock.clearTimeout(entry.handle);
    };
  }

  get size(): number {
    return this.#pending.size;
  }

  close(): void {
    this.#closed = true;
    for (const entry of this.#pending) this.#clock.clearTimeout(entry.handle);
    this.#pending.clear();
  }
}
