/**
 * One conversation across its sockets: opens, reopens after a loss, and replaces a session before it expires.
 * OpenAI has no resume: every new socket gets the configuration and the conversation as text.
 */
import type { RealtimeFunctionTool } from "openai/resources/realtime/realtime";
import { ProviderError, type ProviderErrorCode, errorText } from "../../engine/errors.ts";
import type { Reach } from "../../engine/platform/reach.ts";
import type {
  HeardItem,
  HistoryItem,
  Ids,
  ModelCapabilities,
  ModelSession,
  ModelSessionConfig,
  ModelSink,
} from "../../engine/ports.ts";
import { Backoff, type BackoffPolicy } from "./backoff.ts";
import { textItem, type Purpose } from "./client-events.ts";
import { Conversation } from "./conversation.ts";
import { Dialogue, type Unfinished } from "./dialogue.ts";
import type { Classified } from "./errors.ts";
import { GuardedSink } from "./guarded-sink.ts";
import { InstructionUpdates } from "./instructions.ts";
import { Link, type LinkOptions } from "./link.ts";
import { RecycleTimer, recyclePlan } from "./recycle.ts";
import type { ServerEvent } from "./server-events.ts";
import { declareTools, sessionRequest } from "./session-config.ts";
import { ToolCalls, callText, outputText } from "./tool-calls.ts";

export interface SessionOptions {
  readonly link: LinkOptions;
  readonly ids: Ids;
  readonly model: string;
  readonly transcriptionModel: string;
  readonly recycleAfterMs: number;
  readonly reconnect: BackoffPolicy;
  readonly reach: Reach;
}

/** Sockets in a row that gave no answer before the model counts as gone. */
const MAX_STALLS = 2;
/** A session that lived this long was sound: the next loss starts counting attempts afresh. */
const STABLE_AFTER_MS = 30_000;

/** Every other session would end the same way. */
const CERTAIN: ReadonlySet<ProviderErrorCode> = new Set(["auth_failed", "quota_exceeded", "format_mismatch"]);

const NOTES = {
  was_speaking:
    "The connection was interrupted while you were speaking. Go on from where you were cut off; do not repeat yourself.",
  turn_unanswered:
    "The connection was interrupted. The last words said to you may be lost: answer them if you know them, otherwise ask for them to be repeated.",
} as const;

const NOTHING: Unfinished = { wanted: null, note: "none" };

export class OpenAiSession implements ModelSession {
  readonly capabilities: ModelCapabilities;
  readonly #options: SessionOptions;
  readonly #config: ModelSessionConfig;
  readonly #sink: GuardedSink;
  readonly #conversation: Conversation;
  readonly #tools = new ToolCalls();
  readonly #instructions: InstructionUpdates;
  readonly #backoff: Backoff;
  readonly #recycleBackoff: Backoff;
  readonly #recycle: RecycleTimer;
  #declaredTools: RealtimeFunctionTool[] = [];
  /** The socket in use or being opened. */
  #link: Link | null = null;
  /** Set while `#link` is ready. */
  #dialogue: Dialogue | null = null;
  /** Being prepared to replace `#link`. */
  #next: Link | null = null;
  #nextConfigured = false;
  #unfinished: Unfinished = NOTHING;
  #outage = false;
  /** Sockets in a row that were ready and then gave no answer. */
  #stalls = 0;
  #readyAtMs: number | null = null;
  #reconnectTimer: unknown = null;

  constructor(options: SessionOptions, config: ModelSessionConfig, sink: ModelSink) {
    const { clock, counters, audioFormat } = options.link;
    const log = options.link.log.child({ callId: config.callId });
    this.#options = { ...options, link: { ...options.link, log } };
    this.#config = config;
    this.capabilities = { audio: audioFormat, truncation: true, serverInterrupt: true };
    this.#sink = new GuardedSink(sink, log, clock, counters);
    this.#conversation = new Conversation(
      config.history,
      audioFormat,
      () => counters.historyEntriesDropped++,
    );
    this.#instructions = new InstructionUpdates(config.instructions, clock, (text) => this.#sendUpdate(text));
    this.#backoff = new Backoff(options.reconnect, options.ids);
    this.#recycleBackoff = new Backoff(options.reconnect, options.ids);
    this.#recycle = new RecycleTimer(clock);
    counters.sessionsOpened++;
    try {
      this.#declaredTools = declareTools(config.tools);
      this.#link = this.#openLink();
    } catch (error) {
      const failure =
        error instanceof ProviderError ? error : new ProviderError("connect_failed", errorText(error), false);
      // The engine does not yet hold this session.
      queueMicrotask(() => this.#fail(failure));
    }
  }

