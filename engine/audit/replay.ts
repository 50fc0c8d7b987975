/**
 * Compares a log with what the machines make of the same events now, entry by entry, up to the first that
 * differs. Pure: needs the log and nothing else.
 */
import { CallEventSchema } from "../../machines/events.ts";
import { MACHINE_HASH } from "../call/machine-hash.ts";
import { invariant } from "../errors.ts";
import { type Begun, CALL_BEGUN, readBegun } from "./begun.ts";
import { CALL_ERASED, CALL_RESTORED, FOLLOW_UP_BEGUN, LOG_CLOSED } from "./chain.ts";
import type { ChainedEntry } from "../platform/hash-chain.ts";
import { type Divergence, madeOf, parted, stepsParted } from "./divergence.ts";
import { type Machines, MACHINES, type Made, Rerun } from "./rerun.ts";

export interface Replayed {
  /**
   * - `agrees`: to the end.
   * - `diverges`: at `divergence`.
   * - `unfinished`: agrees as far as the log goes, which is without its end.
   * - `cannot`: `why` says up to where it could be compared, and what hinders the rest.
   */
  readonly outcome: "agrees" | "diverges" | "unfinished" | "cannot";
  readonly divergence: Divergence | null;
  readonly why: string | null;
  /** What is worth knowing besides. */
  readonly notes: readonly string[];
  /** How much was compared. */
  readonly events: number;
  readonly compared: number;
}

const DRIVES: ReadonlySet<string> = new Set([CALL_BEGUN, FOLLOW_UP_BEGUN, CALL_RESTORED]);
const ROOTS: ReadonlySet<string> = new Set(["call", "incident"]);
/** An engine that died cannot log to the end what it did last. */
const LOST = "engine_lost";

/** Replays a log whose chain was found to fit, in the order of its entries. */
export function replay(entries: readonly ChainedEntry[], machines: Machines = MACHINES): Replayed {
  return new Replay(entries, machines).run();
}

class Hindered extends Error {}

class Replay {
  readonly #entries: readonly ChainedEntry[];
  readonly #machines: Machines;
  readonly #stops: ReadonlySet<number>;
  readonly #rerun: Rerun;
  /** The log's beginnings that were run already, by their last entry: each restart goes on from one. */
  readonly #beginnings: Map<number, Rerun>;
  /** What the machines made of the last cause: all, and what of it the log has not shown yet. */
  #all: readonly Made[] = [];
  #made: Made[] = [];
  #cause: Divergence["cause"] | null = null;
  readonly #notes: string[] = [];
  #events = 0;
  #compared = 0;

  constructor(
    entries: readonly ChainedEntry[],
    machines: Machines,
    beginnings: Map<number, Rerun> = new Map(),
  ) {
    this.#entries = entries;
    this.#stops = stopsOf(entries);
    this.#machines = machines;
    this.#rerun = new Rerun(machines);
    this.#beginnings = beginnings;
  }

  run(): Replayed {
    try {
      for (const entry of this.#entries) {
        const divergence = this.#next(entry);
        if (divergence) return this.#result("diverges", divergence);
      }
      const last = this.#entries.findLast(({ name }) => name !== CALL_ERASED);
      const closed = last?.kind === "note" && last.name === LOG_CLOSED;
      return this.#result(closed ? "agrees" : "unfinished");
    } catch (error) {
      if (!(error instanceof Hindered)) throw error;
      return this.#result("cannot", null, error.message);
    }
  }

