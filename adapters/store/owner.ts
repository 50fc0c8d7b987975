import { readFileSync, rmSync, writeFileSync } from "node:fs";

export interface Ownership {
  /** No other process that is still alive had this database: what it left unfinished is ours to finish. */
  readonly alone: boolean;
  release(): void;
}

const SHARED: Ownership = { alone: false, release: () => undefined };

/**
 * Notes beside an SQLite file which process uses it. A second engine on the same file (a deploy that overlaps)
 * finds the first one alive and leaves its calls alone. A database server is always shared.
 */
export function claimDatabase(url: string, pid: number): Ownership {
  if (!url.startsWith("sqlite://")) return SHARED;
  const file = `${url.slice("sqlite://".length)}.pid`;
  const owner = readOwner(file);
  if (owner !== null && owner !== pid && isAlive(owner)) return SHARED;
  try {
    writeFileSync(file, `${pid}\n`);
  } catch {
    // The store reports what is wrong with the folder; without a note nothing is claimed.
    return SHARED;
  }
  return {
    alone: true,
    release: () => {
      if (readOwner(file) === pid) rmSync(file, { force: true });
    },
  };
}

function readOwner(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, "utf8").trim());
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not permitted to signal it: it is somebody else's, and alive.
    return (error as { readonly code?: string }).code === "EPERM";
  }
}
