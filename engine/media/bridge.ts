import { errorText, type ProviderError } from "../errors.ts";
import type { Clock, HeardItem, Log, ModelAudio, ModelSession, ModelSink, ModelToolCall } from "../ports.ts";
import { AgentTranscript } from "./agent-transcript.ts";
import { base64Bytes } from "./base64.ts";
import type { BargeInCause, BridgeEvents, BridgeOptions } from "./bridge-events.ts";
import { CallLatency, type TurnTimes } from "./call-latency.ts";
import { Drain } from "./drain.ts";
import { EarlySpeech } from "./early-speech.ts";
import { HeldAudio } from "./held-audio.ts";
import type { LegEvents, MediaLeg } from "./leg.ts";
import { MediaMetrics } from "./media-metrics.ts";
import { ModelTranscoder } from "./model-transcoder.ts";
import { ResponseGate } from "./response-gate.ts";
import type { Tape } from "./tape.ts";
import { UnheardItems } from "./unheard-items.ts";
import { UserTurns } from "./user-turns.ts";

export type { BargeInCause, BridgeEvents, BridgeOptions } from "./bridge-events.ts";

/** Running responses remembered; a provider has one or two. */
const MAX_ACTIVE = 64;

/**
 * One per call: joins the model session and the media leg of the moment. Both may be replaced while the
 * call lasts. Audio passes through without an actor or a promise; the control plane gets edges.
 */
