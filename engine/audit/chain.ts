/**
 * The chain of a call's log. Each entry carries `prev`, the hash of the entry before it, and `hash`: SHA-256 in
 * hex over `prev`, a line feed, and the rest of the entry as canonical JSON. The first entry's `prev` is made
 * from the format and the call, so that a log cannot be taken for another call's.
 *
 * What is hashed is what is stored, and nothing of a person is: fields that name or quote somebody are redacted
 * before. Their erasure from the row touches no entry, and no hash could be used to guess them.
 */
import { hash } from "node:crypto";
import type { AuditEntry } from "../ports.ts";
import { canonical } from "./canonical.ts";

/** Part of every chain's beginning: another way of hashing needs another name. */
const AUDIT_FORMAT = "tandem-audit-1";

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

export type ChainedEntry = AuditEntry & { readonly prev: string; readonly hash: string };

function sha256(text: string): string {
  return hash("sha256", text, "hex");
}

/** What stands for the entry before the first one. */
export function chainStart(callSid: string): string {
  return sha256(`${AUDIT_FORMAT}\n${callSid}`);
}

/** The hash of an entry. `content` is all of it but `prev` and `hash`. */
export function entryHash(prev: string, content: object): string {
  return hashOf(prev, canonical(content).text);
}

/**
 * The next entry of a log, as it will be read back: it shares nothing with what it was made from, so that no
 * later change can part it from its hash. Throws as {@link canonical} does.
 */
export function chainedEntry(prev: string, content: Omit<AuditEntry, "prev" | "hash">): ChainedEntry {
  const { value, text } = canonical(content);
  return { ...value, prev, hash: hashOf(prev, text) };
}

function hashOf(prev: string, text: string): string {
  return sha256(`${prev}\n${text}`);
}
