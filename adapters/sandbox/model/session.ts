/** One Realtime session: takes client events in order and answers them. It never throws. */
import { errorText } from "../../../engine/errors.ts";
import type { Clock, Ids, Log } from "../../../engine/ports.ts";
import type { Hearing, Speech } from "../types.ts";
import { decodeAppend, parseClientEvent, type ClientEvent } from "./client-events.ts";
import { Conversation } from "./conversation.ts";
import type { FaultBox, Faults } from "./faults.ts";
import type { Persona } from "./persona.ts";
import { personaIn } from "./personas.ts";
import {
  invalidEvent,
  itemMissing,
  serverError,
  sessionExpired,
  SERVER_ERROR_TEXT,
} from "./protocol-errors.ts";
import { Responses } from "./responses.ts";
import {
  defaultConfig,
  formatObject,
  sessionObject,
  updateConfig,
  type SessionConfig,
} from "./session-config.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import { Timers } from "./timers.ts";
import { transcribe } from "./transcription.ts";
import { TurnTaking } from "./turn-taking.ts";
import type { ProtocolError, ServerEvent } from "./wire.ts";

/** Messages waiting under the slow-reader fault; more close the session with 1013. */
const MAX_INBOX = 5000;

export interface SessionOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly speech: Speech;
  readonly hearing: Hearing;
  readonly faults: FaultBox;
  readonly model: string;
  readonly persona: Persona;
  readonly maxMs: number;
  /** Sends text to the socket; `false` when the socket dropped it. */
  readonly write: (text: string) => boolean;
  /** Closes the socket; `null` without a close frame. */
  readonly hangUp: (code: number | null, reason: string) => void;
}

export class Session {
  readonly id: string;
  readonly #options: SessionOptions;
  readonly #log: Log;
  readonly #timers: Timers;
  readonly #conversation: Conversation;
  readonly #responses: Responses;
  readonly #turns: TurnTaking;
  readonly #openedAtMs: number;
  readonly #expiresAtS: number;
  #config: SessionConfig;
  #persona: Persona;
  #inbox: (string | Uint8Array)[] = [];
  #closeFault: Faults["close"] = null;
  #closed = false;
  readonly #counts = { received: 0, sent: 0, undelivered: 0, errors: 0, internalErrors: 0, appends: 0 };

  constructor(options: SessionOptions) {
    const { clock, ids, log } = options;
    this.id = ids.sid("sess_");
    this.#options = options;
    this.#log = log.child({ session: this.id });
    this.#timers = new Timers(clock, this.#log);
    this.#conversation = new Conversation(ids.sid("conv_"));
    this.#config = defaultConfig(options.model);
    this.#persona = options.persona;
    this.#openedAtMs = clock.now();
    this.#expiresAtS = Math.floor((this.#openedAtMs + options.maxMs) / 1000);
    this.#responses = this.#makeResponses();
    this.#turns = this.#makeTurns();
  }

  /** The socket is open. */
  open(): void {
    const { faults, maxMs } = this.#options;
    this.#send({ type: "session.created", session: this.#session() });
    const { id } = this.#conversation;
    this.#send({ type: "conversation.created", conversation: { id, object: "realtime.conversation" } });
    this.#timers.after(maxMs, () => this.#expire());
    this.#closeFault = faults.take("close");
    const afterMs = this.#closeFault?.afterMs;
    if (afterMs === 0) this.#strike();
    else if (afterMs !== undefined) this.#timers.after(afterMs, () => this.#strike());
  }

