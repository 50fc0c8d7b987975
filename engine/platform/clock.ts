import type { Clock } from "../ports.ts";

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: (fn, delayMs) => setTimeout(fn, delayMs),
  clearTimeout: (handle) => clearTimeout(handle as Timer),
};

/** A wall clock's time in ISO 8601, in UTC. */
export const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** Resolves after `ms` on this clock. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimeout(resolve, ms));
}

interface Due {
  readonly atMs: number;
  readonly order: number;
  /** `null` once it was cleared. */
  fn: (() => void) | null;
}

/**
 * A clock that moves only when told to. It steps to each due timer in turn, so that a timer set by a timer
 * fires at its own time (XState's `SimulatedClock` jumps over it).
 */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  /** A binary heap, the next one first; cleared ones stay until their time. */
  readonly #heap: Due[] = [];
  #pending = 0;

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
    const due: Due = { atMs: this.#elapsedMs + Math.max(0, delayMs), order: ++this.#order, fn };
    this.#pending++;
    this.#push(due);
    return due;
  }

  clearTimeout(handle: unknown): void {
    const due = handle as Due | null | undefined;
    if (!due?.fn) return;
    due.fn = null;
    this.#pending--;
  }

  get pendingTimers(): number {
    return this.#pending;
  }

  /** Moves time on by `ms`, firing each due timer at its own time, in order. */
  advance(ms: number): void {
    const targetMs = this.#elapsedMs + ms;
    while (this.step(targetMs));
    this.#elapsedMs = targetMs;
  }

  /** Moves time on to the next timer and fires it; `false` when none is due up to `untilMs`. */
  step(untilMs = Number.POSITIVE_INFINITY): boolean {
    for (let due = this.#heap[0]; due && due.atMs <= untilMs; due = this.#heap[0]) {
      this.#pop();
      const { fn } = due;
      if (!fn) continue;
      due.fn = null;
      this.#pending--;
      this.#elapsedMs = Math.max(this.#elapsedMs, due.atMs);
      fn();
      return true;
    }
    return false;
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(due);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Due;
      if (isBefore(above, due)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child++;
      const below = heap[child] as Due;
      if (isBefore(last, below)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
