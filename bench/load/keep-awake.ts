import { canPin, Child } from "./processes.ts";

/**
 * Keeps these cores from halting, by what runs only where nothing else would (`SCHED_IDLE`,
 * https://man7.org/linux/man-pages/man7/sched.7.html). The processor of a virtual machine that has halted waits for
 * its host until it runs again, for milliseconds on a host that is full; one that has not goes on at once. Does
 * nothing where `chrt` is not to be had. The children are to be killed.
 */
export function keepAwake(cores: readonly number[]): readonly Child[] {
  if (!canPin() || Bun.which("chrt") === null) return [];
  const command = ["chrt", "--idle", "0", "sh", "-c", "while :; do :; done"];
  return cores.map((core) => new Child({ command, core }));
}