  #result(
    outcome: Replayed["outcome"],
    divergence: Divergence | null = null,
    why: string | null = null,
  ): Replayed {
    return { outcome, divergence, why, notes: this.#notes, events: this.#events, compared: this.#compared };
  }

  #next(entry: ChainedEntry): Divergence | null {
    const { kind, name, data } = entry;
    const made = madeOf(entry);
    if (made) return this.#compare(entry, made);
    if (kind === "event") return this.#drive(entry, () => this.#take(entry));
    if (kind !== "note") return null;
    switch (name) {
      case CALL_BEGUN:
        return this.#drive(entry, () => this.#rerun.begin(this.#inputOf(entry).input));
      case FOLLOW_UP_BEGUN:
        this.#requireBegun();
        return this.#drive(entry, () => this.#rerun.follow(this.#numberOf(entry, "openedAtMs")));
      case CALL_RESTORED:
        // What the engine that died did last, it may not have logged.
        this.#made = [];
        return this.#drive(entry, () => this.#restore(entry));
      case "log.full":
        throw new Hindered(`it agrees up to entry ${entry.seq}, where the log is full`);
      case "call.ended":
        if (data["endReason"] !== LOST) return this.#settled(entry) ?? this.#ended(entry);
        this.#made = [];
        return null;
      case "follow_up.ended":
        return this.#settled(entry) ?? this.#ended(entry);
      case LOG_CLOSED:
        return this.#settled(entry);
      default:
        return null;
    }
  }

  /** Gives the machines what comes next, when all that they made of the last was in the log. */
  #drive(entry: ChainedEntry, work: () => void): Divergence | null {
    const missing = this.#settled(entry);
    if (missing) return missing;
    const { seq, name, at } = entry;
    this.#cause = { seq, name, at };
    work();
    this.#takeMade();
    return null;
  }

  /** What the machines made, and the log does not have before this entry. */
  #settled(entry: ChainedEntry): Divergence | null {
    const [came] = this.#made;
    return came === undefined ? null : this.#parted(entry, null, came);
  }

  #compare(entry: ChainedEntry, logged: Made): Divergence | null {
    this.#requireBegun();
    if (this.#made.length === 0 && this.#stops.has(entry.seq) && this.#rerun.standing?.status === "active") {
      this.#rerun.stop();
      this.#takeMade();
    }
    this.#compared++;
    return this.#parted(entry, logged, this.#made.shift() ?? null);
  }

  #requireBegun(): void {
    if (this.#rerun.standing === null) {
      throw new Hindered("it does not begin with what the call was started with");
    }
  }

  #takeMade(): void {
    this.#all = this.#rerun.takeMade();
    this.#made = [...this.#all];
  }

  #parted({ seq }: ChainedEntry, logged: Made | null, came: Made | null): Divergence | null {
    const differ = parted(logged, came);
    const cause = this.#cause;
    invariant(cause, "nothing is made without a cause");
    if (!differ) return null;
    const since = stepsParted(this.#loggedAfter(cause.seq), this.#all);
    return { seq, cause, since: since === differ.how ? null : since, ...differ };
  }

  /** What the log has of the same kinds after this entry, up to the next that drives the machines. */
  #loggedAfter(seq: number): Made[] {
    const after = this.#entries.filter((entry) => entry.seq > seq);
    const end = after.findIndex(
      ({ kind, name }) => kind === "event" || (kind === "note" && DRIVES.has(name)),
    );
    return after.slice(0, end < 0 ? after.length : end).flatMap((entry) => madeOf(entry) ?? []);
  }

  #take({ seq, name, at, data }: ChainedEntry): void {
    this.#requireBegun();
    const event = CallEventSchema.safeParse({ at: Date.parse(at), ...data, type: name });
    if (!event.success) {
      const fields = event.error.issues.map((issue) => issue.path.join(".")).join(", ");
      throw new Hindered(`entry ${seq}, ${name}, is no event that this Tandem knows (${fields})`);
    }
    this.#events++;
    this.#rerun.take(event.data);
  }

  #inputOf({ seq, data }: ChainedEntry): Begun {
    const begun = readBegun(data);
    if (!begun) {
      throw new Hindered(
        `entry ${seq} does not say all that the call was started with: it is from another version`,
      );
    }
    if (begun.machines !== MACHINE_HASH) {
      this.#notes.push(
        `it was logged with other machines (Tandem ${begun.engine}, ${begun.machines.slice(0, 12)})`,
      );
    }
    return begun;
  }

  #numberOf({ seq, name, data }: ChainedEntry, field: string): number {
    const value = data[field];
    if (typeof value === "number") return value;
    throw new Hindered(`entry ${seq}, ${name}, does not say its ${field}: it is from another version`);
  }

  /** The snapshot that the engine went on from may be older than what it had logged. */
  #restore(entry: ChainedEntry): void {
    const { seq, name } = entry;
    const snapshotSeq = this.#numberOf(entry, "snapshotSeq");
    // Not one that can be run: it would lead here again.
    if (snapshotSeq >= seq) {
      throw new Hindered(
        `entry ${seq}, ${name}, goes on from entry ${snapshotSeq}, which is not before it: the log lacks what was gone on with`,
      );
    }
    const before = this.#beginning(snapshotSeq);
    if (!before?.standing) {
      throw new Hindered(
        `there was no state of the call at entry ${snapshotSeq}, from which it was restored`,
      );
    }
    this.#rerun.restore(before);
  }

  /** Run up to this entry; `null`: it diverges before. */
  #beginning(lastSeq: number): Rerun | null {
    const known = this.#beginnings.get(lastSeq);
    if (known !== undefined) return known;
    const cut = this.#entries.filter(({ seq }) => seq <= lastSeq);
    const run = new Replay(cut, this.#machines, this.#beginnings);
    if (run.run().outcome === "diverges") return null;
    this.#beginnings.set(lastSeq, run.#rerun);
    return run.#rerun;
  }

  /** What the call, or what followed it, came to, is the row's. */
  #ended(entry: ChainedEntry): Divergence | null {
    const standing = this.#rerun.standing;
    if (standing?.status !== "done") return null;
    const { endReason, incident } = standing;
    const data =
      standing.of === "call"
        ? { endReason: endReason ?? "internal_error" }
        : { outcome: incident?.outcome ?? null, owned: (incident?.owner ?? null) !== null };
    const { name } = entry;
    const logged = Object.fromEntries(Object.keys(data).map((field) => [field, entry.data[field]]));
    return this.#parted(entry, { kind: "state", name, data: logged }, { kind: "state", name, data });
  }
}

/**
 * Numbers of the steps by which an engine stopped machines in the middle: the innermost first, the call itself
 * last.
 */
function stopsOf(entries: readonly ChainedEntry[]): ReadonlySet<number> {
  const stops = new Set<number>();
  let outermost = false;
  for (const { kind, name, data, seq } of entries.toReversed()) {
    const isStop = kind === "step" && data["event"] === "xstate.stop";
    outermost = isStop && (outermost || ROOTS.has(name));
    if (outermost) stops.add(seq);
  }
  return stops;
}
