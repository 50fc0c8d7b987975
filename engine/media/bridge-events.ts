import type { ProviderError } from "../errors.ts";
import type { Clock, HeardItem, Log, ModelToolCall, ModelUsage, TranscriptEntry } from "../ports.ts";
import type { TurnTimes } from "./call-latency.ts";
import type { MediaMetrics } from "./media-metrics.ts";
import type { Tape } from "./tape.ts";
import type { UserTurn } from "./user-turns.ts";

export interface BridgeOptions {
  readonly callId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: BridgeEvents;
  readonly metrics?: MediaMetrics;
  /** The caller's audio held while no model is ready; the oldest goes first. */
  readonly holdMaxMs?: number;
  /** Where the coach's speech is recorded; left out: nowhere. */
  readonly coachTape?: Tape | null;
}

/** Who stopped the model's speech. */
export type BargeInCause = "caller" | "provider";

/**
 * What the data plane tells the control plane: edges only, never audio. Called synchronously; a throw is
 * caught, logged and counted.
 */
export interface BridgeEvents {
  modelReady(): void;
  modelReconnecting(error: ProviderError): void;
  modelWarning(error: ProviderError): void;
  modelFailed(error: ProviderError): void;
  toolCall(call: ModelToolCall): void;
  userSpeech(speaking: boolean): void;
  /** The first frame of an answer is out. */
  turn(turn: TurnTimes): void;
  /** Speech was cut that had not been heard; carrier and model know it by now. */
  bargedIn(info: {
    readonly items: readonly HeardItem[];
    /** Milliseconds of speech that will never be heard. */
    readonly clearedMs: number;
    readonly cause: BargeInCause;
  }): void;
  /**
   * Agent: once its item was heard to the end or cut. `caller`, which is whoever was heard over the phone: as soon as
   * the provider knows the text, with the turn that it came of.
   */
  transcript(entry: TranscriptEntry, turn?: UserTurn): void;
  /** What {@link Bridge.drain} waited for; may come within that call. */
  drained(): void;
  dtmf(digit: string): void;
  usage(usage: ModelUsage): void;
  responseDone(done: {
    readonly responseId: string;
    readonly status: "completed" | "cancelled" | "incomplete" | "failed";
    /** As it was told just before; `null`: the model does not say. */
    readonly usage: ModelUsage | null;
  }): void;
}
