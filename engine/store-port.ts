/**
 * The port of the store: types, and the words of closed sets. What is kept of a call, and how it is asked for.
 *
 * `engine/ports.ts` exports all of it again: that file is where the ports are looked for.
 */

import type { Urgency } from "../machines/events.ts";
import type { Channel, IncidentOutcome, PageResult } from "../machines/ladder.types.ts";
import type { DeliveryRow, ExtractionRow, SlotValues } from "./postcall-port.ts";
import type { CallCost } from "./postcall/schema.ts";
import type { RecordingTrack } from "./recordings-port.ts";

/** Fields that name or quote a person. Stored encrypted, or redacted when there is no key. */
export interface ProtectedFields {
  readonly from: string;
  readonly to: string;
  readonly transcript: readonly TranscriptEntry[];
  /** Why a person was asked for: a line per escalation that says it. */
  readonly escalationReason: string | null;
  /** What was found in the transcript once the call was over; `null`: nothing yet. */
  readonly slots: SlotValues | null;
}

/**
 * Who said something. What was heard over the phone is one mix: it is all given as the caller's unless the legs are
 * forked; then `human` is somebody who joined, `both` the caller and they at once, and `unknown` cannot be told.
 */
export const SPEAKERS = ["caller", "human", "both", "unknown", "agent", "coach"] as const;
export type Speaker = (typeof SPEAKERS)[number];

/**
 * Whether those on the phone were told apart: not at all (`mixed`), each as long as they were there (`forked`), or with
 * gaps (`partly`).
 */
export type SpeakersTold = "mixed" | "forked" | "partly";

export interface TranscriptEntry {
  readonly atMs: number;
  readonly speaker: Speaker;
  /** Of `human` and `both`: the label of the person's leg, such as `human-3`. */
  readonly label?: string;
  /** What was said: for the agent, what was generated. */
  readonly text: string;
  /** For the agent: the part the caller heard, estimated from the share of the audio that was played. */
  readonly heardText?: string;
  readonly heardMs?: number;
  readonly generatedMs?: number;
}

/** One attempt to reach one contact by one channel. */
export interface PageRow {
  /** Unique in the call: `human-3`, `sms-4`, `push-5`. */
  readonly label: string;
  readonly rung: string;
  readonly contact: string;
  readonly channel: Channel;
  /** A page asks for an owner; a ring brings one who has acknowledged by text or push. */
  readonly purpose: "page" | "ring";
  /** Which walk over all rungs, from 1. */
  readonly walk: number;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly result: PageResult | null;
}

/** How people were paged for one incident, and who took it. Times are ISO 8601 in UTC. */
export interface EscalationRow {
  /** From 1 in each call. */
  readonly number: number;
  readonly by: "ai" | "operator";
  readonly urgency: Urgency;
  /** `null` while it is open. */
  readonly outcome: IncidentOutcome | null;
  readonly openedAt: string;
  readonly endedAt: string | null;
  readonly ackAt: string | null;
  readonly timeToAckMs: number | null;
  readonly owner: { readonly contact: string; readonly rung: string; readonly channel: Channel } | null;
  readonly walks: number;
  /** Names of the rungs that were paged, in order, each once. */
  readonly rungsReached: readonly string[];
  /** Oldest first. */
  readonly pages: readonly PageRow[];
  /** How many more there were than are kept. */
  readonly pagesDropped: number;
}

/** One row of structured data per call. Times are ISO 8601 in UTC. */
export interface CallRow {
  readonly callSid: string;
  readonly conferenceSid: string | null;
  readonly conferenceName: string;
  /** Origin of the engine that has the call, or had it last; left out in rows of before. */
  readonly node?: string;
  readonly agent: string;
  readonly provider: string;
  /** State of the call machine; `ended` when over. */
  readonly state: string;
  readonly startedAt: string;
  readonly answeredAt: string | null;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
  /** Why it ended, as a closed set: see `EndReason` in machines/events.ts. */
  readonly endReason: string | null;
  /** Errors met on the way, oldest first, at most 20: a code and a plain text without caller data. */
  readonly errors: readonly { readonly at: string; readonly code: string; readonly message: string }[];
  readonly escalated: boolean;
  readonly handover: string | null;
  /** Oldest first. */
  readonly escalations: readonly EscalationRow[];
  /** The last of them. */
  readonly escalation: EscalationRow | null;
  /** Tracks of our own that are kept, by name: `coach`. */
  readonly recordings: readonly RecordingTrack[];
  readonly speakers: SpeakersTold;
  /** What was found in the transcript; `null` while the call lives, and where nobody looks. */
  readonly extraction: ExtractionRow | null;
  /** What became of handing the row on; `null` as `extraction` is, and when nobody is to be told. */
  readonly delivery: DeliveryRow | null;
  /** What it cost so far; `null` in rows of before there was a price table. */
  readonly cost: CallCost | null;
  readonly metrics: Readonly<Record<string, number>>;
  /** Entries of the call's log when the row was saved, and the hash of the last: what was cut off is missed. */
  readonly auditEntries: number;
  /** `null` in rows from before the log was a chain. */
  readonly auditHash: string | null;
  readonly protected: ProtectedFields;
}

