/** Pushes over HTTP: one `POST` of JSON to the contact's URL, repeated a few times while that may help. */
import { PushError } from "../../engine/errors.ts";
import { type Network, systemNetwork } from "../../engine/platform/network.ts";
import type { Clock, Ids, Log } from "../../engine/ports.ts";
import type { PushSender } from "../../engine/push-port.ts";
import { postOnce, unreachable } from "./post.ts";
import { ReceiverRefused, type Resolve, systemResolve } from "./receiver.ts";

export interface PushOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** For one attempt, its name look-up included. */
  readonly timeoutMs?: number;
  readonly backoffMs?: number;
  readonly resolve?: Resolve;
  readonly network?: Pick<Network, "fetch">;
}

type Push = Parameters<PushSender["send"]>[0];

const TIMEOUT_MS = 10_000;
const ATTEMPTS = 3;
/** Before the second attempt at most this, before each further one at most twice as long. */
const BACKOFF_MS = 1000;
/** More at once are refused: a receiver that hangs must not fill the memory. */
const MAX_UNDER_WAY = 1000;

export function createPushSender(options: PushOptions): PushSender {
  return new HttpPush(options);
}

class HttpPush implements PushSender {
  readonly #options: Required<PushOptions>;
  readonly #closing = new AbortController();
  readonly #counters = { sent: 0, repeated: 0, failed: 0, withdrawn: 0, overflowed: 0, refused: 0 };
  #underWay = 0;

  constructor(options: PushOptions) {
    const defaults = {
      timeoutMs: TIMEOUT_MS,
      backoffMs: BACKOFF_MS,
      resolve: systemResolve,
      network: systemNetwork,
    };
    this.#options = { ...defaults, ...options };
  }

  async send(push: Push, signal?: AbortSignal): Promise<void> {
    if (this.#underWay >= MAX_UNDER_WAY) {
      this.#counters.overflowed++;
      throw new PushError("too many pushes are under way", { status: 0, retryable: true });
    }
    this.#underWay++;
    const ended = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    try {
      await this.#repeatedly(push, ended);
      this.#counters.sent++;
    } catch (error) {
      this.#counters[ended.aborted ? "withdrawn" : "failed"]++;
      if (error instanceof ReceiverRefused) this.#counters.refused++;
      throw error;
    } finally {
      this.#underWay--;
    }
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  close(): void {
    this.#closing.abort();
  }

  async #repeatedly(push: Push, ended: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#once(push, ended);
        return;
      } catch (error) {
        const pushError = error instanceof PushError ? error : unreachable();
        const again = pushError.retryable && attempt < ATTEMPTS && !ended.aborted;
        this.#options.log.debug("push.attempt_failed", { attempt, status: pushError.status, again });
        if (!again) throw pushError;
      }
      this.#counters.repeated++;
      await this.#pause(this.#options.backoffMs * 2 ** (attempt - 1), ended);
      if (ended.aborted) throw withdrawn();
    }
  }

  /** Half of it is certain, so that a receiver that has just failed gets a moment. */
  async #pause(maxMs: number, ended: AbortSignal): Promise<void> {
    const { clock, ids } = this.#options;
    const delayMs = maxMs * (0.5 + ids.random() / 2);
    await new Promise<void>((resolve) => {
      const timer = clock.setTimeout(done, delayMs);
      function done(): void {
        clock.clearTimeout(timer);
        ended.removeEventListener("abort", done);
        resolve();
      }
      ended.addEventListener("abort", done);
    });
  }

  async #once({ url, body }: Push, ended: AbortSignal): Promise<void> {
    try {
      await postOnce({ url, body: JSON.stringify(body), headers: {} }, this.#options, ended);
    } catch (error) {
      if (ended.aborted) throw withdrawn();
      throw error;
    }
  }
}

function withdrawn(): PushError {
  return new PushError("the push was withdrawn", { status: 0, retryable: false });
}
