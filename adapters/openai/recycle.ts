/**
 * When to replace a session before the provider ends it: OpenAI allows 60 minutes and has no resume. From
 * `dueMs` on at the first quiet moment, at `deadlineMs` in any case.
 */
import type { Clock } from "../../engine/ports.ts";

/** The provider's own end must not be reached. */
export const EXPIRY_MARGIN_MS = 60_000;
/** The longest wait for a quiet moment. */
export const QUIET_WAIT_MS = 5 * 60_000;

/** When a session that is ready now is due, and when it has to go, in milliseconds from now. */
export function recyclePlan(
  recycleAfterMs: number,
  expiresInMs: number | null,
): { readonly dueMs: number; readonly deadlineMs: number } {
  const limitMs = expiresInMs === null ? Number.POSITIVE_INFINITY : expiresInMs - EXPIRY_MARGIN_MS;
  // A session shorter than the margin, or a wall clock that is off: leave it to `session_expired`.
  const deadlineMs = Math.min(
    recycleAfterMs + QUIET_WAIT_MS,
    limitMs > 0 ? limitMs : Number.POSITIVE_INFINITY,
  );
  return { dueMs: Math.min(recycleAfterMs, Math.max(0, deadlineMs - EXPIRY_MARGIN_MS)), deadlineMs };
}

export class RecycleTimer {
  readonly #clock: Clock;
  #due: unknown = null;
  #deadline: unknown = null;
  #forced = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The deadline has passed: replace the session without waiting for a quiet moment. */
  get isForced(): boolean {
    return this.#forced;
  }

  start(
    plan: { readonly dueMs: number; readonly deadlineMs: number },
    onDue: () => void,
    onDeadline: () => void,
  ): void {
    this.stop();
    this.#due = this.#clock.setTimeout(onDue, plan.dueMs);
    this.#deadline = this.#clock.setTimeout(() => {
      this.#forced = true;
      onDeadline();
    }, plan.deadlineMs);
  }

  /** Tries again later to prepare the next session. */
  again(delayMs: number, onDue: () => void): void {
    this.#clock.clearTimeout(this.#due);
    this.#due = this.#clock.setTimeout(onDue, delayMs);
  }

  stop(): void {
    this.#forced = false;
    this.#clock.clearTimeout(this.#due);
    this.#clock.clearTimeout(this.#deadline);
  }
}
