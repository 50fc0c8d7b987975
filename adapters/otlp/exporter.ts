/** Spans to an OpenTelemetry collector: OTLP over HTTP, as JSON. */
import { errorText } from "../../engine/errors.ts";
import { type Network, systemNetwork } from "../../engine/platform/network.ts";
import type { Clock, Log } from "../../engine/ports.ts";
import type { Span, SpanExporter } from "../../engine/tracing-port.ts";
import { type Service, traceMessage } from "./message.ts";

export interface OtlpOptions {
  /** Of the collector, without `/v1/traces`. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly service: Service;
  readonly clock: Clock;
  readonly log: Log;
  readonly network?: Pick<Network, "fetch">;
  /** Spans that wait at most. */
  readonly maxQueued?: number;
}

const MAX_QUEUED = 2048;
/** Few enough that making their text holds nothing up. */
const MAX_BATCH = 128;
const EVERY_MS = 2000;
const TIMEOUT_MS = 5000;
const MAX_ATTEMPTS = 3;
/** The collector asks for patience, or is not there for a moment (OTLP, "Retryable Response Codes"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * Sends in batches, one at a time, from a timer and never from where a span ends. A batch that is not taken is tried
 * three times and then dropped; what comes meanwhile waits, in a bounded queue that refuses the newest.
 */
export class OtlpExporter implements SpanExporter {
  readonly #options: OtlpOptions;
  readonly #url: string;
  readonly #maxQueued: number;
  readonly #queue: Span[] = [];
  readonly #counters = { exported: 0, overflowed: 0, failed: 0 };
  #timer: unknown = null;
  #sending: Promise<boolean> | null = null;
  #attempts = 0;
  #unwell = false;
  #closed = false;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#url = `${options.endpoint}/v1/traces`;
    this.#maxQueued = options.maxQueued ?? MAX_QUEUED;
  }

  export(span: Span): void {
    if (this.#closed || this.#queue.length >= this.#maxQueued) {
      this.#counters.overflowed++;
      return;
    }
    this.#queue.push(span);
    // While a batch is on its way the next waits for it: both would be taken from the same place in the queue.
    if (!this.#sending) this.#timer ??= this.#options.clock.setTimeout(() => void this.#tick(), EVERY_MS);
  }

  counters(): ReturnType<SpanExporter["counters"]> {
    return { ...this.#counters };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#options.clock.clearTimeout(this.#timer);
    await this.#sending;
    while (this.#queue.length > 0 && (await this.#sendBatch(1)));
    // Nobody waits for a collector that does not take them now.
    this.#counters.failed += this.#queue.splice(0).length;
  }

  async #tick(): Promise<void> {
    this.#timer = null;
    this.#sending = this.#sendBatch(MAX_ATTEMPTS);
    await this.#sending;
    this.#sending = null;
    if (this.#queue.length === 0 || this.#closed) return;
    // A full batch more does not wait; what was refused does.
    const soon = this.#attempts === 0 && this.#queue.length >= MAX_BATCH;
    this.#timer = this.#options.clock.setTimeout(() => void this.#tick(), soon ? 0 : EVERY_MS);
  }

  /** Resolves to whether it was taken. */
  async #sendBatch(maxAttempts: number): Promise<boolean> {
    const batch = this.#queue.slice(0, MAX_BATCH);
    const answer = await this.#post(traceMessage(batch, this.#options.service));
    this.#attempts++;
    if (answer === "again" && this.#attempts < maxAttempts) return false;
    this.#attempts = 0;
    this.#queue.splice(0, batch.length);
    this.#counters[answer === "taken" ? "exported" : "failed"] += batch.length;
    return answer === "taken";
  }

  async #post(body: string): Promise<"taken" | "again" | "refused"> {
    const { clock, headers, network = systemNetwork } = this.#options;
    const late = new AbortController();
    const timer = clock.setTimeout(() => late.abort(), TIMEOUT_MS);
    try {
      const response = await network.fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
        // What is sent may carry a token that is meant for nobody else.
        redirect: "manual",
        signal: late.signal,
      });
      await response.body?.cancel();
      this.#tell(response.ok ? null : `status ${response.status}`);
      if (response.ok) return "taken";
      return RETRYABLE.has(response.status) ? "again" : "refused";
    } catch (error) {
      this.#tell(errorText(error));
      return "again";
    } finally {
      clock.clearTimeout(timer);
    }
  }

  /** Once when it begins to fail, and once when it is well again. */
  #tell(problem: string | null): void {
    if ((problem !== null) === this.#unwell) return;
    this.#unwell = problem !== null;
    if (problem === null) this.#options.log.info("tracing.recovered");
    else this.#options.log.warn("tracing.failed", { problem });
  }
}
