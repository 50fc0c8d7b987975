import type { Clock } from "../ports.ts";
import type { EarlySpeech } from "./early-speech.ts";
import type { MediaLeg } from "./leg.ts";

/** Waits, for a limited time, until all speech so far is played or cut. One wait at a time. */
export class Drain {
  readonly #clock: Clock;
  readonly #early: EarlySpeech;
  readonly #onDrained: () => void;
  #leg: MediaLeg | null = null;
  #timer: unknown = null;

  /** @param early what waits for a leg. */
  constructor(clock: Clock, early: EarlySpeech, onDrained: () => void) {
    this.#clock = clock;
    this.#early = early;
    this.#onDrained = onDrained;
  }

  /** A new wait takes the place of the old. */
  begin(timeoutMs: number): void {
    this.cancel();
    this.#timer = this.#clock.setTimeout(this.#over, timeoutMs);
    this.#check();
  }

  cancel(): void {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#leg?.onDrained(null);
  }

  /** The speech goes by this leg from now on, or by none. */
  follow(leg: MediaLeg | null): void {
    this.#leg?.onDrained(null);
    this.#leg = leg;
    this.#check();
  }

  #check(): void {
    if (this.#timer === null) return;
    if (this.#leg) this.#leg.onDrained(this.#over);
    else if (this.#early.ms === 0) this.#over();
  }

  readonly #over = (): void => {
    if (this.#timer === null) return;
    this.cancel();
    this.#onDrained();
  };
}
