import type { Clock } from "../ports.ts";

/** Failures in a row until it counts as out of reach: one request that is lost is no trouble. */
const FAILURES = 3;
/**
 * What is known of it is too old after this: nobody asks it while calls are sent elsewhere, so that only a call that is
 * let in again can tell.
 */
const FRESH_MS = 30_000;

/** Whether something outside answers, by what became of the last requests to it: nothing is asked for its sake. */
export class Reach {
  readonly #clock: Clock;
  #tried = false;
  #failures = 0;
  #certain = false;
  #why = "";
  #failedAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  worked(): void {
    this.#tried = true;
    this.#failures = 0;
    this.#certain = false;
  }

  /** `why` is shown to anybody: a code of a closed set. `certain`: the next one would fail the same way. */
  failed(why: string, certain = false): void {
    this.#tried = true;
    this.#failures++;
    this.#certain ||= certain;
    this.#why = why;
    this.#failedAtMs = this.#clock.monotonicMs();
  }

  get state(): "ok" | "untried" | "failing" {
    if (this.problem !== null) return "failing";
    return this.#tried ? "ok" : "untried";
  }

  /** Why a call could not be served by it, or `null`. */
  get problem(): string | null {
    if (this.#failures < FAILURES && !this.#certain) return null;
    const agoMs = this.#clock.monotonicMs() - this.#failedAtMs;
    if (agoMs >= FRESH_MS) return null;
    const times = this.#failures === 1 ? "the last request" : `the last ${this.#failures} requests`;
    return `${times} failed, ${Math.round(agoMs / 1000)} s ago: ${this.#why}`;
  }
}
