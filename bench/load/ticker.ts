/** Paces all calls: 50 times a second each, spread evenly over the 20 ms in phases of 1 ms. */
import type { Clock } from "../../engine/ports.ts";
import type { Histogram } from "../../engine/platform/histogram.ts";

export interface Paced {
  tick(nowMs: number): void;
}

const PHASES = 20;

export class Ticker {
  readonly #clock: Clock;
  readonly #lateness: Histogram;
  readonly #phases: readonly Set<Paced>[] = Array.from({ length: PHASES }, () => new Set<Paced>());
  readonly #originMs: number;
  #next = 0;
  #size = 0;
  #armed = false;

  /** `lateness` gets the delay of each call of a member, in milliseconds. */
  constructor(clock: Clock, lateness: Histogram) {
    this.#clock = clock;
    this.#lateness = lateness;
    this.#originMs = clock.monotonicMs();
  }

  add(member: Paced): void {
    let best = this.#phases[0] as Set<Paced>;
    for (const phase of this.#phases) if (phase.size < best.size) best = phase;
    best.add(member);
    this.#size++;
    if (this.#armed) return;
    this.#next = Math.ceil(this.#clock.monotonicMs() - this.#originMs);
    this.#arm();
  }

  remove(member: Paced): void {
    for (const phase of this.#phases) if (phase.delete(member)) this.#size--;
  }

  /** Absolute deadlines: a late wake-up is made up for, and does not move the next one. */
  readonly #onTimer = (): void => {
    this.#armed = false;
    // At most one round, so that sockets are read in between however far behind this is.
    for (let round = 0; round < PHASES; round++) {
      const dueMs = this.#originMs + this.#next;
      const nowMs = this.#clock.monotonicMs();
      if (dueMs > nowMs) break;
      const phase = this.#phases[this.#next % PHASES] as Set<Paced>;
      for (const member of phase) {
        const sentMs = this.#clock.monotonicMs();
        this.#lateness.record(sentMs - dueMs);
        member.tick(sentMs);
      }
      this.#next++;
    }
    if (this.#size > 0) this.#arm();
  };

  #arm(): void {
    this.#armed = true;
    const delayMs = Math.ceil(this.#originMs + this.#next - this.#clock.monotonicMs());
    this.#clock.setTimeout(this.#onTimer, Math.max(0, delayMs));
  }
}
