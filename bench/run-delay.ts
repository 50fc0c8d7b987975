import { readFileSync } from "node:fs";

/**
 * Milliseconds that the main thread of a process was ready to run and had no processor, since its start: what
 * others on the machine took from it. `null` where Linux does not count it.
 *
 * Second field of `/proc/PID/schedstat` (https://docs.kernel.org/scheduler/sched-stats.html).
 */
export function runDelayMs(pid: number | "self" = "self"): number | null {
  try {
    const waitedNs = Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[1]);
    return Number.isFinite(waitedNs) ? waitedNs / 1e6 : null;
  } catch {
    return null;
  }
}
