/** Copies of an SQLite file: made while engines use it, and put in its place while none does. */
import { Database } from "bun:sqlite";
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import type { BackedUpLog, BackupFile, Backups, RestoreOptions } from "../../engine/backup-port.ts";
import { StoreError } from "../../engine/errors.ts";
import { callOfKey } from "../../engine/platform/call-key.ts";
import type { AuditEntry } from "../../engine/ports.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { type Inspected, inspectFile, onFile } from "./inspect.ts";
import { claimDatabase, type Ownership } from "./owner.ts";
import { decodeEvent } from "./rows.ts";
import { SELECT_EVENTS } from "./sql.ts";
import { BUSY_TIMEOUT_MS, sqlitePath } from "./sqlite-file.ts";
import { fileKeyId } from "./text-cipher.ts";

const PAGE_EVENTS = 500;
const SNAPSHOTS_SINCE = 3;
const UNFINISHED = "select count(*) as n from snapshots where call_sid not like '%/%'";
/** What follows a call needs nobody, and pages nobody: it is gone on with in any case. */
const FORGET = [
  "update journal set sealed = '' where call_sid in (select call_sid from snapshots where call_sid not like '%/%')",
  "delete from snapshots where call_sid not like '%/%'",
] as const;

/** @throws StoreError when the database is no SQLite file. */
export function sqliteBackups(url: string): Backups {
  const path = sqlitePath(url);
  if (path === null) {
    throw new StoreError(
      "the database is a server's, which has commands of its own; fix: use pg_dump and pg_restore, as docs/operations.md says",
    );
  }
  return {
    database: path,
    write: (file, force) => write(path, file, force),
    open,
    restore: (file, options) => restore(path, file, options),
  };
}

async function write(path: string, file: string, force: boolean): Promise<void> {
  if (!existsSync(path)) throw new StoreError(`database ${path} is not there; fix: check DATABASE_URL`);
  if (resolve(path) === resolve(file)) {
    throw new StoreError(`${file} is the database itself; fix: name another file`);
  }
  if (existsSync(file) && !force) {
    throw new StoreError(`${file} is there already; fix: name another file, or give --force`);
  }
  const part = `${file}.part`;
  await onFile(path, () => {
    mkdirSync(dirname(resolve(file)), { recursive: true });
    try {
      copyInto(part, path);
      putInPlace(part, file);
      copyKey(`${path}.key`, `${file}.key`);
    } finally {
      rmSync(part, { force: true });
    }
  });
}

