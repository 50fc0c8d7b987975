/** One call as the page has it: its row, its log and what was said, asked for once and then followed. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { AuditEntry, EscalationRow, SpeakersTold, TranscriptEntry } from "../../ports.ts";
import { link } from "./link.ts";
import { ask, askJson, clock, textOf, useStore } from "./page.ts";
import { isFollowed } from "./store.ts";
import { caughtUp, type Told, withEntries } from "./moment.ts";

/** What is shown of one of a row's escalations. */
export type EscalationTold = Pick<EscalationRow, "number" | "outcome" | "owner">;

/** What is shown of a row. */
export interface Row {
  readonly callSid: string;
  readonly state: string;
  readonly from: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly endReason: string | null;
  readonly handover: string | null;
  readonly escalations: readonly EscalationTold[];
  readonly transcript: readonly TranscriptEntry[];
  readonly escalationReason: string | null;
  readonly recordings: readonly string[];
  readonly speakers: SpeakersTold;
  readonly errors: readonly { readonly at: string; readonly code: string; readonly message: string }[];
}

export interface CallData extends Told {
  readonly row: Row;
}

/** A recording is on disk, and in the row, some time after the call has ended. */
const RECORDED_AFTER_MS = 5000;

export function useCall(callSid: string): {
  readonly data: CallData | null;
  readonly problem: string | null;
} {
  const [data, setData] = useState<CallData | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const isLive = useStore((state) => state.calls[callSid] !== undefined);
  const isOver = useStore((state) => state.calls[callSid] === undefined && !isFollowed(state, callSid));
  const loading = useRef(false);
  const again = useRef(false);

  const load = async (): Promise<void> => {
    // One at a time; who asks meanwhile is served by another afterwards.
    again.current = loading.current;
    if (loading.current) return;
    loading.current = true;
    try {
      const [row, log] = await Promise.all([
        askJson<Row>(`/api/calls/${callSid}`),
        ask(`/api/calls/${callSid}/events`).then((response) => response.text()),
      ]);
      const loaded = { entries: entriesIn(log), said: row.transcript };
      setData((known) => ({ row, ...caughtUp(loaded, known) }));
      setProblem(null);
    } catch (error) {
      setProblem(textOf(error));
    } finally {
      loading.current = false;
      if (again.current) void load();
    }
  };

  useEffect(() => {
    void load();
    return link.watch(callSid, (message) => {
      if (message.type === "began" || message.missed > 0) {
        void load();
        return;
      }
      setData((known) => {
        if (!known) return known;
        const entries = withEntries(known.entries, message.entries);
        if (entries) return { ...known, entries, said: withSaid(known.said, message.from, message.said) };
        void load();
        return known;
      });
    });
  }, [callSid]);
  // The row has the last word: what became of the call is not told entry by entry.
  useEffect(() => {
    if (!data) return;
    void load();
    if (isLive) return;
    const timer = clock.setTimeout(() => void load(), RECORDED_AFTER_MS);
    return () => clock.clearTimeout(timer);
  }, [isLive, isOver]);
  return { data, problem };
}

function withSaid(
  known: readonly TranscriptEntry[],
  from: number,
  fresh: readonly TranscriptEntry[],
): readonly TranscriptEntry[] {
  return fresh.length === 0 || from > known.length ? known : [...known.slice(0, from), ...fresh];
}

function entriesIn(log: string): readonly AuditEntry[] {
  return log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as AuditEntry);
}
