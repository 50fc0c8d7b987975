/** The row of a call, from what the machine and the media plane know. Pure. */
import type { CallContext } from "../../machines/context.ts";
import type { LogHead } from "../audit/chain.ts";
import type { CallRow, RecordingTrack, TranscriptEntry } from "../ports.ts";

export interface RowSource {
  readonly context: CallContext;
  readonly state: string;
  readonly from: string;
  readonly to: string;
  readonly agent: string;
  readonly provider: string;
  readonly endedAtMs: number | null;
  readonly transcript: readonly TranscriptEntry[];
  readonly recordings: readonly RecordingTrack[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly log: LogHead;
}

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

export function rowOf(source: RowSource): CallRow {
  const { context } = source;
  return {
    callSid: context.callSid,
    conferenceSid: context.conferenceSid,
    conferenceName: context.conferenceName,
    agent: source.agent,
    provider: source.provider,
    state: source.state,
    startedAt: new Date(context.startedAtMs).toISOString(),
    answeredAt: iso(context.answeredAtMs),
    endedAt: iso(source.endedAtMs),
    durationMs: source.endedAtMs === null ? null : source.endedAtMs - context.startedAtMs,
    endReason: context.endReason,
    errors: context.errors.map((error) => ({
      at: new Date(error.atMs).toISOString(),
      code: error.code,
      message: error.message,
    })),
    escalated: context.escalation !== null,
    handover: context.handover,
    recordings: source.recordings,
    metrics: source.metrics,
    auditEntries: source.log.entries,
    auditHash: source.log.hash,
    protected: {
      from: source.from,
      to: source.to,
      transcript: source.transcript,
      escalationReason: context.escalation?.reason ?? null,
    },
  };
}