/** One entry of the append-only log of a call. */
export interface AuditEntry {
  readonly callSid: string;
  /** From 1, without gaps, per call. */
  readonly seq: number;
  readonly at: string;
  readonly kind: "event" | "step" | "state" | "effect" | "result" | "media" | "note";
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Hash of the entry before, in hex; see engine/platform/hash-chain.ts. `null` in logs from before there was a chain. */
  readonly prev: string | null;
  /** Hash over `prev` and this entry, in hex; `null` as `prev` is. */
  readonly hash: string | null;
}

export interface CallQuery {
  readonly state?: string;
  /** 1..500. */
  readonly limit: number;
  /** Only calls that started before the call with this sid. */
  readonly before?: string;
}

/** How the actors of a call stood: what an engine that comes back goes on from. */
export interface Snapshot {
  /** Number of the last entry of the call's log that it has seen; 0: none. */
  readonly seq: number;
  /** Of the machines that made it. */
  readonly machineHash: string;
  readonly version: number;
  /** JSON text. It holds numbers, reasons and words. */
  readonly body: string;
}

export interface StoredSnapshot extends Omit<Snapshot, "body"> {
  readonly callSid: string;
  /** `null`: it cannot be read, being sealed with another key or damaged. */
  readonly body: string | null;
}

/**
 * One side of an effect: that it is going to be done, or what became of it. `dead`: nobody knows, and it is
 * not tried again.
 */
export interface JournalEntry {
  readonly callSid: string;
  /** Deterministic: `{callSid}/{n}/{name}` or `{callSid}/{actor}/{n}/{name}`. */
  readonly effectId: string;
  readonly name: string;
  readonly state: "intent" | "done" | "failed" | "dead";
  readonly atMs: number;
  /** Plain data: of an intent what is needed to find or repeat it, of a result what it answered. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** The charts of one version of the machines: what a call that it ran is drawn and explained by. */
export interface StoredCharts {
  /** The hash that a call's log names its machines by. */
  readonly hash: string;
  /** When they were first seen; ISO 8601 in UTC. */
  readonly savedAt: string;
  /** JSON text; it holds nothing of any call. */
  readonly body: string;
}

/**
 * Durable rows, logs, snapshots and journals. Writes are queued and return at once. What cannot be written waits,
 * in a bounded queue that drops log entries first, then those of journals, and counts them; rows and snapshots
 * are kept. Reads see all writes made before them, but while the store fails only what it has.
 *
 * Snapshots and the data of a journal are kept encrypted: without `TANDEM_ENCRYPTION_KEY` with a key that an
 * SQLite store makes for itself, in a file beside the database. They go when the call is over. A PostgreSQL
 * store without the key keeps neither, and calls cannot be restored from it.
 */
export interface Store {
  saveCall(row: CallRow): void;
  appendEvents(entries: readonly AuditEntry[]): void;
  getCall(callSid: string): Promise<CallRow | null>;
  listCalls(query: CallQuery): Promise<readonly CallRow[]>;
  events(callSid: string): AsyncIterable<AuditEntry>;
  /** The newest entry of a call's log, without reading the others; `null` when there is none. */
  lastEvent(callSid: string): Promise<AuditEntry | null>;
  /** Replaces the one before: of those that wait to be written only the last is. */
  saveSnapshot(callSid: string, snapshot: Snapshot): void;
  /** Forgets the snapshot, and the data of the call's journal; that the effects were done stays known. */
  dropSnapshot(callSid: string): void;
  /** Of the calls that are not over; oldest sid first. */
  unfinishedSnapshots(): Promise<readonly StoredSnapshot[]>;
  /** An entry of an effect and state that is there already changes nothing. */
  appendJournal(entries: readonly JournalEntry[]): void;
  /** All effects of a call, in the order of time, intents before results. */
  journal(callSid: string): Promise<readonly JournalEntry[]>;
  /** The intents that have no result. */
  openIntents(callSid: string): Promise<readonly JournalEntry[]>;
  /** Charts under a hash that is there already change nothing. */
  saveCharts(charts: StoredCharts): void;
  charts(hash: string): Promise<StoredCharts | null>;
  /** Hashes of all versions that charts are kept of, newest first. */
  chartVersions(): Promise<readonly string[]>;
  /**
   * Resolves when everything queued so far is committed: whoever must not wait for long bounds it. Calls that ask
   * at about the same time share a transaction, with what the step that asks writes after it. Rejects with
   * `StoreError` when the store is closed, refused one of the writes, or fails: at once while it does.
   */
  durable(): Promise<void>;
  /**
   * Why nothing is written, for people, once that has been tried in vain twice; `null` again when all that
   * waited then is written. What waits is tried again and again meanwhile.
   */
  readonly failing: string | null;
  /** Resolves when everything queued so far is durable; rejects with `StoreError` if it cannot be. */
  flush(): Promise<void>;
  counters(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}
