import { pause, systemClock } from "../../engine/platform/clock.ts";

/** A guard against waiting for ever; nothing is timed by it. */
const GUARD_MS = 45_000;

type NotYet = null | undefined | false;

/** Polls on the turns of the event loop, so it returns as soon as what it waits for has happened. */
export async function until<T>(
  what: string,
  probe: () => T | NotYet | Promise<T | NotYet>,
  everyMs = 2,
  guardMs = GUARD_MS,
): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + guardMs;
  for (;;) {
    const value = await probe();
    if (value !== null && value !== undefined && value !== false) return value;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`did not happen: ${what}`);
    await pause(systemClock, everyMs);
  }
}
