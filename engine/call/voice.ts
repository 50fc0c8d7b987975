/**
 * The AI's voice in one call: its model session and its bridge to the media leg. Turns the call machine's
 * `model.…` and `media.…` effects into calls on the ports, and the bridge's edges into events of the call.
 */
import type { CallEffect } from "../../machines/context.ts";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import type { Deployment } from "../config/deployment.ts";
import type { CostMetrics } from "../cost/cost-metrics.ts";
import type { ProviderError } from "../errors.ts";
import { Bridge, type BridgeEvents } from "../media/bridge.ts";
import type { TurnTimes } from "../media/call-latency.ts";
import type { MediaLeg } from "../media/leg.ts";
import { CallLevels } from "../media/level.ts";
import type { MediaMetrics } from "../media/media-metrics.ts";
import type { UserTurn } from "../media/user-turns.ts";
import type {
  Clock,
  HeardItem,
  HistoryItem,
  Log,
  ModelSession,
  ModelToolCall,
  ModelUsage,
  RecordingTrack,
  SpeechModel,
  TranscriptEntry,
} from "../ports.ts";
import type { CallTrace } from "../tracing/tracing.ts";
import { OpenTools } from "./open-tools.ts";
import { QuietWatch } from "./quiet-watch.ts";
import { Silence } from "./silence.ts";
import { BUILT_IN_TOOLS, checkToolCall, toolNameOf } from "./tools.ts";
import { VoiceMetrics } from "./voice-metrics.ts";
import type { Speakers } from "./speakers.ts";
import type { Tracks } from "./tracks.ts";
import { VoiceMemory, type VoiceState } from "./voice-state.ts";
import type { Wording } from "./wording.ts";

export type VoiceEffect = Extract<CallEffect, { readonly name: `model.${string}` | `media.${string}` }>;

export interface VoiceOptions {
  readonly callSid: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: SpeechModel;
  readonly deployment: Deployment;
  readonly wording: Wording;
  readonly tracks: Tracks;
  readonly speakers: Speakers | null;
  readonly metrics?: MediaMetrics;
  readonly voiceMetrics?: VoiceMetrics;
  readonly costMetrics?: CostMetrics;
  readonly trace?: Pick<CallTrace, "turn" | "tool"> | undefined;
  readonly onEvent: (event: UnstampedCallEvent) => void;
  readonly onTranscript: (entry: TranscriptEntry) => void;
  readonly onMedia: (name: string, data: Readonly<Record<string, unknown>>) => void;
  /** What {@link Voice.json} tells is another by now. */
  readonly onChange: () => void;
  /** Of the engine that had the call before. */
  readonly before?: VoiceState;
}

export class Voice implements BridgeEvents {
  readonly #options: VoiceOptions;
  readonly #bridge: Bridge;
  readonly #memory: VoiceMemory;
  readonly #levels = new CallLevels();
  readonly #quiet: QuietWatch;
  readonly #silence: Silence;
  readonly #metrics: VoiceMetrics;
  readonly #tools: OpenTools;
  #session: ModelSession | null = null;
  #json: string | null = null;
  #lastTurn: TurnTimes | null = null;
  /** As the session has confirmed it. */
  #role: "agent" | "coach" = "agent";

