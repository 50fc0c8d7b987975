/**
 * What becomes of a call after its end, as its row keeps it; and the port that hands a row on. Types, and the words
 * of closed sets.
 */
import type { TokensUsed } from "./extractor-port.ts";

/**
 * Where in the transcript something was said: characters `start` to `end` (exclusive, in UTF-16 code units) of
 * the entry with this index, counted from 0. Of the agent's entries in what was heard of them.
 */
export interface Span {
  readonly entry: number;
  readonly start: number;
  readonly end: number;
}

export interface Evidence {
  /** 0–1, as the model puts it. */
  readonly confidence: number;
  /** Checked against the transcript. */
  readonly spans: readonly Span[];
  /** There is at least one such place. */
  readonly supported: boolean;
}

export interface Finding<T> extends Evidence {
  readonly value: T;
}

/** A slot without its value, which is protected. */
export interface SlotEvidence extends Evidence {
  /** There is a value. */
  readonly filled: boolean;
}

export const SENTIMENTS = ["positive", "neutral", "negative", "distressed"] as const;
export const INTENTS = [
  "emergency",
  "health_question",
  "appointment",
  "prescription",
  "billing",
  "complaint",
  "sales",
  "information",
  "message",
  "other",
] as const;
export const OUTCOMES = [
  "resolved",
  "handed_over",
  "message_taken",
  "callback_promised",
  "abandoned",
  "unresolved",
] as const;

/** What was found in a transcript; nothing in it quotes or names anybody. */
export interface Findings {
  readonly sentiment: Finding<(typeof SENTIMENTS)[number]>;
  readonly intent: Finding<(typeof INTENTS)[number]>;
  /** 0–100: how much the caller wants what the deployment offers. */
  readonly leadScore: Finding<number>;
  /** A person should look at this call. */
  readonly escalate: Finding<boolean>;
  readonly outcome: Finding<(typeof OUTCOMES)[number]>;
  readonly slots: Readonly<Record<string, SlotEvidence>>;
  /** Places that the model named and the transcript does not have. */
  readonly spansDropped: number;
  /** Places whose words are there, but elsewhere in their entry: corrected. */
  readonly spansRealigned: number;
}

export type SlotValue = string | number | boolean | null;
/** By name of the slot. */
export type SlotValues = Readonly<Record<string, SlotValue>>;

/** Times are ISO 8601 in UTC. */
export interface ExtractionRow {
  /** `failed` may still be tried again: `nextAttemptAt` says when. `skipped`: it was not wanted, or nothing was said. */
  readonly status: "pending" | "done" | "failed" | "skipped";
  /** Why it failed or was skipped, as a code. */
  readonly reason: string | null;
  readonly schemaVersion: number;
  readonly model: string | null;
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  readonly endedAt: string | null;
  /** `null` until it is done. */
  readonly findings: Findings | null;
  readonly usage: TokensUsed | null;
  /** In millionths of the deployment's currency; `null`: unknown. */
  readonly costMicros: number | null;
}

/** What became of handing the row on. Times are ISO 8601 in UTC. */
export interface DeliveryRow {
  /** `failed` is tried again at `nextAttemptAt`; `dead` is not. */
  readonly status: "pending" | "delivered" | "failed" | "dead";
  /** Of the last attempt that failed, as a code: `http_503`, `unreachable`. */
  readonly reason: string | null;
  /** The same in every attempt. */
  readonly eventId: string;
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  readonly endedAt: string | null;
}

/** What a webhook gets, as one signed `POST`. */
export interface Delivery {
  readonly url: string;
  readonly eventId: string;
  /** JSON. */
  readonly body: string;
}

export interface WebhookSender {
  /** One attempt; repeating it is the caller's. Resolves once the receiver has answered 2xx. Rejects with `PushError`. */
  send(delivery: Delivery, signal?: AbortSignal): Promise<void>;
}
