/** Erases what is kept of a call that names or quotes a person: by destroying the keys that it was sealed with. */
import { CALL_ERASED, LOG_CLOSED } from "../audit/chain.ts";
import { chainedEntry } from "../platform/hash-chain.ts";
import type { AuditEntry, CallRow, Clock, PrivateRecordings, PrivateStore, Store } from "../ports.ts";

/** For how long a log that has no end may still be written, by an engine that seeks somebody for the caller. */
const SOUGHT_MS = 86_400_000;

export interface ErasureParts {
  readonly store: Store;
  readonly privacy: PrivateStore;
  readonly recordings: PrivateRecordings;
  readonly clock: Clock;
}

export interface Erased {
  readonly callSid: string;
  /**
   * - `erased`: also of a call that was erased before.
   * - `live`: the call is not over, or somebody is still sought for its caller: nothing was done.
   * - `unknown`: there is no row of it.
   */
  readonly outcome: "erased" | "live" | "unknown";
  /** Files of recordings that were removed. */
  readonly recordings: number;
  /** The database holds nothing of it any more, nor does its write-ahead log. */
  readonly scrubbed: boolean;
}

/** Harmless when repeated. Rejects with `StoreError`, or when a recording cannot be removed. */
export async function eraseCall(callSid: string, parts: ErasureParts): Promise<Erased> {
  const { store, privacy, recordings, clock } = parts;
  const nothing = { callSid, recordings: 0, scrubbed: false };
  const row = await store.getCall(callSid);
  if (!row) return { ...nothing, outcome: "unknown" };
  const last = await store.lastEvent(callSid);
  if (await isLive(row, last, parts)) return { ...nothing, outcome: "live" };
  const entry = tombstone(last, clock);
  const head = entry && { auditEntries: entry.seq, auditHash: entry.hash };
  // What was concluded from the words goes with them.
  const extraction = row.extraction && { ...row.extraction, findings: null };
  // First the key: without it a recording that cannot be removed is nothing.
  const scrubbed = await privacy.erase({ ...row, ...head, extraction, recordings: [] }, entry);
  return { callSid, outcome: "erased", recordings: await recordings.erase(callSid), scrubbed };
}

async function isLive(row: CallRow, last: AuditEntry | null, parts: ErasureParts): Promise<boolean> {
  if (row.state !== "ended" || (await parts.privacy.isUnfinished(row.callSid))) return true;
  if (!last || last.hash === null || last.name === LOG_CLOSED || last.name === CALL_ERASED) return false;
  return parts.clock.now() - Date.parse(last.at) < SOUGHT_MS;
}

/** `null`: the log is gone, has no chain, or tells it already. */
function tombstone(last: AuditEntry | null, clock: Clock): AuditEntry | null {
  if (!last || last.hash === null || last.name === CALL_ERASED) return null;
  const at = new Date(clock.now()).toISOString();
  const content = { seq: last.seq + 1, at, kind: "note", name: CALL_ERASED, data: {} } as const;
  return chainedEntry(last.hash, { callSid: last.callSid, ...content });
}
