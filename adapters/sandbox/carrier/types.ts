/** What the parts of the sandbox carrier share: its options, its running form, and names used throughout. */
import type { Clock, Ids, JitterBufferSize, Log } from "../../../engine/ports.ts";
import type { AudioEndpoint, Hearing, PhoneHub, Speech } from "../types.ts";
import type { Alerts } from "./alerts.ts";
import type { Callbacks } from "./callbacks.ts";
import type { Faults } from "./faults.ts";
import type { Timers } from "./timers.ts";
import type { Webhooks } from "./webhooks.ts";
import type { Tally } from "./tally.ts";
import type { TaintBook } from "./media/taint.ts";

export const API_VERSION = "2010-04-01";
export const E164 = /^\+[1-9]\d{1,14}$/;
export const CALL_SID = /^CA[0-9a-fA-F]{32}$/;
export const CONFERENCE_SID = /^CF[0-9a-fA-F]{32}$/;

export type HttpMethod = "GET" | "POST";
/** Form fields in the order in which they were given; a name may occur more than once. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** A phone number of the account. */
export interface ServiceNumber {
  readonly number: string;
  readonly voiceUrl: string;
  readonly smsUrl?: string;
}

/** Webhook addresses; they may be set after start, when the engine's own port is known. */
export interface Routing {
  readonly numbers?: readonly ServiceNumber[];
  readonly appVoiceUrl?: string;
}

export interface CarrierOptions extends Routing {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly speech: Speech;
  readonly hearing: Hearing;
  /** 0 (default) picks a free one. */
  readonly port?: number;
  readonly accountSid: string;
  readonly authToken: string;
  readonly apiKey?: string;
  readonly apiSecret?: string;
  readonly twimlAppSid: string;
  /** Calls and participants dialled per second; the rest waits in a queue. Default 1, like a new account. */
  readonly callsPerSecond?: number;
  /** Live calls after which creating more is refused (16021, 10004). Default: no limit. */
  readonly concurrentCalls?: number;
  /**
   * Whether the App's voice webhook (and its stream's `start.callSid`) has the participant's own `call_sid`.
   * Twilio does not say; the default is that it has a sid of its own.
   */
  readonly appWebhookSharesCallSid?: boolean;
  /** Conferences are mixed in this many evenly shifted groups. Default 1: all at the same instant. */
  readonly tickPhases?: number;
  /** Told of every message of every media stream; must not throw. */
  readonly tap?: (frame: StreamTapFrame) => void;
  /** How long answering-machine detection takes. Default 300 ms. */
  readonly amdDelayMs?: number;
  /**
   * Traces what media streams put into calls: a 32-bit mask of marks for each μ-law byte that a stream plays; the
   * byte of digital silence must have none. What each phone has heard of them is in `CarrierServer.taints`.
   */
  readonly taintOf?: (ulawByte: number) => number;
}

/**
 * One message of a media stream at the carrier's socket, where the delay line has been passed (`out`, to the
 * server) or lies ahead (`in`).
 */
export interface StreamTapFrame {
  readonly streamSid: string;
  readonly direction: "in" | "out";
  readonly text: string;
}

/** Everything with a voice in a call: a phone, or the other half of a call that goes to an App. */
export interface Line extends AudioEndpoint {
  /** Of a phone. */
  readonly number?: string;
  /** The carrier ends the call; `onHangup` is not called for it. */
  hangUp(reason: string): void;
  onHangup: () => void;
  onDigit: (digit: string) => void;
  /**
   * How much of what it says is buffered in a conference; `null`: it is in none, and the buffer follows the
   * network. A line without a network has no buffer.
   */
  sizeBuffer?(size: JitterBufferSize | null): void;
}

/** What every part of the carrier is given. */
export interface Core {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly options: CarrierOptions;
  readonly accountSid: string;
  readonly routing: { numbers: readonly ServiceNumber[]; appVoiceUrl: string };
  readonly speech: Speech;
  readonly hearing: Hearing;
  readonly phones: PhoneHub;
  readonly ticker: { add(item: { tick(): void }): void; remove(item: { tick(): void }): void };
  readonly timers: Timers;
  readonly alerts: Alerts;
  readonly tally: Tally;
  readonly faults: Faults;
  readonly webhooks: Webhooks;
  readonly callbacks: Callbacks;
  /** `null`: nothing is traced. */
  readonly taints: TaintBook | null;
}
