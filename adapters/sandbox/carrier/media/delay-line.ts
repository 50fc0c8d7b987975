import type { Clock } from "../../../../engine/ports.ts";

interface Delayed<T> {
  readonly dueMs: number;
  readonly item: T;
}

/**
 * A full line hands out its oldest item early, as a pipe that is full does not wait: nothing is lost, and it
 * is counted.
 */
const MAX_ITEMS = 20_000;

/** Hands every item on after the same delay, in order, by one timer. With no delay it hands on at once. */
export class DelayLine<T> {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #deliver: (item: T) => void;
  #items: Delayed<T>[] = [];
  #timer: unknown = null;
  #early = 0;

  constructor(clock: Clock, delayMs: number, deliver: (item: T) => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#deliver = deliver;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Items handed on before their time because the line was full. */
  get early(): number {
    return this.#early;
  }

  push(item: T): void {
    if (this.#delayMs <= 0) {
      this.#deliver(item);
      return;
    }
    this.#items.push({ dueMs: this.#clock.monotonicMs() + this.#delayMs, item });
    if (this.#items.length > MAX_ITEMS) {
      this.#early++;
      this.#deliver((this.#items.shift() as Delayed<T>).item);
    }
    this.#arm();
  }

  /** Forgets what is under way. */
  clear(): void {
    this.#items = [];
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(): void {
    const next = this.#items[0];
    if (this.#timer !== null || !next) return;
    const delayMs = Math.ceil(Math.max(0, next.dueMs - this.#clock.monotonicMs()));
    this.#timer = this.#clock.setTimeout(this.#fire, delayMs);
  }

  readonly #fire = (): void => {
    this.#timer = null;
    const nowMs = this.#clock.monotonicMs();
    for (let next = this.#items[0]; next && next.dueMs <= nowMs; next = this.#items[0]) {
      this.#items.shift();
      this.#deliver(next.item);
    }
    this.#arm();
  };
}
