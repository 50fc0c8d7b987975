/**
 * The port `SpeechModel` on OpenAI Realtime (GA protocol, over WebSocket).
 *
 * What the port asks for is what this protocol can do: it says when the caller speaks, marks every piece of
 * speech with a response and an item, and can be told how much of an item was heard. Other providers fit the
 * same port with less:
 *
 * - ElevenLabs Agents: `capabilities.truncation` is false. Its server decides by itself what was heard and says
 *   so (`agent_response_correction`), so `interrupt()` only drops what is still queued and later audio with an
 *   older `event_id`; a server `interruption` becomes `sink.interrupted()`, which the engine treats as it
 *   treats `speechStarted` here. The `event_id` of the audio stands for response and item. `addText` is a
 *   `contextual_update` or `user_message`, a tool result a `client_tool_result`; instructions cannot be
 *   replaced in a running conversation, so `setInstructions` opens a new one with the history.
 * - A full-duplex model (OpenAI Live, `gpt-live-1`): no voice activity events, no cancel, no truncation. Audio
 *   arrives at the pace of speech, interruption happens on the server, and one item per session is made up for
 *   the ledger. `interrupt()` only stops what is queued; `setInstructions` opens a new session, because
 *   instructions are immutable there.
 *
 * The engine must therefore never wait for an effect of `interrupt()` on the provider's side.
 */
import { ConfigError, type ConfigIssue } from "../../engine/errors.ts";
import { type Network, systemNetwork } from "../../engine/platform/network.ts";
import { Reach } from "../../engine/platform/reach.ts";
import type {
  Clock,
  Ids,
  Log,
  ModelAudioFormat,
  ModelSession,
  ModelSessionConfig,
  ModelSink,
  SpeechModel,
} from "../../engine/ports.ts";
import type { BackoffPolicy } from "./backoff.ts";
import { newCounters } from "./counters.ts";
import { OpenAiSession, type SessionOptions } from "./session.ts";

export interface OpenAiRealtimeOptions {
  readonly apiKey: string;
  /** `http(s)` origin and path such as `https://api.openai.com/v1`; the socket is at `…/realtime?model=`. */
  readonly baseUrl: string;
  /** Such as `gpt-realtime-2.1`. */
  readonly model: string;
  /** Of every session. Default `pcmu`. */
  readonly audioFormat?: ModelAudioFormat;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** From opening a socket to the checked `session.updated`. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** A session is replaced at the first quiet moment after this. Default 50 min; OpenAI ends it at 60. */
  readonly recycleAfterMs?: number;
  /** A socket that is silent this long is pinged, and given up when it stays silent as long. Default 10 s. */
  readonly heartbeatMs?: number;
  /** Default `gpt-transcribe`. */
  readonly transcriptionModel?: string;
  /** Default: 5 attempts, 250 ms doubling up to 4 s, with jitter. */
  readonly reconnect?: Partial<BackoffPolicy>;
  /** Default: the machine's own. */
  readonly network?: Network;
}

export interface OpenAiRealtime extends SpeechModel {
  /** Whether sessions can be had. */
  readonly reach: Reach;
  /** What all sessions together counted since start; for metrics. */
  counters(): Readonly<Record<string, number>>;
}

const DEFAULTS = {
  audioFormat: "pcmu",
  connectTimeoutMs: 10_000,
  recycleAfterMs: 50 * 60_000,
  heartbeatMs: 10_000,
  transcriptionModel: "gpt-transcribe",
  reconnect: { maxAttempts: 5, baseMs: 250, maxMs: 4000 },
} as const;

/** Throws `ConfigError` with every mistake in the options at once; opens nothing yet. */
export function createOpenAiRealtime(options: OpenAiRealtimeOptions): OpenAiRealtime {
  const reconnect: BackoffPolicy = { ...DEFAULTS.reconnect, ...options.reconnect };
  const connectTimeoutMs = options.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs;
  const recycleAfterMs = options.recycleAfterMs ?? DEFAULTS.recycleAfterMs;
  const heartbeatMs = options.heartbeatMs ?? DEFAULTS.heartbeatMs;
  const issues: ConfigIssue[] = [
    ...checkText("apiKey", options.apiKey, "set OPENAI_API_KEY", /^[\x21-\x7e]+$/),
    ...checkText("model", options.model, "set OPENAI_REALTIME_MODEL, such as gpt-realtime-2.1", /^\S+$/),
    ...checkRange("connectTimeoutMs", connectTimeoutMs, 1, 120_000),
    ...checkRange("recycleAfterMs", recycleAfterMs, 1, 24 * 3_600_000),
    ...checkRange("heartbeatMs", heartbeatMs, 1, 600_000),
    ...checkRange("reconnect.maxAttempts", reconnect.maxAttempts, 0, 1000),
    ...checkRange("reconnect.baseMs", reconnect.baseMs, 0, 60_000),
    ...checkRange("reconnect.maxMs", reconnect.maxMs, 0, 600_000),
  ];
  const url = realtimeUrl(options.baseUrl, options.model);
  if (url === null) issues.push(BASE_URL_ISSUE);
  if (url === null || issues.length > 0) throw new ConfigError(issues);
  const { apiKey, clock, log, ids, model, audioFormat = DEFAULTS.audioFormat } = options;
  const { network = systemNetwork } = options;
  const counters = newCounters();
  const reach = new Reach(clock);
  const sessionOptions: SessionOptions = {
    link: { url, apiKey, audioFormat, connectTimeoutMs, heartbeatMs, network, clock, log, counters },
    ids,
    model,
    transcriptionModel: options.transcriptionModel ?? DEFAULTS.transcriptionModel,
    recycleAfterMs,
    reconnect,
    reach,
  };
  return {
    provider: "openai",
    reach,
    open: (config: ModelSessionConfig, sink: ModelSink): ModelSession =>
      new OpenAiSession(sessionOptions, config, sink),
    counters: () => ({ ...counters }),
  };
}

const BASE_URL_ISSUE: ConfigIssue = {
  name: "baseUrl",
  problem: "is not an http or https URL without credentials",
  fix: "set OPENAI_BASE_URL to an origin and path such as https://api.openai.com/v1",
};

/** `https://host/v1` → `wss://host/v1/realtime?model=…`; null when it is no http(s) URL. */
export function realtimeUrl(baseUrl: string, model: string): string | null {
  if (!URL.canParse(baseUrl)) return null;
  const url = new URL(baseUrl);
  if ((url.protocol !== "https:" && url.protocol !== "http:") || url.username || url.password) return null;
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/realtime`;
  url.searchParams.set("model", model);
  url.hash = "";
  return url.href;
}

function checkText(name: string, value: string, fix: string, pattern: RegExp): ConfigIssue[] {
  if (pattern.test(value)) return [];
  return [{ name, problem: value ? "has blanks or control characters" : "is empty", fix }];
}

function checkRange(name: string, value: number, min: number, max: number): ConfigIssue[] {
  if (Number.isFinite(value) && value >= min && value <= max) return [];
  return [{ name, problem: `is ${value}`, fix: `give a number from ${min} to ${max}` }];
}