  /** One message of the client, text or binary. */
  receive(message: string | Uint8Array): void {
    if (this.#closed) return;
    this.#counts.received++;
    const delayMs = this.#options.faults.current.slowReaderMs;
    if (this.#inbox.length === 0 && !delayMs) {
      this.#take(message);
      return;
    }
    this.#inbox.push(typeof message === "string" ? message : message.slice());
    if (this.#inbox.length === 1) this.#readLater();
    if (this.#inbox.length > MAX_INBOX) this.end(1013, "too many unread messages");
  }

  /** Ends the session and closes its socket. */
  end(code: number | null, reason: string): void {
    if (this.#closed) return;
    this.close();
    this.#options.hangUp(code, reason);
  }

  /** The socket is gone. */
  close(): void {
    this.#closed = true;
    this.#timers.close();
    this.#responses.close();
    this.#inbox = [];
  }

  snapshot(): SessionSnapshot {
    return {
      id: this.id,
      openedAtMs: this.#openedAtMs,
      expiresAtMs: this.#expiresAtS * 1000,
      persona: this.#persona.name,
      config: this.#config,
      items: this.#conversation
        .entries()
        .map(({ item, text, heldMs }) => ({ item: structuredClone(item), text, heldMs })),
      activeResponseId: this.#responses.activeId,
      outOfBandResponses: this.#responses.outOfBandCount,
      bufferMs: this.#turns.bufferMs,
      timers: this.#timers.size,
      counters: {
        ...this.#counts,
        responses: this.#responses.created,
        timerFailures: this.#timers.failures,
        droppedItems: this.#conversation.droppedItems,
        droppedAudioBytes: this.#turns.droppedBytes,
      },
    };
  }

  #take(message: string | Uint8Array): void {
    try {
      const parsed = parseClientEvent(message);
      if ("error" in parsed) this.#refuse(parsed.error, parsed.eventId);
      else this.#handle(parsed.event);
    } catch (error) {
      this.#counts.internalErrors++;
      this.#log.error("sandbox.model.event_failed", { error: errorText(error) });
      this.#refuse(serverError(SERVER_ERROR_TEXT), null);
    }
  }

  #handle(event: ClientEvent): void {
    const error = this.#answer(event);
    if (error) this.#refuse(error, event.event_id ?? null);
  }

  /** Acts on a checked event; an error leaves the session as it was. */
  #answer(event: ClientEvent): ProtocolError | null {
    switch (event.type) {
      case "session.update":
        return this.#update(event.session);
      case "input_audio_buffer.append":
        return this.#append(event.audio);
      case "input_audio_buffer.commit":
        return this.#turns.commit();
      case "input_audio_buffer.clear":
        this.#turns.clear();
        return null;
      case "output_audio_buffer.clear":
        return invalidEvent("output_audio_buffer.clear is only supported with WebRTC and SIP.", "type");
      case "conversation.item.create":
        return this.#create(event);
      case "conversation.item.retrieve":
        return this.#retrieve(event.item_id);
      case "conversation.item.delete":
        return this.#delete(event.item_id);
      case "conversation.item.truncate":
        return this.#truncate(event);
      case "response.create":
        return this.#responses.create("client", event.response ?? {});
      case "response.cancel":
        return this.#responses.cancel(event.response_id);
    }
  }

  #update(session: unknown): ProtocolError | null {
    const faults = this.#options.faults.current;
    if (faults.ignoreSessionUpdate) return null;
    const before = this.#config;
    const updated = updateConfig(before, session, this.#responses.spoken);
    if ("error" in updated) return updated.error;
    this.#config = faults.echoFormat ? withFormat(updated.config, faults.echoFormat) : updated.config;
    this.#persona = personaIn(this.#config.instructions) ?? this.#options.persona;
    this.#turns.configChanged(before);
    this.#send({ type: "session.updated", session: this.#session() });
    return null;
  }

  #append(audio: string): ProtocolError | null {
    const bytes = decodeAppend(audio);
    if (!(bytes instanceof Uint8Array)) return bytes;
    this.#counts.appends++;
    this.#turns.append(bytes);
    if (this.#closeFault?.afterAppends === this.#counts.appends) this.#strike();
    return null;
  }

  #create(event: ClientEvent & { type: "conversation.item.create" }): ProtocolError | null {
    const given = event.item;
    const id = given.id ?? this.#options.ids.sid("item_");
    const item =
      given.type === "function_call" ? { call_id: this.#options.ids.sid("call_"), ...given } : given;
    const created = this.#conversation.create(id, item, event.previous_item_id);
    if ("error" in created) return created.error;
    const stored = this.#conversation.get(id)?.item;
    if (!stored) return null;
    const previous_item_id = created.previousId;
    this.#send({ type: "conversation.item.added", item: stored, previous_item_id });
    this.#send({ type: "conversation.item.done", item: stored, previous_item_id });
    return null;
  }

  #retrieve(itemId: string): ProtocolError | null {
    const item = this.#conversation.view(itemId);
    if (!item) return itemMissing("retrieve", itemId);
    this.#send({ type: "conversation.item.retrieved", item });
    return null;
  }

