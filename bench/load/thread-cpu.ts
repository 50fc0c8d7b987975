import { dlopen, FFIType, ptr } from "bun:ffi";
import { InvariantError } from "../../engine/errors.ts";

/** `CLOCK_THREAD_CPUTIME_ID` of Linux. */
const OWN_CLOCK = 3;
/** Lowest bits of another thread's clock: of one thread (4), as the scheduler counts (2). Above them its id, inverted. */
const THREAD_CLOCK = 6;
const TIMESPEC_WORDS = 2;

const time = new BigInt64Array(TIMESPEC_WORDS);
let read: ((clock: number) => number) | null = null;

function open(): (clock: number) => number {
  const libc = dlopen("libc.so.6", {
    clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
  });
  const at = ptr(time);
  return (clock) => Number(libc.symbols.clock_gettime(clock, at));
}

/**
 * Milliseconds of processor time that a thread of this process has had, up to now: also while it runs. A virtual
 * machine whose kernel accounts for it does not count what its host has taken from it.
 *
 * https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html; the number of another thread's clock as
 * `pthread_getcpuclockid` makes it (`include/linux/posix-timers_types.h` of the kernel).
 *
 * @param thread the calling one, or the process's first.
 * @throws InvariantError elsewhere than on Linux with the GNU C library.
 */
export function threadCpuMs(thread: "own" | "main"): number {
  if (process.platform !== "linux")
    throw new InvariantError("the clocks of threads are read as Linux has them");
  read ??= open();
  const clock = thread === "own" ? OWN_CLOCK : (~process.pid << 3) | THREAD_CLOCK;
  if (read(clock) !== 0)
    throw new InvariantError(`the processor time of the ${thread} thread is not to be had`);
  const [s = 0n, ns = 0n] = time;
  return Number(s) * 1e3 + Number(ns) / 1e6;
}
