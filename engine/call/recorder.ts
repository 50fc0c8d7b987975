import type { CallInput } from "../../machines/context.ts";
import { begunNote, CALL_BEGUN } from "../audit/begun.ts";
import { LOG_CLOSED, type LogHead, MAX_ENTRIES } from "../audit/chain.ts";
import { type ChainedEntry, ChainLink, chainStart, type Content } from "../platform/hash-chain.ts";
import { StandIns } from "../audit/stand-ins.ts";
import { errorText } from "../errors.ts";
import type { AuditEntry, Clock, Store } from "../ports.ts";
import { classOf } from "../privacy/classes.ts";
import { told } from "../privacy/told.ts";

type Data = Readonly<Record<string, unknown>>;

/**
 * Writes the append-only log of one call, entry by entry onto its chain. `note log.closed` closes it: what comes
 * later is left out and counted. So is what a call makes beyond {@link MAX_ENTRIES}: a note says so, and the last
 * place is kept for the end.
 */
export class Recorder {
  #entries: number;
  #last: string | ChainLink;
  #closed: boolean;
  #dropped = 0;
  readonly #callSid: string;
  readonly #clock: Clock;
  readonly #store: Store;
  readonly #standIns: StandIns;
  #listener: ((entry: ChainedEntry) => void) | null = null;

  /** `last` is the entry to go on after, and `known` what had a stand-in, when the log has some already. */
  constructor(
    callSid: string,
    clock: Clock,
    store: Store,
    last: ChainedEntry | null = null,
    known: readonly string[] = [],
  ) {
    this.#standIns = new StandIns(known);
    this.#callSid = callSid;
    this.#clock = clock;
    this.#store = store;
    this.#entries = last?.seq ?? 0;
    this.#last = last?.hash ?? chainStart(callSid);
    this.#closed = last !== null && closes(last.kind, last.name);
  }

  /** How many there are. */
  get entries(): number {
    return this.#entries;
  }

  /** Hashes what nobody has hashed yet. */
  get head(): LogHead {
    const last = this.#last;
    return { entries: this.#entries, hash: typeof last === "string" ? last : last.hash };
  }

  get dropped(): number {
    return this.#dropped;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** The numbers and addresses that the log has stand-ins for, in the order of these. */
  get known(): readonly string[] {
    return this.#standIns.known;
  }

  /** Tells each entry from now on, as it is written. A later listener replaces it. */
  listen(listener: (entry: ChainedEntry) => void): void {
    this.#listener = listener;
  }

  /** The first entry: what the call's machine is started with. */
  begin(agent: string, input: CallInput): void {
    this.write("note", CALL_BEGUN, begunNote(agent, input, this.#standIns));
  }

  write(kind: AuditEntry["kind"], name: string, data: Data): void {
    const closing = closes(kind, name);
    const room = (closing ? MAX_ENTRIES : MAX_ENTRIES - 1) - this.#entries;
    if (this.#closed || room <= 0) {
      this.#dropped++;
      return;
    }
    this.#closed = closing;
    if (closing || room > 1) {
      this.#append(kind, name, data);
      return;
    }
    this.#dropped++;
    this.#append("note", "log.full", { limit: MAX_ENTRIES });
  }

  #append(kind: AuditEntry["kind"], name: string, data: Data): void {
    const nowMs = this.#clock.now();
    const at = new Date(nowMs).toISOString();
    const fields = this.#publicFields(kind, name, data, nowMs);
    const content = { callSid: this.#callSid, seq: this.#entries + 1, at, kind, name, data: fields };
    const entry = linked(this.#last, content);
    this.#entries = entry.seq;
    this.#last = entry;
    this.#store.appendEvents([entry]);
    this.#listener?.(entry);
  }

  /**
   * What may be told, by the class of each field. Of an event all that machines go by is kept: its own time, too,
   * when it had to wait for its turn.
   */
  #publicFields(kind: AuditEntry["kind"], name: string, data: Data, nowMs: number): Data {
    const fields: Record<string, unknown> = {};
    for (const [field, value] of Object.entries(data)) {
      if (value === undefined || field === "type") continue;
      if (field === "at" && (kind !== "event" || value === nowMs)) continue;
      const fieldClass = classOf(name, field);
      // Machines compare whom they page, and know them by the stand-in again.
      const isCompared = field === "to" && fieldClass === "personal" && typeof value === "string";
      fields[field] = isCompared ? this.#standIns.of(value) : told(value, fieldClass);
    }
    return fields;
  }
}

/**
 * A recorder that goes on where an engine that died left the log of a call; `null` when nothing was logged, or
 * before the log was a chain. `known` is what that engine's recorder knew. Rejects when the store cannot be read.
 */
export async function resumeRecorder(
  callSid: string,
  clock: Clock,
  store: Store,
  known: readonly string[],
): Promise<Recorder | null> {
  const last = await store.lastEvent(callSid);
  const { prev = null, hash = null } = last ?? {};
  if (!last || prev === null || hash === null) return null;
  return new Recorder(callSid, clock, store, { ...last, prev, hash }, known);
}

function closes(kind: string, name: string): boolean {
  return kind === "note" && name === LOG_CLOSED;
}

function linked(before: string | ChainLink, entry: Content): ChainLink {
  try {
    return new ChainLink(before, entry);
  } catch (error) {
    return new ChainLink(before, { ...entry, data: { unwritable: errorText(error) } });
  }
}
