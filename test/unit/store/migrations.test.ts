import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import type { Db } from "../../../adapters/store/driver.ts";
import { migrate, MIGRATIONS, type Migration } from "../../../adapters/store/migrations.ts";
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

const next: Migration = { version: 2, name: "notes", statements: ["create table notes (text text)"] };

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
    { version: 2, name: "notes", digits: 64, applied_at: AT },
  ]);
});

test("a database that is newer than the code is refused with the fix", async () => {
  const db = memory();
  await migrate(db, AT, [...MIGRATIONS, next]);
  const error = await refused(db, MIGRATIONS);
  expect(error).toBeInstanceOf(StoreError);
  expect(error?.message).toContain("has version 2, this Tandem knows versions up to 1");
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
