/** Checks the log of one call, line by line, and names what is wrong with it. Pure. */
import { type LogHead, MAX_ENTRIES } from "./chain.ts";
import { chainStart } from "../platform/hash-chain.ts";
import { type Finding, finding, missing } from "./findings.ts";
import { fits, type LoggedEntry, readEntry, type Surroundings, whatChanged } from "./logged.ts";

/** Twice of what a call may log: more is not one call's log. */
const MAX_LINES = 2 * MAX_ENTRIES;
const MAX_FINDINGS = 20;

/** What is known of the log from elsewhere. */
export interface Expected {
  /** Whose log it is; the call of most entries when left out. */
  readonly callSid?: string;
  /** What the row of the call says, from before the log was read. */
  readonly row?: { readonly ended: boolean } & {
    readonly auditEntries: number;
    readonly auditHash: string | null;
  };
  /** Hash of the last entry, kept where the log's keeper cannot change it. */
  readonly hash?: string;
}

/**
 * - `intact`: closed, and everything fits.
 * - `live`: everything fits so far; the call still goes on.
 * - `not-closed`: everything fits, but the end is missing, and nobody says that the call goes on.
 * - `unchained`: written before there was a chain, so there is nothing to check it by.
 * - `broken`: see the findings.
 */
export type LogStatus = "intact" | "live" | "not-closed" | "unchained" | "broken";

export interface Verdict {
  readonly status: LogStatus;
  readonly callSid: string | null;
  /** The last entry's number and hash; `null` when there is none, or it has no hash. */
  readonly head: LogHead | null;
  /** At most {@link MAX_FINDINGS}; `more` counts the others. */
  readonly findings: readonly Finding[];
  readonly more: number;
}

export class LogCheck {
  readonly #expected: Expected;
  readonly #entries: LoggedEntry[] = [];
  readonly #findings: Finding[] = [];
  #more = 0;
  #line = 0;
  #misfits = 0;

  constructor(expected: Expected = {}) {
    this.#expected = expected;
  }

  /** One line of the log, without its line feed. Empty ones are passed over. */
  take(text: string): void {
    this.#line++;
    const line = this.#line;
    if (text.trim() === "" || line > MAX_LINES) return;
    const entry = readEntry(text, line);
    if (typeof entry === "string") this.#found(finding("unreadable", { seq: null, line }, entry));
    else if (fits(entry)) this.#entries.push(entry);
    // What was changed is asked of the first few only, so that little of a foreign file is kept.
    else this.#entries.push(this.#misfits++ < MAX_FINDINGS ? entry : { ...entry, content: null });
  }

  end(): Verdict {
    if (this.#line > MAX_LINES) {
      const what = `the file has ${this.#line} lines; a call logs at most ${MAX_ENTRIES} entries`;
      this.#found(finding("too-long", { seq: null, line: MAX_LINES + 1 }, what));
    }
    const callSid = this.#expected.callSid ?? callOfMost(this.#entries);
    const isOwn = (entry: LoggedEntry): boolean => entry.callSid === callSid || !fits(entry);
    const own = this.#entries.filter(isOwn);
    for (const entry of this.#entries) {
      if (!isOwn(entry)) this.#found(finding("wrong-call", entry, `belongs to ${entry.callSid}`));
    }
    const chained = own.some((entry) => entry.hash !== null);
    const sequence = this.#checkSequence(own, callSid ?? "", chained);
    const last = sequence.at(-1) ?? null;
    this.#checkEnd(sequence);
    this.#checkAgainst(sequence, last, chained);
    const end = sequence.findLast(({ erases }) => !erases) ?? null;
    const head = last && last.hash !== null ? { entries: last.seq, hash: last.hash } : null;
    const status = this.#status(end, chained);
    return { status, callSid, head, findings: this.#findings, more: this.#more };
  }

  #status(last: LoggedEntry | null, chained: boolean): LogStatus {
    if (this.#findings.length > 0) return "broken";
    if (!chained) return "unchained";
    if (last?.closes) return "intact";
    return this.#expected.row?.ended === false ? "live" : "not-closed";
  }

  /** One entry for each number, in their order; whatever else there is becomes a finding. */
  #checkSequence(own: readonly LoggedEntry[], callSid: string, chained: boolean): LoggedEntry[] {
    const groups = [...Map.groupBy(own, (entry) => entry.seq)].sort(([a], [b]) => a - b);
    const sequence: LoggedEntry[] = [];
    const spare = new Set<LoggedEntry>();
    let link: string | null = chained ? chainStart(callSid) : null;
    groups.forEach(([seq, group], index) => {
      const before = sequence.at(-1)?.seq ?? 0;
      if (seq > before + 1) {
        this.#found(finding("missing", { seq: before + 1, line: null }, missing(before + 1, seq - 1)));
        link = null;
      }
      const next = groups[index + 1]?.[1][0] ?? null;
      const around = { callSid, link, next: next?.seq === seq + 1 ? next : null };
      const entry = bestOf(group, around);
      sequence.push(entry);
      for (const other of group) {
        if (other === entry) continue;
        spare.add(other);
        this.#found(surplus(other, entry, whatChanged(other, { ...around, link: null, next: null })));
      }
      if (chained) link = this.#checkLink(entry, around);
    });
    this.#checkOrder(own.filter((entry) => fits(entry) && !spare.has(entry)));
    return sequence;
  }

