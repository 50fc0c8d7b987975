import type { Clock } from "../ports.ts";

/** Whether `promise` settled within `ms`. */
export async function within(clock: Clock, promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: unknown;
  const late = new Promise<false>((resolve) => {
    timer = clock.setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clock.clearTimeout(timer);
  }
}
