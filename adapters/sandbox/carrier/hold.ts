import type { Timers } from "./timers.ts";

/** Keeps a request waiting: resolves after `holdMs`, or when its client has given it up. */
export function hold(timers: Timers, signal: AbortSignal, holdMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = timers.after(holdMs, resolve);
    signal.addEventListener(
      "abort",
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}
