/**
 * What the two databases have in common: rows as they are stored, and a driver that writes a batch in one
 * transaction. Types only.
 */

import type { Link, Unchained } from "../../engine/platform/hash-chain.ts";
import type { StoredText } from "./text-cipher.ts";

export type SqlValue = string | number | null;
export type SqlRow = Readonly<Record<string, unknown>>;

/** Values of one row of `calls`, in the order of the insert statement: see sql.ts. */
export type CallValues = readonly [
  callSid: string,
  startedAt: string,
  state: string,
  endedAt: string | null,
  body: string,
  sealed: string,
  caller: string | null,
];

/** Values of one row of `call_keys`. */
export type KeyValues = readonly [callSid: string, keyId: string, wrapped: string];

/** Values of one row of `events`. */
export type EventValues = readonly [
  callSid: string,
  seq: number,
  at: string,
  kind: string,
  name: string,
  data: string,
  prev: string | null,
  hash: string | null,
];

/** Values of one row of `journal`. */
export type JournalValues = readonly [
  callSid: string,
  effectId: string,
  state: string,
  name: string,
  atMs: number,
  sealed: StoredText,
];

/** Values of one row of `snapshots`. */
export type SnapshotValues = readonly [
  callSid: string,
  seq: number,
  machineHash: string,
  version: number,
  sealed: StoredText,
];

/** Values of one row of `charts`. */
export type ChartsValues = readonly [hash: string, savedAt: string, body: string];

/** Written in one transaction: events first, so that a row is never ahead of its log. */
export interface Batch {
  /** What anything in the batch was sealed with that is not stored yet. */
  readonly keys: readonly KeyValues[];
  /** Those that are not chained yet are as they are written, not before: like what is to be sealed. */
  readonly events: readonly (EventValues | Unchained)[];
  readonly journal: readonly JournalValues[];
  /** One per call. */
  readonly snapshots: readonly SnapshotValues[];
  /** Calls whose snapshot and journal data go. */
  readonly drops: readonly string[];
  readonly charts: readonly ChartsValues[];
  /** One per call. */
  readonly calls: readonly CallValues[];
}

export interface EventKey {
  readonly callSid: string;
  readonly seq: number;
}

/** What came of the events of a batch. */
export interface Written {
  /** Those whose number is taken by a different content; what was there stays. */
  readonly conflicts: readonly EventKey[];
  /** Of those that were not chained, in their order. */
  readonly links: readonly Link[];
}

export type WriteOutcome =
  | ({ readonly ok: true } & Written)
  | {
      readonly ok: false;
      readonly problem: string;
      /** The database refuses something in this batch and always will; otherwise it may work later. */
      readonly badData: boolean;
    };

export interface Driver {
  /** One transaction: all of it or nothing. Never rejects. Repeating it is harmless. */
  write(batch: Batch): Promise<WriteOutcome>;
  /** Runs one reading statement of sql.ts. Rejects with `StoreError`. */
  all(sql: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /**
   * Runs statements in one transaction, whose leavings are cleared as far as the database can: an SQLite file holds
   * nothing of what they replaced or deleted. Resolves to whether it could. Rejects with `StoreError`.
   */
  erase(statements: readonly Statement[]): Promise<boolean>;
  close(): Promise<void>;
}

/** One that writes. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** One connection inside a transaction: what migrations and batches run on. */
export interface Db {
  all(sql: string, params: readonly SqlValue[]): readonly SqlRow[] | Promise<readonly SqlRow[]>;
}
