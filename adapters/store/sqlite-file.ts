/** The file of a database, as against what is in it: whether it is whole, and whether it is still there. */
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { StoreError } from "../../engine/errors.ts";

/** How long SQLite waits for another process's lock, unless it is told otherwise. */
export const BUSY_TIMEOUT_MS = 5000;

const SCHEME = "sqlite://";

/** Path of the file that a database's address names; `null`: it names none. */
export function sqlitePath(url: string): string | null {
  return url.startsWith(SCHEME) ? url.slice(SCHEME.length) : null;
}

/** @throws StoreError when the address names a file, and that is not there. */
export function assertThere(url: string): void {
  const path = sqlitePath(url);
  if (path === null || existsSync(path)) return;
  throw new StoreError(`database ${path} is not there; fix: check DATABASE_URL`);
}

/** With a code, as SQLite's own errors have: sqlite-problem.ts says what it means. */
class FileError extends StoreError {
  readonly code: "SQLITE_CORRUPT" | "FILE_GONE" | "FILE_REPLACED";

  constructor(code: FileError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** A larger file is checked without its logs, which are most of it: reading 1 GB takes a second or more. */
const CHECKED_WHOLE_MAX_BYTES = 512 * 1024 * 1024;

/**
 * Reads the pages of a database that is there. SQLite looks at a page only when it is used, which may be when a
 * call is under way. Writes nothing, so that a damaged file stays as it was found.
 *
 * @throws FileError or SQLite's own error.
 */
export function checkFile(
  path: string,
  busyTimeoutMs: number,
  wholeMaxBytes = CHECKED_WHOLE_MAX_BYTES,
): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size === 0) return;
  const reader = new Database(path, { readonly: true });
  try {
    reader.run(`pragma busy_timeout = ${busyTimeoutMs}`);
    for (const table of found.size <= wholeMaxBytes ? [null] : tablesToCheck(reader)) {
      const of = table === null ? "1" : `'${table.replaceAll("'", "''")}'`;
      const [first] = reader.query<{ quick_check: string }, []>(`pragma quick_check(${of})`).all();
      if (first && first.quick_check !== "ok") throw new FileError("SQLITE_CORRUPT", first.quick_check);
    }
  } finally {
    reader.close();
  }
}

function tablesToCheck(reader: Database): readonly string[] {
  const sql = "select name from sqlite_master where type = 'table' and name <> 'events'";
  return reader
    .query<{ name: string }, []>(sql)
    .all()
    .map(({ name }) => name);
}

/**
 * Notices that the file was deleted or replaced while it was in use. The system goes on with the file that is
 * open, which nobody would ever find again.
 */
export class FileWatch {
  readonly #path: string;
  readonly #identity: string | null;
  #said = false;

  /** To be made once the file is open. */
  constructor(path: string) {
    this.#path = path;
    this.#identity = identityOf(path);
  }

  get state(): "there" | "gone" | "replaced" {
    const now = identityOf(this.#path);
    if (now === this.#identity) return "there";
    return now === null ? "gone" : "replaced";
  }

  /**
   * Whether the file is still there, or to be put back: that is an error the first time, so that it is heard of.
   *
   * @throws FileError
   */
  isThere(): boolean {
    const { state } = this;
    if (state === "replaced") throw new FileError("FILE_REPLACED", "another file has its name");
    if (state === "there" || this.#said) return state === "there";
    this.#said = true;
    throw new FileError("FILE_GONE", "nothing has its name");
  }

  /** Writes all that the open connection reads to a file of the old name. The connection is then to be closed. */
  putBack(connection: Database): void {
    const part = `${this.#path}.part`;
    mkdirSync(dirname(this.#path), { recursive: true });
    rmSync(part, { force: true });
    try {
      connection.query("vacuum into ?").run(part);
      if (existsSync(this.#path)) throw new FileError("FILE_REPLACED", "another file has its name");
      // They are of the file that is gone, and must not be taken for the new one's.
      for (const suffix of ["-wal", "-shm"]) rmSync(this.#path + suffix, { force: true });
      renameSync(part, this.#path);
    } finally {
      rmSync(part, { force: true });
    }
  }
}

function identityOf(path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false });
  return found ? `${found.dev}:${found.ino}` : null;
}
