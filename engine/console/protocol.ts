/**
 * What the console's page is told over `/api/switchboard`: one JSON text each. Types only, for both ends.
 *
 * A viewer gets a `snapshot`, then `delta`s, at most one a beat, and an empty one when nothing was to be told for
 * five seconds; what it was too slow for is left out, and another
 * snapshot makes up for it. A viewer may send `{"watch":"CA…"}` to be told of one call entry by entry, or
 * `{"watch":null}`.
 */
import type { StateValue } from "xstate";
import type { Leg } from "../../machines/context.ts";
import type { Urgency } from "../../machines/events.ts";
import type { Incident, PageRecord } from "../../machines/ladder.types.ts";
import type { TurnTimes } from "../media/call-latency.ts";
import type { AuditEntry, TranscriptEntry } from "../ports.ts";

/** Where a call stands. */
export interface Standing {
  readonly state: string;
  readonly value: StateValue;
  readonly role: "agent" | "coach";
  readonly model: string;
  readonly onHold: boolean;
}

/** A leg that has not left. */
export interface LiveLeg extends Pick<Leg, "label" | "kind" | "status" | "muted"> {
  /** Label of the leg that alone hears it. */
  readonly coaches: string | null;
}

/** A live call on the switchboard; each field but the first two changes as a whole. */
export interface CallView {
  readonly callSid: string;
  readonly startedAtMs: number;
  /** The caller's number, or what is left of it for a viewer. */
  readonly from: string;
  readonly now: Standing;
  readonly room: readonly LiveLeg[];
  /** Of the last answer. */
  readonly turn: TurnTimes | null;
  /** Caller and AI in the last moment, in dBov to 3 dB, -60 at least; `null` when nothing was measured. */
  readonly levels: readonly [caller: number, agent: number] | null;
}

export type PageView = Pick<
  PageRecord,
  | "label"
  | "channel"
  | "purpose"
  | "rungName"
  | "contactName"
  | "walk"
  | "startedAtMs"
  | "endedAtMs"
  | "result"
>;

/** An incident of a call that is not over, or of one whose caller has left while somebody is still sought. */
export interface IncidentView extends Pick<
  Incident,
  "number" | "by" | "reason" | "phase" | "walk" | "rung" | "openedAtMs" | "nextAtMs" | "outcome" | "endedAtMs"
> {
  readonly callSid: string;
  readonly urgency: Urgency;
  /** The caller has left. */
  readonly following: boolean;
  readonly owner: { readonly contact: string; readonly rung: string; readonly channel: string } | null;
  /** The newest, oldest first. */
  readonly pages: readonly PageView[];
  /** How many more there were. */
  readonly morePages: number;
}

/** Of an incident: `CA…/1`. */
export type IncidentKey = string;

export interface SnapshotMessage {
  readonly type: "snapshot";
  /** By the engine's clock, epoch milliseconds. */
  readonly nowMs: number;
  /** How many deltas this viewer was too slow for, since the last; 0 for the first snapshot. */
  readonly missed: number;
  readonly calls: readonly CallView[];
  readonly incidents: readonly IncidentView[];
}

export interface DeltaMessage {
  readonly type: "delta";
  readonly nowMs: number;
  /** What has changed of each call; all of a new one. */
  readonly calls: readonly (Partial<CallView> & Pick<CallView, "callSid">)[];
  /** Calls that are over. */
  readonly gone: readonly string[];
  readonly incidents: readonly IncidentView[];
  /** Incidents that are not shown any more. */
  readonly closed: readonly IncidentKey[];
}

/** From now on the call is watched: whatever came before is asked for by HTTP. */
export interface WatchingMessage {
  readonly type: "watching";
  readonly callSid: string | null;
}

export interface CallMessage {
  readonly type: "call";
  readonly callSid: string;
  readonly entries: readonly AuditEntry[];
  /** Of more entries than a beat takes these many are left out: the log has them. */
  readonly missed: number;
  /** Place in the transcript of the first of `said`. */
  readonly from: number;
  readonly said: readonly TranscriptEntry[];
}

export type FeedText = SnapshotMessage | DeltaMessage | WatchingMessage | CallMessage;
