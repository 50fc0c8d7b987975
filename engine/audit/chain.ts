/** What has a place of its own in the log of a call, and how long it may be. Its chain: engine/platform/hash-chain.ts. */

/** Most entries of one call. */
export const MAX_ENTRIES = 5000;

/** Written after the engine that had the call was started again, before its actors go on. */
export const CALL_RESTORED = "call.restored";

/** Written as what follows up an incident begins, once the call is over. */
export const FOLLOW_UP_BEGUN = "follow_up.begun";

/** Closes a log: a note of this name is the last entry of every call that is over. */
export const LOG_CLOSED = "log.closed";

/** What may come after the end: the call's words and numbers were destroyed. The log never had them. */
export const CALL_ERASED = "call.erased";

/** How far a log has got. */
export interface LogHead {
  readonly entries: number;
  /** Of the last entry; of the chain's beginning when there is none. */
  readonly hash: string;
}
