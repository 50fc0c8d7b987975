/** A real model on loopback, a client that waits for events, and audio that needs no speech synthesis. */
import { setDefaultTimeout } from "bun:test";
import type { RealtimeClientEvent, RealtimeServerEvent } from "openai/resources/realtime/realtime";
import type { Hearing, Speech } from "../../../../adapters/sandbox/types.ts";
import { FRAME_BYTES } from "../../../../adapters/sandbox/types.ts";
import { startModel, type Model, type ModelOptions } from "../../../../adapters/sandbox/model/server.ts";
import { encodeUlaw } from "../../../../engine/media/g711.ts";
import { systemClock } from "../../../../engine/platform/clock.ts";
import { seededIds } from "../../../../engine/platform/ids.ts";
import { silentLog } from "../../../../engine/platform/log.ts";

const GUARD_MS = 15_000;
setDefaultTimeout(2 * GUARD_MS);

/** μ-law of a tone; the pitch makes the frames of two texts differ. */
export function tone(ms: number, hz: number, amplitude = 8000): Uint8Array {
  const pcm = new Int16Array(ms * 8);
  for (let i = 0; i < pcm.length; i++)
    pcm[i] = Math.round(amplitude * Math.sin((2 * Math.PI * hz * i) / 8000));
  const ulaw = new Uint8Array(pcm.length);
  encodeUlaw(pcm, ulaw);
  return ulaw;
}

export function silence(ms: number): Uint8Array {
  return new Uint8Array(ms * 8).fill(0xff);
}

/** 60 ms of tone per character: `say` of 20 characters lasts 1.2 s. */
export const toneSpeech: Speech = {
  say: async (text) => tone(text.length * 60, 300),
  close: () => undefined,
};

/** Knows what was noted, by the bytes of its frames. */
export class TestHearing implements Hearing {
  readonly #frames = new Map<string, string[]>();

  note(text: string, ulaw: Uint8Array): void {
    for (let at = 0; at + FRAME_BYTES <= ulaw.length; at += FRAME_BYTES) {
      const key = ulaw.subarray(at, at + FRAME_BYTES).toBase64();
      const texts = this.#frames.get(key) ?? [];
      if (!texts.includes(text)) texts.push(text);
      this.#frames.set(key, texts);
    }
  }

  lookup(frame: Uint8Array): readonly string[] {
    return this.#frames.get(frame.toBase64()) ?? [];
  }
}

const models: Model[] = [];
const clients: Client[] = [];

export async function start(options: Partial<ModelOptions> = {}): Promise<Model> {
  const model = await startModel({
    clock: systemClock,
    ids: seededIds(7),
    log: silentLog,
    speech: toneSpeech,
    hearing: new TestHearing(),
    ...options,
  });
  models.push(model);
  return model;
}

/** Ends what `start` and `connect` began: for `afterEach`. */
export async function stopAll(): Promise<void> {
  for (const client of clients.splice(0)) client.close();
  for (const model of models.splice(0)) await model.stop();
}

export type Of<T extends RealtimeServerEvent["type"]> = Extract<RealtimeServerEvent, { type: T }>;

export class Client {
  readonly events: RealtimeServerEvent[] = [];
  closed: { code: number; reason: string } | null = null;
  readonly socket: WebSocket;
  #read = 0;
  #wake: (() => void)[] = [];

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers });
    this.socket.onmessage = (message) => {
      this.events.push(JSON.parse(String(message.data)) as RealtimeServerEvent);
      this.#notify();
    };
    this.socket.onclose = (event) => {
      this.closed = { code: event.code, reason: event.reason };
      this.#notify();
    };
    clients.push(this);
  }

  send(event: RealtimeClientEvent): void {
    this.socket.send(JSON.stringify(event));
  }

  /** What the types do not allow. */
  raw(data: string | Uint8Array): void {
    this.socket.send(data);
  }

  append(ulaw: Uint8Array): void {
    this.send({ type: "input_audio_buffer.append", audio: ulaw.toBase64() });
  }

  /** One append per frame, as a phone line gives them. */
  speak(ulaw: Uint8Array): void {
    for (let at = 0; at < ulaw.length; at += FRAME_BYTES) this.append(ulaw.subarray(at, at + FRAME_BYTES));
  }

  /** The next event of this type after those already waited for; events before it are passed over. */
  async next<T extends RealtimeServerEvent["type"]>(
    type: T,
    matches: (event: Of<T>) => boolean = () => true,
  ): Promise<Of<T>> {
    const found = await this.#until(() => {
      for (let i = this.#read; i < this.events.length; i++) {
        const event = this.events[i] as RealtimeServerEvent;
        if (event.type === type && matches(event as Of<T>)) {
          this.#read = i + 1;
          return event as Of<T>;
        }
      }
      return null;
    }, `event ${type}`);
    return found;
  }

  all<T extends RealtimeServerEvent["type"]>(type: T): Of<T>[] {
    return this.events.filter((event): event is Of<T> => event.type === type);
  }

  types(): string[] {
    return this.events.map((event) => event.type);
  }

  async closing(): Promise<{ code: number; reason: string }> {
    return this.#until(() => this.closed, "the socket to close");
  }

  /** Everything sent before this was handled when it resolves: the model answers in order. */
  async settled(): Promise<void> {
    const event_id = `settled_${this.events.length}_${this.#read}`;
    this.raw(JSON.stringify({ type: "settle", event_id }));
    await this.#until(
      () => this.events.some((e) => e.type === "error" && e.error.event_id === event_id) || null,
      "settle",
    );
  }

  close(): void {
    this.socket.close();
  }

  async #until<R>(look: () => R | null, what: string): Promise<R> {
    const guard = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      guard.reject(new Error(`waited too long for ${what}; had ${this.types().slice(-15).join(", ")}`));
    }, GUARD_MS);
    try {
      for (let found = look(); ; found = look()) {
        if (found !== null) return found;
        if (this.closed && what !== "the socket to close") throw new Error(`closed before ${what}`);
        const woken = new Promise<void>((resolve) => this.#wake.push(resolve));
        await Promise.race([woken, guard.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** A client whose session is open. */
export async function connect(model: Model, query = "model=gpt-realtime-2.1"): Promise<Client> {
  const client = new Client(`${model.url.replace("http", "ws")}/realtime?${query}`);
  await client.next("session.created");
  return client;
}

type SessionOf = Extract<RealtimeClientEvent, { type: "session.update" }>["session"];

/** A session as the engine configures it: μ-law both ways, tools, and `more` on top. */
export async function connectPhone(
  model: Model,
  more: Partial<SessionOf> = {},
  input: object = {},
): Promise<Client> {
  const client = await connect(model);
  const session = {
    type: "realtime",
    audio: {
      input: { format: { type: "audio/pcmu" }, transcription: { model: "gpt-transcribe" }, ...input },
      output: { format: { type: "audio/pcmu" }, voice: "marin" },
    },
    ...more,
  } as SessionOf;
  client.send({ type: "session.update", session });
  await client.next("session.updated");
  return client;
}

export const TOOLS = [
  {
    type: "function" as const,
    name: "escalate",
    description: "Reach the person on call",
    parameters: {
      type: "object",
      properties: { reason: { type: "string" }, urgency: { type: "string" } },
      required: ["reason"],
    },
  },
  {
    type: "function" as const,
    name: "end_call",
    parameters: { type: "object", properties: { reason: { type: "string" } } },
  },
];
