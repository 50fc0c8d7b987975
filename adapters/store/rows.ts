import { StoreError } from "../../engine/errors.ts";
import type {
  AuditEntry,
  CallRow,
  JournalEntry,
  Snapshot,
  StoredCharts,
  StoredSnapshot,
} from "../../engine/ports.ts";
import type {
  CallValues,
  ChartsValues,
  EventValues,
  JournalValues,
  SnapshotValues,
  SqlRow,
} from "./driver.ts";
import type { FieldCipher } from "./protect.ts";
import type { TextCipher } from "./text-cipher.ts";

/** @throws whatever `JSON.stringify` throws of a row that is no plain data. */
export function encodeCall(row: CallRow, cipher: FieldCipher): CallValues {
  const { protected: fields, ...body } = row;
  const sealed = cipher.seal(row.callSid, fields);
  const caller = cipher.caller(fields.from);
  return [row.callSid, row.startedAt, row.state, row.endedAt, JSON.stringify(body), sealed, caller];
}

/** @throws whatever `JSON.stringify` throws of an entry that is no plain data. */
export function encodeEvent(entry: AuditEntry): EventValues {
  const { callSid, seq, at, kind, name, data, prev, hash } = entry;
  return [callSid, seq, at, kind, name, JSON.stringify(data), prev, hash];
}

const journalContext = (callSid: string, effectId: string): string => `journal ${callSid} ${effectId}`;
const snapshotContext = (callSid: string): string => `snapshot ${callSid}`;

/** @throws whatever `JSON.stringify` throws of an entry that is no plain data. */
export function encodeJournal(entry: JournalEntry, cipher: TextCipher): JournalValues {
  const { callSid, effectId, state, name, atMs, data } = entry;
  const sealed = cipher.seal(callSid, journalContext(callSid, effectId), JSON.stringify(data));
  return [callSid, effectId, state, name, Math.trunc(atMs), sealed];
}

export function encodeSnapshot(callSid: string, snapshot: Snapshot, cipher: TextCipher): SnapshotValues {
  const { seq, machineHash, version, body } = snapshot;
  return [callSid, seq, machineHash, version, cipher.seal(callSid, snapshotContext(callSid), body)];
}

export function decodeJournal(row: SqlRow, cipher: TextCipher): JournalEntry {
  const [callSid, effectId] = [String(row["call_sid"]), String(row["effect_id"])];
  const state = String(row["state"]) as JournalEntry["state"];
  const text = cipher.open(callSid, journalContext(callSid, effectId), String(row["sealed"]));
  const data = text === null ? {} : (parse(text, `effect ${effectId}`) as JournalEntry["data"]);
  return { callSid, effectId, name: String(row["name"]), state, atMs: Number(row["at_ms"]), data };
}

export function decodeSnapshot(row: SqlRow, cipher: TextCipher): StoredSnapshot {
  const callSid = String(row["call_sid"]);
  return {
    callSid,
    seq: Number(row["seq"]),
    machineHash: String(row["machine_hash"]),
    version: Number(row["version"]),
    body: cipher.open(callSid, snapshotContext(callSid), String(row["sealed"])),
  };
}

export function encodeCharts({ hash, savedAt, body }: StoredCharts): ChartsValues {
  return [hash, savedAt, body];
}

export function decodeCharts(row: SqlRow): StoredCharts {
  return { hash: String(row["machine_hash"]), savedAt: String(row["saved_at"]), body: String(row["body"]) };
}

function parse(text: unknown, what: string): object {
  try {
    const value: unknown = JSON.parse(String(text));
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Falls through to the same error as a value that is no object.
  }
  throw new StoreError(`${what} is damaged in the database; fix: restore it from a backup`);
}

/** What rows lack that were written before there was any. */
const OLDER = {
  escalations: [],
  escalation: null,
  recordings: [],
  speakers: "mixed",
  extraction: null,
  delivery: null,
  cost: null,
  auditEntries: 0,
  auditHash: null,
};

export function decodeCall(row: SqlRow, cipher: FieldCipher): CallRow {
  const callSid = String(row["call_sid"]);
  const body = parse(row["body"], `the row of call ${callSid}`) as Omit<CallRow, "protected">;
  return { ...OLDER, ...body, callSid, protected: cipher.open(callSid, String(row["protected"])) };
}

export function decodeEvent(row: SqlRow): AuditEntry {
  const callSid = String(row["call_sid"]);
  const seq = Number(row["seq"]);
  const data = parse(row["data"], `event ${seq} of call ${callSid}`) as AuditEntry["data"];
  const kind = String(row["kind"]) as AuditEntry["kind"];
  const [at, name, prev, hash] = [row["at"], row["name"], row["prev"], row["hash"]];
  return { callSid, seq, at: String(at), kind, name: String(name), data, prev: text(prev), hash: text(hash) };
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
