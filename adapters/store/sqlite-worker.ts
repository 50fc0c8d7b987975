/** The thread that owns the SQLite file: a slow disk stalls this thread and no call. */
import { Database } from "bun:sqlite";
import { readlinkSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { basename } from "node:path";
import { errorText, StoreError } from "../../engine/errors.ts";
import { applyBatch } from "./apply-batch.ts";
import type { Db, SqlRow, Written } from "./driver.ts";
import { migrate } from "./migrations.ts";
import { eraseIn } from "./sqlite-erase.ts";
import { checkFile, FileWatch } from "./sqlite-file.ts";
import { unpacked, type WorkerFailure, type WorkerReply, type WorkerRequest } from "./sqlite-protocol.ts";

declare const self: Worker;

type OpenRequest = Extract<WorkerRequest, { op: "open" }>;

interface Opened {
  readonly connection: Database;
  readonly file: FileWatch;
  readonly request: OpenRequest;
}

/** Of -20 to 19: enough to be put after whoever wakes it, and still a tenth of a processor beside those who want all. */
const NICENESS = 10;

/**
 * Goes after the thread that moves the audio: on a processor of which both are, what has just been woken is put
 * before the one that woke it, which is that thread. Linux has a niceness for each thread
 * (https://man7.org/linux/man-pages/man2/setpriority.2.html, "C library/kernel differences"); elsewhere nothing is done.
 */
function giveWay(): void {
  try {
    const thread = Number(basename(readlinkSync("/proc/thread-self")));
    if (getPriority(thread) < NICENESS) setPriority(thread, NICENESS);
  } catch {
    // The writer works as well without.
  }
}

let opened: Opened | null = null;
/** What was put back, and could not be opened yet. */
let toReopen: OpenRequest | null = null;

function open(): Opened {
  if (!opened) throw new StoreError("the database is not open");
  return opened;
}

function dbOf(connection: Database): Db {
  return { all: (sql, params) => connection.query<SqlRow, (typeof params)[number][]>(sql).all(...params) };
}

/** Takes the write lock first, so that a transaction never fails half-way for want of it. */
async function transaction<T>(connection: Database, run: (db: Db) => Promise<T>): Promise<T> {
  connection.run("begin immediate");
  try {
    const result = await run(dbOf(connection));
    connection.run("commit");
    return result;
  } catch (error) {
    // SQLite itself rolls back on some errors (full disk, I/O), and then there is nothing left to undo.
    if (connection.inTransaction) connection.run("rollback");
    throw error;
  }
}

async function openFile(request: OpenRequest): Promise<void> {
  const connection = new Database(request.path, { create: true, readwrite: true });
  try {
    connection.run(`pragma busy_timeout = ${Math.trunc(request.busyTimeoutMs)}`);
    connection.run("pragma journal_mode = wal");
    // Survives the end of the process; a loss of power may take the last moments.
    connection.run("pragma synchronous = normal");
    connection.run("pragma journal_size_limit = 67108864");
    // What a page no longer holds is overwritten in it: no more is written for that.
    connection.run("pragma secure_delete = fast");
    await transaction(connection, async (db) => {
      await migrate(db, request.appliedAt);
      // Proves now that the file takes writes, also when there was nothing to migrate.
      await db.all("update tandem_migrations set name = name", []);
    });
    opened = { connection, file: new FileWatch(request.path), request };
    toReopen = null;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** The connection to the file that has the name, which may have to be put back for that. */
async function present(): Promise<Database> {
  if (toReopen) await openFile(toReopen);
  const { connection, file, request } = open();
  if (file.isThere()) return connection;
  file.putBack(connection);
  opened = null;
  connection.close();
  toReopen = request;
  await openFile(request);
  return open().connection;
}

/** A file that is gone would end with the process. */
function close(): void {
  if (!opened) return;
  const { connection, file } = opened;
  opened = null;
  const { state } = file;
  // Closing would remove the write-ahead log of the file that has the name now.
  if (state === "replaced") return;
  if (state === "gone") file.putBack(connection);
  connection.close();
}

interface Answer extends Written {
  readonly rows: readonly SqlRow[];
}

const NOTHING: Answer = { conflicts: [], links: [], rows: [] };

async function answer(request: WorkerRequest): Promise<Answer> {
  if (request.op === "open") {
    checkFile(request.path, request.busyTimeoutMs);
    await openFile(request);
    return NOTHING;
  }
  if (request.op === "write") {
    const written = await transaction(await present(), (db) => applyBatch(db, request.batch));
    return { ...NOTHING, ...written };
  }
  if (request.op === "erase") {
    const connection = await present();
    const isScrubbed = await eraseIn(connection, () =>
      transaction(connection, async (db) => {
        for (const { sql, params } of request.statements) await db.all(sql, params);
      }),
    );
    return { ...NOTHING, rows: [{ isScrubbed }] };
  }
  if (request.op === "all") {
    return { ...NOTHING, rows: await dbOf(open().connection).all(request.sql, request.params) };
  }
  close();
  return NOTHING;
}

function failureOf(error: unknown): WorkerFailure {
  const code = (error as { readonly code?: unknown }).code;
  if (typeof code === "string") return { code, message: errorText(error) };
  return { code: error instanceof StoreError ? "STORE" : "BUG", message: errorText(error) };
}

async function serve(texts: readonly string[]): Promise<void> {
  const { id, request } = unpacked(texts);
  let reply: WorkerReply;
  try {
    reply = { id, ...(await answer(request)) };
  } catch (error) {
    reply = { id, failure: failureOf(error) };
  }
  self.postMessage(JSON.stringify(reply));
}

giveWay();

/** One request at a time: a transaction must not see another begin inside it. */
let last: Promise<void> = Promise.resolve();
self.onmessage = (event: MessageEvent<readonly string[]>) => {
  last = last.then(() => serve(event.data));
};
