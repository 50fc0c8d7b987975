/** A Realtime server that does only what a test tells it to, for what a faithful one would never do. */
import type { ServerWebSocket } from "bun";
import { createOpenAiRealtime, type OpenAiRealtimeOptions } from "../../../adapters/openai/realtime.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { ModelSession, ModelSessionConfig } from "../../../engine/ports.ts";
import { RecordingSink } from "../../contract/recording-sink.ts";
import { sessionConfig } from "../../contract/speech-model.world.ts";
import { stopAfterTest } from "../../support/after-test.ts";

export type Json = Record<string, unknown>;

/** One connection as the server sees it. */
export class Peer {
  readonly received: Json[] = [];
  readonly headers: Headers;
  closeCode: number | null = null;
  readonly #ws: ServerWebSocket<Peer | null>;

  constructor(ws: ServerWebSocket<Peer | null>, headers: Headers) {
    this.#ws = ws;
    this.headers = headers;
  }

  send(event: Json | string | Uint8Array): void {
    if (typeof event === "string" || event instanceof Uint8Array) this.#ws.send(event);
    else this.#ws.send(JSON.stringify({ event_id: "event_1", ...event }));
  }

  close(code: number): void {
    this.#ws.close(code);
  }

  of(type: string): Json[] {
    return this.received.filter((event) => event["type"] === type);
  }

  /** Sends an error that answers the last event of this type. */
  refuse(type: string, code: string): void {
    const event_id = this.of(type).at(-1)?.["event_id"];
    this.send({
      type: "error",
      error: { type: "invalid_request_error", code, message: "refused", event_id },
    });
  }

  responseCreated(id: string, request?: unknown): void {
    const metadata = request === undefined ? null : { request };
    this.send({ type: "response.created", response: { id, status: "in_progress", metadata } });
  }

  responseDone(id: string, status = "completed", error?: Json): void {
    const status_details = error ? { type: status, error } : undefined;
    this.send({ type: "response.done", response: { id, status, status_details } });
  }

  audio(response_id: string, item_id: string, ms: number): void {
    const delta = new Uint8Array(ms * 8).fill(0x7f).toBase64();
    const at = { response_id, item_id, output_index: 0, content_index: 0 };
    this.send({ type: "response.output_audio.delta", ...at, delta });
  }

  functionCall(response_id: string, call_id: string, status = "completed"): void {
    const item = {
      id: `item_${call_id}`,
      type: "function_call",
      status,
      call_id,
      name: "lookup",
      arguments: "{}",
    };
    this.send({ type: "response.output_item.done", response_id, output_index: 0, item });
  }
}

const PCMU = { format: { type: "audio/pcmu" } };

export interface FakeOptions {
  /** Answers an event of the client; by default only `session.update`. */
  readonly answer?: (peer: Peer, event: Json, index: number) => void;
  readonly onOpen?: (peer: Peer, index: number) => void;
  /** HTTP status instead of an upgrade, by number of the connection. */
  readonly refuse?: (index: number) => number | null;
}

export function created(peer: Peer, expiresAtS?: number): void {
  peer.send({ type: "session.created", session: { id: "sess_1", expires_at: expiresAtS } });
}

export function updated(peer: Peer, event: Json): void {
  const session = event["session"] as Json;
  peer.send({
    type: "session.updated",
    session: { audio: { input: PCMU, output: PCMU }, instructions: session["instructions"] },
  });
}

const accept = (peer: Peer, event: Json): void => {
  if (event["type"] === "session.update") updated(peer, event);
};

/** The texts that were told, by role, and results of tools. */
export const toldTo = (peer: Peer): string[] =>
  peer.of("conversation.item.create").map((event) => {
    const item = event["item"] as { role?: string; output?: string; content?: { text: string }[] };
    return item.output ?? `${item.role}: ${item.content?.[0]?.text}`;
  });

