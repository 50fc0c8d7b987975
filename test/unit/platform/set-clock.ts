import { StallingClock } from "../media/fake-carrier.ts";

/** A machine's clock that somebody sets: its time jumps, and what it measures does not. */
export class SetClock extends StallingClock {
  #byMs = 0;

  set(byMs: number): void {
    this.#byMs += byMs;
  }

  override now(): number {
    return super.now() + this.#byMs;
  }
}
