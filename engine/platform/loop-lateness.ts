import type { Clock } from "../ports.ts";
import { Histogram } from "./histogram.ts";

/** No divisor or multiple of the 20 ms in which media comes and goes: so every moment of it is looked at. */
const TICK_MS = 11;
const SLICE_MS = 1_000;
const SLICES = 10;
/** So many seconds say together whether the loop is late for good. */
const SUSTAINED_SLICES = 5;
const SUSTAINED_QUANTILE = 0.9;
/** Of a stall that is longer than the window nothing more can be told than that all of it was late. */
const MAX_SWALLOWED = Math.floor((SLICES * SLICE_MS) / TICK_MS);

/** CPU time that this process has used, in microseconds. */
export type CpuUsage = () => { readonly user: number; readonly system: number };

/**
 * How late the event loop runs: one timer for the whole process, on absolute deadlines, and how much after
 * its time each tick comes. Ticks that a stall has swallowed count too, each with its own lateness: a stall
 * of one second is ninety late ticks, as it would have been for ninety messages.
 *
 * `performance.eventLoopUtilization()` is always 0 in Bun, and a CPU share alone does not tell who waits.
 */
export class LoopLateness {
  /** All ticks since the start. */
  readonly total = new Histogram();
  readonly #clock: Clock;
  readonly #cpuUsage: CpuUsage;
  readonly #onSecond: (sustainedMs: number) => void;
  /** The last ten seconds, one each; the newest is written to. */
  readonly #slices: readonly Histogram[] = Array.from({ length: SLICES }, () => new Histogram());
  readonly #window = new Histogram();
  readonly #originMs: number;
  #slice = 0;
  #sliceEndMs: number;
  #dueMs = 0;
  #timer: unknown = null;
  #cpuMicros: number;
  #cpuAtMs: number;
  #cpuShare = 0;

  /**
   * `onSecond` is told once a second how late the loop was in most of the last five: the median of what each
   * second's 90th percentile was. Stalls that pass, as when code is first compiled or garbage collected, are not yet
   * overload: that makes a tenth of all ticks late.
   */
  constructor(options: {
    readonly clock: Clock;
    readonly onSecond?: (sustainedMs: number) => void;
    readonly cpuUsage?: CpuUsage;
  }) {
    this.#clock = options.clock;
    this.#onSecond = options.onSecond ?? (() => undefined);
    this.#cpuUsage = options.cpuUsage ?? (() => process.cpuUsage());
    this.#originMs = this.#clock.monotonicMs();
    this.#sliceEndMs = this.#originMs + SLICE_MS;
    this.#cpuAtMs = this.#originMs;
    this.#cpuMicros = this.#cpuTime();
    this.#arm(this.#originMs);
  }

  /** Of the last ten seconds, in ms. */
  quantile(q: number): number {
    this.#window.reset();
    for (const slice of this.#slices) this.#window.mergeFrom(slice);
    return this.#window.quantile(q);
  }

  /** Share of one core that this process used in the last whole second; more than 1 with worker threads. */
  get cpuShare(): number {
    return this.#cpuShare;
  }

  stop(): void {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /**
   * Aims at the next tick of the grid. A timer counts whole milliseconds, so the tick is due when a whole
   * number of them is over: what is measured is then not the rounding, and the grid keeps it from drifting.
   */
  #arm(nowMs: number): void {
    const tick = Math.floor((nowMs - this.#originMs) / TICK_MS) + 1;
    // By rounding this tick may be the one that has just come: a clock on which no time passes would stay there.
    const delayMs = Math.max(1, Math.ceil(this.#originMs + tick * TICK_MS - nowMs));
    this.#dueMs = nowMs + delayMs;
    this.#timer = this.#clock.setTimeout(this.#onTimer, delayMs);
  }

  readonly #onTimer = (): void => {
    const nowMs = this.#clock.monotonicMs();
    const lateMs = nowMs - this.#dueMs;
    if (nowMs >= this.#sliceEndMs) this.#turn(nowMs);
    this.#record(lateMs);
    const swallowed = Math.min(Math.floor(lateMs / TICK_MS), MAX_SWALLOWED);
    for (let i = 1; i <= swallowed; i++) this.#record(lateMs - i * TICK_MS);
    this.#arm(nowMs);
  };

  #record(lateMs: number): void {
    this.total.record(lateMs);
    (this.#slices[this.#slice] as Histogram).record(lateMs);
  }

  /** Begins a new second, and forgets those that are ten seconds back. */
  #turn(nowMs: number): void {
    const seconds = Math.floor((nowMs - this.#sliceEndMs) / SLICE_MS) + 1;
    this.#sliceEndMs += seconds * SLICE_MS;
    this.#measureCpu(nowMs);
    this.#onSecond(this.#sustainedMs());
    for (let i = 0; i < Math.min(seconds, SLICES); i++) {
      this.#slice = (this.#slice + 1) % SLICES;
      (this.#slices[this.#slice] as Histogram).reset();
    }
  }

  #sustainedMs(): number {
    const lateMs = Array.from({ length: SUSTAINED_SLICES }, (_, back) => {
      const slice = this.#slices[(this.#slice + SLICES - back) % SLICES] as Histogram;
      return slice.count === 0 ? 0 : slice.quantile(SUSTAINED_QUANTILE);
    });
    return lateMs.sort((a, b) => a - b)[SUSTAINED_SLICES >> 1] as number;
  }

  #measureCpu(nowMs: number): void {
    const micros = this.#cpuTime();
    this.#cpuShare = (micros - this.#cpuMicros) / 1000 / (nowMs - this.#cpuAtMs);
    this.#cpuMicros = micros;
    this.#cpuAtMs = nowMs;
  }

  #cpuTime(): number {
    const { user, system } = this.#cpuUsage();
    return user + system;
  }
}