/** What the newest `response.create` is told apart by. */
export const requestOf = (peer: Peer): unknown => peer.of("response.create").at(-1)?.["event_id"];

/** A whole turn of the caller. */
export function callerSpoke(peer: Peer, itemId: string): void {
  peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: itemId });
  peer.send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: itemId });
  peer.send({ type: "input_audio_buffer.committed", item_id: itemId, previous_item_id: null });
}

export class FakeRealtime {
  readonly peers: Peer[] = [];
  readonly sink = new RecordingSink();
  attempts = 0;
  readonly #sessions: ModelSession[] = [];
  readonly #options: FakeOptions;
  readonly #server: Bun.Server<Peer | null>;
  #wake: (() => void)[] = [];

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    const headers: Headers[] = [];
    this.#server = Bun.serve<Peer | null>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => {
        const status = options.refuse?.(this.attempts) ?? null;
        this.attempts++;
        if (status !== null) return new Response("refused", { status });
        headers.push(request.headers);
        return server.upgrade(request, { data: null }) ? undefined : new Response("no", { status: 400 });
      },
      websocket: {
        maxPayloadLength: 64 * 1024 * 1024,
        open: (ws) => {
          const peer = new Peer(ws, headers.shift() ?? new Headers());
          ws.data = peer;
          const index = this.peers.push(peer) - 1;
          (options.onOpen ?? created)(peer, index);
          this.#notify();
        },
        message: (ws, text) => {
          const peer = ws.data as Peer;
          const event = JSON.parse(String(text)) as Json;
          peer.received.push(event);
          (this.#options.answer ?? accept)(peer, event, this.peers.indexOf(peer));
          this.#notify();
        },
        close: (ws, code) => {
          if (ws.data) ws.data.closeCode = code;
          this.#notify();
        },
      },
    });
  }

  open(options: Partial<OpenAiRealtimeOptions> = {}, config: Partial<ModelSessionConfig> = {}): ModelSession {
    const model = createOpenAiRealtime({
      apiKey: "sk-test-not-a-key",
      baseUrl: `http://127.0.0.1:${this.#server.port}/v1`,
      model: "gpt-realtime-2.1",
      clock: systemClock,
      ids: seededIds(3),
      log: silentLog,
      reconnect: { maxAttempts: 3, baseMs: 1, maxMs: 2 },
      ...options,
    });
    this.counters = () => model.counters();
    const session = model.open(sessionConfig(config), this.sink);
    this.#sessions.push(session);
    return session;
  }

  counters: () => Readonly<Record<string, number>> = () => ({});

  /** The `n`th connection (from 0), as soon as it is there. */
  async peer(n = 0): Promise<Peer> {
    await this.until(() => this.peers.length > n, `connection ${n}`);
    return this.peers[n] as Peer;
  }

  /** Waits for a condition that client events or closed sockets bring about. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const guard = AbortSignal.timeout(10_000);
    while (!condition()) {
      if (guard.aborted) {
        const seen = this.peers.map((p) => p.received.map((e) => e["type"]).join(" ")).join(" | ");
        throw new Error(`no ${what}; received ${seen}`);
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake.push(resolve);
      guard.addEventListener("abort", () => resolve(), { once: true });
      await promise;
    }
  }

  /** Everything sent so far by either side has been handled: instructions go there and back. */
  async settled(session: ModelSession): Promise<void> {
    if (!(await session.setInstructions(`round trip ${++this.#trips}`))) throw new Error("no round trip");
  }

  #trips = 0;

  async stop(): Promise<void> {
    for (const session of this.#sessions) session.close();
    await this.#server.stop(true);
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

/** A session that is ready, and its connection. */
export async function openReady(options: FakeOptions = {}, adapter: Partial<OpenAiRealtimeOptions> = {}) {
  const fake = new FakeRealtime(options);
  stopAfterTest(() => fake.stop());
  const session = fake.open(adapter);
  await fake.sink.nth("ready");
  return { fake, session, peer: await fake.peer() };
}
