/** Entries of a log as they are read back, each with whether its hash fits it. */
import { z } from "zod";
import { errorText } from "../errors.ts";
import type { AuditEntry } from "../ports.ts";
import { CALL_ERASED, LOG_CLOSED } from "./chain.ts";
import { chainStart, entryHash } from "../platform/hash-chain.ts";

const KINDS: readonly AuditEntry["kind"][] = ["event", "step", "state", "effect", "result", "media", "note"];

/** Any field may be there: all are hashed. `prev` and `hash` are missing in logs from before the chain. */
const Logged = z.looseObject({
  callSid: z.string(),
  seq: z.number().int().positive(),
  kind: z.string(),
  name: z.string(),
  prev: z.string().nullish(),
  hash: z.string().nullish(),
});

export interface LoggedEntry {
  /** Where it stands in the log, from 1. */
  readonly line: number;
  readonly callSid: string;
  readonly seq: number;
  readonly prev: string | null;
  readonly hash: string | null;
  /** What `hash` should be, by `prev` and the rest; `null` without hashes. */
  readonly computed: string | null;
  /** Closes the log. */
  readonly closes: boolean;
  /** Tells that the call was erased, which is the only thing that may come later. */
  readonly erases: boolean;
  /** The rest of the entry, when its hash does not fit: to find out what was changed. */
  readonly content: Readonly<Record<string, unknown>> | null;
}

export function fits(entry: LoggedEntry): boolean {
  return entry.hash === entry.computed;
}

/** An entry from a line of the log, or why it is none. */
export function readEntry(text: string, line: number): LoggedEntry | string {
  try {
    const value: unknown = JSON.parse(text);
    const parsed = Logged.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      return `${issue?.path.join(".") || "the line"}: ${issue?.message ?? "is no entry"}`;
    }
    const { callSid, seq, kind, name, prev = null, hash = null } = parsed.data;
    // Of the text itself: the schema leaves out what it takes for an attack.
    const { prev: _prev, hash: _hash, ...content } = value as Readonly<Record<string, unknown>>;
    const computed = prev === null || hash === null ? null : entryHash(prev, content);
    const closes = kind === "note" && name === LOG_CLOSED;
    const erases = kind === "note" && name === CALL_ERASED;
    const kept = hash === computed ? null : content;
    return { line, callSid, seq, prev, hash, computed, closes, erases, content: kept };
  } catch (error) {
    return errorText(error);
  }
}

/** What the log should be like around an entry that does not fit its hash. */
export interface Surroundings {
  readonly callSid: string;
  /** Hash of the entry before, when it is there. */
  readonly link: string | null;
  /** The entry after, when it is there. */
  readonly next: LoggedEntry | null;
}

/**
 * Names the field that was changed, by trying which value makes the hash fit. Only fields with few possible
 * values can be told this way; the others are named together.
 */
export function whatChanged(entry: LoggedEntry, around: Surroundings): string {
  const { prev, hash, computed, content, seq } = entry;
  if (content === null || hash === null || prev === null) return "it was changed";
  if (around.next?.prev === computed) return "its hash was changed: the next entry knows another";
  const links = [around.link, seq === 1 ? chainStart(around.callSid) : null];
  if (links.some((link) => link !== null && link !== prev && entryHash(link, content) === hash)) {
    return "its prev was changed";
  }
  const was = (field: string, values: readonly (string | number)[]): string | null => {
    const value = values.find((each) => entryHash(prev, { ...content, [field]: each }) === hash);
    return value === undefined ? null : `its ${field} was ${value}`;
  };
  return (
    was("callSid", [around.callSid]) ??
    was("seq", [seq - 1, seq + 1, entry.line]) ??
    was("kind", KINDS) ??
    `its ${around.next ? "" : "hash, "}at, name or data was changed, or more than one field`
  );
}
