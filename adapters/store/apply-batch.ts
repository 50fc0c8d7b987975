import { chainedAll, type ChainedEntry, type Link } from "../../engine/platform/hash-chain.ts";
import type {
  Batch,
  Db,
  EventKey,
  EventValues,
  JournalValues,
  SnapshotValues,
  SqlValue,
  Written,
} from "./driver.ts";
import { encodeEvent } from "./rows.ts";
import {
  DELETE_SNAPSHOT,
  EMPTY_JOURNAL,
  insertCharts,
  insertEvents,
  insertJournal,
  insertKeys,
  SELECT_EVENT,
  upsertCalls,
  upsertSnapshots,
} from "./sql.ts";
import { storedText } from "./text-cipher.ts";

/** Rows of one statement. Halved until it fits what is left, so that few different statements exist. */
const ROWS_MAX = 64;

function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  let size = ROWS_MAX;
  for (let start = 0; start < items.length; start += size) {
    while (size > items.length - start) size /= 2;
    yield items.slice(start, start + size);
  }
}

function keyOf(callSid: unknown, seq: unknown): string {
  return `${String(callSid)} ${String(seq)}`;
}

async function isStored(db: Db, event: EventValues): Promise<boolean> {
  const [callSid, seq, ...content] = event;
  const [row] = await db.all(SELECT_EVENT, [callSid, seq]);
  if (!row) return false;
  const { at, kind, name, data, prev, hash } = row;
  return [at, kind, name, data, prev, hash].every((value, index) => value === content[index]);
}

async function append(db: Db, events: readonly EventValues[]): Promise<EventKey[]> {
  const params: SqlValue[] = events.flat();
  const inserted = await db.all(insertEvents(events.length), params);
  if (inserted.length === events.length) return [];
  const fresh = new Set(inserted.map((row) => keyOf(row["call_sid"], row["seq"])));
  const conflicts: EventKey[] = [];
  for (const event of events) {
    const [callSid, seq] = event;
    // The key is used up: a second event of this batch under the same number is compared with the first.
    if (fresh.delete(keyOf(callSid, seq))) continue;
    // The same content again is what a repeated batch looks like, and no mistake.
    if (!(await isStored(db, event))) conflicts.push({ callSid, seq });
  }
  return conflicts;
}

/** What they hold is sealed here. */
function sealedValues(rows: readonly (JournalValues | SnapshotValues)[]): SqlValue[] {
  return rows.flat().map((value) => (typeof value === "object" ? storedText(value) : value));
}

/** What is not chained yet is chained here. */
function chainedEvents(events: Batch["events"]): { values: EventValues[]; links: Link[] } {
  const chained = chainedAll(events.filter((event) => "text" in event));
  const links = chained.map(({ prev, hash }) => ({ prev, hash }));
  const made = chained.values();
  const values = events.map((event) => {
    if (!("text" in event)) return event;
    return encodeEvent(made.next().value as ChainedEntry);
  });
  return { values, links };
}

/** Writes a batch inside the caller's transaction. */
export async function applyBatch(db: Db, batch: Batch): Promise<Written> {
  const conflicts: EventKey[] = [];
  const { values, links } = chainedEvents(batch.events);
  for (const keys of chunks(batch.keys)) await db.all(insertKeys(keys.length), keys.flat());
  for (const events of chunks(values)) conflicts.push(...(await append(db, events)));
  for (const entries of chunks(batch.journal))
    await db.all(insertJournal(entries.length), sealedValues(entries));
  for (const some of chunks(batch.snapshots)) await db.all(upsertSnapshots(some.length), sealedValues(some));
  for (const callSid of batch.drops) {
    await db.all(DELETE_SNAPSHOT, [callSid]);
    await db.all(EMPTY_JOURNAL, [callSid]);
  }
  for (const charts of chunks(batch.charts)) await db.all(insertCharts(charts.length), charts.flat());
  for (const calls of chunks(batch.calls)) await db.all(upsertCalls(calls.length), calls.flat());
  return { conflicts, links };
}
