/** Copies of a database: what they hold, what is refused, and what is told of them. */
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteBackups } from "../../../adapters/store/backup.ts";
import { claimDatabase } from "../../../adapters/store/owner.ts";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { createStore } from "../../../adapters/store/store.ts";
import { LOG_CLOSED } from "../../../engine/audit/chain.ts";
import { chainedEntry, chainStart } from "../../../engine/platform/hash-chain.ts";
import { runBackup, runRestore } from "../../../engine/backup/commands.ts";
import { ConfigError, StoreError } from "../../../engine/errors.ts";
import { systemClock, VirtualClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { AuditEntry, Store } from "../../../engine/ports.ts";
import { runCommand } from "../../support/engine-process.ts";
import { callRow } from "../../contract/store.contract.ts";

const parts = { clock: systemClock, ids: seededIds(5), log: silentLog };
const KEY = new Uint8Array(32).fill(9);
const AT = "2026-01-01T00:00:00.000Z";
const folder = mkdtempSync(join(tmpdir(), "tandem-backup-"));
afterAll(() => rmSync(folder, { recursive: true }));
let made = 0;
const fresh = (): string => join(folder, String(made++), "calls.db");

async function open(path: string, key: Uint8Array | null = KEY, previousKey: Uint8Array | null = null) {
  return await createStore({
    ...parts,
    url: `sqlite://${path}`,
    cipher: createFieldCipher({ ...parts, key, previousKey }),
  });
}

const sidOf = (n: number): string => `CA${String(n).padStart(32, "0")}`;

/** A log of three entries, closed when the call is over. */
function logOf(callSid: string, ended: boolean): readonly AuditEntry[] {
  const entries: AuditEntry[] = [];
  let prev = chainStart(callSid);
  for (const [index, name] of ["a", "b", ended ? LOG_CLOSED : "c"].entries()) {
    const entry = chainedEntry(prev, { callSid, seq: index + 1, at: AT, kind: "note", name, data: {} });
    prev = entry.hash;
    entries.push(entry);
  }
  return entries;
}

function put(store: Store, n: number, ended: boolean): void {
  const callSid = sidOf(n);
  const entries = logOf(callSid, ended);
  store.appendEvents(entries);
  const head = { auditEntries: entries.length, auditHash: entries.at(-1)?.hash ?? null };
  const state = ended ? { state: "ended", endedAt: AT } : { state: "streaming", endedAt: null };
  store.saveCall({ ...callRow(n), callSid, ...state, ...head });
  if (!ended) store.saveSnapshot(callSid, { seq: 3, machineHash: "x", version: 1, body: "{}" });
}

/** A database with a call that is over and one that is not. */
async function database(key: Uint8Array | null = KEY): Promise<string> {
  const path = fresh();
  const store = await open(path, key);
  put(store, 1, true);
  put(store, 2, false);
  await store.close();
  return path;
}

async function run(
  command: typeof runBackup,
  path: string,
  argv: readonly string[],
  clock = new VirtualClock(Date.parse(AT)),
) {
  const said: string[] = [];
  const out = (text: string): void => void said.push(text);
  const backups = async () => sqliteBackups(`sqlite://${path}`);
  const code = await command(argv, { backups, clock, out });
  return { code, text: said.join("") };
}

const refusal = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreError);
  return (error as StoreError).message;
};

