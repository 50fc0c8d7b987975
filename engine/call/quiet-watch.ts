import type { Clock } from "../ports.ts";

export interface QuietWatchOptions {
  readonly clock: Clock;
  /** How long nobody may speak before it is told. */
  readonly afterMs: number;
  /** Of what the AI has said: how much is still to be heard. */
  readonly pendingMs: () => number;
  readonly onQuiet: () => void;
}

/** Tells once of each silence between the caller and the AI, when it has lasted for `afterMs`. */
export class QuietWatch {
  readonly #options: QuietWatchOptions;
  #timer: unknown = null;
  #callerSpeaks = false;

  constructor(options: QuietWatchOptions) {
    this.#options = options;
  }

  /** Somebody speaks, or has just spoken. */
  stir(): void {
    this.stop();
    if (this.#callerSpeaks) return;
    const { clock, afterMs, pendingMs } = this.#options;
    this.#timer = clock.setTimeout(this.#look, pendingMs() + afterMs);
  }

  callerSpeaks(speaks: boolean): void {
    this.#callerSpeaks = speaks;
    this.stir();
  }

  stop(): void {
    if (this.#timer !== null) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  readonly #look = (): void => {
    this.#timer = null;
    // An answer that is still being said, since before it was known how long it is.
    if (this.#options.pendingMs() > 0) this.stir();
    else this.#options.onQuiet();
  };
}
