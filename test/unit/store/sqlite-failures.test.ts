import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { checkFile } from "../../../adapters/store/sqlite-file.ts";
import { createStore } from "../../../adapters/store/store.ts";
import { StoreError } from "../../../engine/errors.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { Store } from "../../../engine/ports.ts";
import { snapshot } from "../../contract/store-durability.ts";
import { auditEntry, callRow } from "../../contract/store.contract.ts";
import { keptLog } from "../call/support.ts";

const PROCESS = join(import.meta.dir, "store-process.ts");

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tandem-sqlite-"));
  path = join(directory, "tandem.db");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function openStore(file = path, log = silentLog): Promise<Store> {
  const cipher = createFieldCipher({ key: null, ids: systemIds, log });
  const options = { clock: systemClock, log, cipher, busyTimeoutMs: 50 };
  return await createStore({ url: `sqlite://${file}`, ...options });
}

/** The message of the StoreError that opening gives. */
async function refusal(file = path): Promise<string> {
  const error = await openStore(file).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(StoreError);
  return (error as StoreError).message;
}

/** The same bytes but for those between, each of which is another. */
function spoilt(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return bytes.map((byte, at) => (at >= from && at < to ? byte ^ 0xff : byte));
}

async function storedSeqs(store: Store): Promise<number[]> {
  const seqs: number[] = [];
  for await (const entry of store.events("CA1")) seqs.push(entry.seq);
  return seqs;
}