  constructor(options: VoiceOptions) {
    this.#options = options;
    this.#memory = new VoiceMemory(options.before);
    const { clock, deployment } = options;
    this.#bridge = new Bridge({
      callId: options.callSid,
      clock,
      log: options.log,
      events: this,
      coachTape: options.tracks.coach,
      ...(options.metrics && { metrics: options.metrics }),
    });
    this.#metrics = options.voiceMetrics ?? new VoiceMetrics();
    this.#tools = new OpenTools({ clock, metrics: this.#metrics, trace: options.trace });
    this.#silence = new Silence({ clock, pendingMs: () => this.#bridge.pendingMs });
    this.#quiet = new QuietWatch({
      clock,
      afterMs: deployment.escalation.reassureAfterMs,
      pendingMs: () => this.#bridge.pendingMs,
      onQuiet: () => options.onEvent({ type: "media.quiet" }),
    });
    // Until the call says again who may hear it: it may have been the coach.
    if (options.before) this.#bridge.setGate("closed");
  }

  /** What was said so far, oldest first. */
  get said(): readonly TranscriptEntry[] {
    return this.#memory.transcript;
  }

  /** Takes the forks of single legs; `null`: those on the phone are not told apart. */
  get speakers(): Speakers | null {
    return this.#options.speakers;
  }

  /** Tracks of our own that are on disk. */
  get recordings(): readonly RecordingTrack[] {
    return this.#memory.recordings;
  }

  /** Of the last answer; `null` before the first. */
  get lastTurn(): TurnTimes | null {
    return this.#lastTurn;
  }

  /** Since the last word that the caller heard or said; `null` before the first. */
  get silentMs(): number | null {
    return this.#silence.silentMs;
  }

  /** For how long the caller has been waiting for an answer, the line or the model; 0: they do not. */
  get waitMs(): number {
    return this.#silence.waitMs;
  }

  /** Answers whose tokens are not in {@link Voice.tokens}. */
  get answersUnmetered(): number {
    return this.#memory.counters.answersUnmetered;
  }

  /** Tokens of all answers so far. */
  get tokens(): ModelUsage {
    return this.#memory.usage;
  }

  /** How loud caller and AI were since this was asked last, in whole dBov. */
  peaks(): readonly [caller: number, agent: number] {
    return this.#levels.peaks();
  }

  metrics(): Readonly<Record<string, number>> {
    return {
      ...this.#bridge.counters(),
      ...this.#memory.counters,
      ...this.#memory.usage,
      ...this.#levels.metrics(),
      ...this.#options.tracks.counters(),
      ...this.#options.speakers?.counters(),
    };
  }

  /** Its {@link VoiceState} as JSON text, for an engine that is to go on: long, and made anew only when it changed. */
  json(): string {
    if (this.#json !== null) return this.#json;
    if (this.#session) this.#memory.history = this.#session.history();
    this.#json = JSON.stringify(this.#memory.state());
    return this.#json;
  }

  /** Goes on where another engine was: the model is told the conversation, and `note`, which says what is so now. */
  resume(note: string): void {
    this.#silence.line(false);
    this.#open([{ role: "system", text: note }]);
  }

  attachLeg(leg: MediaLeg): void {
    this.#bridge.attachLeg(leg);
    this.#silence.line(true);
    this.#levels.follow(leg.levels());
  }

  detachLeg(leg: MediaLeg): void {
    if (this.#bridge.detachLeg(leg)) this.#silence.line(false);
    this.#levels.leave(leg.levels());
  }

  /** Carries out one effect. `model.role` and `media.flush` resolve to whether it is so. */
  run(effect: VoiceEffect): Promise<boolean> | null {
    const { wording } = this.#options;
    switch (effect.name) {
      case "model.open":
        this.#open();
        return null;
      case "model.close":
        this.#closeSession();
        return null;
      case "model.greet":
        this.#session?.respond(wording.greeting());
        return null;
      case "model.role":
        return this.#setRole(effect.input.role);
      case "model.tell":
        this.#session?.respond(wording.notice(effect.input.notice));
        return null;
      case "model.toolResult": {
        const { toolCallId, notice, respond } = effect.input;
        this.#tools.answer(toolCallId, notice);
        this.#session?.toolResult(toolCallId, wording.toolOutput(notice), { respond });
        return null;
      }
      case "media.gate":
        this.#session?.speakAs(effect.input.speaker);
        this.#bridge.setSpeaker(effect.input.speaker);
        this.#bridge.setGate(effect.input.gate);
        this.#silence.heardByOthers();
        return null;
      case "media.flush":
        return new Promise((resolve) => this.#bridge.flush(() => resolve(true)));
      case "media.drain":
        this.#bridge.drain(effect.input.timeoutMs);
        return null;
    }
  }

  #changed(): void {
    this.#json = null;
    this.#options.onChange();
  }

  close(): void {
    // What is not heard by now never will be: an engine that goes on must not believe that it was said.
    this.#bridge.setGate("closed");
    this.#closeSession();
    this.#bridge.close();
    this.#options.speakers?.close();
    this.#json = null;
    // What was sent and not played when the call ended was heard by nobody.
    this.#options.tracks.coach?.cut(this.#options.clock.monotonicMs());
  }

  /** Keeps what was recorded, once the voice is closed. Resolves to whether there is anything new to name. */
  async keepRecordings(): Promise<boolean> {
    const { tracks } = this.#options;
    const isNew = await tracks.keep();
    this.#memory.recordings = tracks.kept;
    this.#json = null;
    return isNew;
  }

  #open(more: readonly HistoryItem[] = []): void {
    this.#closeSession();
    this.#role = "agent";
    const { callSid, deployment, model, wording } = this.#options;
    this.#session = model.open(
      {
        callId: callSid,
        instructions: wording.role("agent"),
        voice: deployment.agent.voice,
        tools: BUILT_IN_TOOLS,
        turnDetection: deployment.agent.turnDetection,
        history: [...this.#memory.history, ...more],
      },
      this.#bridge,
    );
    this.#bridge.attachSession(this.#session);
  }

  #setRole(role: "agent" | "coach"): Promise<boolean> {
    const session = this.#session;
    if (!session) return Promise.resolve(false);
    const answer = session.setInstructions(this.#options.wording.role(role));
    void answer.then((confirmed) => {
      if (confirmed && session === this.#session) this.#role = role;
    });
    return answer;
  }

  #closeSession(): void {
    this.#quiet.stop();
    this.#tools.drop();
    if (!this.#session) return;
    // What these took is billed, and nobody will say it any more.
    this.#memory.counters.answersUnmetered += this.#bridge.answering;
    this.#memory.history = this.#session.history();
    this.#session.close();
    this.#session = null;
  }

  // ------------------------------------------------------------ edges of the bridge

  modelReady(): void {
    this.#silence.model(true);
    this.#options.onEvent({ type: "model.ready" });
    this.#quiet.callerSpeaks(false);
  }

  modelReconnecting(error: ProviderError): void {
    this.#metrics.modelTrouble("reconnecting", error.code);
    this.#silence.model(false);
    this.#options.onEvent({ type: "model.reconnecting", code: error.code });
  }

  modelWarning(error: ProviderError): void {
    this.#memory.counters.modelWarnings++;
    this.#metrics.modelTrouble("warning", error.code);
    this.#options.log.warn("model.warning", { code: error.code, providerCode: error.providerCode });
  }

  modelFailed(error: ProviderError): void {
    this.#metrics.modelTrouble("failed", error.code);
    this.#silence.model(false);
    this.#options.log.error("model.failed", { code: error.code, providerCode: error.providerCode });
    // The provider's own words may quote what was sent: the row and the log of the call get ours.
    this.#options.onEvent({ type: "model.failed", code: error.code, message: "the speech model failed" });
  }

  toolCall(call: ModelToolCall): void {
    this.#memory.counters.toolCalls++;
    this.#silence.toolCalled();
    this.#changed();
    const check = checkToolCall(call, this.#role);
    const tool = toolNameOf(call);
    if (check.ok) {
      if (tool) this.#tools.begin(call.callId, tool);
      this.#options.onEvent(check.event);
      return;
    }
    this.#memory.counters.toolErrors++;
    this.#tools.refuse(tool);
    this.#options.log.warn("tool.refused", { tool: call.name.slice(0, 64), toolCallId: call.callId });
    this.#session?.toolResult(call.callId, { error: check.problem }, { respond: true });
  }

  userSpeech(speaking: boolean): void {
    this.#options.log.debug("caller.speech", { speaking });
    this.#quiet.callerSpeaks(speaking);
    this.#silence.callerSpeaks(speaking);
  }

  turn(turn: TurnTimes): void {
    this.#lastTurn = turn;
    this.#metrics.turn(turn);
    this.#options.trace?.turn(turn);
    this.#silence.agentSpoke();
    const { decideMs, ...times } = turn;
    const rounded = Object.entries(times).map(([name, ms]) => [name, Math.round(ms)]);
    this.#options.onMedia("turn", {
      ...Object.fromEntries(rounded),
      decideMs: decideMs && Math.round(decideMs),
    });
  }

  bargedIn(info: { readonly items: readonly HeardItem[]; readonly clearedMs: number }): void {
    this.#memory.counters.bargeIns++;
    this.#silence.agentCut();
    for (const { heardErrorMs } of info.items) {
      const { counters } = this.#memory;
      counters.heardErrorMaxMs = Math.max(counters.heardErrorMaxMs, heardErrorMs);
      this.#metrics.heardError.record(heardErrorMs);
    }
    this.#options.onMedia("barge_in", {
      clearedMs: Math.round(info.clearedMs),
      items: info.items.map((item) => ({
        itemId: item.itemId,
        heardMs: Math.floor(item.heardMs),
        heardErrorMs: Math.ceil(item.heardErrorMs),
        receivedMs: Math.floor(item.receivedMs),
      })),
    });
    this.#changed();
  }

  transcript(heard: TranscriptEntry, turn?: UserTurn): void {
    const { speakers, onTranscript } = this.#options;
    const entry = speakers && turn ? speakers.attribute(heard, turn) : heard;
    if (this.#memory.add(entry)) onTranscript(entry);
    this.#changed();
  }

  drained(): void {
    this.#options.onEvent({ type: "media.drained" });
  }

  dtmf(digit: string): void {
    // Which key it was may be part of a number: the log only says that there was one.
    this.#options.onMedia("dtmf", { keys: digit.length });
  }

  usage(usage: ModelUsage): void {
    this.#memory.addUsage(usage);
    this.#options.costMetrics?.usage(usage);
  }

  responseDone({ status, usage }: Parameters<BridgeEvents["responseDone"]>[0]): void {
    this.#memory.counters.turns++;
    if (!usage) this.#memory.counters.answersUnmetered++;
    this.#silence.agentSpoke();
    if (status === "completed") this.#silence.answered();
    this.#quiet.stir();
    this.#changed();
  }
}
