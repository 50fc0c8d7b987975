/** Thrown through a running verb when its call ends or is redirected; never reported. */
export class Aborted extends Error {
  override readonly name = "Aborted";
}

/**
 * Starts something that ends with `done(value)`, and undoes it when `signal` aborts first; then the promise
 * rejects with {@link Aborted}. `start` returns what undoes it; it is called once, in both cases.
 */
export function abortable<T>(
  signal: AbortSignal,
  start: (done: (value: T) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(new Aborted());
      return;
    }
    let settled = false;
    let undo: (() => void) | null = null;
    const settle = (finish: () => void): void => {
      if (settled) return;
      settled = true;
      signal.removeEventListener("abort", onAbort);
      undo?.();
      finish();
    };
    const onAbort = (): void => settle(() => reject(new Aborted()));
    signal.addEventListener("abort", onAbort, { once: true });
    undo = start((value) => settle(() => resolve(value)));
    // `start` may have finished synchronously, before there was anything to undo.
    if (settled) undo();
  });
}

/** Waits for `promise`, or rejects with {@link Aborted} as soon as `signal` aborts. */
export async function orAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const outcome = await abortable<{ value: T } | { error: unknown }>(signal, (done) => {
    promise.then(
      (value) => done({ value }),
      (error: unknown) => done({ error }),
    );
    return () => undefined;
  });
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}
