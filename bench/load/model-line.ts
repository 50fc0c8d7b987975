/**
 * One session of the speech model, as far as the systems measured here use the GA Realtime protocol: it either
 * sends the caller's audio straight back as one long response, or leaves it to {@link SpeechTurns} what is said.
 */
import type { ModelSocket, ModelSocketListener } from "./model-socket.ts";
import { TAG_BYTES, readTag } from "./tags.ts";
import { frame, headBytes } from "./ws-frames.ts";

export type AudioFormat = "pcmu" | "pcm24k";

/** What the model does beyond the protocol. */
export interface LineBehaviour {
  /** Whether the caller's audio is sent back. */
  readonly echoes: () => boolean;
  /** Until it is certain whose line this is: μ-law audio names its call, unless it is silence that was filled in. */
  appended(line: ModelLine, callNumber: number): void;
  /** The client asks for an answer; only an echo may be under way. */
  answerWanted(line: ModelLine, metadata: unknown): void;
  cancelled(line: ModelLine): void;
  truncated(line: ModelLine, itemId: string, audioEndMs: number): void;
  closed(line: ModelLine): void;
}

interface ClientEvent {
  readonly type?: string;
  readonly event_id?: string;
  readonly session?: Readonly<Record<string, unknown>>;
  readonly response?: { readonly metadata?: unknown };
  readonly item?: Readonly<Record<string, unknown>>;
  readonly item_id?: string;
  readonly content_index?: number;
  readonly audio_end_ms?: number;
  readonly audio?: string;
}

const APPEND = "input_audio_buffer.append";
/** In `{"type":"input_audio_buffer.append"`: the first letter of the type, and the one that tells it apart. */
const TYPE_AT = 9;
const VERB_AT = 28;
const I = 105;
const A = 97;
const QUOTE = 34;
const EXPIRES_AFTER_S = 3600;

export class ModelLine implements ModelSocketListener {
  readonly number: number;
  format: AudioFormat;
  /** Whether it is certain whose call this is. */
  isKnown = false;
  /** The answer under way. */
  itemId = "";
  responseId = "";
  readonly #socket: ModelSocket;
  readonly #behaviour: LineBehaviour;
  readonly #nowS: number;
  #session: Readonly<Record<string, unknown>>;
  #events = 0;
  #responses = 0;
  #metadata: unknown = null;
  /** The message of one delta around its payload, made for payloads of one length. */
  #delta: Buffer | null = null;
  #deltaAt = 0;
  #deltaChars = 0;
  /** Where the audio began in the last append: every one of a client looks much the same. */
  #audioAt = 0;

