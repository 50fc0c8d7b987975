import type { Clock } from "../../../engine/ports.ts";

/** Timers that can all be cleared at once, so that a stopped carrier leaves none behind. */
export class Timers {
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #pending = new Set<unknown>();
  #stopped = false;

  /** `onError` is told what a timer's function threw: an error there must not end the process. */
  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Runs `fn` once after `delayMs`; the result cancels it and may be called at any time. */
  after(delayMs: number, fn: () => void): () => void {
    if (this.#stopped) return () => undefined;
    const handle = this.#clock.setTimeout(() => {
      this.#pending.delete(handle);
      try {
        fn();
      } catch (error) {
        this.#onError(error);
      }
    }, delayMs);
    this.#pending.add(handle);
    return () => {
      if (this.#pending.delete(handle)) this.#clock.clearTimeout(handle);
    };
  }

  stop(): void {
    this.#stopped = true;
    for (const handle of this.#pending) this.#clock.clearTimeout(handle);
    this.#pending.clear();
  }
}
