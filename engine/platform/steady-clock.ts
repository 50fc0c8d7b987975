import type { Clock, Log } from "../ports.ts";

/** How much faster or slower than the machine's it may run: of a window of 120 s that is 1.2 s. */
const SLEW = 0.01;
/** Clocks that are kept in step by the network differ by less. */
const NOTEWORTHY_MS = 1000;

/**
 * A clock that does not jump when the machine's is set. Deadlines are times of the clock: were they to follow, an
 * hour forward would end every rung at once, and an hour back hold each for an hour. It goes on from the time it
 * had, at most 1 % faster or slower until it agrees with the machine's again, and never backwards; when nothing
 * waits for a time it is set right at once.
 */
export class SteadyClock implements Clock {
  readonly #machine: Clock;
  #atMs: number;
  #monotonicMs: number;
  #said = false;

  constructor(machine: Clock) {
    this.#machine = machine;
    this.#atMs = machine.now();
    this.#monotonicMs = machine.monotonicMs();
  }

  now(): number {
    const monotonicMs = this.#machine.monotonicMs();
    const elapsedMs = monotonicMs - this.#monotonicMs;
    const straightMs = this.#atMs + elapsedMs;
    const offMs = this.#machine.now() - straightMs;
    const slewMs = elapsedMs * SLEW;
    this.#atMs = straightMs + Math.min(slewMs, Math.max(-slewMs, offMs));
    this.#monotonicMs = monotonicMs;
    return Math.floor(this.#atMs);
  }

  monotonicMs(): number {
    return this.#machine.monotonicMs();
  }

  setTimeout(fn: () => void, delayMs: number): unknown {
    return this.#machine.setTimeout(fn, delayMs);
  }

  clearTimeout(handle: unknown): void {
    this.#machine.clearTimeout(handle);
  }

  /** How much the machine's clock is ahead of this one; negative: behind. */
  get machineAheadMs(): number {
    return this.#machine.now() - this.now();
  }

  /** Goes on from `ms` when it is not as late yet: a clock that was set back between two engines. */
  notBefore(ms: number): void {
    this.#atMs = Math.max(this.now(), ms);
  }

  /** Once a second: sets it right when it is `free`, and otherwise says once that it does not agree. */
  tick(free: boolean, log: Log): void {
    const machineAheadMs = this.machineAheadMs;
    const agrees = Math.abs(machineAheadMs) < NOTEWORTHY_MS;
    if (free) this.#atMs = this.#machine.now();
    if (free && !agrees) log.info("clock.set", { byMs: machineAheadMs });
    else if (!agrees && !this.#said) log.warn("clock.jumped", { machineAheadMs });
    this.#said = !agrees && !free;
  }
}
