/**
 * The ports of the engine: types only, no code. Adapters implement them, `engine/main.ts` connects them.
 *
 * Units come last in a name: `Ms` milliseconds, `S` seconds, `Bytes` bytes. Audio is G.711 μ-law at 8 kHz
 * unless a field says otherwise: 8 bytes are 1 ms, a frame of 20 ms is 160 bytes.
 */
import type { MAX_TOOL_CALL_ID_CHARS } from "../machines/events.ts";
import type { LogFieldName } from "./privacy/log-fields.ts";
import type { CarrierError, ProviderError } from "./errors.ts";
import type { z } from "zod";

// ---------------------------------------------------------------- platform

/** The only source of time. A virtual clock makes a run repeatable. */
export interface Clock {
  /** Wall clock, epoch milliseconds. */
  now(): number;
  /** Monotonic milliseconds with a fraction, for pacing and durations; the origin is arbitrary. */
  monotonicMs(): number;
  setTimeout(fn: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}

/** The only source of randomness and of identifiers. A seeded one makes a run repeatable. */
export interface Ids {
  /** A number in [0, 1). */
  random(): number;
  /** `prefix` followed by 32 lower-case hexadecimal digits, the form of Twilio's sids. */
  sid(prefix: string): string;
  /** An unguessable URL-safe token with 128 bits or more. */
  token(): string;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
/** Each has a class: see engine/privacy/log-fields.ts. */
export type LogFields = { readonly [Name in LogFieldName]?: unknown };

/**
 * Structured log, one line per event. `event` is a constant such as `call.state`; what varies goes into
 * fields. Audio, transcript text and phone numbers never go into a field at `info` or above.
 */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

// ---------------------------------------------------------------- carrier

/** Media-mixer regions of a conference (Twilio, `<Conference region>`). */
export type MixerRegion = "us1" | "us2" | "ie1" | "de1" | "sg1" | "br1" | "au1" | "jp1";
/** Twilio's own published averages: large 300–1000 ms, medium 200–360 ms, small 150–200 ms, off none. */
export type JitterBufferSize = "off" | "small" | "medium" | "large";

export interface CreateParticipant {
  /** Conference sid (`CF…`) or friendly name. */
  readonly conference: string;
  /** `+E164`, `app:AP…?k=v`, `client:id` or `sip:…`. */
  readonly to: string;
  readonly from: string;
  /** Unique in the conference, at most 128 characters. */
  readonly label: string;
  readonly muted?: boolean;
  readonly startConferenceOnEnter?: boolean;
  readonly endConferenceOnExit?: boolean;
  readonly beep?: boolean;
  readonly earlyMedia?: boolean;
  readonly coaching?: boolean;
  readonly callSidToCoach?: string;
  readonly jitterBufferSize?: JitterBufferSize;
  readonly region?: MixerRegion;
  /** Ring time, 5..600 s. */
  readonly timeoutS?: number;
  readonly timeLimitS?: number;
  readonly machineDetection?: "Enable" | "DetectMessageEnd";
  /** Records this leg: what it hears on one channel, what it says on the other. Billed apart. */
  readonly record?: boolean;
  readonly statusCallback?: string;
  readonly statusCallbackEvents?: readonly ("initiated" | "ringing" | "answered" | "completed")[];
  readonly conferenceStatusCallback?: string;
  readonly conferenceStatusCallbackEvents?: readonly string[];
}

export interface ParticipantPatch {
  readonly muted?: boolean;
  readonly hold?: boolean;
  readonly coaching?: boolean;
  /** A call sid; Twilio takes no label here. */
  readonly callSidToCoach?: string;
  readonly endConferenceOnExit?: boolean;
  readonly announceUrl?: string;
}

export interface ParticipantInfo {
  readonly callSid: string;
  readonly conferenceSid: string;
  readonly label: string | null;
  readonly muted: boolean;
  readonly hold: boolean;
  readonly coaching: boolean;
  readonly callSidToCoach: string | null;
  readonly status: "queued" | "connecting" | "ringing" | "connected" | "complete" | "failed";
}

export interface CreateCall {
  readonly to: string;
  readonly from: string;
  readonly url?: string;
  readonly twiml?: string;
  readonly timeoutS?: number;
  readonly machineDetection?: "Enable" | "DetectMessageEnd";
  readonly statusCallback?: string;
  readonly statusCallbackEvents?: readonly ("initiated" | "ringing" | "answered" | "completed")[];
}

export type CallStatus =
  | "queued"
  | "initiated"
  | "ringing"
  | "in-progress"
  | "completed"
  | "busy"
  | "failed"
  | "no-answer"
  | "canceled";

export interface CallInfo {
  readonly callSid: string;
  readonly status: CallStatus;
}

export interface CallPatch {
  readonly twiml?: string;
  readonly url?: string;
  readonly status?: "canceled" | "completed";
}

export interface SendMessage {
  readonly to: string;
  readonly from: string;
  readonly body: string;
  readonly statusCallback?: string;
}

/** What was asked for by us: by whom it goes to, our number, and not before a moment. */
export interface Sought {
  /** As it was given to the request that may have made it. */
  readonly to: string;
  readonly from: string;
  /** Epoch milliseconds; the carrier keeps whole seconds, and what was made within that second counts. */
  readonly sinceMs: number;
}

export interface FoundCall extends CallInfo {
  readonly createdMs: number;
}

export interface FoundMessage {
  readonly messageSid: string;
  readonly status: string;
  readonly body: string;
  readonly createdMs: number;
}

/** A participant by conference sid (`CF…` only, never the name) and call sid or label. */
export interface ParticipantRef {
  readonly conferenceSid: string;
  readonly participant: string;
}

/**
 * Twilio's REST API, as far as Tandem needs it. Every method rejects with {@link CarrierError}; a 404 of
 * something that has already left is an answer (`null` or `"gone"`), not an error.
 */
export interface Carrier {
  /** `signal` withdraws a request that has not been sent yet; one that has been is answered as usual. */
  createParticipant(input: CreateParticipant, signal?: AbortSignal): Promise<ParticipantInfo>;
  updateParticipant(ref: ParticipantRef, patch: ParticipantPatch): Promise<ParticipantInfo>;
  removeParticipant(ref: ParticipantRef): Promise<"removed" | "gone">;
  fetchParticipant(ref: ParticipantRef): Promise<ParticipantInfo | null>;
  listParticipants(conferenceSid: string): Promise<readonly ParticipantInfo[]>;
  /** The sid of the conference in progress (or waiting) under this name. */
  findConference(friendlyName: string): Promise<string | null>;
  endConference(conferenceSid: string): Promise<"ended" | "gone">;
  /** `signal` as in {@link Carrier.createParticipant}. */
  createCall(input: CreateCall, signal?: AbortSignal): Promise<CallInfo>;
  updateCall(callSid: string, patch: CallPatch): Promise<CallInfo | null>;
  fetchCall(callSid: string): Promise<CallInfo | null>;
  /** `signal` as in {@link Carrier.createParticipant}. */
  sendMessage(
    input: SendMessage,
    signal?: AbortSignal,
  ): Promise<{ readonly messageSid: string; readonly status: string }>;
  /** Calls that were made over the API, also those that are over; oldest first, the last 50 at most. */
  findCalls(sought: Sought): Promise<readonly FoundCall[]>;
  /** Messages that were sent over the API; oldest first, the last 100 at most. */
  findMessages(sought: Sought): Promise<readonly FoundMessage[]>;
  /** Requests made, retried and failed since start, by kind; for metrics. */
  counters(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- speech model

export interface ToolDeclaration {
  readonly name: string;
  readonly description: string;
  /** Arguments are validated with this before anything acts on them. */
  readonly parameters: z.ZodType;
}

export type ModelAudioFormat = "pcmu" | "pcm24k";
export type HistoryItem = { readonly role: "user" | "assistant" | "system"; readonly text: string };

export type TurnDetection =
  | {
      readonly type: "server_vad";
      readonly threshold?: number;
      readonly prefixPaddingMs?: number;
      readonly silenceMs?: number;
    }
  | { readonly type: "semantic_vad"; readonly eagerness?: "low" | "medium" | "high" | "auto" };

export interface ModelSessionConfig {
  /** Our id of the call, for logs only; never sent in a form that names the caller. */
  readonly callId: string;
  readonly instructions: string;
  readonly voice: string;
  readonly tools: readonly ToolDeclaration[];
  readonly turnDetection: TurnDetection;
  /** The conversation so far as text, oldest first; used when a call's model session is rebuilt. */
  readonly history: readonly HistoryItem[];
}

export interface ModelCapabilities {
  /** Both ways, in base64: μ-law at 8 kHz, which passes undecoded, or PCM16 little endian at 24 kHz. */
  readonly audio: ModelAudioFormat;
  /** The provider can be told how much of an item was heard (OpenAI Realtime: yes; ElevenLabs, Live: no). */
  readonly truncation: boolean;
  /** The provider cancels its own response when the caller speaks. */
  readonly serverInterrupt: boolean;
}

/** One piece of speech of the model. OpenAI sends these much faster than real time. */
export interface ModelAudio {
  readonly responseId: string;
  readonly itemId: string;
  readonly contentIndex: number;
  /** In the session's format ({@link ModelCapabilities.audio}), of any length: it may end within a sample. */
  readonly base64: string;
}

export interface ModelUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of the input. */
  readonly cachedTokens: number;
  /** Of those. */
  readonly cachedAudioTokens: number;
  readonly inputAudioTokens: number;
  readonly outputAudioTokens: number;
}

/** As the events of a call take one; the compiler sees that it is the same. */
export const MAX_CALL_ID_CHARS: typeof MAX_TOOL_CALL_ID_CHARS = 128;

export interface ModelToolCall {
  /** Of at most {@link MAX_CALL_ID_CHARS}. */
  readonly callId: string;
  readonly name: string;
  /** The arguments as JSON text, unchecked. */
  readonly argumentsJson: string;
}

/**
 * What a model session tells the engine. Called synchronously from the socket handler, so an
 * implementation must not throw and must not wait.
 */
export interface ModelSink {
  /** The session is configured and the format echo was right. Again after a session was rolled over. */
  ready(info: { readonly sessionId: string; readonly expiresAtMs: number | null }): void;
  /** Hot path. */
  audio(chunk: ModelAudio): void;
  /** No more audio will come for this item. */
  audioDone(item: {
    readonly responseId: string;
    readonly itemId: string;
    readonly contentIndex: number;
  }): void;
  /** The caller began to speak: the moment to act on for barge-in. `itemId`, where it is known, is `userText`'s. */
  speechStarted(itemId?: string): void;
  speechStopped(itemId?: string): void;
  /** The provider itself interrupted what it was saying (ElevenLabs `interruption`). */
  interrupted(): void;
  responseStarted(responseId: string): void;
  responseDone(done: {
    readonly responseId: string;
    readonly status: "completed" | "cancelled" | "incomplete" | "failed";
    readonly usage: ModelUsage | null;
  }): void;
  /** What the provider believes the caller said; may come after the answer to it. */
  userText(text: { readonly itemId: string; readonly text: string }): void;
  /** Transcript of the model's own speech, as generated (not as heard), in pieces. */
  agentTextDelta(text: {
    readonly itemId: string;
    readonly responseId: string;
    readonly delta: string;
  }): void;
  toolCall(call: ModelToolCall): void;
  /** The socket was lost; the adapter is rebuilding the session. `ready` or `failed` follows. */
  reconnecting(error: ProviderError): void;
  /** Something went wrong that the session survives. */
  warning(error: ProviderError): void;
  /** The session is over and will not come back. Called at most once, and never after `close()`. */
  failed(error: ProviderError): void;
}

/** How much of an item was heard when it was cut off. */
export interface HeardItem extends Omit<ModelAudio, "base64"> {
  /** Milliseconds of the item that the carrier has played; 0 = never heard. */
  readonly heardMs: number;
  /** The truth lies within `heardMs` ± this, on a line as `PlayoutClock` in engine/media assumes it. */
  readonly heardErrorMs: number;
  /** Milliseconds of the item that the model had sent by then. */
  readonly receivedMs: number;
}

/** One conversation with a speech model. Every method is safe to call at any time and never throws. */
export interface ModelSession {
  readonly capabilities: ModelCapabilities;
  /** Hot path. `base64` is in the session's format. Before `ready` it must not be called. */
  appendAudio(base64: string): void;
  /**
   * Playout was cut. `items` are those with unheard audio, in order of playout; the first may be partly
   * heard. OpenAI: truncate or delete each, cancel the response when it still runs.
   */
  interrupt(items: readonly HeardItem[]): void;
  /** Adds a message without asking for an answer. */
  addText(role: "user" | "system", text: string): void;
  /**
   * Whose words the model's speech is from now on. The caller does not hear a coach's: {@link history}, and
   * what a rebuilt session is told, say so of each. An agent who was the coach does not answer the turn that is
   * under way or has just ended: it was the coached person's.
   */
  speakAs(speaker: "agent" | "coach"): void;
  /** Asks for an answer as soon as none is active. `instructions` apply to that answer only. */
  respond(instructions?: string): void;
  /** Replaces the standing instructions (the role). Resolves `true` once the provider confirmed it. */
  setInstructions(instructions: string): Promise<boolean>;
  toolResult(callId: string, output: unknown, options: { readonly respond: boolean }): void;
  /** The conversation as text, with the assistant's speech cut to what was heard. */
  history(): readonly HistoryItem[];
  close(): void;
}

export interface SpeechModel {
  readonly provider: "openai" | "elevenlabs" | "sandbox";
  /** Starts to connect at once and returns at once. */
  open(config: ModelSessionConfig, sink: ModelSink): ModelSession;
  /** What all sessions together counted since start; for metrics. */
  counters?(): Readonly<Record<string, number>>;
}

export type {
  CallSealers,
  Expired,
  Expiry,
  PrivateRecordings,
  PrivateStore,
  Rewrapped,
} from "./privacy-port.ts";
export type { RecordedAudio, RecordingFile, Recordings, RecordingTrack } from "./recordings-port.ts";
export type {
  AuditEntry,
  CallQuery,
  CallRow,
  EscalationRow,
  JournalEntry,
  ProtectedFields,
  Snapshot,
  Speaker,
  SpeakersTold,
  Store,
  StoredCharts,
  StoredSnapshot,
  TranscriptEntry,
} from "./store-port.ts";
export { isRecordingTrack } from "./recordings-port.ts";
export { SPEAKERS } from "./store-port.ts";
export type { CarrierError, ProviderError };
