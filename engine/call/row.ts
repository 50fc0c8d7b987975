/** The row of a call, from what the machine and the media plane know. Pure. */
import type { CallContext, CallError } from "../../machines/context.ts";
import type { Incident, PageRecord } from "../../machines/ladder.types.ts";
import type { CallRow, EscalationRow, RecordingTrack, SpeakersTold, TranscriptEntry } from "../ports.ts";
import type { LogHead } from "../audit/chain.ts";
import { withExtraction } from "../cost/cost.ts";
import { NO_POST_CALL, type PostCallFacts } from "../postcall/facts.ts";
import type { CallCost } from "../postcall/schema.ts";
import { iso } from "../platform/clock.ts";
import { redactText } from "../privacy/redact.ts";

export interface RowSource {
  readonly incidents: readonly Incident[];
  readonly context: CallContext;
  /** At most 20, oldest first. */
  readonly errors: readonly CallError[];
  readonly state: string;
  readonly from: string;
  readonly to: string;
  readonly node?: string | undefined;
  readonly agent: string;
  readonly provider: string;
  readonly endedAtMs: number | null;
  readonly transcript: readonly TranscriptEntry[];
  readonly recordings: readonly RecordingTrack[];
  readonly speakers: SpeakersTold;
  readonly postCall?: PostCallFacts | null;
  readonly cost: CallCost | null;
  readonly metrics: Readonly<Record<string, number>>;
  readonly log: LogHead;
}

export function rowOf(source: RowSource): CallRow {
  const { context } = source;
  const escalations = source.incidents.map(escalationRowOf);
  const { extraction, delivery, slots } = source.postCall ?? NO_POST_CALL;
  return {
    callSid: context.callSid,
    conferenceSid: context.conferenceSid,
    conferenceName: context.conferenceName,
    ...(source.node !== undefined && { node: source.node }),
    agent: source.agent,
    provider: source.provider,
    state: source.state,
    startedAt: new Date(context.startedAtMs).toISOString(),
    answeredAt: iso(context.answeredAtMs),
    endedAt: iso(source.endedAtMs),
    durationMs: source.endedAtMs === null ? null : source.endedAtMs - context.startedAtMs,
    endReason: context.endReason,
    errors: source.errors.map((error) => ({
      at: new Date(error.atMs).toISOString(),
      code: error.code,
      message: redactText(error.message).text,
    })),
    escalated: escalations.length > 0,
    handover: context.handover,
    escalations,
    escalation: escalations.at(-1) ?? null,
    recordings: source.recordings,
    speakers: source.speakers,
    extraction,
    delivery,
    cost: withExtraction(source.cost, extraction),
    metrics: source.metrics,
    auditEntries: source.log.entries,
    auditHash: source.log.hash,
    protected: {
      from: source.from,
      to: source.to,
      transcript: source.transcript,
      escalationReason: reasonsOf(source.incidents),
      slots,
    },
  };
}

/** The row of a call that ended before, with what has become of its incidents since. */
export function withIncidents(row: CallRow, incidents: readonly Incident[], log: LogHead): CallRow {
  const escalations = incidents.map(escalationRowOf);
  const escalation = escalations.at(-1) ?? null;
  return { ...row, escalations, escalation, auditEntries: log.entries, auditHash: log.hash };
}

function escalationRowOf(incident: Incident): EscalationRow {
  const { owner, pages } = incident;
  return {
    number: incident.number,
    by: incident.by,
    urgency: incident.urgency,
    outcome: incident.outcome,
    openedAt: new Date(incident.openedAtMs).toISOString(),
    endedAt: iso(incident.endedAtMs),
    ackAt: iso(owner?.ackAtMs ?? null),
    timeToAckMs: owner === null ? null : owner.ackAtMs - incident.openedAtMs,
    owner: owner && { contact: owner.contactName, rung: owner.rungName, channel: owner.channel },
    walks: incident.walk,
    rungsReached: [...new Set(pages.map((page) => page.rungName))],
    pages: pages.map(pageRowOf),
    pagesDropped: incident.pagesDropped,
  };
}

function pageRowOf(page: PageRecord): EscalationRow["pages"][number] {
  return {
    label: page.label,
    rung: page.rungName,
    contact: page.contactName,
    channel: page.channel,
    purpose: page.purpose,
    walk: page.walk,
    startedAt: new Date(page.startedAtMs).toISOString(),
    endedAt: iso(page.endedAtMs),
    result: page.result,
  };
}

/** Each once: somebody who is still sought when the caller has left is sought for the same reason. */
function reasonsOf(incidents: readonly Incident[]): string | null {
  const reasons = new Set(incidents.flatMap(({ reason }) => (reason === null ? [] : [reason])));
  return reasons.size === 0 ? null : [...reasons].join("\n");
}

/** A row as whoever may see it is shown it: the protected fields beside the others. */
export function present(row: CallRow): Readonly<Record<string, unknown>> {
  const { protected: personal, ...open } = row;
  return { ...open, ...personal };
}
