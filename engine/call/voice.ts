/**
 * The AI's voice in one call: its model session and its bridge to the media leg. Turns the call machine's
 * `model.…` and `media.…` effects into calls on the ports, and the bridge's edges into events of the call.
 */
import type { CallEffect } from "../../machines/context.ts";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import type { Deployment } from "../config/deployment.ts";
import type { ProviderError } from "../errors.ts";
import { Bridge, type BridgeEvents } from "../media/bridge.ts";
import type { MediaLeg } from "../media/leg.ts";
import { CallLevels } from "../media/level.ts";
import type { MediaMetrics } from "../media/media-metrics.ts";
import { Tape } from "../media/tape.ts";
import type {
  Clock,
  HeardItem,
  HistoryItem,
  Log,
  ModelSession,
  ModelToolCall,
  ModelUsage,
  Recordings,
  RecordingTrack,
  SpeechModel,
  TranscriptEntry,
} from "../ports.ts";
import { BUILT_IN_TOOLS, checkToolCall } from "./tools.ts";
import type { Wording } from "./wording.ts";

export type VoiceEffect = Extract<CallEffect, { readonly name: `model.${string}` | `media.${string}` }>;

export interface VoiceOptions {
  readonly callSid: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly model: SpeechModel;
  readonly deployment: Deployment;
  readonly wording: Wording;
  readonly recordings: Recordings;
  readonly metrics?: MediaMetrics;
  readonly onEvent: (event: UnstampedCallEvent) => void;
  readonly onTranscript: (entry: TranscriptEntry) => void;
  readonly onMedia: (name: string, data: Readonly<Record<string, unknown>>) => void;
}

const MAX_TRANSCRIPT = 2000;

