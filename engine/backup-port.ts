/** The port of copies of the database: types only. */
import type { AuditEntry } from "./store-port.ts";

/** A copy, opened for reading. */
export interface BackupFile {
  readonly path: string;
  readonly bytes: number;
  /** Of its tables. */
  readonly version: number;
  readonly calls: number;
  /** What the next engine on it would go on with: calls, and incidents for whose callers somebody is sought. */
  readonly unfinished: number;
  /** When the last entry of any log was written, ISO 8601 in UTC; `null`: there is none. */
  readonly lastEntryAt: string | null;
  /** Ids of the keys that what it holds is under, but for the one that lies beside it. */
  readonly keyIds: readonly string[];
  /** The key that Tandem has made for itself lies beside it. */
  readonly hasKeyFile: boolean;
  logs(): Iterable<BackedUpLog>;
  close(): void;
}

export interface BackedUpLog {
  /** Of the call, or of what came after it. */
  readonly name: string;
  /** What the row of the call says of its log; `undefined`: it has no row. */
  readonly row?: {
    readonly ended: boolean;
    readonly auditEntries: number;
    readonly auditHash: string | null;
  };
  entries(): Iterable<AuditEntry>;
}

export interface RestoreOptions {
  /** Whether a database that is there may be replaced. */
  readonly force: boolean;
  /** Whether what was not over is left alone: nobody is paged for it. */
  readonly forgetUnfinished: boolean;
}

/** Copies of one database. All reject with `StoreError`, which names the file and the fix. */
export interface Backups {
  /** Without user and password. */
  readonly database: string;
  /** Copies the database as it is at one moment, whoever writes to it meanwhile. `force`: over a file that is there. */
  write(file: string, force: boolean): Promise<void>;
  /** Reads every page before. */
  open(file: string): Promise<BackupFile>;
  /** Refuses while an engine uses the database. */
  restore(file: string, options: RestoreOptions): Promise<void>;
}