describe("opening a database that cannot be used names the path and the fix", () => {
  test("a file that is no database", async () => {
    await writeFile(path, "no database at all, ".repeat(500));
    expect(await refusal()).toStartWith(
      `database ${path} is not a SQLite database (SQLITE_NOTADB); fix: restore`,
    );
  });

  test("a damaged database", async () => {
    const store = await openStore();
    await store.close();
    const file = await open(path, "r+");
    // The first page keeps its header, so that it looks like a database, and loses its table of contents.
    await file.write(Buffer.alloc(3996, 0xff), 0, 3996, 100);
    await file.close();
    expect(await refusal()).toMatch(/ is damaged \(SQLITE_CORRUPT\); fix: restore it from a backup/);
  });

  test("a database whose last page is damaged, which is left as it was found", async () => {
    const store = await openStore();
    store.appendEvents(Array.from({ length: 400 }, (_, i) => auditEntry("CA1", i + 1)));
    await store.close();
    const bytes = await readFile(path);
    await writeFile(path, spoilt(bytes, bytes.length - 4096, bytes.length));
    const before = await readFile(path);
    expect(await refusal()).toMatch(/ is damaged \(SQLITE_CORRUPT\); fix: restore it from a backup/);
    expect((await readFile(path)).equals(before)).toBe(true);
    expect((await readdir(directory)).filter((name) => name.endsWith(".part"))).toEqual([]);
    // Of one that is too large to be read to its end only the logs are not looked at.
    expect(() => checkFile(path, 0, 0)).not.toThrow();
    expect(() => checkFile(path, 0)).toThrow();
  });

  test("a database locked by another process", async () => {
    const other = new Database(path);
    other.run("begin exclusive");
    expect(await refusal()).toStartWith(`database ${path} is locked by another process (SQLITE_BUSY`);
    other.close();
  });

  test("a database that may only be read", async () => {
    await (await openStore()).close();
    const file = await open(path, "r+");
    // A write version above 2 makes SQLite treat the file as read-only, for root too.
    await file.write(Buffer.from([3]), 0, 1, 18);
    await file.close();
    expect(await refusal()).toMatch(
      / is read-only \(SQLITE_READONLY.*fix: let the user that runs Tandem write/,
    );
  });

  test("a directory in place of the file", async () => {
    await mkdir(path);
    expect(await refusal()).toStartWith(`database ${path} cannot be opened (SQLITE_CANTOPEN); fix: check`);
  });

  test("a directory that cannot be made", async () => {
    await writeFile(path, "");
    expect(await refusal(join(path, "sub", "x.db"))).toMatch(/its directory cannot be created .*fix: create/);
  });

  test("a database of a newer Tandem", async () => {
    await (await openStore()).close();
    const database = new Database(path);
    database.run("insert into tandem_migrations values (99, 'future', 'x', 'x')");
    database.close();
    expect(await refusal()).toStartWith(`database ${path}: the database has version 99`);
  });

  test("an address of another kind", async () => {
    const options = {
      clock: systemClock,
      log: silentLog,
      cipher: createFieldCipher({ key: null, ids: systemIds, log: silentLog }),
    };
    const error = await createStore({ url: "mysql://x", ...options }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StoreError);
  });
});

describe("while it runs", () => {
  test("10,000 queued writes leave the main loop turning", async () => {
    const store = await openStore();
    const entries = Array.from({ length: 10_000 }, (_, i) => auditEntry("CA1", i + 1));
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    store.appendEvents(entries);
    setImmediate(count);
    await store.flush();
    counting = false;
    const { transactions = 0, events } = store.counters();
    expect(events).toBe(10_000);
    // One transaction holds 256 writes at most, and the loop must turn for the answer to each.
    expect(transactions).toBeGreaterThanOrEqual(39);
    expect(turns).toBeGreaterThanOrEqual(transactions);
    await store.close();
  });

  test("a lock of another process delays writes, and they are made when it goes", async () => {
    const store = await openStore();
    const other = new Database(path);
    other.run("begin immediate");
    store.appendEvents([auditEntry("CA1", 1)]);
    const error = await store.flush().catch((e: unknown) => e);
    expect((error as StoreError).message).toContain("is locked by another process");
    other.run("rollback");
    other.close();
    await store.flush();
    expect(await storedSeqs(store)).toEqual([1]);
    await store.close();
  });

  test("a database that is deleted is put back with all that was in it, and said to be gone", async () => {
    const { log, lines } = keptLog();
    const store = await openStore(path, log);
    store.saveSnapshot("CA1", snapshot(1));
    store.appendEvents([auditEntry("CA1", 1)]);
    await store.flush();
    for (const name of await readdir(directory)) await rm(join(directory, name));
    store.appendEvents([auditEntry("CA1", 2)]);
    await store.durable();
    expect(lines).toMatchObject([
      { level: "error", event: "store.write-failed", problem: expect.stringContaining("was deleted while") },
      { level: "info", event: "store.recovered" },
    ]);
    const other = await openStore();
    expect(await storedSeqs(other)).toEqual([1, 2]);
    expect(await other.unfinishedSnapshots()).toEqual([{ callSid: "CA1", ...snapshot(1) }]);
    await other.close();
    await store.close();
  });

  test("a database that is deleted is put back when the store is closed, with an old log beside it", async () => {
    const store = await openStore();
    store.appendEvents([auditEntry("CA1", 1)]);
    await store.flush();
    await rm(path);
    await store.close();
    const other = await openStore();
    expect(await storedSeqs(other)).toEqual([1]);
    await other.close();
  });

  test("a database that another has taken the place of is left alone, and the first one goes on when it is back", async () => {
    const store = await openStore();
    store.appendEvents([auditEntry("CA1", 1)]);
    await store.flush();
    const away = join(directory, "away.db");
    await rename(path, away);
    await writeFile(path, "somebody else's");
    store.appendEvents([auditEntry("CA1", 2)]);
    const error = await store.flush().catch((e: unknown) => e);
    expect((error as StoreError).message).toContain("is another file than the one that was opened");
    expect(await readFile(path, "utf8")).toBe("somebody else's");
    await rename(away, path);
    await store.flush();
    expect(await storedSeqs(store)).toEqual([1, 2]);
    await store.close();
  });

  test("a damaged row fails its own reader with StoreError and no other", async () => {
    const store = await openStore();
    store.saveCall(callRow(1));
    store.saveCall(callRow(2));
    await store.flush();
    const other = new Database(path);
    other.run("update calls set body = '{' where call_sid = ?", [callRow(1).callSid]);
    other.close();
    const error = await store.getCall(callRow(1).callSid).catch((e: unknown) => e);
    expect((error as StoreError).message).toContain(`the row of call ${callRow(1).callSid} is damaged`);
    expect((await store.getCall(callRow(2).callSid))?.callSid).toBe(callRow(2).callSid);
    await store.close();
  });

  test("a worker that dies fails what it was asked and is replaced at the next request", async () => {
    const workers: Worker[] = [];
    const Original = globalThis.Worker;
    globalThis.Worker = class extends Original {
      constructor(url: string) {
        super(url);
        workers.push(this);
      }
    } as typeof Worker;
    try {
      const store = await openStore();
      store.appendEvents([auditEntry("CA1", 1)]);
      await store.flush();
      store.appendEvents([auditEntry("CA1", 2)]);
      const flushed = store.flush().catch((e: unknown) => e);
      workers[0]?.terminate();
      await flushed;
      await store.flush();
      expect(await storedSeqs(store)).toEqual([1, 2]);
      expect(workers).toHaveLength(2);
      await store.close();
    } finally {
      globalThis.Worker = Original;
    }
  });

  test("rows flushed before kill -9 are there afterwards", async () => {
    const child = Bun.spawn([process.execPath, PROCESS, "write-forever", path], { stdout: "pipe" });
    let said = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      said += decoder.decode(chunk, { stream: true });
      if (said.includes("flushed 50\n")) break;
    }
    child.kill("SIGKILL");
    await child.exited;
    const flushed = Number(/flushed (\d+)\n[^\n]*$/.exec(said)?.[1]);
    const store = await openStore();
    const seqs = await storedSeqs(store);
    expect(seqs.length).toBeGreaterThanOrEqual(flushed);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    expect(await store.getCall(callRow(flushed).callSid)).not.toBeNull();
    await store.close();
  });

  test("a file that may not grow fails the flush, keeps the write, and leaves the database whole", async () => {
    // 512-byte blocks: SQLite's write-ahead log and file may reach 512 KiB each.
    const command = `trap '' XFSZ; ulimit -f 1024; exec "${process.execPath}" "${PROCESS}" fill "${path}"`;
    const child = Bun.spawn(["sh", "-c", command], { stdout: "pipe", stderr: "pipe" });
    const said = await new Response(child.stdout).text();
    await child.exited;
    expect(said).toMatch(/^failed 1 database .* \(SQLITE_(FULL|IOERR).*\); fix: /);
    const store = await openStore();
    const seqs = await storedSeqs(store);
    expect(seqs.length).toBeGreaterThan(10);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    await store.close();
  });

  test("an open store with nothing to do lets the process end", async () => {
    const child = Bun.spawn([process.execPath, PROCESS, "idle", path], { stdout: "pipe" });
    expect(await child.exited).toBe(0);
  });
});
