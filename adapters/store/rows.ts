import { StoreError } from "../../engine/errors.ts";
import type { AuditEntry, CallRow } from "../../engine/ports.ts";
import type { CallValues, EventValues, SqlRow } from "./driver.ts";
import type { FieldCipher } from "./protect.ts";

/** @throws whatever `JSON.stringify` throws of a row that is no plain data. */
export function encodeCall(row: CallRow, cipher: FieldCipher): CallValues {
  const { protected: fields, ...body } = row;
  const sealed = cipher.seal(row.callSid, fields);
  return [row.callSid, row.startedAt, row.state, row.endedAt, JSON.stringify(body), sealed];
}

/** @throws whatever `JSON.stringify` throws of an entry that is no plain data. */
export function encodeEvent(entry: AuditEntry): EventValues {
  const { callSid, seq, at, kind, name, data, prev, hash } = entry;
  return [callSid, seq, at, kind, name, JSON.stringify(data), prev, hash];
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
const OLDER = { escalations: [], escalation: null, recordings: [], auditEntries: 0, auditHash: null };

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
