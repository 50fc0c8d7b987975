import type { Batch, EventKey, SnapshotValues, SqlRow, SqlValue, Statement } from "./driver.ts";

/** What the main thread asks of the worker. Sent as text, which is cheaper to post than an object: see {@link packed}. */
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
  | { readonly id: number; readonly conflicts: readonly EventKey[]; readonly rows: readonly SqlRow[] }
  | { readonly id: number; readonly failure: WorkerFailure };

/**
 * A message as one text: a line of JSON, and after it the snapshots that are to be sealed, just as they are. Within
 * the JSON every quotation mark of theirs would have to be escaped, on the thread that moves the audio.
 */
export function packed(message: WorkerMessage): string {
  const { id, request } = message;
  if (request.op !== "write") return JSON.stringify(message);
  const texts: string[] = [];
  const snapshots = request.batch.snapshots.map((values) => without(values, texts));
  const batch = { ...request.batch, snapshots };
  const lengths = texts.map((text) => text.length);
  return `${JSON.stringify({ id, request: { ...request, batch }, lengths })}\n${texts.join("")}`;
}

/** Puts its text among the others. */
function without(values: SnapshotValues, texts: string[]): SnapshotValues {
  const [callSid, seq, machineHash, version, sealed] = values;
  if (typeof sealed === "string") return values;
  texts.push(sealed.text);
  return [callSid, seq, machineHash, version, { ...sealed, text: "" }];
}

/** What {@link packed} was given. */
export function unpacked(text: string): WorkerMessage {
  const headEnd = text.indexOf("\n");
  if (headEnd < 0) return JSON.parse(text) as WorkerMessage;
  const { lengths, ...message } = JSON.parse(text.slice(0, headEnd)) as WorkerMessage & { lengths: number[] };
  if (message.request.op !== "write") return message;
  let start = headEnd + 1;
  const snapshots = message.request.batch.snapshots.map((values): SnapshotValues => {
    const [callSid, seq, machineHash, version, sealed] = values;
    if (typeof sealed === "string") return values;
    const own = text.slice(start, (start += lengths.shift() ?? 0));
    return [callSid, seq, machineHash, version, { ...sealed, text: own }];
  });
  return { ...message, request: { ...message.request, batch: { ...message.request.batch, snapshots } } };
}
