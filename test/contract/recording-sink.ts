/** A `ModelSink` for tests. */
import type { ProviderError } from "../../engine/errors.ts";
import type { ModelAudio, ModelAudioFormat, ModelSink } from "../../engine/ports.ts";

type SinkEvent = {
  readonly [K in keyof ModelSink]: { readonly type: K; readonly value: Parameters<ModelSink[K]>[0] };
}[keyof ModelSink];
type ValueOf<K extends keyof ModelSink> = Parameters<ModelSink[K]>[0];

/** A sink that keeps what it was told and wakes those who wait for it. */
export class RecordingSink implements ModelSink {
  readonly events: SinkEvent[] = [];
  readonly #bytesPerMs: number;
  onEvent: (event: SinkEvent) => void = () => undefined;
  #waiters: (() => void)[] = [];

  constructor(audio: ModelAudioFormat = "pcmu") {
    this.#bytesPerMs = audio === "pcmu" ? 8 : 48;
  }

  /** The `nth` (from 1) event of this kind, as soon as it is there. */
  async nth<K extends keyof ModelSink>(type: K, nth = 1): Promise<ValueOf<K>> {
    await this.until(() => this.all(type).length >= nth, `${nth} × ${type}`);
    return this.all(type)[nth - 1] as ValueOf<K>;
  }

  all<K extends keyof ModelSink>(type: K): ValueOf<K>[] {
    return this.events.filter((e) => e.type === type).map((e) => e.value as ValueOf<K>);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const guard = AbortSignal.timeout(10_000);
    while (!condition()) {
      if (guard.aborted) throw new Error(`no ${what}; got ${this.events.map((e) => e.type).join(" ")}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.push(resolve);
      guard.addEventListener("abort", () => resolve(), { once: true });
      await promise;
    }
  }

  /** What the model said in this response, or in all. */
  spokenText(responseId?: string): string {
    const deltas = this.all("agentTextDelta").filter((d) => !responseId || d.responseId === responseId);
    return deltas.map((d) => d.delta).join("");
  }

  audioMs(itemId: string): number {
    const chunks = this.all("audio").filter((chunk) => chunk.itemId === itemId);
    return chunks.reduce(
      (sum, chunk) => sum + Uint8Array.fromBase64(chunk.base64).length / this.#bytesPerMs,
      0,
    );
  }

  ready(value: ValueOf<"ready">): void {
    this.#add({ type: "ready", value });
  }
  audio(value: ModelAudio): void {
    this.#add({ type: "audio", value });
  }
  audioDone(value: ValueOf<"audioDone">): void {
    this.#add({ type: "audioDone", value });
  }
  speechStarted(value?: string): void {
    this.#add({ type: "speechStarted", value });
  }
  speechStopped(value?: string): void {
    this.#add({ type: "speechStopped", value });
  }
  interrupted(): void {
    this.#add({ type: "interrupted", value: undefined });
  }
  responseStarted(value: string): void {
    this.#add({ type: "responseStarted", value });
  }
  responseDone(value: ValueOf<"responseDone">): void {
    this.#add({ type: "responseDone", value });
  }
  userText(value: ValueOf<"userText">): void {
    this.#add({ type: "userText", value });
  }
  agentTextDelta(value: ValueOf<"agentTextDelta">): void {
    this.#add({ type: "agentTextDelta", value });
  }
  toolCall(value: ValueOf<"toolCall">): void {
    this.#add({ type: "toolCall", value });
  }
  reconnecting(value: ProviderError): void {
    this.#add({ type: "reconnecting", value });
  }
  warning(value: ProviderError): void {
    this.#add({ type: "warning", value });
  }
  failed(value: ProviderError): void {
    this.#add({ type: "failed", value });
  }

  #add(event: SinkEvent): void {
    this.events.push(event);
    const waiters = this.#waiters;
    this.#waiters = [];
    try {
      this.onEvent(event);
    } finally {
      for (const wake of waiters) wake();
    }
  }
}
