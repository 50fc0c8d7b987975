import type { WorkerFailure } from "./sqlite-protocol.ts";

/** [SQLite's code or its beginning, what it means, what to do]. */
const PROBLEMS: readonly (readonly [string, string, string])[] = [
  ["SQLITE_BUSY", "is locked by another process", "stop the other process that writes to it"],
  ["SQLITE_LOCKED", "is locked by another process", "stop the other process that writes to it"],
  [
    "SQLITE_READONLY",
    "is read-only",
    "let the user that runs Tandem write to the file and to its directory, or point DATABASE_URL elsewhere",
  ],
  ["SQLITE_PERM", "may not be written", "let the user that runs Tandem write to the file and its directory"],
  [
    "SQLITE_NOTADB",
    "is not a SQLite database",
    "restore it from a backup, or move it away to begin with an empty one",
  ],
  [
    "SQLITE_CORRUPT",
    "is damaged",
    "restore it from a backup, or move it away (with its -wal and -shm files) to begin with an empty one",
  ],
  [
    "SQLITE_CANTOPEN",
    "cannot be opened",
    "check that the path is a file that the user that runs Tandem may write, and not a directory",
  ],
  [
    "SQLITE_FULL",
    "cannot grow: the disk is full",
    "free some space; what waits is written as soon as it fits",
  ],
  [
    "FILE_GONE",
    "was deleted while it was in use",
    "none: what it held is written to a new file of that name, at once",
  ],
  [
    "FILE_REPLACED",
    "is another file than the one that was opened, and is left alone",
    "put the first one back; or restart Tandem to go on with this one, without what was not written",
  ],
  ["SQLITE_IOERR", "cannot be read or written", "check the disk and its free space"],
];

/** One sentence with the path and the fix. */
export function sqliteProblem(failure: WorkerFailure, path: string): string {
  const known = PROBLEMS.find(([code]) => failure.code.startsWith(code));
  if (!known) return `database ${path}: ${failure.message}`;
  const [, problem, fix] = known;
  return `database ${path} ${problem} (${failure.code}); fix: ${fix}`;
}

/** The values themselves are refused: trying the same again cannot help. */
export function isBadData(code: string): boolean {
  return /^(SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE)|BUG$|ERR_)/.test(code);
}
