/** Looks at a database that is there, and changes nothing in it. */
import { Database } from "bun:sqlite";
import { StoreError } from "../../engine/errors.ts";
import type { Db, SqlRow, SqlValue } from "./driver.ts";
import { appliedTo, MIGRATIONS } from "./migrations.ts";
import { BUSY_TIMEOUT_MS, checkFile } from "./sqlite-file.ts";
import { sqliteProblem } from "./sqlite-problem.ts";

export const NEWEST_VERSION = MIGRATIONS.at(-1)?.version ?? 0;

const KEYS_LOOKED_AT = 200;
const SELECT_WRAPPED = "select wrapped from call_keys where wrapped not like '-%' limit ?";

export interface Inspected {
  /** 0: none of Tandem's tables is there. */
  readonly version: number;
  /** Ids of the keys that keys of calls are under, of those that were looked at. */
  readonly keyIds: readonly string[];
}

/** @throws StoreError for a database of a newer or another Tandem. */
export async function inspect(db: Db, hasTables: boolean): Promise<Inspected> {
  if (!hasTables) return { version: 0, keyIds: [] };
  const version = Math.max(0, ...(await appliedTo(db)));
  const rows = version < 5 ? [] : await db.all(SELECT_WRAPPED, [KEYS_LOOKED_AT]);
  const ids = rows.map((row) => String(row["wrapped"]).split(":")[0] ?? "");
  return { version, keyIds: [...new Set(ids)] };
}

/**
 * The same of an SQLite file, the pages of which are read before: see `checkFile`.
 *
 * @throws StoreError naming the file and the fix: damaged, not a database, newer than this Tandem.
 */
export async function inspectFile(path: string, wholeMaxBytes?: number): Promise<Inspected> {
  return await onFile(path, async () => {
    checkFile(path, BUSY_TIMEOUT_MS, wholeMaxBytes);
    const reader = new Database(path, { readonly: true });
    try {
      reader.run(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
      const tables = reader.query("select 1 from sqlite_master where name = 'tandem_migrations'").all();
      return await inspect(dbOf(reader), tables.length > 0);
    } finally {
      reader.close();
    }
  });
}

/** What SQLite itself refuses is told with the file and the fix. */
export async function onFile<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (typeof code !== "string") {
      throw error instanceof StoreError ? new StoreError(`database ${path}: ${error.message}`) : error;
    }
    throw new StoreError(sqliteProblem({ code, message: String((error as Error).message) }, path));
  }
}

function dbOf(connection: Database): Db {
  return { all: (sql, params) => connection.query<SqlRow, SqlValue[]>(sql).all(...params) };
}
