import { createHash } from "node:crypto";
import { StoreError } from "../../engine/errors.ts";
import type { Db } from "./driver.ts";

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * Never edit one that has been released: its checksum is kept in every database. Add another.
 *
 * `body` is the row as JSON without its protected fields, `protected` those fields as protect.ts seals them,
 * `data` JSON. Times are ISO 8601 in UTC, which sort as text.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    name: "calls and events",
    statements: [
      "create table calls (call_sid text not null primary key, started_at text not null, state text not null, " +
        "ended_at text, body text not null, protected text not null)",
      "create index calls_by_start on calls (started_at, call_sid)",
      "create index calls_by_state on calls (state, started_at, call_sid)",
      "create table events (call_sid text not null, seq integer not null, at text not null, kind text not null, " +
        "name text not null, data text not null, primary key (call_sid, seq))",
    ],
  },
  {
    // Nothing is filled in: a chain that is made afterwards would vouch for what nobody watched.
    version: 2,
    name: "chained events",
    statements: ["alter table events add column prev text", "alter table events add column hash text"],
  },
  {
    // `sealed` is text-cipher.ts's; of a journal that is not needed any more it is empty.
    version: 3,
    name: "snapshots and journal",
    statements: [
      "create table snapshots (call_sid text not null primary key, seq integer not null, " +
        "machine_hash text not null, version integer not null, sealed text not null)",
      "create table journal (call_sid text not null, effect_id text not null, state text not null, " +
        "name text not null, at_ms bigint not null, sealed text not null, primary key (call_sid, effect_id, state))",
    ],
  },
  {
    version: 4,
    name: "charts",
    statements: [
      "create table charts (machine_hash text not null primary key, saved_at text not null, body text not null)",
    ],
  },
  {
    // `wrapped` is call-keys.ts's; a key that is destroyed is overwritten in its place by a text of the same length.
    // `caller` is a keyed hash of the caller's number.
    version: 5,
    name: "keys of calls",
    statements: [
      "create table call_keys (call_sid text not null, key_id text not null, wrapped text not null, " +
        "primary key (call_sid, key_id))",
      "alter table calls add column caller text",
      "create index calls_by_caller on calls (caller)",
      "create index calls_by_end on calls (ended_at)",
      "create index logs_by_start on events (at) where seq = 1",
    ],
  },
];

const CREATE =
  "create table if not exists tandem_migrations (version integer not null primary key, name text not null, " +
  "checksum text not null, applied_at text not null)";

export function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.statements.join(";\n")).digest("hex");
}

/**
 * Brings a database up to date inside the caller's transaction, which must exclude other writers.
 *
 * @throws StoreError when the database is newer than this code or was made by a different one.
 */
export async function migrate(
  db: Db,
  appliedAt: string,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  await db.all(CREATE, []);
  const done = await appliedTo(db, migrations);
  for (const migration of migrations) {
    if (done.has(migration.version)) continue;
    for (const statement of migration.statements) await db.all(statement, []);
    await db.all("insert into tandem_migrations (version, name, checksum, applied_at) values (?, ?, ?, ?)", [
      migration.version,
      migration.name,
      checksumOf(migration),
      appliedAt,
    ]);
  }
}

/**
 * Versions that a database has. It must have the table of them.
 *
 * @throws StoreError as {@link migrate} does.
 */
export async function appliedTo(
  db: Db,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<ReadonlySet<number>> {
  const applied = await db.all("select version, checksum from tandem_migrations order by version", []);
  const newest = migrations.at(-1)?.version ?? 0;
  for (const { version, checksum } of applied) {
    const known = migrations.find((migration) => migration.version === Number(version));
    if (!known) {
      throw new StoreError(
        `the database has version ${String(version)}, this Tandem knows versions up to ${newest}; fix: run the newer Tandem, or point DATABASE_URL to another database`,
      );
    }
    if (checksum !== checksumOf(known)) {
      throw new StoreError(
        `version ${known.version} of the database was made by a different Tandem (checksum differs); fix: run the Tandem that made it, or point DATABASE_URL to another database`,
      );
    }
  }
  return new Set(applied.map((row) => Number(row["version"])));
}