  #delete(itemId: string): ProtocolError | null {
    const error = this.#conversation.remove(itemId);
    if (!error) this.#send({ type: "conversation.item.deleted", item_id: itemId });
    return error;
  }

  #truncate(event: ClientEvent & { type: "conversation.item.truncate" }): ProtocolError | null {
    const { item_id, content_index, audio_end_ms } = event;
    const error = this.#conversation.truncate(item_id, content_index, audio_end_ms);
    if (!error) this.#send({ type: "conversation.item.truncated", item_id, content_index, audio_end_ms });
    return error;
  }

  #expire(): void {
    this.#refuse(sessionExpired(this.#options.maxMs), null);
    this.end(1001, "session expired");
  }

  #strike(): void {
    this.end(this.#closeFault?.code ?? null, "sandbox fault");
  }

  #readLater(): void {
    this.#timers.after(this.#options.faults.current.slowReaderMs ?? 0, () => {
      const message = this.#inbox[0];
      if (message !== undefined) this.#take(message);
      this.#inbox.shift();
      if (this.#inbox.length > 0) this.#readLater();
    });
  }

  #refuse(error: ProtocolError, eventId: string | null): void {
    this.#counts.errors++;
    this.#log.debug("sandbox.model.refused", { code: error.code, param: error.param });
    this.#send({ type: "error", error: { ...error, event_id: eventId } });
  }

  #send(event: ServerEvent): void {
    if (this.#closed) return;
    const { type, ...rest } = event;
    const text = JSON.stringify({ type, event_id: this.#options.ids.sid("event_"), ...rest });
    if (this.#options.write(text)) this.#counts.sent++;
    else this.#counts.undelivered++;
  }

  #session() {
    return sessionObject(this.#config, this.id, this.#expiresAtS);
  }

  #makeResponses(): Responses {
    const { ids, speech, faults } = this.#options;
    const send = (event: ServerEvent): void => this.#send(event);
    return new Responses({
      run: { send, timers: this.#timers, ids, log: this.#log, speech, conversation: this.#conversation },
      faults,
      config: () => this.#config,
      persona: () => this.#persona,
      onStart: () => this.#turns.responseStarted(),
      onDone: (audioMs) => this.#turns.responseDone(audioMs),
      onRefused: (error) => this.#refuse(error, null),
    });
  }

  #makeTurns(): TurnTaking {
    const { ids, hearing, faults } = this.#options;
    const send = (event: ServerEvent): void => this.#send(event);
    const shared = { send, timers: this.#timers, ids, conversation: this.#conversation };
    return new TurnTaking({
      ...shared,
      hearing,
      config: () => this.#config,
      onCommitted: (itemId) => {
        const settings = this.#config.audio.input.transcription;
        const job = { itemId, model: settings?.model ?? "", fail: faults.current.failTranscription };
        if (settings) transcribe(shared, job);
      },
      onInterrupt: () => this.#responses.interrupt(),
      onAnswer: (trigger) => {
        const error = this.#responses.create(trigger, {});
        if (error) this.#refuse(error, null);
      },
    });
  }
}

function withFormat(config: SessionConfig, type: Parameters<typeof formatObject>[0]): SessionConfig {
  const format = formatObject(type);
  const { input, output } = config.audio;
  return { ...config, audio: { input: { ...input, format }, output: { ...output, format } } };
}
