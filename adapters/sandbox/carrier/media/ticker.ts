import type { Clock } from "../../../../engine/ports.ts";

export interface Tickable {
  tick(): void;
}

/** A stall longer than this many periods is not made up for: the phones have played silence by then. */
const MAX_BURST = 10;

/**
 * One self-correcting timer for everything that moves in frames. Deadlines are absolute, so lateness never
 * adds up; after a stall the missed ticks run in one burst of at most {@link MAX_BURST}, and the rest are
 * skipped and counted. The timer runs only while there is something to tick.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #phaseMs: number | null;
  #members: readonly Tickable[] = [];
  #timer: unknown = null;
  #dueMs = 0;
  #skipped = 0;
  #errors = 0;

  /**
   * `onError` is told what a member threw; the others are ticked all the same. Ticks come `phaseMs` after
   * every whole period of the clock; `null`: a period after the first member was added.
   */
  constructor(
    clock: Clock,
    periodMs: number,
    onError: (error: unknown) => void = () => undefined,
    phaseMs: number | null = null,
  ) {
    this.#clock = clock;
    this.#periodMs = periodMs;
    this.#onError = onError;
    this.#phaseMs = phaseMs;
  }

  get size(): number {
    return this.#members.length;
  }

  has(member: Tickable): boolean {
    return this.#members.includes(member);
  }

  /** Ticks left out after stalls, and ticks in which a member threw. */
  counters(): { readonly skipped: number; readonly errors: number } {
    return { skipped: this.#skipped, errors: this.#errors };
  }

  /** The first tick comes within one period. Adding what is already there does nothing. */
  add(member: Tickable): void {
    if (this.#members.includes(member)) return;
    this.#members = [...this.#members, member];
    if (this.#members.length > 1) return;
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = this.#phaseMs === null ? 0 : (nowMs - this.#phaseMs + this.#periodMs) % this.#periodMs;
    this.#dueMs = nowMs + this.#periodMs - sinceMs;
    this.#arm();
  }

  /** No tick reaches `member` after this, not even one of a burst that is under way. */
  remove(member: Tickable): void {
    if (!this.#members.includes(member)) return;
    this.#members = this.#members.filter((other) => other !== member);
    if (this.#members.length === 0) this.#disarm();
  }

  stop(): void {
    this.#members = [];
    this.#disarm();
  }

  #arm(): void {
    // Timers are cut to whole milliseconds and may fire early: round up, or an early one would tick for
    // nothing.
    const delayMs = Math.ceil(Math.max(0, this.#dueMs - this.#clock.monotonicMs()));
    this.#timer = this.#clock.setTimeout(this.#fire, delayMs);
  }

  #disarm(): void {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  readonly #fire = (): void => {
    this.#timer = null;
    const behindMs = this.#clock.monotonicMs() - this.#dueMs;
    const due = behindMs < 0 ? 0 : Math.floor(behindMs / this.#periodMs) + 1;
    const burst = Math.min(due, MAX_BURST);
    this.#skipped += due - burst;
    this.#dueMs += due * this.#periodMs;
    for (let i = 0; i < burst; i++) this.#tickAll();
    if (this.#members.length > 0 && this.#timer === null) this.#arm();
  };

  #tickAll(): void {
    const members = this.#members;
    for (const member of members) {
      if (members !== this.#members && !this.#members.includes(member)) continue;
      try {
        member.tick();
      } catch (error) {
        this.#errors++;
        this.#onError(error);
      }
    }
  }
}

/**
 * Tickers of the same period, evenly shifted against each other: the calls of a real carrier are not in step,
 * and frames of many that come at one instant would make whoever takes them look slow.
 */
export class SpreadTicker {
  readonly #tickers: readonly Ticker[];

  constructor(options: {
    readonly clock: Clock;
    readonly periodMs: number;
    readonly phases: number;
    readonly onError: (error: unknown) => void;
  }) {
    const { clock, periodMs, phases, onError } = options;
    this.#tickers = Array.from(
      { length: phases },
      // With a single phase there is nothing to shift.
      (_, i) => new Ticker(clock, periodMs, onError, phases === 1 ? null : (i * periodMs) / phases),
    );
  }

  get size(): number {
    return this.#tickers.reduce((sum, ticker) => sum + ticker.size, 0);
  }

  /** Joins the emptiest phase. Adding what is already there does nothing. */
  add(member: Tickable): void {
    let best: Ticker | undefined;
    for (const ticker of this.#tickers) {
      if (ticker.has(member)) return;
      if (!best || ticker.size < best.size) best = ticker;
    }
    best?.add(member);
  }

  remove(member: Tickable): void {
    for (const ticker of this.#tickers) ticker.remove(member);
  }

  stop(): void {
    for (const ticker of this.#tickers) ticker.stop();
  }
}