export class Voice implements BridgeEvents {
  readonly #options: VoiceOptions;
  readonly #bridge: Bridge;
  /** `null`: the coach is not recorded. */
  readonly #coachTape: Tape | null;
  #recordings: readonly RecordingTrack[] = [];
  readonly #transcript: TranscriptEntry[] = [];
  readonly #usage = {
    inputTokens: 0,
    outputTokens: 0,
    cachedTokens: 0,
    inputAudioTokens: 0,
    outputAudioTokens: 0,
  };
  readonly #counters = {
    turns: 0,
    bargeIns: 0,
    toolCalls: 0,
    toolErrors: 0,
    modelWarnings: 0,
    transcriptDropped: 0,
    /** The largest stated error of what a barge-in left heard. */
    heardErrorMaxMs: 0,
  };
  readonly #levels = new CallLevels();
  #session: ModelSession | null = null;
  /** As the session has confirmed it. */
  #role: "agent" | "coach" = "agent";
  #history: readonly HistoryItem[] = [];

  constructor(options: VoiceOptions) {
    this.#options = options;
    const { clock, deployment, recordings } = options;
    const isRecorded = deployment.recording !== "none" && recordings.enabled;
    this.#coachTape = isRecorded ? new Tape(clock.monotonicMs()) : null;
    this.#bridge = new Bridge({
      callId: options.callSid,
      clock,
      log: options.log,
      events: this,
      coachTape: this.#coachTape,
      ...(options.metrics && { metrics: options.metrics }),
    });
  }

  /** What was said so far, oldest first. */
  get said(): readonly TranscriptEntry[] {
    return this.#transcript;
  }

  /** Tracks of our own that are on disk. */
  get recordings(): readonly RecordingTrack[] {
    return this.#recordings;
  }

  metrics(): Readonly<Record<string, number>> {
    return {
      ...this.#bridge.counters(),
      ...this.#counters,
      ...this.#usage,
      ...this.#levels.metrics(),
      ...this.#coachTape?.counters,
    };
  }

  attachLeg(leg: MediaLeg): void {
    this.#bridge.attachLeg(leg);
    this.#levels.follow(leg.levels());
  }

  detachLeg(leg: MediaLeg): void {
    this.#bridge.detachLeg(leg);
    this.#levels.leave(leg.levels());
  }

  /** Carries out one effect. `model.role` resolves to whether the provider confirmed it. */
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
        this.#session?.toolResult(toolCallId, wording.toolOutput(notice), { respond });
        return null;
      }
      case "media.gate":
        this.#session?.speakAs(effect.input.speaker);
        this.#bridge.setSpeaker(effect.input.speaker);
        this.#bridge.setGate(effect.input.gate);
        return null;
      case "media.drain":
        this.#bridge.drain(effect.input.timeoutMs);
        return null;
    }
  }

  close(): void {
    this.#closeSession();
    this.#bridge.close();
    // What was sent and not played when the call ended was heard by nobody.
    this.#coachTape?.cut(this.#options.clock.monotonicMs());
  }

  /** Keeps what was recorded, once the voice is closed. Resolves to whether there is anything new to name. */
  async keepRecordings(): Promise<boolean> {
    const tape = this.#coachTape;
    if (!tape || tape.bytes === 0) return false;
    const { callSid, recordings } = this.#options;
    if (await recordings.save(callSid, "coach", tape)) this.#recordings = ["coach"];
    return this.#recordings.length > 0;
  }

  #open(): void {
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
        history: this.#history,
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
    if (!this.#session) return;
    this.#history = this.#session.history();
    this.#session.close();
    this.#session = null;
  }

  // ------------------------------------------------------------ edges of the bridge

  modelReady(): void {
    this.#options.onEvent({ type: "model.ready" });
  }

  modelReconnecting(error: ProviderError): void {
    this.#options.onEvent({ type: "model.reconnecting", code: error.code });
  }

  modelWarning(error: ProviderError): void {
    this.#counters.modelWarnings++;
    this.#options.log.warn("model.warning", { code: error.code, providerCode: error.providerCode });
  }

  modelFailed(error: ProviderError): void {
    this.#options.log.error("model.failed", { code: error.code, providerCode: error.providerCode });
    // The provider's own words may quote what was sent: the row and the log of the call get ours.
    this.#options.onEvent({ type: "model.failed", code: error.code, message: "the speech model failed" });
  }

  toolCall(call: ModelToolCall): void {
    this.#counters.toolCalls++;
    const check = checkToolCall(call, this.#role);
    if (check.ok) {
      this.#options.onEvent(check.event);
      return;
    }
    this.#counters.toolErrors++;
    this.#options.log.warn("tool.refused", { tool: call.name.slice(0, 64), toolCallId: call.callId });
    this.#session?.toolResult(call.callId, { error: check.problem }, { respond: true });
  }

  userSpeech(speaking: boolean): void {
    this.#options.log.debug("caller.speech", { speaking });
  }

  bargedIn(info: { readonly items: readonly HeardItem[]; readonly clearedMs: number }): void {
    this.#counters.bargeIns++;
    for (const { heardErrorMs } of info.items) {
      this.#counters.heardErrorMaxMs = Math.max(this.#counters.heardErrorMaxMs, heardErrorMs);
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
  }

  transcript(entry: TranscriptEntry): void {
    if (this.#transcript.length >= MAX_TRANSCRIPT) {
      this.#counters.transcriptDropped++;
      return;
    }
    this.#transcript.push(entry);
    this.#options.onTranscript(entry);
  }

  drained(): void {
    this.#options.onEvent({ type: "media.drained" });
  }

  dtmf(digit: string): void {
    // Which key it was may be part of a number: the log only says that there was one.
    this.#options.onMedia("dtmf", { keys: digit.length });
  }

  usage(usage: ModelUsage): void {
    this.#usage.inputTokens += usage.inputTokens;
    this.#usage.outputTokens += usage.outputTokens;
    this.#usage.cachedTokens += usage.cachedTokens;
    this.#usage.inputAudioTokens += usage.inputAudioTokens;
    this.#usage.outputAudioTokens += usage.outputAudioTokens;
  }

  responseDone(): void {
    this.#counters.turns++;
  }
}
