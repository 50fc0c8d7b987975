/**
 * The machine's clock, but it stands still while this process does not run. On a busy machine that may be for longer
 * than a line makes up for, and audio would be left out that is to be compared; on this clock nothing was late.
 */
import type { Clock } from "../../engine/ports.ts";

const BEAT_MS = 5;
/** A turn of the event loop that takes longer is taken for a beat: less than a frame, so that frames come one by one. */
const MAX_TURN_MS = 15;

export interface PatientClock extends Clock {
  stop(): void;
}

export function patientClock(): PatientClock {
  let lostMs = 0;
  let seenMs = performance.now();
  let readMs = seenMs;
  const monotonicMs = (): number => {
    const realMs = performance.now();
    if (realMs - seenMs > MAX_TURN_MS) {
      lostMs += realMs - Math.max(seenMs + BEAT_MS, readMs);
      seenMs = realMs;
    }
    readMs = realMs;
    return realMs - lostMs;
  };
  const beat = setInterval(() => {
    monotonicMs();
    seenMs = readMs;
  }, BEAT_MS);
  return {
    monotonicMs,
    now: () => {
      monotonicMs();
      return Math.round(Date.now() - lostMs);
    },
    setTimeout: (fn, delayMs) => {
      const dueMs = monotonicMs() + delayMs;
      const handle: { timer?: Timer } = {};
      const wait = (ms: number): void => {
        handle.timer = setTimeout(() => {
          const leftMs = dueMs - monotonicMs();
          if (leftMs > 1) wait(leftMs);
          else fn();
        }, ms);
      };
      wait(delayMs);
      return handle;
    },
    clearTimeout: (handle) => clearTimeout((handle as { timer?: Timer } | null)?.timer),
    stop: () => clearInterval(beat),
  };
}
