/** One `POST` of JSON to a URL of the deployment's, if that is where one may go. */
import { PushError } from "../../engine/errors.ts";
import type { Network } from "../../engine/platform/network.ts";
import type { Clock } from "../../engine/ports.ts";
import { checkReceiver, type Resolve } from "./receiver.ts";

export interface PostOptions {
  readonly clock: Clock;
  /** For the whole of it, the name look-up included. */
  readonly timeoutMs: number;
  readonly resolve: Resolve;
  readonly network: Pick<Network, "fetch">;
}

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
}

/** Besides 5xx: the receiver was too slow, or asks for patience. */
const RETRYABLE: ReadonlySet<number> = new Set([408, 425, 429]);

/** Resolves once the receiver has answered 2xx; rejects with {@link PushError}, or whatever `fetch` throws. */
export async function postOnce(
  { url, headers, body }: Post,
  options: PostOptions,
  ended: AbortSignal,
): Promise<void> {
  const { clock, timeoutMs, resolve, network } = options;
  const late = new AbortController();
  const timer = clock.setTimeout(() => late.abort(), timeoutMs);
  const signal = AbortSignal.any([ended, late.signal]);
  try {
    await orAborted(checkReceiver(url, resolve), signal);
    const response = await network.fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      // Elsewhere nobody has looked where it leads.
      redirect: "manual",
      signal,
    });
    // Whatever it says is not read.
    await response.body?.cancel();
    if (!response.ok) throw answered(response.status);
  } finally {
    clock.clearTimeout(timer);
  }
}

/** A look-up of a name cannot be ended: it is no longer waited for. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    if (signal.aborted) reject(unreachable());
    signal.addEventListener("abort", () => reject(unreachable()), { once: true });
    work.then(resolve, reject);
  });
}

function answered(status: number): PushError {
  const retryable = status >= 500 || RETRYABLE.has(status);
  return new PushError(`the push receiver answered ${status}`, { status, retryable });
}

export function unreachable(): PushError {
  return new PushError("the push receiver could not be reached", { status: 0, retryable: true });
}
