/**
 * One connection: socket, handshake (`session.created`, `session.update`, checked `session.updated`), event
 * ids, liveness. After the handshake events go to whoever holds the link.
 */
import type { RealtimeSessionCreateRequest } from "openai/resources/realtime/realtime";
import { ProviderError } from "../../engine/errors.ts";
import type { Network } from "../../engine/platform/network.ts";
import type { Clock, Log, ModelAudio, ModelAudioFormat } from "../../engine/ports.ts";
import { AudioDeltaReader, base64Bytes } from "./audio-delta.ts";
import { EventIds, type ClientEvent, type Purpose, type PurposeKind } from "./client-events.ts";
import type { Counters } from "./counters.ts";
import { classifyFault, type Classified } from "./errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import { parseServerEvent, type ServerEvent, type ServerSession } from "./server-events.ts";
import { formatMismatch } from "./session-config.ts";
import { RealtimeSocket } from "./socket.ts";

/** This many frames in a row that are no events: the other side does not speak the protocol. */
export const GARBAGE_LIMIT = 20;

export interface LinkHooks {
  /** The format echo was right. */
  configured(): void;
  /** Hot path; only after `configured`. `bytes`: of the audio. */
  audio(chunk: ModelAudio, bytes: number): void;
  event(event: ServerEvent): void;
  /** Something of a response that nobody acts on. */
  activity(): void;
  /** An `error` event that leaves the socket open. */
  refused(fault: Classified, purpose: Purpose | undefined, eventId: string): void;
  warning(error: ProviderError): void;
  /** The link is over; `fatal` when another one would end the same way. Called once. */
  lost(error: ProviderError, fatal: boolean): void;
}

export interface LinkOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly audioFormat: ModelAudioFormat;
  readonly connectTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly network: Network;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: Counters;
}

export class Link {
  /** The instructions that the first `session.update` carried. */
  readonly instructions: string;
  sessionId = "";
  /** Epoch milliseconds, if the provider said. */
  expiresAtMs: number | null = null;
  /** It was lost because nothing came through any more, for one heartbeat and the next. */
  wasDeaf = false;
  readonly #options: LinkOptions;
  readonly #request: RealtimeSessionCreateRequest;
  readonly #hooks: LinkHooks;
  readonly #socket: RealtimeSocket;
  readonly #ids = new EventIds();
  readonly #deltas = new AudioDeltaReader();
  #phase: "connecting" | "configuring" | "configured" | "over" = "connecting";
  #handshakeTimer: unknown;
  #heartbeat: Heartbeat | null = null;
  #garbageInARow = 0;
  #overflowing = false;

