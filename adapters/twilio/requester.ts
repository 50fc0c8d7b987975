import type { CarrierError } from "../../engine/errors.ts";
import type { Reach } from "../../engine/platform/reach.ts";
import type { Clock, Ids, Log } from "../../engine/ports.ts";
import { CallBudget } from "./call-budget.ts";
import {
  budgetFailure,
  carrierError,
  closedFailure,
  CONCURRENCY_CODES,
  isAmbiguous,
  mayRepeat,
  noteReach,
  thrownFailure,
  withdrawnFailure,
  type Failure,
  type RequestKind,
} from "./failure.ts";
import { Pauses } from "./pauses.ts";
import type { RestConnection } from "./rest-client.ts";

export interface Operation {
  /** Name of the port's method; part of every error, log line and counter. */
  readonly name: string;
  readonly kind: RequestKind;
  /** Set for requests that create a call: they take a token of the budget, the highest number first. */
  readonly budgetPriority?: number;
  /** Withdraws the request while it has not been sent. */
  readonly signal?: AbortSignal | undefined;
}

export interface RequesterOptions {
  readonly connect: () => Promise<RestConnection>;
  readonly callsPerSecond: number;
  readonly maxBudgetQueue: number;
  /** Requests per operation, the first one included. */
  readonly maxAttempts: number;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly reach: Reach;
}

/** "Call is not in-progress": https://www.twilio.com/docs/api/errors/21220. */
const INVALID_CALL_STATE = 21_220;
const BASE_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 8_000;
/** A longer Retry-After is not waited for: a live call cannot. */
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * Sends requests under one policy. 429 is always repeated; a lost connection, a timeout and a 5xx only when
 * repeating cannot do the thing twice. Backoff is exponential with full jitter.
 */
export class Requester {
  readonly #options: RequesterOptions;
  readonly #budget: CallBudget;
  readonly #pauses: Pauses;
  readonly #counters = new Map<string, number>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #connection: Promise<RestConnection> | null = null;
  #closed = false;

  constructor(options: RequesterOptions) {
    this.#options = options;
    this.#budget = new CallBudget({
      callsPerSecond: options.callsPerSecond,
      maxQueue: options.maxBudgetQueue,
      clock: options.clock,
    });
    this.#pauses = new Pauses(options.clock);
  }

  /** Builds what a request needs before it costs anything; what `build` refuses becomes a `CarrierError`. */
  prepare<T>(operation: Operation, build: () => T): T {
    try {
      return build();
    } catch (thrown) {
      throw this.#failed(operation, thrownFailure(thrown), false);
    }
  }

  connect(): Promise<RestConnection> {
    return (this.#connection ??= this.#options.connect());
  }

  /** Rejects only with {@link CarrierError}. `ambiguous` is set when any of the attempts was. */
  run<T>(operation: Operation, send: (account: RestConnection["account"]) => Promise<T>): Promise<T> {
    const running = this.#attempts(operation, send);
    this.#inFlight.add(running);
    const done = (): void => void this.#inFlight.delete(running);
    running.then(done, done);
    return running;
  }

  /** Waits as before a repeated attempt; `closed` means that there must not be one. */
  backOff(attempt: number): Promise<"elapsed" | "closed"> {
    return this.#pauses.pause(this.#delayMs(attempt, null));
  }

  count(name: string): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + 1);
  }

  counters(): Readonly<Record<string, number>> {
    return { ...Object.fromEntries(this.#counters), ...this.#budget.counters() };
  }

  /** Rejects what waits, breaks off what is in flight, ends the sockets; resolves when all of it has settled. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#budget.close();
    this.#pauses.close();
    const connection = await this.#connection?.catch(() => null);
    connection?.close();
    await Promise.allSettled(this.#inFlight);
  }

  async #attempts<T>(
    operation: Operation,
    send: (account: RestConnection["account"]) => Promise<T>,
  ): Promise<T> {
    let ambiguous = false;
    for (let attempt = 1; ; attempt++) {
      const refused = await this.#admit(operation, attempt > 1);
      if (refused) throw this.#failed(operation, refused, ambiguous);
      this.count(`requests_${operation.name}`);
      try {
        const sent = await send((await this.connect()).account);
        this.#options.reach.worked();
        return sent;
      } catch (thrown) {
        const failure = thrownFailure(thrown);
        noteReach(this.#options.reach, failure);
        ambiguous ||= isAmbiguous(failure, operation.kind);
        if (failure.status === 429) this.count("throttled");
        if (attempt >= this.#options.maxAttempts || !mayRepeat(failure, operation.kind)) {
          throw this.#failed(operation, failure, ambiguous);
        }
        this.count(`retries_${operation.name}`);
        const { status, code, kind, retryAfterMs } = failure;
        this.#options.log.warn("carrier.retry", { operation: operation.name, attempt, kind, status, code });
        if ((await this.#pauses.pause(this.#delayMs(attempt, retryAfterMs))) === "closed") {
          throw this.#failed(operation, closedFailure(false), ambiguous);
        }
      }
    }
  }

  async #admit(operation: Operation, repeated: boolean): Promise<Failure | null> {
    if (this.#closed) return closedFailure(false);
    if (operation.signal?.aborted) return withdrawnFailure();
    if (operation.budgetPriority === undefined) return null;
    // What has waited once already goes before what has not, within its priority.
    const outcome = await this.#budget.acquire(operation.budgetPriority, repeated, operation.signal);
    if (outcome === "granted") return null;
    if (outcome === "withdrawn") return withdrawnFailure();
    return outcome === "full" ? budgetFailure() : closedFailure(false);
  }

  #failed(operation: Operation, failure: Failure, ambiguous: boolean): CarrierError {
    // A 404 is an outcome that the caller of `run` interprets, not a failure of the carrier.
    if (failure.status !== 404) {
      this.count(`failures_${operation.name}`);
      if (ambiguous) this.count("ambiguous");
      if (CONCURRENCY_CODES.has(failure.code)) this.count("concurrency_limited");
      const { kind, status, code } = failure;
      // A call that is over already: whoever asked looks at it and decides.
      const level = code === INVALID_CALL_STATE ? "debug" : "warn";
      this.#options.log[level]("carrier.failed", {
        operation: operation.name,
        kind,
        status,
        code,
        ambiguous,
      });
    }
    return carrierError(operation.name, failure, ambiguous);
  }

  #delayMs(attempt: number, retryAfterMs: number | null): number {
    const ceiling = Math.min(MAX_BACKOFF_MS, BASE_BACKOFF_MS * 2 ** attempt);
    const jitter = this.#options.ids.random() * ceiling;
    if (retryAfterMs === null || retryAfterMs > MAX_RETRY_AFTER_MS) return Math.ceil(jitter);
    // Spread out what would otherwise all come back in the same instant.
    return Math.ceil(retryAfterMs + Math.min(jitter, BASE_BACKOFF_MS));
  }
}
