/** For each key one piece of work at a time, in the order in which they came. */
import type { Clock } from "../ports.ts";

export class Lanes {
  readonly #clock: Clock;
  readonly #maxWaitMs: number;
  /** The last of each that is under way. */
  readonly #last = new Map<string, Promise<void>>();

  /** After `maxWaitMs` one is done although those before it are not over. */
  constructor(clock: Clock, maxWaitMs: number) {
    this.#clock = clock;
    this.#maxWaitMs = maxWaitMs;
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const turn = before ? this.#over(before).then(work) : work();
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, settled);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    }
  }

  async #over(before: Promise<void>): Promise<void> {
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = this.#clock.setTimeout(resolve, this.#maxWaitMs);
    });
    await Promise.race([before, late]);
    this.#clock.clearTimeout(timer);
  }
}
