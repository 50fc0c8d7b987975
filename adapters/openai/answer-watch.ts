/**
 * Finds a model that is connected and says nothing: an answer that is due must begin, and once begun go on. A
 * caller hears only silence meanwhile, and no error ever comes.
 */
import type { Clock } from "../../engine/ports.ts";

/** Several times what a slow model takes to its first sound (about 2.3 s at high reasoning effort). */
const STALLED_AFTER_MS = 12_000;
/** Answers in a row that failed. */
const MAX_FAILURES = 3;

export class AnswerWatch {
  readonly #clock: Clock;
  readonly #onStalled: (problem: string) => void;
  /** Set when an answer was due and nothing of it came, or nothing but failures. */
  stalled = false;
  #timer: unknown = null;
  #lastMs = 0;
  /** Since the last look. */
  #progressed = false;
  #failures = 0;
  #stopped = false;

  constructor(clock: Clock, onStalled: (problem: string) => void) {
    this.#clock = clock;
    this.#onStalled = onStalled;
  }

  /** An answer is being waited for. */
  get isDue(): boolean {
    return this.#timer !== null;
  }

  /** An answer was asked for, or the caller's turn has ended. */
  due(): void {
    this.#lastMs = this.#clock.monotonicMs();
    this.#progressed = false;
    if (this.#timer === null && !this.#stopped) this.#arm();
  }

  /**
   * Something of the answer came. Hot path: the clock is not read, so it may take half as long again until a stall
   * is found.
   */
  progress(): void {
    this.#progressed = true;
  }

  /** No answer is due any more: it has ended, or the caller speaks again. */
  settled(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** How an answer ended. The next one may be due already: see {@link AnswerWatch.settled}. */
  ended(failed: boolean): void {
    this.#failures = failed ? this.#failures + 1 : 0;
    if (this.#failures < MAX_FAILURES) return;
    this.stalled = true;
    this.#onStalled(`${MAX_FAILURES} answers in a row failed`);
  }

  stop(): void {
    this.#stopped = true;
    this.settled();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      const nowMs = this.#clock.monotonicMs();
      if (this.#progressed) this.#lastMs = nowMs;
      this.#progressed = false;
      if (nowMs - this.#lastMs < STALLED_AFTER_MS) this.#arm();
      else {
        this.stalled = true;
        this.#onStalled(`nothing came of an answer for ${STALLED_AFTER_MS} ms`);
      }
    }, STALLED_AFTER_MS / 2);
  }
}
