import type { Batch, EventKey, SqlRow, SqlValue, Statement } from "./driver.ts";

/** What the main thread asks of the worker. Sent as JSON text, which is cheaper to post than an object. */
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