  constructor(options: {
    readonly socket: ModelSocket;
    readonly number: number;
    readonly format: AudioFormat;
    readonly behaviour: LineBehaviour;
    readonly nowS: number;
  }) {
    this.#socket = options.socket;
    this.number = options.number;
    this.format = options.format;
    this.#behaviour = options.behaviour;
    this.#nowS = options.nowS;
    const format = options.format === "pcmu" ? { type: "audio/pcmu" } : { type: "audio/pcm", rate: 24_000 };
    this.#session = {
      type: "realtime",
      object: "realtime.session",
      id: `sess_${this.number}`,
      model: "load",
      expires_at: this.#nowS + EXPIRES_AFTER_S,
      output_modalities: ["audio"],
      audio: { input: { format }, output: { format, voice: "marin" } },
    };
    this.send({ type: "session.created", session: this.#session });
  }

  get isAnswering(): boolean {
    return this.responseId !== "";
  }

  send(event: Readonly<Record<string, unknown>>): void {
    this.#socket.send({ event_id: `event_${this.number}_${++this.#events}`, ...event });
  }

  /** As when the network fails. */
  drop(): void {
    this.#socket.drop();
  }

  closed(): void {
    this.responseId = "";
    this.#behaviour.closed(this);
  }

  text(bytes: Buffer, at: number, end: number): void {
    if (bytes[at + TYPE_AT] === I && bytes[at + VERB_AT] === A && bytes[end - 2] === QUOTE) {
      const from = this.#audioOf(bytes, at, end);
      if (from > 0) {
        this.#onAppend(bytes, from, end - 2);
        return;
      }
    }
    this.#onEvent(JSON.parse(bytes.toString("utf8", at, end)) as ClientEvent);
  }

  // ------------------------------------------------------------------ answers

  begin(metadata: unknown): void {
    const n = ++this.#responses;
    this.responseId = `resp_${this.number}_${n}`;
    this.itemId = `item_${this.number}_${n}`;
    this.#metadata = metadata;
    this.#delta = null;
    const ids = { response_id: this.responseId, output_index: 0 };
    this.send({ type: "response.created", response: this.#response("in_progress", []) });
    this.send({ type: "response.output_item.added", ...ids, item: this.#item("in_progress") });
    this.send({
      type: "response.content_part.added",
      ...ids,
      item_id: this.itemId,
      content_index: 0,
      part: { type: "output_audio", transcript: "" },
    });
  }

  /** Hot path: one delta with the base64 text of `bytes` from `at` to `end`. */
  audio(bytes: Buffer, at: number, end: number): void {
    const delta = this.#delta && this.#deltaChars === end - at ? this.#delta : this.#newDelta(end - at);
    bytes.copy(delta, this.#deltaAt, at, end);
    this.#socket.write(delta);
  }

  transcriptDelta(text: string): void {
    this.send({ type: "response.output_audio_transcript.delta", ...this.#part(), delta: text });
  }

  finish(status: "completed" | "cancelled", transcript: string): void {
    if (!this.isAnswering) return;
    const part = this.#part();
    const itemStatus = status === "completed" ? "completed" : "incomplete";
    const item = this.#item(itemStatus);
    const content = { type: "output_audio", transcript };
    this.send({ type: "response.output_audio.done", ...part });
    this.send({ type: "response.output_audio_transcript.done", ...part, transcript });
    this.send({ type: "response.content_part.done", ...part, part: content });
    this.send({ type: "response.output_item.done", response_id: this.responseId, output_index: 0, item });
    const response = this.#response(status, [item]);
    this.responseId = "";
    this.send({ type: "response.done", response });
  }

  /** An answer that only calls a tool. */
  callTool(name: string, args: string): void {
    const n = ++this.#responses;
    this.responseId = `resp_${this.number}_${n}`;
    this.#metadata = null;
    const ids = { response_id: this.responseId, output_index: 0 };
    const id = `item_${this.number}_${n}`;
    const call = {
      id,
      object: "realtime.item",
      type: "function_call",
      name,
      call_id: `call_${this.number}_${n}`,
    };
    const item = { ...call, status: "completed", arguments: args };
    this.send({ type: "response.created", response: this.#response("in_progress", []) });
    this.send({
      type: "response.output_item.added",
      ...ids,
      item: { ...call, status: "in_progress", arguments: "" },
    });
    this.send({
      type: "response.function_call_arguments.done",
      ...ids,
      item_id: id,
      call_id: call.call_id,
      arguments: args,
    });
    this.send({ type: "response.output_item.done", ...ids, item });
    const response = this.#response("completed", [item]);
    this.responseId = "";
    this.send({ type: "response.done", response });
  }

  // ------------------------------------------------------------------ from the client

  /** Where the audio begins, or 0. */
  #audioOf(bytes: Buffer, at: number, end: number): number {
    const known = at + this.#audioAt;
    if (this.#audioAt > 0 && bytes[known - 1] === QUOTE && bytes[known - 3] === QUOTE) return known;
    const found = bytes.indexOf('"audio":"', at) + 9;
    if (found < 9 || found > end) return 0;
    this.#audioAt = found - at;
    return found;
  }

  #onAppend(bytes: Buffer, at: number, end: number): void {
    if (!this.isKnown && this.format === "pcmu") {
      this.#behaviour.appended(this, readTag(bytes, at, TAG_BYTES));
    }
    if (!this.#behaviour.echoes()) return;
    if (!this.isAnswering) this.begin(null);
    this.audio(bytes, at, end);
  }

  #onEvent(event: ClientEvent): void {
    switch (event.type) {
      case APPEND: {
        const audio = Buffer.from(event.audio ?? "");
        this.#onAppend(audio, 0, audio.length);
        return;
      }
      case "session.update":
        this.#onUpdate(event.session ?? {});
        return;
      case "response.create":
        if (this.isAnswering && !this.#behaviour.echoes())
          this.#refuse(event, "conversation_already_has_active_response");
        else this.#behaviour.answerWanted(this, event.response?.metadata ?? null);
        return;
      case "response.cancel":
        if (this.isAnswering) this.#behaviour.cancelled(this);
        else this.#refuse(event, "response_cancel_not_active");
        return;
      case "conversation.item.truncate":
        this.#onTruncate(event);
        return;
      case "conversation.item.delete":
        this.send({ type: "conversation.item.deleted", item_id: event.item_id });
        return;
      case "conversation.item.create":
        this.send({ type: "conversation.item.added", previous_item_id: null, item: event.item });
        this.send({ type: "conversation.item.done", previous_item_id: null, item: event.item });
        return;
      default:
    }
  }

  #onUpdate(update: Readonly<Record<string, unknown>>): void {
    const asked = update as {
      readonly audio?: { readonly output?: { readonly format?: { readonly type?: string } } };
    };
    const type = asked.audio?.output?.format?.type;
    if (type !== undefined) this.format = type === "audio/pcmu" ? "pcmu" : "pcm24k";
    this.#session = { ...this.#session, ...update };
    this.send({ type: "session.updated", session: this.#session });
  }

  #onTruncate({
    item_id: itemId = "",
    content_index: contentIndex,
    audio_end_ms: endMs = 0,
  }: ClientEvent): void {
    this.#behaviour.truncated(this, itemId, endMs);
    this.send({
      type: "conversation.item.truncated",
      item_id: itemId,
      content_index: contentIndex ?? 0,
      audio_end_ms: endMs,
    });
  }

  #refuse(event: ClientEvent, code: string): void {
    const error = { type: "invalid_request_error", code, message: code, param: null };
    this.send({ type: "error", error: { ...error, event_id: event.event_id ?? null } });
  }

  // ------------------------------------------------------------------ shapes

  #newDelta(chars: number): Buffer {
    const ids = `"event_id":"event_${this.number}_a","response_id":"${this.responseId}","item_id":"${this.itemId}"`;
    const head = `{"type":"response.output_audio.delta",${ids},"output_index":0,"content_index":0,"delta":"`;
    const payload = Buffer.from(`${head}${" ".repeat(chars)}"}`);
    this.#deltaChars = chars;
    this.#deltaAt = headBytes(payload.length) + head.length;
    this.#delta = frame(1, payload, "server");
    return this.#delta;
  }

  #part() {
    return { response_id: this.responseId, item_id: this.itemId, output_index: 0, content_index: 0 };
  }

  #item(status: string) {
    const content = status === "in_progress" ? [] : [{ type: "output_audio", transcript: "" }];
    return { id: this.itemId, object: "realtime.item", type: "message", status, role: "assistant", content };
  }

  #response(status: string, output: readonly unknown[]) {
    const done = status !== "in_progress";
    return {
      object: "realtime.response",
      id: this.responseId,
      status,
      status_details: null,
      output,
      conversation_id: `conv_${this.number}`,
      output_modalities: ["audio"],
      max_output_tokens: "inf",
      usage: done ? { total_tokens: 30, input_tokens: 20, output_tokens: 10 } : null,
      metadata: this.#metadata,
    };
  }
}
