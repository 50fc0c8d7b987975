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

export type ChainedEntry = AuditEntry & { readonly prev: string; readonly hash: string };

/** What an entry says of itself: all but what chains it. */
export type Content = Omit<AuditEntry, "prev" | "hash">;

/** What chains it. */
export type Link = Pick<ChainedEntry, "prev" | "hash">;

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
export function chainedEntry(prev: string, content: Content): ChainedEntry {
  const { value, text } = canonical(content);
  return { ...value, prev, hash: hashOf(prev, text) };
}

function hashOf(prev: string, text: string): string {
  return sha256(`${prev}\n${text}`);
}

/** An entry without its hash, for another thread: see {@link chainedAll}. */
export interface Unchained {
  /** All of it but `prev` and `hash`, as JSON. */
  readonly text: string;
  /** `null`: the hash of the call's entry before it in the same list. */
  readonly prev: string | null;
}

/** Above that an entry is chained at once: it may be nested deeper than another thread's stack can follow. */
const LATER_MAX_CHARACTERS = 4_000;

/**
 * The next entry of a log, fixed as it is now, of which the hash is made by whoever asks first. That is the thread
 * that writes, if nobody else does: hashing an entry costs the thread that moves the audio more than all else about it.
 */
export class ChainLink implements ChainedEntry {
  readonly callSid: string;
  readonly seq: number;
  readonly at: string;
  readonly kind: AuditEntry["kind"];
  readonly name: string;
  readonly #text: string;
  /** The hash of the entry before, or that entry when it had none yet. */
  #before: string | ChainLink;
  #hash: string | null = null;

  /** Throws as {@link canonical} does. `before` is {@link chainStart} for the first entry. */
  constructor(before: string | ChainLink, content: Content) {
    const { callSid, seq, at, kind, name, data } = content;
    this.callSid = callSid;
    this.seq = seq;
    this.at = at;
    this.kind = kind;
    this.name = name;
    this.#before = before;
    this.#text = JSON.stringify({ callSid, seq, at, kind, name, data });
    if (this.#text.length > LATER_MAX_CHARACTERS) this.#chain();
  }

  /** A copy, in the order in which {@link chainedEntry} has it. */
  get data(): AuditEntry["data"] {
    return canonical(contentOf(this.#text).data).value;
  }

  get prev(): string {
    if (typeof this.#before !== "string") this.#before = this.#before.hash;
    return this.#before;
  }

  get hash(): string {
    return this.#hash ?? this.#chain();
  }

  /** What is still to be hashed, in a list in which `last` is the call's entry before; `null`: nothing is. */
  unchained(last: ChainLink | undefined): Unchained | null {
    if (this.#hash !== null) return null;
    return { text: this.#text, prev: last !== undefined && this.#before === last ? null : this.prev };
  }

  /** Takes the hash that {@link chainedAll} has made. */
  chained({ prev, hash }: Link): void {
    // What came before is let go.
    this.#before = prev;
    this.#hash = hash;
  }

  toJSON(): ChainedEntry {
    return { ...canonical(contentOf(this.#text)).value, prev: this.prev, hash: this.hash };
  }

  /** From the first that has none: a call may have thousands that nothing has written yet. */
  #chain(): string {
    const open: ChainLink[] = [this];
    for (
      let before = this.#before;
      typeof before !== "string" && before.#hash === null;
      before = before.#before
    )
      open.push(before);
    for (const link of open.reverse()) link.#hash = entryHash(link.prev, contentOf(link.#text));
    return this.hash;
  }
}

function contentOf(text: string): Content {
  return JSON.parse(text) as Content;
}

/** Entries of one call or more as {@link chainedEntry} makes them, in the order of the list. */
export function chainedAll(list: readonly Unchained[]): ChainedEntry[] {
  const hashes = new Map<string, string>();
  return list.map(({ text, prev }) => {
    const content = contentOf(text);
    const entry = chainedEntry(prev ?? hashes.get(content.callSid) ?? "", content);
    hashes.set(entry.callSid, entry.hash);
    return entry;
  });
}
