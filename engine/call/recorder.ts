import {
  LOG_CLOSED,
  type ChainedEntry,
  chainedEntry,
  chainStart,
  type LogHead,
  MAX_ENTRIES,
} from "../audit/chain.ts";
import { errorText } from "../errors.ts";
import type { AuditEntry, Clock, Store } from "../ports.ts";

/** Fields that name or quote a person: kept out of the log, their presence is noted. */
const PERSONAL = new Set(["to", "from", "text"]);

type Data = Readonly<Record<string, unknown>>;

/**
 * Writes the append-only log of one call, entry by entry onto its chain. `note log.closed` closes it: what comes
 * later is left out and counted. So is what a call makes beyond {@link MAX_ENTRIES}: a note says so, and the last
 * place is kept for the end.
 */
export class Recorder {
  #head: LogHead;
  #closed: boolean;
  #dropped = 0;
  readonly #callSid: string;
  readonly #clock: Clock;
  readonly #store: Store;

  /** `last` is the entry to go on after, when the log has some already. */
  constructor(callSid: string, clock: Clock, store: Store, last: ChainedEntry | null = null) {
    this.#callSid = callSid;
    this.#clock = clock;
    this.#store = store;
    this.#head = last ? { entries: last.seq, hash: last.hash } : { entries: 0, hash: chainStart(callSid) };
    this.#closed = last !== null && closes(last.kind, last.name);
  }

  get head(): LogHead {
    return this.#head;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get closed(): boolean {
    return this.#closed;
  }

  write(kind: AuditEntry["kind"], name: string, data: Data): void {
    const closing = closes(kind, name);
    const room = (closing ? MAX_ENTRIES : MAX_ENTRIES - 1) - this.#head.entries;
    if (this.#closed || room <= 0) {
      this.#dropped++;
      return;
    }
    this.#closed = closing;
    if (closing || room > 1) {
      this.#append(kind, name, publicFields(name, data));
      return;
    }
    this.#dropped++;
    this.#append("note", "log.full", { limit: MAX_ENTRIES });
  }

  #append(kind: AuditEntry["kind"], name: string, data: Data): void {
    const { entries, hash } = this.#head;
    const at = new Date(this.#clock.now()).toISOString();
    const entry = chained(hash, { callSid: this.#callSid, seq: entries + 1, at, kind, name, data });
    this.#head = { entries: entry.seq, hash: entry.hash };
    this.#store.appendEvents([entry]);
  }
}

/**
 * A recorder that goes on where an engine that died left the log of a call; `null` when nothing was logged, or
 * before the log was a chain. Rejects when the store cannot be read.
 */
export async function resumeRecorder(callSid: string, clock: Clock, store: Store): Promise<Recorder | null> {
  let last: AuditEntry | null = null;
  for await (const entry of store.events(callSid)) last = entry;
  const { prev = null, hash = null } = last ?? {};
  if (!last || prev === null || hash === null) return null;
  return new Recorder(callSid, clock, store, { ...last, prev, hash });
}

function closes(kind: string, name: string): boolean {
  return kind === "note" && name === LOG_CLOSED;
}

function chained(prev: string, entry: Omit<AuditEntry, "prev" | "hash">): ChainedEntry {
  try {
    return chainedEntry(prev, entry);
  } catch (error) {
    return chainedEntry(prev, { ...entry, data: { unwritable: errorText(error) } });
  }
}

function publicFields(name: string, data: Data): Data {
  const quotes = name.startsWith("tool.") || name.startsWith("op.");
  const fields: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(data)) {
    if (value === undefined || field === "type" || field === "at") continue;
    const personal = PERSONAL.has(field) || (quotes && field === "reason");
    fields[field] = personal && value !== null ? "[redacted]" : value;
  }
  return fields;
}
