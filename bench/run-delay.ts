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

/** `/proc/stat` counts in hundredths of a second: USER_HZ of every Linux that Bun runs on. */
const TICK_MS = 10;

/**
 * Milliseconds, of all its processors, for which a virtual machine had something to run and its host ran something
 * else, since its start. `null` where Linux does not count it.
 *
 * "steal" in `/proc/stat` (https://man7.org/linux/man-pages/man5/proc_stat.5.html).
 */
export function stolenMs(): number | null {
  try {
    const [line = ""] = readFileSync("/proc/stat", "latin1").split("\n", 1);
    const ticks = Number(line.split(/ +/)[8]);
    return Number.isFinite(ticks) ? ticks * TICK_MS : null;
  } catch {
    return null;
  }
}
