import { errorText } from "../errors.ts";
import type { Histogram } from "../platform/histogram.ts";
import type { Clock, Log } from "../ports.ts";

/** Something that is paced: it is called once per slot while it is in the wheel. */
export interface PacedSlot {
  onSlot(nowMs: number): void;
}

/** Legs are spread over this many phases of a slot, so that hundreds of them do not all send at once. */
const PHASES = 4;

/**
 * One timer for all legs, on absolute monotonic deadlines: a late tick never moves the next one. After a
 * stall each leg is called once, not once per missed slot: a leg measures from the clock what it owes and
 * catches up within its own lead. The timer runs only while there is something to pace.
 */
export class PacingWheel {
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  readonly #lateness: Histogram | undefined;
  readonly #tickMs: number;
  readonly #originMs: number;
  readonly #phases: readonly Set<PacedSlot>[] = Array.from({ length: PHASES }, () => new Set<PacedSlot>());
  readonly #counters = { ticks: 0, skippedTicks: 0, maxLateMs: 0, slotErrors: 0 };
  #size = 0;
  /** Number of the next tick since the origin; its phase is this modulo PHASES. */
  #tick = 0;
  #timer: unknown = null;
  #stopped = false;

  constructor(options: {
    readonly clock: Clock;
    readonly slotMs?: number;
    readonly log?: Log;
    readonly lateness?: Histogram;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#lateness = options.lateness;
    this.#tickMs = (options.slotMs ?? 20) / PHASES;
    this.#originMs = options.clock.monotonicMs();
  }

  get size(): number {
    return this.#size;
  }

  /** Joins the emptiest phase; the first call comes within one slot. No effect when it is in already. */
  add(slot: PacedSlot): void {
    if (this.#stopped) return;
    let best = this.#phases[0] as Set<PacedSlot>;
    for (const phase of this.#phases) {
      if (phase.has(slot)) return;
      if (phase.size < best.size) best = phase;
    }
    best.add(slot);
    this.#size++;
    this.#arm();
  }

  remove(slot: PacedSlot): void {
    for (const phase of this.#phases) if (phase.delete(slot)) this.#size--;
    if (this.#size === 0) this.#disarm();
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  stop(): void {
    this.#stopped = true;
    for (const phase of this.#phases) phase.clear();
    this.#size = 0;
    this.#disarm();
  }

  #disarm(): void {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Sets the timer for the next tick whose phase has legs, unless it is set for that or an earlier one. */
  #arm(): void {
    const nowMs = this.#clock.monotonicMs();
    let tick = Math.floor((nowMs - this.#originMs) / this.#tickMs) + 1;
    while ((this.#phases[tick % PHASES] as Set<PacedSlot>).size === 0) tick++;
    if (this.#timer !== null && this.#tick <= tick) return;
    this.#disarm();
    this.#tick = tick;
    const dueMs = this.#originMs + tick * this.#tickMs;
    // setTimeout truncates and may fire up to 1 ms early, so the delay is rounded up.
    this.#timer = this.#clock.setTimeout(this.#onTimer, Math.ceil(dueMs - nowMs));
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    const nowMs = this.#clock.monotonicMs();
    const lateMs = nowMs - (this.#originMs + this.#tick * this.#tickMs);
    this.#lateness?.record(lateMs);
    if (lateMs > this.#counters.maxLateMs) this.#counters.maxLateMs = lateMs;
    if (lateMs >= 0) {
      // Every tick that is due by now, but at most one round: each phase once.
      const due = Math.floor(lateMs / this.#tickMs) + 1;
      const run = Math.min(due, PHASES);
      this.#counters.skippedTicks += due - run;
      for (let i = 0; i < run; i++) this.#runPhase((this.#tick + i) % PHASES, nowMs);
    }
    if (this.#size > 0) this.#arm();
  };

  #runPhase(phase: number, nowMs: number): void {
    const slots = this.#phases[phase] as Set<PacedSlot>;
    if (slots.size === 0) return;
    this.#counters.ticks++;
    for (const slot of slots) {
      try {
        slot.onSlot(nowMs);
      } catch (error) {
        // One leg's fault must not stop the others; it would only fail again, so it is paced no more.
        this.#counters.slotErrors++;
        this.#log?.error("media.slot_failed", { error: errorText(error) });
        this.remove(slot);
      }
    }
  }
}
