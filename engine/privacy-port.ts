/**
 * The port of what is done to kept calls for privacy's sake: types only. `engine/store-port.ts` has what they hold.
 */
import type { Sealer } from "./platform/seal.ts";
import type { AuditEntry, CallRow } from "./store-port.ts";

export interface Rewrapped {
  /** Keys of calls that are now under the present key. */
  readonly keys: number;
  /** Rows that were sealed with one key for all and now have keys of their own, or whose caller is found anew. */
  readonly rows: number;
  /** What neither `TANDEM_ENCRYPTION_KEY` nor the previous one opens: it stays as it is. */
  readonly unreadable: number;
}

/** Times are ISO 8601 in UTC; `null`: kept for ever. */
export interface Expiry {
  /** Rows of calls that ended before go, with all that is sealed of the call. */
  readonly rowsBefore: string | null;
  /** Logs of calls that began before go. */
  readonly logsBefore: string | null;
  /** Most of each that go at once. */
  readonly limit: number;
}

export interface Expired {
  /** Calls whose row is gone. */
  readonly calls: readonly string[];
  readonly logs: number;
}

/** Erasure, retention and keys of a store. All reject with `StoreError` when the database does not answer. */
export interface PrivateStore {
  /** Sids of the calls from a number in E.164, found by its keyed hash; oldest first. */
  callsFrom(number: string): Promise<readonly string[]>;
  /** Whether somebody is still sought for the caller, so that the call is not over for everybody. */
  isUnfinished(callSid: string): Promise<boolean>;
  /**
   * Destroys the keys of a call, and all that was sealed with them. The row is kept as given, but for what is
   * protected; `entry` is added to the log. Resolves to whether the database holds none of it any more: `false`
   * when a reader kept its write-ahead log from being cleared, or it is a server's.
   */
  erase(row: CallRow, entry: AuditEntry | null): Promise<boolean>;
  /** Puts everything that an earlier key opens under the present one. */
  rewrap(): Promise<Rewrapped>;
  expire(expiry: Expiry): Promise<Expired>;
}

/** Erasure and retention of recordings. Both reject when a file cannot be removed. */
export interface PrivateRecordings {
  /** Removes all tracks of a call, and resolves to how many files there were. */
  erase(callSid: string): Promise<number>;
  /** Removes tracks that were written before, `limit` at most; resolves to how many. */
  expire(beforeMs: number, limit: number): Promise<number>;
}

/** The keys of calls, for what is kept of them outside the database. */
export interface CallSealers {
  /** `null`: there is no key. */
  sealing(callSid: string): Sealer | null;
  /** `null`: it was destroyed, or is not of this call or of this `TANDEM_ENCRYPTION_KEY`. */
  opening(callSid: string, keyId: string): Promise<Sealer | null>;
}
