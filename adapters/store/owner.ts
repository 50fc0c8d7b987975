import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { sqlitePath } from "./sqlite-file.ts";

export interface Ownership {
  /** Nobody else uses this database: what an engine that died left unfinished is ours to finish. */
  readonly alone: boolean;
  release(): void;
}

const OTHERS_TRY_MS = 1000;
export const SHARED: Ownership = { alone: false, release: () => undefined };

/**
 * Every engine on an SQLite file holds a shared lock on `<file>.lock` for as long as it lives; whoever could
 * lock it for itself at its start was alone. The kernel keeps the locks: they end with the process, however it
 * ends, and hold between containers that share a volume. A database server counts as shared. To be claimed before the
 * database is opened: who replaces the file must see whoever is about to.
 */
export function claimDatabase(url: string): Ownership {
  const path = sqlitePath(url);
  if (path === null) return SHARED;
  let lock: Database;
  try {
    mkdirSync(dirname(path), { recursive: true });
    lock = new Database(`${path}.lock`, { create: true });
  } catch {
    // The store reports what is wrong with the folder.
    return SHARED;
  }
  const alone = tryExclusive(lock);
  try {
    // Somebody may try for themselves at this very moment: neither is alone then, and both are to be seen.
    lock.run(`pragma busy_timeout = ${OTHERS_TRY_MS}`);
    // An open read holds the shared lock.
    lock.run("begin");
    lock.query("select count(*) from sqlite_master").get();
  } catch {
    lock.close();
    return SHARED;
  }
  return { alone, release: () => lock.close() };
}

function tryExclusive(lock: Database): boolean {
  try {
    lock.run("begin exclusive");
    lock.run("commit");
    return true;
  } catch {
    return false;
  }
}
