/** One call as the page has it: its row, its log and what was said, asked for once and then followed. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { AuditEntry, SpeakersTold, TranscriptEntry } from "../../ports.ts";
import { link } from "./link.ts";
import { ask, askJson, textOf, useStore } from "./page.ts";
import { withEntries } from "./moment.ts";

/** What is shown of a row. */
export interface Row {
  readonly callSid: string;
  readonly state: string;
  readonly from: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly endReason: string | null;
  readonly handover: string | null;
  readonly transcript: readonly TranscriptEntry[];
  readonly escalationReason: string | null;
  readonly recordings: readonly string[];
  readonly speakers: SpeakersTold;
  readonly errors: readonly { readonly at: string; readonly code: string; readonly message: string }[];
}

export interface CallData {
  readonly row: Row;
  readonly entries: readonly AuditEntry[];
  readonly said: readonly TranscriptEntry[];
}

export function useCall(callSid: string): {
  readonly data: CallData | null;
  readonly problem: string | null;
} {
  const [data, setData] = useState<CallData | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const isLive = useStore((state) => state.calls[callSid] !== undefined);
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
      setData({ row, entries: entriesIn(log), said: row.transcript });
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
  useEffect(() => void (data && load()), [isLive]);
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
