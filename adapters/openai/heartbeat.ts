/** Finds a peer that went away without closing: TCP alone would take minutes to notice. */
import type { Clock } from "../../engine/ports.ts";

export class Heartbeat {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #ping: () => void;
  readonly #dead: () => void;
  #timer: unknown = null;
  #alive = true;
  #stopped = false;

  constructor(clock: Clock, intervalMs: number, ping: () => void, dead: () => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#ping = ping;
    this.#dead = dead;
    this.#arm();
  }

  /** Something came from the peer. */
  beat(): void {
    this.#alive = true;
  }

  stop(): void {
    this.#stopped = true;
    this.#clock.clearTimeout(this.#timer);
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => this.#tick(), this.#intervalMs);
  }

  #tick(): void {
    if (this.#stopped) return;
    if (!this.#alive) {
      this.#dead();
      return;
    }
    this.#alive = false;
    this.#ping();
    // Armed later than now: when the clock jumps over several intervals at once (a suspended machine, a
    // virtual clock), the peer must have had a chance to answer.
    queueMicrotask(() => {
      if (!this.#stopped) this.#arm();
    });
  }
}
