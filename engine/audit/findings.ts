/** What a check of a log can find wrong with it, in words: which entry, what differs, and what to do. */

/** A closed set. */
export type Problem =
  | "unreadable"
  | "wrong-call"
  | "changed"
  | "missing"
  | "inserted"
  | "duplicated"
  | "reordered"
  | "replaced"
  | "unhashed"
  | "after-end"
  | "truncated"
  | "row-differs"
  | "other-hash"
  | "too-long";

export interface Finding {
  readonly problem: Problem;
  /** Number of the entry; `null` when there is none to name. */
  readonly seq: number | null;
  /** Line of the log, from 1; `null` for what is not there. */
  readonly line: number | null;
  readonly what: string;
  readonly fix: string;
}

const FETCH_AGAIN = "take the log from a backup, or, if this is a copy, export it again";

const FIXES: Readonly<Record<Problem, string>> = {
  unreadable: FETCH_AGAIN,
  "wrong-call": "take the line out and check the log of the call it belongs to",
  changed: `trust neither this entry nor what follows from it; ${FETCH_AGAIN}`,
  missing: FETCH_AGAIN,
  inserted: "keep the entry whose hashes fit, take the other one out, and find out who put it there",
  duplicated: "take the second one out",
  reordered: "sort the lines by `seq`",
  replaced: `trust neither of the two entries; ${FETCH_AGAIN}`,
  unhashed: FETCH_AGAIN,
  "after-end": "take out what comes after the end, and find out who put it there",
  truncated: FETCH_AGAIN,
  "row-differs": "compare with a backup: the log, or the row's auditHash and auditEntries, were changed",
  "other-hash": `find out which of the two is right: the log, or the hash it is compared with; ${FETCH_AGAIN}`,
  "too-long": "check that the file is one call's log",
};

export function finding(
  problem: Problem,
  place: { readonly seq: number | null; readonly line: number | null },
  what: string,
): Finding {
  return { problem, seq: place.seq, line: place.line, what, fix: FIXES[problem] };
}

/** `entry 4 is missing` or `entries 4 to 6 are missing`. */
export function missing(from: number, to: number): string {
  return from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`;
}
