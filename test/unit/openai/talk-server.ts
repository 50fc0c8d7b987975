/** A model in memory, on a virtual clock: it takes turns as OpenAI's does, and fails when it is told to. */
import type { ClientSocket, Network } from "../../../engine/platform/network.ts";
import type { VirtualClock } from "../../../engine/platform/clock.ts";

type Json = Record<string, unknown>;
type Listener = (event: unknown) => void;

/** Milliseconds one way. */
const WIRE_MS = 30;

export interface Talk {
  /** In [0, 1). */
  random(): number;
  /** The share of answers that fail, end without a word, are written, or do not even begin. */
  failing: number;
}

interface Answer {
  readonly id: string;
  readonly auto: boolean;
  readonly instructions: string;
  over: boolean;
}

/** One connection, both ends of it. */
class Line implements Pick<ClientSocket, "addEventListener" | "send" | "close" | "terminate" | "ping"> {
  readonly bufferedAmount = 0;
  readyState = 0;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #server: TalkServer;
  readonly #clock: VirtualClock;
  /** Before that the engine holds what the caller says. */
  configured = false;
  speaking = false;
  answer: Answer | null = null;
  /** A turn was committed while an answer wound down. */
  due = false;
  /** Nothing comes through any more, and nobody says so. */
  dead = false;

  constructor(server: TalkServer, clock: VirtualClock) {
    this.#server = server;
    this.#clock = clock;
  }

  addEventListener(type: string, listener: unknown): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener as Listener]);
  }

  emit(type: string, event: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }

  /** From client to server. */
  send(text: string): void {
    if (this.readyState !== 1) return;
    const event = JSON.parse(text) as Json;
    this.#clock.setTimeout(() => this.#isUp && this.#server.took(this, event), WIRE_MS);
  }

  ping(): void {
    this.#clock.setTimeout(() => this.#isUp && this.emit("pong", {}), 2 * WIRE_MS);
  }

  close(): void {
    this.readyState = 3;
  }

  terminate(): void {
    this.readyState = 3;
  }

  /** From server to client. */
  tell(event: Json): void {
    const text = JSON.stringify({ event_id: "event_1", ...event });
    this.#clock.setTimeout(() => this.#isUp && this.emit("message", { data: text }), WIRE_MS);
  }

  get #isUp(): boolean {
    return this.readyState === 1 && !this.dead;
  }

  break(): void {
    if (this.readyState > 1) return;
    this.readyState = 3;
    this.emit("close", { code: 1011, reason: "" });
  }
}

const PCMU = { format: { type: "audio/pcmu" } };
const AUDIO = new Uint8Array(800).fill(0x7f).toBase64();

export class TalkServer {
  readonly #clock: VirtualClock;
  readonly #talk: Talk;
  readonly #lines: Line[] = [];
  /** What each answer was asked for with, by its id; nothing: it answers a turn. */
  readonly askedWith = new Map<string, string>();
  #id = 0;

  constructor(clock: VirtualClock, talk: Talk) {
    this.#clock = clock;
    this.#talk = talk;
  }

