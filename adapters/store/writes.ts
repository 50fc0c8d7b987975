import { errorText } from "../../engine/errors.ts";
import type { AuditEntry, CallRow, JournalEntry, Snapshot, StoredCharts } from "../../engine/ports.ts";
import type {
  Batch,
  CallValues,
  ChartsValues,
  EventValues,
  JournalValues,
  SnapshotValues,
} from "./driver.ts";
import type { FieldCipher } from "./protect.ts";
import { encodeCall, encodeCharts, encodeEvent, encodeJournal, encodeSnapshot } from "./rows.ts";
import type { TextCipher } from "./text-cipher.ts";

/** One thing to be written. */
export type Write =
  | { readonly call: CallRow }
  | { readonly event: AuditEntry }
  | { readonly journal: JournalEntry }
  | { readonly charts: StoredCharts }
  | { readonly snapshot: QueuedSnapshot };

/** What becomes of a call's snapshot: another one, or none. */
export interface QueuedSnapshot {
  readonly callSid: string;
  /** `null` drops it. */
  readonly saved: Snapshot | null;
}

/** What to call a write in a log. */
export function nameOf(write: Write): string {
  if ("event" in write) return `event ${write.event.seq} of ${write.event.callSid}`;
  if ("journal" in write) return `${write.journal.state} of effect ${write.journal.effectId}`;
  if ("charts" in write) return `charts of ${write.charts.hash}`;
  return "call" in write ? `row of ${write.call.callSid}` : `snapshot of ${write.snapshot.callSid}`;
}

/** Of writes with the same key only the last matters; `null`: each matters. */
export function replaceableKey(write: Write): string | null {
  if ("call" in write) return `row ${write.call.callSid}`;
  return "snapshot" in write ? `snapshot ${write.snapshot.callSid}` : null;
}

export interface BatchEncoder {
  readonly cipher: FieldCipher;
  readonly texts: TextCipher;
  /** The database holds the write by its place in the list already, or never will. */
  readonly skip: (index: number) => boolean;
  /** No text can hold it. */
  readonly lose: (index: number, problem: string) => void;
}

/** A transaction of these writes, in which every call has one row and one snapshot: the last. */
export function encodeBatch(writes: readonly Write[], encoder: BatchEncoder): Batch {
  const { cipher, texts, skip, lose } = encoder;
  const calls = new Map<string, CallValues>();
  const snapshots = new Map<string, SnapshotValues | null>();
  const events: EventValues[] = [];
  const journal: JournalValues[] = [];
  const charts: ChartsValues[] = [];
  const last = new Map<string, CallRow>();
  for (const write of writes) if ("call" in write) last.set(write.call.callSid, write.call);
  const encode = (write: Write): void => {
    if ("event" in write) events.push(encodeEvent(write.event));
    else if ("journal" in write) journal.push(encodeJournal(write.journal, texts));
    else if ("charts" in write) charts.push(encodeCharts(write.charts));
    else if ("snapshot" in write) {
      const { callSid, saved } = write.snapshot;
      snapshots.set(callSid, saved && encodeSnapshot(callSid, saved, texts));
    } else if (last.get(write.call.callSid) === write.call) {
      calls.set(write.call.callSid, encodeCall(write.call, cipher));
    }
  };
  writes.forEach((write, index) => {
    if (skip(index)) return;
    try {
      encode(write);
    } catch (error) {
      lose(index, errorText(error));
    }
  });
  const drops = [...snapshots].flatMap(([callSid, values]) => (values === null ? [callSid] : []));
  const saved = [...snapshots.values()].filter((values) => values !== null);
  return {
    keys: cipher.keys.unstored(),
    calls: [...calls.values()],
    events,
    journal,
    snapshots: saved,
    drops,
    charts,
  };
}

export function isEmpty(batch: Batch): boolean {
  return Object.values(batch).every((rows: Batch[keyof Batch]) => rows.length === 0);
}
