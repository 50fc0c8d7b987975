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

export interface LineDelay {
  readonly delayMs: number;
  /** Each item takes up to this much longer, but overtakes none: TCP keeps the order. Default 0. */
  readonly jitterMs?: number;
  /** 0 up to 1: what of `jitterMs` this item takes. */
  readonly random: () => number;
}

/** Hands every item on after its delay, in order, by one timer. With no delay it hands on at once. */
export class DelayLine<T> {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #jitterMs: number;
  readonly #random: () => number;
  readonly #deliver: (item: T) => void;
  #items: Delayed<T>[] = [];
  #timer: unknown = null;
  #early = 0;
  #lastDueMs = 0;

  constructor(clock: Clock, delay: LineDelay, deliver: (item: T) => void) {
    this.#clock = clock;
    this.#delayMs = delay.delayMs;
    this.#jitterMs = delay.jitterMs ?? 0;
    this.#random = delay.random;
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
    if (this.#delayMs <= 0 && this.#jitterMs <= 0) {
      this.#deliver(item);
      return;
    }
    const extraMs = this.#jitterMs > 0 ? this.#random() * this.#jitterMs : 0;
    const dueMs = this.#clock.monotonicMs() + this.#delayMs + extraMs;
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs);
    this.#items.push({ dueMs: this.#lastDueMs, item });
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