  appendAudio(base64: string): void {
    if (this.#dialogue) this.#link?.append(base64);
    else this.#options.link.counters.audioDroppedUnsendable++;
  }

  /** While no socket is ready only the history is cut, and nothing is taken up again afterwards. */
  interrupt(items: readonly HeardItem[]): void {
    if (this.#dialogue) {
      this.#dialogue.interrupt(items);
      return;
    }
    for (const item of items) this.#conversation.cut(item);
    this.#unfinished = NOTHING;
  }

  addText(role: "user" | "system", text: string): void {
    if (this.#dialogue) this.#dialogue.addText(role, text);
    else this.#conversation.addText(role, text);
  }

  speakAs(speaker: "agent" | "coach"): void {
    if (speaker !== this.#conversation.speaker) {
      this.#dialogue?.changeSides(speaker);
      this.#unfinished = NOTHING;
    }
    this.#conversation.speakAs(speaker);
  }

  respond(instructions?: string): void {
    if (this.#dialogue) this.#dialogue.respond(instructions);
    else if (this.#sink.isOpen) this.#respondLater(instructions);
  }

  /** `false` after 5 s without confirmation; a session opened later is configured with it all the same. */
  setInstructions(instructions: string): Promise<boolean> {
    return this.#instructions.set(instructions);
  }

  toolResult(callId: string, output: unknown, options: { readonly respond: boolean }): void {
    if (!this.#sink.isOpen) return;
    const answered = this.#tools.answered(callId, options.respond);
    if (!answered) {
      const text = `toolResult for "${callId}", which is not an open call: pass each callId of toolCall once`;
      this.#sink.warning(new ProviderError("protocol_error", text, false));
      return;
    }
    const text = outputText(output);
    answered.call.entry.text = callText(answered.call, text);
    const dialogue = this.#dialogue;
    if (dialogue) {
      dialogue.toolOutput(callId, text, answered.call);
      if (answered.speak) dialogue.speakToolResult();
    } else if (answered.speak) {
      this.#respondLater(undefined);
    }
  }

  history(): readonly HistoryItem[] {
    return this.#conversation.history();
  }

  close(): void {
    this.#sink.close();
    this.#shutDown();
  }

  #respondLater(instructions: string | undefined): void {
    const { wanted, note } = this.#unfinished;
    const merged = instructions ?? wanted?.instructions;
    this.#unfinished = { wanted: { instructions: merged, origin: "engine" }, note };
  }

  // -------------------------------------------------------------- sockets

  #openLink(): Link {
    const { model, transcriptionModel, link: linkOptions } = this.#options;
    const request = sessionRequest(this.#config, this.#declaredTools, {
      model,
      transcriptionModel,
      audioFormat: linkOptions.audioFormat,
      instructions: this.#instructions.wanted,
    });
    const link: Link = new Link(linkOptions, request, {
      configured: () => this.#onConfigured(link),
      audio: (chunk, bytes) => {
        if (link === this.#link) this.#dialogue?.onAudio(chunk, bytes);
      },
      event: (event) => {
        if (link === this.#link) this.#onEvent(event);
      },
      activity: () => {
        if (link === this.#link) this.#dialogue?.onActivity();
      },
      refused: (fault, purpose, eventId) => this.#onRefused(link, fault, purpose, eventId),
      warning: (error) => this.#sink.warning(error),
      lost: (error, fatal) => this.#onLost(link, error, fatal),
    });
    return link;
  }

  #onConfigured(link: Link): void {
    if (link === this.#next) {
      this.#nextConfigured = true;
      this.#swapIfQuiet();
    } else if (link === this.#link) {
      this.#activate(link);
    }
  }

  /** Brings a configured socket up to date and puts it to use. */
  #activate(link: Link): void {
    const { clock, counters } = this.#options.link;
    const dialogue = new Dialogue({
      link,
      conversation: this.#conversation,
      tools: this.#tools,
      sink: this.#sink,
      clock,
      ids: this.#options.ids,
      counters,
      onFatal: (error) => this.#fail(error),
      onStalled: (error) => this.#onStalled(link, error),
      onAnswered: () => {
        this.#stalls = 0;
      },
      onSettled: () => this.#swapIfQuiet(),
    });
    this.#link = link;
    this.#dialogue = dialogue;
    this.#outage = false;
    this.#options.reach.worked();
    this.#readyAtMs = clock.monotonicMs();
    this.#instructions.sessionReady(link.instructions);
    this.#conversation.replay((id, role, text) => link.send(textItem(id, role, text), "history", id));
    const { wanted, note } = this.#unfinished;
    this.#unfinished = NOTHING;
    if (note !== "none") link.send(textItem(this.#conversation.nextId(), "system", NOTES[note]), "history");
    const expiresInMs = link.expiresAtMs === null ? null : link.expiresAtMs - clock.now();
    this.#recycle.start(
      recyclePlan(this.#options.recycleAfterMs, expiresInMs),
      () => this.#prepareNext(),
      () => this.#swapIfQuiet(),
    );
    this.#sink.ready({ sessionId: link.sessionId, expiresAtMs: link.expiresAtMs });
    if (this.#dialogue === dialogue && (wanted || note !== "none")) dialogue.takeUp(wanted);
  }

  #onEvent(event: ServerEvent): void {
    if (event.type === "session.updated") this.#instructions.updated(event.session.instructions);
    else this.#dialogue?.onEvent(event);
  }

  #onRefused(link: Link, fault: Classified, purpose: Purpose | undefined, eventId: string): void {
    if (link !== this.#link) return;
    if (purpose?.kind === "instructions") this.#instructions.refused(eventId);
    this.#dialogue?.onRefused(fault, purpose, eventId);
  }

  #onLost(link: Link, error: ProviderError, fatal: boolean): void {
    if (link === this.#next) {
      this.#nextLost(error);
      return;
    }
    if (link !== this.#link) return;
    if (fatal) {
      this.#fail(error);
      return;
    }
    // A socket that was in use may be lost with all others at once, and be had again at once.
    if (!this.#dialogue) this.#options.reach.failed(error.code);
    this.#endDialogue(link.wasDeaf);
    this.#dropNext();
    this.#recycle.stop();
    this.#link = null;
    if (!this.#outage) {
      this.#outage = true;
      const { clock } = this.#options.link;
      if (this.#readyAtMs !== null && clock.monotonicMs() - this.#readyAtMs >= STABLE_AFTER_MS)
        this.#backoff.reset();
      this.#sink.reconnecting(error);
    }
    if (this.#sink.isOpen) this.#reconnect(error);
  }

  #reconnect(error: ProviderError): void {
    const { clock, counters } = this.#options.link;
    const delayMs = this.#backoff.next();
    if (delayMs === null) {
      this.#fail(error);
      return;
    }
    counters.reconnects++;
    this.#reconnectTimer = clock.setTimeout(() => {
      this.#link = this.#openLink();
    }, delayMs);
  }

  /** A fresh socket may answer; when that one does not either, another will not. */
  #onStalled(link: Link, error: ProviderError): void {
    if (link !== this.#link) return;
    this.#stalls++;
    if (this.#stalls >= MAX_STALLS) this.#fail(error);
    else link.giveUp(error);
  }

  #endDialogue(wasDeaf = false): void {
    if (!this.#dialogue) return;
    this.#unfinished = this.#dialogue.end(wasDeaf);
    this.#dialogue = null;
    this.#instructions.sessionLost();
  }

  // -------------------------------------------------------------- recycling

  #prepareNext(): void {
    if (!this.#dialogue || this.#next) return;
    this.#nextConfigured = false;
    this.#next = this.#openLink();
  }

  #nextLost(error: ProviderError): void {
    this.#next = null;
    this.#sink.warning(error);
    const delayMs = this.#recycleBackoff.next();
    if (delayMs !== null) this.#recycle.again(delayMs, () => this.#prepareNext());
  }

  /** Caller audio goes to the old socket until this moment, and to the new one from it on. */
  #swapIfQuiet(): void {
    const next = this.#next;
    if (!next || !this.#nextConfigured || !this.#dialogue) return;
    if (!this.#dialogue.isQuiet && !this.#recycle.isForced) return;
    const old = this.#link;
    this.#next = null;
    this.#endDialogue();
    old?.close();
    this.#recycleBackoff.reset();
    this.#options.link.counters.recycles++;
    if (this.#sink.isOpen) this.#activate(next);
    else next.close();
  }

  #dropNext(): void {
    this.#next?.close();
    this.#next = null;
  }

  // -------------------------------------------------------------- the end

  #sendUpdate(text: string): string {
    if (!this.#dialogue || !this.#link) return "";
    const session = { type: "realtime" as const, instructions: text };
    return this.#link.send({ type: "session.update", session }, "instructions");
  }

  #fail(error: ProviderError): void {
    if (!this.#sink.isOpen) return;
    if (CERTAIN.has(error.code)) this.#options.reach.failed(error.code, true);
    this.#shutDown();
    this.#sink.failed(error);
  }

  #shutDown(): void {
    this.#options.link.clock.clearTimeout(this.#reconnectTimer);
    this.#recycle.stop();
    this.#dropNext();
    this.#endDialogue();
    this.#link?.close();
    this.#link = null;
    this.#instructions.close();
  }
}