  readonly network = {
    serve: () => {
      throw new Error("not here");
    },
    fetch: () => Promise.reject(new Error("not here")),
    connect: (): ClientSocket => {
      const line = new Line(this, this.#clock);
      this.#clock.setTimeout(() => {
        if (line.readyState !== 0) return;
        line.readyState = 1;
        this.#lines.push(line);
        line.emit("open", {});
        line.tell({ type: "session.created", session: { id: "sess_1" } });
      }, WIRE_MS);
      return line as unknown as ClientSocket;
    },
  } as unknown as Network;

  /** The one in use: another is opened beside it before it is replaced. */
  get #line(): Line | null {
    return this.#lines.find(({ readyState }) => readyState === 1) ?? null;
  }

  get isDead(): boolean {
    return this.#line?.dead === true;
  }

  /** Nothing comes through any more, and nobody says so. */
  die(): void {
    if (this.#line) this.#line.dead = true;
  }

  break(): void {
    this.#line?.break();
  }

  /** `false`: there is nobody to hear it. */
  speak(): boolean {
    const line = this.#line;
    if (!line?.configured || line.speaking) return false;
    line.speaking = true;
    line.tell({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: `u${++this.#id}` });
    if (line.answer) this.#end(line, line.answer, "cancelled");
    return true;
  }

  stopSpeaking(): void {
    const line = this.#line;
    if (!line?.speaking) return;
    line.speaking = false;
    const item_id = `u${this.#id}`;
    line.tell({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 0, item_id });
    line.tell({ type: "input_audio_buffer.committed", item_id, previous_item_id: null });
    this.#later(800, () =>
      line.tell({
        type: "conversation.item.input_audio_transcription.completed",
        item_id,
        content_index: 0,
        transcript: `words of ${item_id}`,
      }),
    );
    if (!line.answer) this.#begin(line, true, "", null);
    else if (line.answer.over) line.due = true;
    else this.#busy(line, undefined);
  }

  took(line: Line, event: Json): void {
    if (event["type"] === "session.update") {
      line.configured = true;
      const { instructions } = event["session"] as Json;
      line.tell({ type: "session.updated", session: { audio: { input: PCMU, output: PCMU }, instructions } });
    } else if (event["type"] === "response.create") {
      const { instructions = "", metadata } = event["response"] as { instructions?: string; metadata: Json };
      if (line.answer) this.#busy(line, event["event_id"]);
      else this.#begin(line, false, instructions, metadata);
    } else if (event["type"] === "response.cancel") {
      if (line.answer && line.answer.id === event["response_id"]) this.#end(line, line.answer, "cancelled");
    }
  }

  #busy(line: Line, event_id: unknown): void {
    const code = "conversation_already_has_active_response";
    line.tell({ type: "error", error: { type: "invalid_request_error", code, message: "", event_id } });
  }

  #begin(line: Line, auto: boolean, instructions: string, metadata: Json | null): void {
    const { random, failing } = this.#talk;
    const answer: Answer = { id: `r${++this.#id}`, auto, instructions, over: false };
    if (auto && random() < failing / 4) {
      if (random() < 0.8) line.tell({ type: "error", error: { type: "server_error", message: "sorry" } });
      return;
    }
    line.answer = answer;
    this.askedWith.set(answer.id, instructions);
    line.tell({ type: "response.created", response: { id: answer.id, status: "in_progress", metadata } });
    const fails = random() < failing;
    const kind = Math.floor(random() * 3);
    const deltas = 1 + Math.floor(random() * 8);
    let atMs = 200 + random() * 1500;
    const at = { response_id: answer.id, item_id: `i-${answer.id}`, output_index: 0, content_index: 0 };
    if (!fails) {
      for (let n = 0; n < deltas; n++) {
        this.#during(line, answer, atMs, () => {
          line.tell({ type: "response.output_audio.delta", ...at, delta: AUDIO });
        });
        atMs += 10 + random() * 80;
      }
    }
    this.#during(line, answer, atMs, () => {
      const item = { id: at.item_id, type: "message", status: "completed", content: [] as Json[] };
      if (fails && kind === 0) item.content.push({ type: "output_text", text: "Hello." });
      if (!fails || kind === 0) line.tell({ type: "response.output_item.done", ...at, item });
      this.#end(line, answer, !fails || kind === 0 ? "completed" : kind === 1 ? "incomplete" : "failed");
    });
  }

  /** Ends it now, and says so after a moment in which no other may begin. */
  #end(line: Line, answer: Answer, status: string): void {
    if (answer.over) return;
    answer.over = true;
    const at = { response_id: answer.id, item_id: `i-${answer.id}`, output_index: 0, content_index: 0 };
    if (status === "cancelled" && this.#talk.random() < 0.3) {
      line.tell({ type: "response.output_audio.delta", ...at, delta: AUDIO });
    }
    this.#later(status === "cancelled" ? 100 : 0, () => {
      const status_details = { type: status, reason: "content_filter", error: { type: "server_error" } };
      line.answer = null;
      line.tell({ type: "response.done", response: { id: answer.id, status, status_details } });
      if (line.due && !line.speaking) this.#begin(line, true, "", null);
      line.due = false;
    });
  }

  #during(line: Line, answer: Answer, delayMs: number, work: () => void): void {
    this.#clock.setTimeout(() => {
      if (!answer.over && line.readyState === 1) work();
    }, delayMs);
  }

  #later(mostMs: number, work: () => void): void {
    this.#clock.setTimeout(work, this.#talk.random() * mostMs);
  }
}