describe("a backup", () => {
  test("is made while a store writes, and holds what it had written", async () => {
    const path = await database();
    const store = await open(path);
    put(store, 3, true);
    await store.flush();
    const file = `${path}.backup`;
    const { code, text } = await run(runBackup, path, [file]);
    put(store, 4, true);
    await store.close();
    expect([code, text]).toEqual([
      0,
      expect.stringMatching(
        /^.*calls\.db\.backup is a copy of .*calls\.db: 3 calls, 1 of them not over, logs until 2026-01-01T00:00:00\.000Z; version \d+, \d+ bytes, every page whole\n/,
      ),
    ]);
    expect(text).toContain("  3 logs with 9 entries fit their chains\n");
    expect(text).toMatch(/read with the TANDEM_ENCRYPTION_KEY that it was written with \(id [0-9a-f]{8}\)/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(`${file}.part`)).toBe(false);
    const bytes = readFileSync(file).toString("latin1");
    expect([bytes.includes(sidOf(3)), bytes.includes(sidOf(4)), bytes.includes("+15550142")]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test("is put over no file that is there, unless it is to be, and never over the database", async () => {
    const path = await database();
    const file = `${path}.backup`;
    writeFileSync(file, "mine");
    expect(await refusal(run(runBackup, path, [file]))).toContain("is there already; fix: ");
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect((await run(runBackup, path, [file, "--force"])).code).toBe(0);
    expect(await refusal(run(runBackup, path, [path, "--force"]))).toContain("is the database itself");
    expect(await refusal(run(runBackup, fresh(), [file, "--force"]))).toContain("is not there; fix: ");
    await expect(run(runBackup, path, [])).rejects.toBeInstanceOf(ConfigError);
  });

  test("takes the key along that Tandem made for itself", async () => {
    const path = await database(null);
    const file = `${path}.backup`;
    const { text } = await run(runBackup, path, [file]);
    expect(text).toContain(`what live calls need is under ${file}.key`);
    expect(text).not.toContain("TANDEM_ENCRYPTION_KEY");
    expect([readFileSync(`${file}.key`), statSync(`${file}.key`).mode & 0o777]).toEqual([
      readFileSync(`${path}.key`),
      0o600,
    ]);
  });

  test("of a log that was tampered with is made, and told to be", async () => {
    const path = await database();
    const tampered = new Database(path);
    tampered.run("update events set name = 'z' where seq = 2 and call_sid = ?", [sidOf(1)]);
    tampered.close();
    const { code, text } = await run(runBackup, path, [`${path}.backup`]);
    expect([code, text]).toEqual([
      1,
      expect.stringContaining("WARNING: 1 of 2 logs do not fit their chains"),
    ]);
    expect(text).toContain(`    ${sidOf(1)}: does not fit its hash`);
  });

  test("is a command, which takes the database that the engine would", async () => {
    const path = await database();
    const file = `${path}.backup`;
    const env = { PATH: Bun.env["PATH"] ?? "", DATABASE_URL: `sqlite://${path}` };
    const { code, text } = await runCommand(["backup", file], env);
    expect([code, text]).toEqual([0, expect.stringContaining(`${file} is a copy of ${path}: 2 calls, `)]);
    expect((await runCommand(["restore", file], env)).text).toContain("it is there already; fix: ");
  });

  test("of a database server is its own business", () => {
    expect(() => sqliteBackups("postgres://u:secret@db.example/tandem")).toThrow(
      "use pg_dump and pg_restore",
    );
  });
});

describe("a restore", () => {
  async function backedUp(key: Uint8Array | null = KEY): Promise<string> {
    const path = await database(key);
    await run(runBackup, path, [`${path}.backup`]);
    return `${path}.backup`;
  }

  test("puts everything where it is to be, and what is protected needs the same key", async () => {
    const file = await backedUp();
    const path = fresh();
    const { code, text } = await run(runRestore, path, [file]);
    expect([code, text]).toEqual([0, expect.stringContaining(`${path} is restored\n`)]);
    const store = await open(path);
    expect(await store.getCall(sidOf(1))).toMatchObject({ protected: callRow(1).protected });
    expect((await store.unfinishedSnapshots()).map(({ body }) => body)).toEqual(["{}"]);
    await store.close();
    const other = await open(path, new Uint8Array(32).fill(1));
    expect((await other.getCall(sidOf(1)))?.protected).toMatchObject({ transcript: [] });
    expect((await other.unfinishedSnapshots()).map(({ body }) => body)).toEqual([null]);
    await other.close();
  });

  test("brings the key along that Tandem made for itself", async () => {
    const file = await backedUp(null);
    const path = fresh();
    await run(runRestore, path, [file]);
    const store = await open(path, null);
    expect((await store.unfinishedSnapshots()).map(({ body }) => body)).toEqual(["{}"]);
    await store.close();
  });

  test("takes what is in the write-ahead log of a copy that was made by hand, too", async () => {
    const path = await database();
    const writer = new Database(path);
    writer.run("pragma journal_mode = wal");
    writer.run("pragma wal_autocheckpoint = 0");
    writer.run("update calls set state = 'streaming'");
    const file = `${path}.copied`;
    for (const suffix of ["", "-wal", "-shm"]) copyFileSync(path + suffix, file + suffix);
    writer.close();
    const restored = fresh();
    expect((await run(runRestore, restored, [file])).code).toBe(0);
    expect(statSync(restored).mode & 0o777).toBe(0o600);
    const reader = new Database(restored, { readonly: true });
    expect(reader.query("select distinct state from calls").values()).toEqual([["streaming"]]);
    reader.close();
  });

  test("replaces no database unless it is to, and leaves nothing of the one before", async () => {
    const file = await backedUp();
    const path = await database();
    const store = await open(path);
    put(store, 7, true);
    await store.close();
    expect(await refusal(run(runRestore, path, [file]))).toContain("it is there already; fix: ");
    expect((await run(runRestore, path, [file, "--force"])).code).toBe(0);
    const restored = await open(path);
    expect(await restored.getCall(sidOf(7))).toBeNull();
    await restored.close();
  });

  test("is refused while an engine holds the database, and when the file is not one to be restored", async () => {
    const file = await backedUp();
    const path = await database();
    const before = readFileSync(path);
    const engine = claimDatabase(`sqlite://${path}`);
    expect(await refusal(run(runRestore, path, [file, "--force"]))).toContain("an engine uses it; fix: ");
    engine.release();
    expect(await refusal(run(runRestore, path, [fresh(), "--force"]))).toContain("is not there; fix: ");
    const other = `${file}.other`;
    new Database(other, { create: true }).run("create table calls (call_sid text)");
    expect(await refusal(run(runRestore, path, [other, "--force"]))).toContain(
      "holds none of Tandem's tables",
    );
    const newer = new Database(file);
    newer.run("insert into tandem_migrations values (99, 'later', 'x', ?)", [AT]);
    newer.close();
    expect(await refusal(run(runRestore, path, [file, "--force"]))).toContain("has version 99");
    writeFileSync(file, readFileSync(file).subarray(0, -4096));
    expect(await refusal(run(runRestore, path, [file, "--force"]))).toContain("is damaged");
    expect(readFileSync(path)).toEqual(before);
  });

  test("warns of calls that were not over long ago, and forgets them when it is told to", async () => {
    const file = await backedUp();
    const later = new VirtualClock(Date.parse(AT) + 3_600_000);
    const path = fresh();
    const warned = await run(runRestore, path, [file], later);
    expect(warned.text).toContain("WARNING: its last entry was written 60 minutes ago");
    expect((await run(runRestore, fresh(), [file])).text).not.toContain("WARNING");
    const told = await run(runRestore, path, [file, "--force", "--forget-unfinished"], later);
    expect(told.text).toContain("what was not over is forgotten");
    expect(told.text).not.toContain("WARNING");
    const store = await open(path);
    expect(await store.unfinishedSnapshots()).toEqual([]);
    expect(await store.getCall(sidOf(2))).toMatchObject({ state: "streaming" });
    await store.close();
  });
});

describe("what is erased after a backup", () => {
  const words = async (store: Store): Promise<number> =>
    (await store.getCall(sidOf(1)))?.protected.transcript.length ?? 0;

  test("can still be read from the copy with the key, and not any more once that is changed and gone", async () => {
    const path = await database();
    const file = `${path}.backup`;
    await run(runBackup, path, [file]);
    const next = new Uint8Array(32).fill(1);
    const store = await open(path, next, KEY);
    const row = await store.getCall(sidOf(1));
    if (!row) throw new Error("the call has no row");
    await store.privacy.erase(row, null);
    await store.privacy.rewrap();
    expect(await words(store)).toBe(0);
    await store.close();
    const restored = fresh();
    await run(runRestore, restored, [file]);
    const withOld = await open(restored);
    expect(await words(withOld)).toBeGreaterThan(0);
    await withOld.close();
    const withNew = await open(restored, next);
    expect(await words(withNew)).toBe(0);
    await withNew.close();
  });
});
