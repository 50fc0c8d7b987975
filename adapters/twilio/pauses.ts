import type { Clock } from "../../engine/ports.ts";

/** Waits on the clock that all end at once when the owner closes. */
export class Pauses {
  readonly #clock: Clock;
  readonly #waiting = new Map<() => void, unknown>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  pause(delayMs: number): Promise<"elapsed" | "closed"> {
    if (this.#closed) return Promise.resolve("closed");
    return new Promise((resolve) => {
      const cut = (): void => resolve("closed");
      const handle = this.#clock.setTimeout(() => {
        this.#waiting.delete(cut);
        resolve("elapsed");
      }, delayMs);
      this.#waiting.set(cut, handle);
    });
  }

  close(): void {
    this.#closed = true;
    for (const [cut, handle] of this.#waiting) {
      this.#clock.clearTimeout(handle);
      cut();
    }
    this.#waiting.clear();
  }
}