  /** The hash that the next entry must know. */
  #checkLink(entry: LoggedEntry, around: Surroundings): string | null {
    if (entry.prev === null || entry.hash === null) {
      this.#found(finding("unhashed", entry, "has no hash, unlike other entries of the log"));
      return null;
    }
    if (!fits(entry)) {
      this.#found(finding("changed", entry, `does not fit its hash: ${whatChanged(entry, around)}`));
      return around.next?.prev === entry.computed ? entry.computed : entry.hash;
    }
    if (around.link !== null && entry.prev !== around.link) {
      const what =
        entry.seq === 1
          ? `does not begin a log of ${around.callSid}`
          : `does not follow entry ${entry.seq - 1}: one of the two was replaced together with its hash`;
      this.#found(finding("replaced", entry, what));
    }
    return entry.hash;
  }

  #checkOrder(own: readonly LoggedEntry[]): void {
    let highest = 0;
    for (const entry of own) {
      if (entry.seq < highest) this.#found(finding("reordered", entry, `stands after entry ${highest}`));
      highest = Math.max(highest, entry.seq);
    }
  }

  #checkEnd(sequence: readonly LoggedEntry[]): void {
    const end = sequence.findIndex((entry) => entry.closes);
    if (end < 0) return;
    for (const entry of sequence.slice(end + 1)) {
      if (entry.erases) continue;
      this.#found(finding("after-end", entry, "came after the call had ended"));
    }
  }

  #checkAgainst(sequence: readonly LoggedEntry[], last: LoggedEntry | null, chained: boolean): void {
    const { row, hash } = this.#expected;
    if (!last) {
      this.#found(finding("truncated", { seq: null, line: null }, "there is no entry"));
      return;
    }
    if (row && chained && row.auditHash === null) {
      this.#found(finding("row-differs", last, "the row knows no hash, but the log has some"));
    } else if (row && row.auditHash !== null) this.#checkRow(sequence, last, { ...row, hash: row.auditHash });
    // A hash that was kept when the call ended does not know of an erasure.
    const known = sequence.findLast(({ erases }) => !erases)?.hash;
    if (hash !== undefined && hash !== last.hash && hash !== known) {
      this.#found(finding("other-hash", last, `its hash is ${last.hash ?? "missing"}, not ${hash}`));
    }
  }

  #checkRow(
    sequence: readonly LoggedEntry[],
    last: LoggedEntry,
    row: { readonly ended: boolean; readonly auditEntries: number; readonly hash: string },
  ): void {
    const { auditEntries, ended, hash } = row;
    if (auditEntries > last.seq) {
      const what = `${missing(last.seq + 1, auditEntries)} at the end: the row knows of ${auditEntries}`;
      this.#found(finding("truncated", { seq: last.seq + 1, line: null }, what));
      return;
    }
    const known = sequence.find((entry) => entry.seq === auditEntries);
    if (known && known.hash !== hash) {
      const what =
        known.hash === null ? "has no hash, but the row knows one" : "has another hash than the row";
      this.#found(finding(known.hash === null ? "unhashed" : "row-differs", known, `${what}: ${hash}`));
    } else if (ended && last.closes && auditEntries < last.seq) {
      this.#found(finding("row-differs", last, `is one too many: the row knows of ${auditEntries}`));
    }
  }

  #found(found: Finding): void {
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push(found);
    else this.#more++;
  }
}

/** The one that both neighbours know, or at least the one before. */
function bestOf(group: readonly LoggedEntry[], { link, next }: Surroundings): LoggedEntry {
  const linked = group.filter((each) => fits(each) && (link === null || each.prev === link));
  return linked.find((each) => each.hash === next?.prev) ?? linked[0] ?? (group[0] as LoggedEntry);
}

/** An entry whose number another one has that fits better. */
function surplus(other: LoggedEntry, entry: LoggedEntry, changed: string): Finding {
  if (!fits(other)) return finding("changed", other, `does not fit its hash: ${changed}`);
  const same = other.hash === entry.hash && other.prev === entry.prev;
  const [problem, what] = same
    ? (["duplicated", "is there twice"] as const)
    : (["inserted", "is a second entry of this number, and not part of the chain"] as const);
  return finding(problem, other, what);
}

function callOfMost(own: readonly LoggedEntry[]): string | null {
  const groups = [...Map.groupBy(own, (entry) => entry.callSid)];
  const most = Math.max(...groups.map(([, group]) => group.length));
  return groups.find(([, group]) => group.length === most)?.[0] ?? null;
}