export class Bridge implements ModelSink {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #events: BridgeEvents;
  readonly #latency: CallLatency;
  readonly #held: HeldAudio;
  readonly #early = new EarlySpeech();
  readonly #responses = new ResponseGate();
  readonly #unheard = new UnheardItems();
  readonly #transcript: AgentTranscript;
  readonly #active = new Set<string>();
  readonly #coachTape: Tape | null;
  readonly #counters = {
    inToModelBytes: 0,
    modelBytes: 0,
    badModelAudio: 0,
    gatedBytes: 0,
    lateBytes: 0,
    noLegBytes: 0,
    bargeIns: 0,
    eventErrors: 0,
  };
  #session: ModelSession | null = null;
  /** `null` with a model that speaks μ-law: its audio passes as it is. */
  #transcoder: ModelTranscoder | null = null;
  #ready = false;
  #leg: MediaLeg | null = null;
  #hadLeg = false;
  #speaker: "agent" | "coach" = "agent";
  readonly #userTurns: UserTurns;
  readonly #drain: Drain;
  #onFlushed: (() => void) | null = null;
  #closed = false;

  constructor(options: BridgeOptions) {
    this.#clock = options.clock;
    this.#log = options.log.child({ callId: options.callId });
    this.#events = options.events;
    this.#userTurns = new UserTurns(options.clock);
    const onTurn = (turn: TurnTimes): void => this.#tell(() => this.#events.turn(turn));
    this.#latency = new CallLatency(options.clock, options.metrics ?? new MediaMetrics(), onTurn);
    this.#held = new HeldAudio(options.clock, options.holdMaxMs ?? 15_000);
    this.#coachTape = options.coachTape ?? null;
    this.#drain = new Drain(options.clock, this.#early, () => this.#tell(() => this.#events.drained()));
    this.#transcript = new AgentTranscript((entry) => this.#tell(() => this.#events.transcript(entry)));
  }

  get modelIsReady(): boolean {
    return this.#ready && this.#session !== null;
  }

  /** Answers that the model has begun and not ended. */
  get answering(): number {
    return this.#active.size;
  }

  /** How much of what the model has said is still to be heard. */
  get pendingMs(): number {
    return this.#leg ? this.#leg.pendingMs() : this.#early.ms;
  }

  /** The session whose sink this bridge is. A later one replaces it; audio is held until that is ready. */
  attachSession(session: ModelSession): void {
    if (this.#closed || session === this.#session) return;
    if (this.#session) this.#modelGone();
    this.#session = session;
    const isPcm = session.capabilities.audio === "pcm24k";
    this.#transcoder = isPcm ? new ModelTranscoder(this.#fromModel) : null;
    this.#flushHeld();
  }

  attachLeg(leg: MediaLeg): void {
    if (this.#closed || leg === this.#leg) return;
    if (this.#leg) this.detachLeg(this.#leg);
    this.#leg = leg;
    this.#hadLeg = true;
    leg.listen(this.#legEvents);
    this.#responses.drop(this.#unheard.responseIds());
    this.#early.playOn(leg);
    this.#drain.follow(leg);
    // The carrier begins the next stream when it is through with the one before.
    this.#flushed();
  }

  /** The leg is gone or will be: what was not heard of its audio counts as cut. `false`: it had no place. */
  detachLeg(leg: MediaLeg): boolean {
    if (leg !== this.#leg) return false;
    this.#cut();
    this.#transcript.snapshot((itemId) => leg.heard(itemId));
    this.#latency.legGone(leg);
    leg.listen(null);
    this.#leg = null;
    this.#drain.follow(null);
    return true;
  }

  /**
   * Closed: what the model says is dropped, and what the carrier holds of it is cleared. Opened again, only
   * responses that start from then on are heard: ask the model to speak after opening, not before.
   */
  setGate(gate: "open" | "closed"): void {
    if (this.#closed || (gate === "open") === this.#responses.isOpen) return;
    if (gate === "closed") {
      this.#cut(true);
      this.#responses.close();
      return;
    }
    this.#responses.open();
    // A response that still runs would only keep the model from answering where it is heard.
    const items = this.#unheard.take(null, this.#playedOf);
    if (items.length > 0 || this.#active.size > 0) this.#session?.interrupt(items);
    this.#transcript.cut(items);
  }

  /** Whose words the items from now on are, in the transcript. */
  setSpeaker(speaker: "agent" | "coach"): void {
    this.#speaker = speaker;
  }

  /** Tells `drained` once all speech so far is played or cut, or after `timeoutMs`. A new drain replaces it. */
  drain(timeoutMs: number): void {
    if (this.#closed) return;
    this.#drain.begin(timeoutMs);
  }

  /**
   * Calls back once nothing that was sent so far can sound any more at the carrier: at once when there never was a
   * leg, and with the next one when this one goes before it could say so. A new flush takes the place of the old.
   */
  flush(callback: () => void): void {
    if (this.#closed) return;
    this.#onFlushed = callback;
    if (this.#leg) this.#leg.flush(this.#flushed);
    else if (!this.#hadLeg) this.#flushed();
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#counters,
      ...this.#held.counters,
      ...this.#early.counters,
      ...this.#responses.counters,
      ...this.#unheard.counters,
      ...this.#transcript.counters,
      ...this.#latency.figures(this.#leg),
    };
  }

  /** Writes what is left of the transcript and lets go of session and leg, which stay as they are. */
  close(): void {
    if (this.#closed) return;
    this.#drain.cancel();
    const leg = this.#leg;
    if (leg) {
      this.#transcript.snapshot((itemId) => leg.heard(itemId));
      this.#latency.legGone(leg);
      leg.listen(null);
    }
    this.#transcript.close();
    this.#held.clear();
    this.#early.clear();
    this.#active.clear();
    this.#leg = null;
    this.#session = null;
    this.#transcoder = null;
    this.#ready = false;
    this.#closed = true;
  }

  // ------------------------------------------------------------------ from the leg

  readonly #legEvents: LegEvents = {
    audio: (base64, bytes) => this.#fromCaller(base64, bytes),
    isLive: () => this.modelIsReady,
    dtmf: (digit) => this.#tell(() => this.#events.dtmf(digit)),
    itemHeard: (item) => this.#transcript.heard(item),
  };

  #fromCaller(base64: string, bytes: number): void {
    const session = this.#session;
    if (!session || !this.#ready) {
      this.#held.push(base64, bytes);
      return;
    }
    this.#counters.inToModelBytes += bytes;
    session.appendAudio(this.#transcoder ? this.#transcoder.toModel(base64) : base64);
  }

  // ------------------------------------------------------------------ from the model

  ready(): void {
    if (this.#closed) return;
    this.#ready = true;
    this.#flushHeld();
    this.#tell(() => this.#events.modelReady());
  }

  audio(chunk: ModelAudio): void {
    if (this.#closed) return;
    if (!this.#transcoder) this.#fromModel(chunk);
    else if (!this.#transcoder.fromModel(chunk)) this.#counters.badModelAudio++;
  }

  /** A piece of the model's speech in μ-law. */
  readonly #fromModel = (chunk: ModelAudio): void => {
    this.#transcript.begin(chunk.itemId, chunk.responseId, this.#speaker, this.#clock);
    const leg = this.#leg;
    const admitted = this.#responses.admits(chunk.responseId);
    if (admitted && leg) {
      this.#latency.speechCame();
      this.#counters.modelBytes += leg.play(chunk, this.#speaker === "coach" ? this.#coachTape : null);
      return;
    }
    const bytes = base64Bytes(chunk.base64);
    this.#counters.modelBytes += bytes;
    if (!admitted) {
      if (this.#responses.isOpen) this.#counters.lateBytes += bytes;
      else this.#counters.gatedBytes += bytes;
    } else if (!this.#hadLeg && this.#early.add(chunk)) {
      return;
    } else {
      this.#counters.noLegBytes += bytes;
    }
    this.#unheard.note(chunk);
  };

  audioDone(item: { readonly itemId: string }): void {
    this.#transcoder?.endItem(item.itemId);
    this.#leg?.endItem(item.itemId);
    this.#early.end(item.itemId);
  }

  speechStarted(itemId?: string): void {
    if (this.#closed) return;
    this.#userTurns.began(itemId);
    // A provider that interrupts by itself ends its running answer now, even if nothing of it waits here:
    // what is still on the way of it must not be heard after the caller's words.
    const interrupts = this.#session?.capabilities.serverInterrupt === true;
    if (!this.#bargeIn("caller") && interrupts && this.#active.size > 0) this.#responses.dropAll();
    this.#tell(() => this.#events.userSpeech(true));
  }

  speechStopped(itemId?: string): void {
    if (this.#closed) return;
    this.#userTurns.ended(itemId);
    this.#latency.turnEnded(this.#leg);
    this.#tell(() => this.#events.userSpeech(false));
  }

  interrupted(): void {
    if (this.#closed) return;
    if (!this.#bargeIn("provider") && this.#active.size > 0) this.#responses.dropAll();
  }

  responseStarted(responseId: string): void {
    if (this.#closed) return;
    this.#responses.started(responseId);
    this.#latency.responseStarted();
    if (this.#active.size < MAX_ACTIVE) this.#active.add(responseId);
  }

  responseDone(done: Parameters<ModelSink["responseDone"]>[0]): void {
    if (this.#closed) return;
    const { responseId, usage } = done;
    this.#responseOver(responseId);
    if (usage) this.#tell(() => this.#events.usage(usage));
    this.#tell(() => this.#events.responseDone(done));
  }

  userText(text: { readonly itemId: string; readonly text: string }): void {
    if (this.#closed || text.text.trim() === "") return;
    const turn = this.#userTurns.of(text.itemId);
    const entry = { atMs: turn.atMs, speaker: "caller", text: text.text } as const;
    this.#tell(() => this.#events.transcript(entry, turn));
  }

  agentTextDelta(text: Parameters<ModelSink["agentTextDelta"]>[0]): void {
    if (this.#closed) return;
    this.#transcript.begin(text.itemId, text.responseId, this.#speaker, this.#clock);
    this.#transcript.addText(text.itemId, text.delta);
  }

  toolCall(call: ModelToolCall): void {
    if (!this.#closed) this.#tell(() => this.#events.toolCall(call));
  }

  reconnecting(error: ProviderError): void {
    if (this.#closed) return;
    this.#modelGone();
    this.#tell(() => this.#events.modelReconnecting(error));
  }

  warning(error: ProviderError): void {
    if (!this.#closed) this.#tell(() => this.#events.modelWarning(error));
  }

  failed(error: ProviderError): void {
    if (this.#closed) return;
    this.#modelGone();
    this.#tell(() => this.#events.modelFailed(error));
  }

  // ------------------------------------------------------------------ inside

  /** Cuts and tells; `false` when there was nothing unheard. */
  #bargeIn(cause: BargeInCause): boolean {
    this.#latency.edgeCame();
    const clearedMs = this.pendingMs;
    const items = this.#cut();
    if (items.length === 0) return false;
    this.#counters.bargeIns++;
    this.#tell(() => this.#events.bargedIn({ items, clearedMs, cause }));
    return true;
  }

  /** Silence first, then the model: nothing in between waits. */
  #cut(surely = false): readonly HeardItem[] {
    const items = this.#leg ? this.#leg.cut(surely) : this.#early.cut();
    this.#latency.cut(items.length);
    if (items.length === 0) return items;
    this.#transcoder?.cut();
    this.#responses.dropAll();
    this.#unheard.reported(items);
    this.#session?.interrupt(items);
    this.#transcript.cut(items);
    return items;
  }

  #responseOver(responseId: string): void {
    this.#active.delete(responseId);
    this.#transcoder?.endResponse(responseId);
    const dropped = this.#unheard.take(responseId, this.#playedOf);
    this.#leg?.endResponse(responseId);
    this.#early.endResponse(responseId);
    if (dropped.length > 0) this.#session?.interrupt(dropped);
    this.#transcript.cut(dropped);
    this.#transcript.responseOver(responseId, this.#isPlaying);
  }

  /** The model's connection is gone: its running responses will get no more audio. */
  #modelGone(): void {
    this.#ready = false;
    for (const responseId of this.#active) this.#responseOver(responseId);
  }

  readonly #playedOf = (itemId: string): ReturnType<MediaLeg["heard"]> =>
    this.#leg?.heard(itemId) ?? this.#transcript.heardOf(itemId);

  readonly #isPlaying = (itemId: string): boolean =>
    this.#early.has(itemId) || (this.#leg?.heard(itemId) ?? null) !== null;

  readonly #flushed = (): void => {
    const callback = this.#onFlushed;
    this.#onFlushed = null;
    if (callback) this.#tell(callback);
  };

  #flushHeld(): void {
    if (this.modelIsReady) this.#held.flush((base64, bytes) => this.#fromCaller(base64, bytes));
  }

  /** Nothing that the control plane throws may reach a socket handler. */
  #tell(event: () => void): void {
    try {
      event();
    } catch (error) {
      this.#counters.eventErrors++;
      this.#log.error("media.event_failed", { error: errorText(error) });
    }
  }
}
