import { ChainLink, type Unchained } from "../../engine/platform/hash-chain.ts";
import { errorText } from "../../engine/errors.ts";
import { callOfKey } from "../../engine/platform/call-key.ts";
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

/** The call that a write is of, or of what goes on after it; `null`: of none. */
export function callOf(write: Write): string | null {
  if ("charts" in write) return null;
  if ("event" in write) return callOfKey(write.event.callSid);
  if ("journal" in write) return callOfKey(write.journal.callSid);
  return callOfKey("snapshot" in write ? write.snapshot.callSid : write.call.callSid);
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

export interface Encoded {
  readonly batch: Batch;
  /** Of the batch's events those that are not chained yet, in their order. */
  readonly links: readonly ChainLink[];
}

/** A transaction of these writes, in which every call has one row and one snapshot: the last. */
export function encodeBatch(writes: readonly Write[], encoder: BatchEncoder): Encoded {
  const { cipher, texts, skip, lose } = encoder;
  const calls = new Map<string, CallValues>();
  const snapshots = new Map<string, SnapshotValues | null>();
  const events: (EventValues | Unchained)[] = [];
  const links: ChainLink[] = [];
  const newest = new Map<string, ChainLink>();
  const journal: JournalValues[] = [];
  const charts: ChartsValues[] = [];
  const last = new Map<string, CallRow>();
  for (const write of writes) if ("call" in write) last.set(write.call.callSid, write.call);
  const encodeEntry = (entry: AuditEntry): EventValues | Unchained => {
    if (!(entry instanceof ChainLink)) return encodeEvent(entry);
    const unchained = entry.unchained(newest.get(entry.callSid));
    if (unchained === null) return encodeEvent(entry);
    newest.set(entry.callSid, entry);
    links.push(entry);
    return unchained;
  };
  const encode = (write: Write): void => {
    if ("event" in write) events.push(encodeEntry(write.event));
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
  const batch = {
    keys: cipher.keys.unstored(),
    calls: [...calls.values()],
    events,
    journal,
    snapshots: saved,
    drops,
    charts,
  };
  return { batch, links };
}

export function isEmpty(batch: Batch): boolean {
  return Object.values(batch).every((rows: Batch[keyof Batch]) => rows.length === 0);
}
