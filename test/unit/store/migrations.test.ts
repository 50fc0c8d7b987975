import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import type { Db } from "../../../adapters/store/driver.ts";
import { migrate, MIGRATIONS, type Migration } from "../../../adapters/store/migrations.ts";
import { decodeEvent } from "../../../adapters/store/rows.ts";
import { SELECT_EVENTS } from "../../../adapters/store/sql.ts";
import { StoreError } from "../../../engine/errors.ts";

const AT = "2026-01-01T00:00:00.000Z";

function memory(): Db {
  const database = new Database(":memory:");
  return {
    all: (sql, params) =>
      database.query<Record<string, unknown>, (string | number | null)[]>(sql).all(...params),
  };
}

const refused = async (db: Db, migrations: readonly Migration[]) =>
  await migrate(db, AT, migrations).then(
    () => null,
    (error: unknown) => error as StoreError,
  );

const next: Migration = { version: 6, name: "notes", statements: ["create table notes (text text)"] };

test("migrations run once each, in order, and are kept with their checksum", async () => {
  const db = memory();
  await migrate(db, AT);
  await migrate(db, AT);
  await migrate(db, AT, [...MIGRATIONS, next]);
  const rows = await db.all(
    "select version, name, length(checksum) as digits, applied_at from tandem_migrations",
    [],
  );
  expect(rows).toEqual([
    { version: 1, name: "calls and events", digits: 64, applied_at: AT },
    { version: 2, name: "chained events", digits: 64, applied_at: AT },
    { version: 3, name: "snapshots and journal", digits: 64, applied_at: AT },
    { version: 4, name: "charts", digits: 64, applied_at: AT },
    { version: 5, name: "keys of calls", digits: 64, applied_at: AT },
    { version: 6, name: "notes", digits: 64, applied_at: AT },
  ]);
});

test("a database that is newer than the code is refused with the fix", async () => {
  const db = memory();
  await migrate(db, AT, [...MIGRATIONS, next]);
  const error = await refused(db, MIGRATIONS);
  expect(error).toBeInstanceOf(StoreError);
  expect(error?.message).toContain("has version 6, this Tandem knows versions up to 5");
});

test("a database made by a different migration of the same version is refused", async () => {
  const db = memory();
  await migrate(db, AT, [...MIGRATIONS, next]);
  const error = await refused(db, [
    ...MIGRATIONS,
    { ...next, statements: ["create table notes (body text)"] },
  ]);
  expect(error?.message).toContain("checksum differs");
});

test("what was logged before the log was a chain is kept, without hashes", async () => {
  const db = memory();
  await migrate(db, AT, MIGRATIONS.slice(0, 1));
  const values = "'CA1', 1, 't', 'note', 'n', '{\"a\":1}'";
  await db.all(`insert into events (call_sid, seq, at, kind, name, data) values (${values})`, []);
  await migrate(db, AT);
  const [row] = await db.all(SELECT_EVENTS, ["CA1", 0, 10]);
  expect(decodeEvent(row ?? {})).toEqual({
    callSid: "CA1",
    seq: 1,
    at: "t",
    kind: "note",
    name: "n",
    data: { a: 1 },
    prev: null,
    hash: null,
  });
});
