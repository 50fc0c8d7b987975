/** The engine's sink behind a door that closes: after `close()` nothing passes, and nothing thrown comes back. */
import { ProviderError } from "../../engine/errors.ts";
import type { Clock, Log, ModelSink } from "../../engine/ports.ts";
import { RecentMap } from "../../engine/platform/recent-map.ts";
import type { Counters } from "./counters.ts";

/** The same warning is passed on once in this time; the others are counted. */
export const WARNING_INTERVAL_MS = 5000;
const MAX_WARNING_KINDS = 64;

type Without<T> = Omit<T, "warning" | "failed" | "interrupted">;

export class GuardedSink implements Without<ModelSink> {
  readonly #sink: ModelSink;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #lastWarnings = new RecentMap<string, number>(MAX_WARNING_KINDS);
  #open = true;

  constructor(sink: ModelSink, log: Log, clock: Clock, counters: Counters) {
    this.#sink = sink;
    this.#log = log;
    this.#clock = clock;
    this.#counters = counters;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  close(): void {
    this.#open = false;
  }

  ready(info: Parameters<ModelSink["ready"]>[0]): void {
    this.#call((sink) => sink.ready(info));
  }

  /** Hot path: no closure. */
  audio(chunk: Parameters<ModelSink["audio"]>[0]): void {
    if (!this.#open) return;
    try {
      this.#sink.audio(chunk);
    } catch (error) {
      this.#threw(error);
    }
  }

  audioDone(item: Parameters<ModelSink["audioDone"]>[0]): void {
    this.#call((sink) => sink.audioDone(item));
  }

  speechStarted(itemId?: string): void {
    this.#call((sink) => sink.speechStarted(itemId));
  }

  speechStopped(itemId?: string): void {
    this.#call((sink) => sink.speechStopped(itemId));
  }

  responseStarted(responseId: string): void {
    this.#call((sink) => sink.responseStarted(responseId));
  }

  responseDone(done: Parameters<ModelSink["responseDone"]>[0]): void {
    this.#call((sink) => sink.responseDone(done));
  }

  userText(text: Parameters<ModelSink["userText"]>[0]): void {
    this.#call((sink) => sink.userText(text));
  }

  agentTextDelta(text: Parameters<ModelSink["agentTextDelta"]>[0]): void {
    this.#call((sink) => sink.agentTextDelta(text));
  }

  toolCall(call: Parameters<ModelSink["toolCall"]>[0]): void {
    this.#call((sink) => sink.toolCall(call));
  }

  reconnecting(error: ProviderError): void {
    this.#log.warn("openai.reconnecting", describe(error));
    this.#call((sink) => sink.reconnecting(error));
  }

  warning(error: ProviderError): void {
    const kind = `${error.code}/${error.providerCode}`;
    const last = this.#lastWarnings.get(kind);
    const now = this.#clock.monotonicMs();
    if (last !== undefined && now - last < WARNING_INTERVAL_MS) {
      this.#counters.warningsSuppressed++;
      return;
    }
    this.#lastWarnings.set(kind, now);
    this.#log.warn("openai.warning", describe(error));
    this.#call((sink) => sink.warning(error));
  }

  /** The last call. */
  failed(error: ProviderError): void {
    this.#log.error("openai.failed", describe(error));
    this.#call((sink) => sink.failed(error));
    this.#open = false;
  }

  #call(fn: (sink: ModelSink) => void): void {
    if (!this.#open) return;
    try {
      fn(this.#sink);
    } catch (error) {
      this.#threw(error);
    }
  }

  #threw(error: unknown): void {
    this.#counters.sinkErrors++;
    this.#log.error("openai.sink_threw", { error: error instanceof Error ? error.message : String(error) });
  }
}

/** The provider's message stays out: it may quote what was sent. */
function describe(error: ProviderError): Record<string, unknown> {
  return { code: error.code, providerCode: error.providerCode, retryable: error.retryable };
}
