import type { Clock } from "../ports.ts";

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: (fn, delayMs) => setTimeout(fn, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as Timer),
};

/** Resolves after `ms` on this clock. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimeout(resolve, ms));
}

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/**
 * A clock that moves only when told to. It steps to each due timer in turn, so that a timer set by a timer
 * fires at its own time (XState's `SimulatedClock` jumps over it).
 */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  readonly #timers = new Map<number, Due>();

  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs;
  }

  now(): number {
    return Math.floor(this.#startMs + this.#elapsedMs);
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  setTimeout(fn: () => void, delayMs: number): unknown {
    const order = ++this.#order;
    this.#timers.set(order, { atMs: this.#elapsedMs + Math.max(0, delayMs), order, fn });
    return order;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves time on by `ms`, firing each due timer at its own time, in order. */
  advance(ms: number): void {
    const target = this.#elapsedMs + ms;
    for (let next = this.#next(target); next; next = this.#next(target)) {
      this.#timers.delete(next.order);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs);
      next.fn();
    }
    this.#elapsedMs = target;
  }

  #next(target: number): Due | undefined {
    let best: Due | undefined;
    for (const due of this.#timers.values()) {
      if (due.atMs > target) continue;
      if (!best || due.atMs < best.atMs || (due.atMs === best.atMs && due.order < best.order)) best = due;
    }
    return best;
  }
}
