/** One direction of a connection: what goes in comes out later, in order. */
import type { Clock } from "../../engine/ports.ts";

interface Item {
  readonly atMs: number;
  readonly deliver: () => void;
}

export class Wire {
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #items: Item[] = [];
  #lastMs = 0;
  #timer: unknown = null;

  /** `delayMs` is asked for each item; one that would overtake another comes right behind it. */
  constructor(clock: Clock, delayMs: () => number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  push(deliver: () => void): void {
    const atMs = Math.max(this.#lastMs, this.#clock.monotonicMs() + this.#delayMs());
    this.#lastMs = atMs;
    this.#items.push({ atMs, deliver });
    if (this.#timer === null) this.#arm();
  }

  /** What is sent from now on arrives `ms` from now at the earliest: a line that has lost a packet. */
  stall(ms: number): void {
    this.#lastMs = Math.max(this.#lastMs, this.#clock.monotonicMs() + ms);
  }

  /** What is under way is lost. */
  cut(): void {
    this.#items.length = 0;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(): void {
    const next = this.#items[0];
    if (!next) return;
    this.#timer = this.#clock.setTimeout(this.#onTimer, next.atMs - this.#clock.monotonicMs());
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    const item = this.#items.shift();
    this.#arm();
    item?.deliver();
  };
}