/** With what is still in the write-ahead log of `from`, which a copy of the file alone would be without. */
function copyInto(part: string, from: string): void {
  rmSync(part, { force: true });
  // Nobody else may read what is kept of callers, sealed or not.
  writeFileSync(part, "", { mode: 0o600 });
  const source = new Database(from, { readonly: true });
  try {
    source.run(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
    // One read transaction: who writes meanwhile is not held up, and is not in it.
    source.query("vacuum into ?").run(part);
  } finally {
    source.close();
  }
}

async function open(file: string): Promise<BackupFile> {
  if (!existsSync(file)) throw new StoreError(`${file} is not there; fix: check the path`);
  const inspected = await inspectFile(file, Number.POSITIVE_INFINITY);
  if (inspected.version === 0) {
    throw new StoreError(
      `${file} holds none of Tandem's tables; fix: name a file that \`bun run backup\` wrote`,
    );
  }
  return await onFile(file, () => {
    const reader = new Database(file, { readonly: true });
    const [whole] = reader.query<{ integrity_check: string }, []>("pragma integrity_check(1)").all();
    if (whole?.integrity_check !== "ok") {
      reader.close();
      throw new StoreError(`it is damaged: ${whole?.integrity_check}; fix: take an earlier backup`);
    }
    return new OpenBackup(file, reader, inspected);
  });
}

class OpenBackup implements BackupFile {
  readonly path: string;
  readonly bytes: number;
  readonly version: number;
  readonly keyIds: readonly string[];
  readonly hasKeyFile: boolean;
  readonly calls: number;
  readonly unfinished: number;
  readonly lastEntryAt: string | null;
  readonly #reader: Database;

  constructor(path: string, reader: Database, { version, keyIds }: Inspected) {
    this.#reader = reader;
    this.path = path;
    this.bytes = statSync(path).size;
    this.version = version;
    const made = fileKeyId(`${path}.key`);
    this.keyIds = keyIds.filter((id) => id !== made);
    this.hasKeyFile = made !== null;
    this.calls = Number(this.#one("select count(*) as n from calls")?.["n"]);
    this.unfinished = version < SNAPSHOTS_SINCE ? 0 : Number(this.#one(UNFINISHED)?.["n"]);
    const last = this.#one("select max(at) as at from events")?.["at"];
    this.lastEntryAt = typeof last === "string" ? last : null;
  }

  *logs(): Generator<BackedUpLog, void, void> {
    for (let name = ""; ;) {
      // Found by the index, one after the other: there may be millions of entries.
      const next = this.#one("select min(call_sid) as name from events where call_sid > ?", name)?.["name"];
      if (typeof next !== "string") return;
      name = next;
      const row = this.#rowOf(name);
      yield { name, ...(row && { row }), entries: () => this.#entries(next) };
    }
  }

  close(): void {
    this.#reader.close();
  }

  #rowOf(name: string): BackedUpLog["row"] {
    if (callOfKey(name) !== name) return undefined;
    const found = this.#one("select state, body from calls where call_sid = ?", name);
    if (!found) return undefined;
    const body = JSON.parse(String(found["body"])) as { auditEntries?: number; auditHash?: string | null };
    const { auditEntries = 0, auditHash = null } = body;
    return { ended: found["state"] === "ended", auditEntries, auditHash };
  }

  *#entries(name: string): Generator<AuditEntry, void, void> {
    for (let last = 0; ;) {
      const rows = this.#reader.query<SqlRow, SqlValue[]>(SELECT_EVENTS).all(name, last, PAGE_EVENTS);
      for (const row of rows) {
        const entry = decodeEvent(row);
        last = entry.seq;
        yield entry;
      }
      if (rows.length < PAGE_EVENTS) return;
    }
  }

  #one(sql: string, ...params: SqlValue[]): SqlRow | null {
    return this.#reader.query<SqlRow, SqlValue[]>(sql).get(...params);
  }
}

async function restore(path: string, file: string, options: RestoreOptions): Promise<void> {
  const { force, forgetUnfinished } = options;
  if (resolve(path) === resolve(file)) {
    throw new StoreError(`${file} is the database itself; fix: name the backup`);
  }
  // Looked at before anything is touched.
  const copy = await open(file);
  copy.close();
  await onFile(path, () => {
    mkdirSync(dirname(resolve(path)), { recursive: true });
    const part = `${path}.part`;
    claim(path, force).release();
    try {
      copyInto(part, file);
      if (forgetUnfinished && copy.version >= SNAPSHOTS_SINCE) forget(part);
      // Once more: to copy takes a while, and an engine may have started in it.
      const lock = claim(path, force);
      try {
        settle(path);
        // They are of the file that goes, and must not be taken for the new one's.
        for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
        putInPlace(part, path);
        copyKey(`${file}.key`, `${path}.key`);
      } finally {
        lock.release();
      }
    } finally {
      rmSync(part, { force: true });
    }
  });
}

/** @throws StoreError when an engine uses what is to be replaced, or nobody has said that it may be. */
function claim(path: string, force: boolean): Ownership {
  const lock = claimDatabase(`sqlite://${path}`);
  try {
    if (!lock.alone) throw new StoreError("an engine uses it; fix: stop the engine, and try again");
    if (existsSync(path) && !force) {
      throw new StoreError("it is there already; fix: move it away, or give --force to replace it");
    }
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Writes the write-ahead log of what is to be replaced into it: should that fail, it is whole. */
function settle(path: string): void {
  if (!existsSync(path)) return;
  try {
    const connection = new Database(path, { readwrite: true, create: false });
    connection.run("pragma wal_checkpoint(truncate)");
    connection.close();
  } catch {
    // It is damaged, which may be why it is replaced.
  }
}

function forget(part: string): void {
  const connection = new Database(part, { readwrite: true, create: false });
  try {
    connection.run("pragma secure_delete = on");
    for (const sql of FORGET) connection.run(sql);
  } finally {
    connection.close();
  }
}

/** On the disk before it has the name. */
function putInPlace(part: string, file: string): void {
  sync(part);
  renameSync(part, file);
  sync(dirname(resolve(file)));
}

function sync(place: string): void {
  const handle = openSync(place, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** What belongs to live calls is under it when `TANDEM_ENCRYPTION_KEY` is not set. It keeps its mode. */
function copyKey(from: string, to: string): void {
  if (existsSync(from)) copyFileSync(from, to);
}
