import type { Batch, SnapshotValues, SqlRow, SqlValue, Statement, Written } from "./driver.ts";

/** What the main thread asks of the worker. Sent as texts, which are cheaper to post than objects: see {@link packed}. */
export type WorkerRequest =
  | { readonly op: "open"; readonly path: string; readonly busyTimeoutMs: number; readonly appliedAt: string }
  | { readonly op: "write"; readonly batch: Batch }
  | { readonly op: "all"; readonly sql: string; readonly params: readonly SqlValue[] }
  | { readonly op: "erase"; readonly statements: readonly Statement[] }
  | { readonly op: "close" };

export interface WorkerMessage {
  readonly id: number;
  readonly request: WorkerRequest;
}

export interface WorkerFailure {
  /** SQLite's name of the error such as `SQLITE_BUSY`; `STORE` for an error with a text of our own. */
  readonly code: string;
  readonly message: string;
}

export type WorkerReply =
  | (Written & { readonly id: number; readonly rows: readonly SqlRow[] })
  | { readonly id: number; readonly failure: WorkerFailure };

/**
 * A message as texts: one of JSON, and after it the entries that are to be chained and the snapshots that are to be
 * sealed, just as they are. Within the JSON every quotation mark of theirs would have to be escaped, and in one text
 * with it each would be copied once more and be garbage: both on the thread that moves the audio.
 */
export function packed(message: WorkerMessage): readonly string[] {
  const { id, request } = message;
  if (request.op !== "write") return [JSON.stringify(message)];
  const texts: string[] = [];
  const events = request.batch.events.map((event) => {
    if (!("text" in event)) return event;
    texts.push(event.text);
    return { ...event, text: "" };
  });
  const snapshots = request.batch.snapshots.map((values) => without(values, texts));
  const batch = { ...request.batch, events, snapshots };
  return [JSON.stringify({ id, request: { ...request, batch } }), ...texts];
}

/** Puts its text among the others. */
function without(values: SnapshotValues, texts: string[]): SnapshotValues {
  const [callSid, seq, machineHash, version, sealed] = values;
  if (typeof sealed === "string") return values;
  texts.push(sealed.text);
  return [callSid, seq, machineHash, version, { ...sealed, text: "" }];
}

/** What {@link packed} was given. */
export function unpacked([head = "", ...texts]: readonly string[]): WorkerMessage {
  const { id, request } = JSON.parse(head) as WorkerMessage;
  if (request.op !== "write") return { id, request };
  const left = texts.values();
  const next = (): string => left.next().value ?? "";
  const events = request.batch.events.map((event) => ("text" in event ? { ...event, text: next() } : event));
  const snapshots = request.batch.snapshots.map((values): SnapshotValues => {
    const [callSid, seq, machineHash, version, sealed] = values;
    if (typeof sealed === "string") return values;
    return [callSid, seq, machineHash, version, { ...sealed, text: next() }];
  });
  return { id, request: { ...request, batch: { ...request.batch, events, snapshots } } };
}
