/** A span of time as data, for machines that wait for one `deadline` after another. */
export interface Timer {
  readonly setAtMs: number;
  readonly dueAtMs: number;
  readonly passed: boolean;
}

export function timerFrom(setAtMs: number, lengthMs: number): Timer {
  return { setAtMs, dueAtMs: setAtMs + lengthMs, passed: false };
}

/**
 * The timer after a deadline's event. One that comes in the first half is left over from the timer before,
 * and was on its way when that one was stopped; the other half is for clocks that are set back.
 */
export function passTimer(timer: Timer, atMs: number): Timer {
  const half = timer.setAtMs + (timer.dueAtMs - timer.setAtMs) / 2;
  return timer.passed || atMs < half ? timer : { ...timer, passed: true };
}