  constructor(options: LinkOptions, request: RealtimeSessionCreateRequest, hooks: LinkHooks) {
    this.#options = options;
    this.#request = request;
    this.#hooks = hooks;
    this.instructions = request.instructions ?? "";
    this.#handshakeTimer = options.clock.setTimeout(
      () => this.#handshakeTimedOut(),
      options.connectTimeoutMs,
    );
    this.#socket = new RealtimeSocket(options.network, options.url, options.apiKey, {
      opened: () => this.#onOpen(),
      text: (text) => this.#onText(text),
      garbage: (problem) => this.#onGarbage(problem),
      pong: () => this.#heartbeat?.beat(),
      lost: (error) => this.#end(error, error.code === "auth_failed"),
      threw: (error) => options.log.error("openai.handler_threw", { error: String(error) }),
    });
  }

  get isOver(): boolean {
    return this.#phase === "over";
  }

  /** Sends a control event under a fresh id, which is returned; an empty one when the link is over. */
  send(event: ClientEvent, kind: PurposeKind, target = ""): string {
    const eventId = this.#ids.next(kind, target);
    return this.#socket.send(JSON.stringify({ ...event, event_id: eventId })) ? eventId : "";
  }

  /** Sends `response.create`; its id also goes into the metadata, which `response.created` echoes. */
  respond(instructions: string | undefined): string {
    const eventId = this.#ids.next("respond", "");
    const response = { metadata: { request: eventId }, ...(instructions !== undefined && { instructions }) };
    this.#socket.send(JSON.stringify({ type: "response.create", event_id: eventId, response }));
    return eventId;
  }

  /** The other side is of no use any more: over, as if it had been lost. */
  giveUp(error: ProviderError): void {
    this.#end(error, false);
  }

  /** Hot path: the text is put together around the payload. */
  append(base64: string): void {
    const { counters } = this.#options;
    const text = this.#ids.appendText(base64);
    if (text === null) {
      counters.audioDroppedUnsendable++;
      return;
    }
    const outcome = this.#socket.sendAudio(text);
    if (outcome === "sent") {
      this.#overflowing = false;
      return;
    }
    if (outcome === "closed") {
      counters.audioDroppedUnsendable++;
      return;
    }
    counters.audioDroppedOverflow++;
    if (this.#overflowing) return;
    this.#overflowing = true;
    const problem = "the socket to OpenAI does not take audio fast enough; caller audio is dropped";
    this.#hooks.warning(new ProviderError("overflow", problem, true));
  }

  /** Idempotent; no hook is called afterwards. */
  close(): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#options.clock.clearTimeout(this.#handshakeTimer);
    this.#heartbeat?.stop();
    this.#socket.close();
  }

  #end(error: ProviderError, fatal: boolean): void {
    if (this.#phase === "over") return;
    this.close();
    this.#hooks.lost(error, fatal);
  }

  #handshakeTimedOut(): void {
    const step = this.#phase === "connecting" ? "session.created" : "session.updated";
    const text = `OpenAI sent no ${step} within ${this.#options.connectTimeoutMs} ms`;
    this.#end(new ProviderError("connect_failed", text, true), false);
  }

  #onOpen(): void {
    const { clock, heartbeatMs } = this.#options;
    const dead = () => {
      this.wasDeaf = true;
      const text = `OpenAI answered no ping for ${heartbeatMs} ms`;
      this.#end(new ProviderError("connection_lost", text, true), false);
    };
    this.#heartbeat = new Heartbeat(clock, heartbeatMs, () => this.#socket.ping(), dead);
  }

  #onText(text: string): void {
    this.#heartbeat?.beat();
    const chunk = this.#phase === "configured" ? this.#deltas.cut(text) : null;
    if (chunk) {
      this.#garbageInARow = 0;
      this.#hooks.audio(chunk, this.#deltas.byteCount);
      return;
    }
    const parsed = parseServerEvent(text);
    if (parsed.kind === "malformed") {
      this.#onGarbage(parsed.problem);
      return;
    }
    this.#garbageInARow = 0;
    if (parsed.kind === "ignored") {
      this.#options.counters.ignoredEvents++;
      if (parsed.type.startsWith("response.")) this.#hooks.activity();
    } else this.#onEvent(parsed.event);
  }

  #onGarbage(problem: string): void {
    this.#options.counters.malformedFrames++;
    this.#garbageInARow++;
    const error = new ProviderError("protocol_error", `OpenAI sent ${problem}`.slice(0, 500), false);
    if (this.#garbageInARow >= GARBAGE_LIMIT) this.#end(error, true);
    else this.#hooks.warning(error);
  }

  #onEvent(event: ServerEvent): void {
    if (event.type === "error") {
      this.#onError(event);
    } else if (event.type === "session.created") {
      this.#onCreated(event.session);
    } else if (event.type === "session.updated") {
      this.#onUpdated(event);
    } else if (this.#phase === "configured") {
      if (event.type === "response.output_audio.delta")
        this.#hooks.audio(audioOf(event), base64Bytes(event.delta));
      else this.#hooks.event(event);
    }
  }

  #onCreated(session: ServerSession): void {
    this.sessionId = session.id ?? this.sessionId;
    if (typeof session.expires_at === "number") this.expiresAtMs = session.expires_at * 1000;
    if (this.#phase !== "connecting") return;
    this.#phase = "configuring";
    this.send({ type: "session.update", session: this.#request }, "configure");
  }

  #onUpdated(event: Extract<ServerEvent, { type: "session.updated" }>): void {
    if (this.#phase === "connecting") return;
    const mismatch = formatMismatch(event.session, this.#options.audioFormat);
    if (mismatch) {
      this.#end(mismatch, true);
      return;
    }
    if (this.#phase === "configured") {
      this.#hooks.event(event);
      return;
    }
    this.#phase = "configured";
    this.#options.clock.clearTimeout(this.#handshakeTimer);
    this.#hooks.configured();
  }

  #onError(event: Extract<ServerEvent, { type: "error" }>): void {
    const purpose = this.#ids.lookUp(event.error.event_id);
    const fault = classifyFault(event.error, purpose ? `answer to ${purpose.kind}` : "OpenAI reports");
    const { treatment, error } = fault;
    if (treatment === "fatal") this.#end(error, true);
    else if (treatment === "expired") this.#end(error, false);
    else if (this.#phase === "configured") this.#hooks.refused(fault, purpose, event.error.event_id ?? "");
    // Before the session stands nothing but its configuration can have been refused.
    else if (treatment !== "benign") this.#end(error, treatment === "rejected");
  }
}

function audioOf(event: Extract<ServerEvent, { type: "response.output_audio.delta" }>): ModelAudio {
  return {
    responseId: event.response_id,
    itemId: event.item_id,
    contentIndex: event.content_index,
    base64: event.delta,
  };
}
