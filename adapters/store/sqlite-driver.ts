import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errorText, StoreError } from "../../engine/errors.ts";
import type { Batch, Driver, SqlRow, SqlValue, Statement, WriteOutcome } from "./driver.ts";
import { isBadData, sqliteProblem } from "./sqlite-problem.ts";
import {
  packed,
  type WorkerFailure,
  type WorkerMessage,
  type WorkerReply,
  type WorkerRequest,
} from "./sqlite-protocol.ts";

export interface SqliteOptions {
  readonly path: string;
  /** How long a write waits for another process's lock. */
  readonly busyTimeoutMs: number;
  /** ISO time that migrations are stamped with. */
  readonly appliedAt: string;
}

type Settle = (reply: WorkerReply) => void;

/** SQLite in a worker thread. The main thread posts text and reads answers; it never touches the file. */
class SqliteDriver implements Driver {
  readonly #options: SqliteOptions;
  #worker: Worker | null = null;
  #opening: Promise<WorkerFailure | null> | null = null;
  #nextId = 1;
  readonly #pending = new Map<number, Settle>();

  constructor(options: SqliteOptions) {
    this.#options = options;
  }

  /** Starts the worker and opens the file; also again, after the worker was lost. */
  async open(): Promise<WorkerFailure | null> {
    this.#opening ??= this.#start();
    return await this.#opening;
  }

  async #start(): Promise<WorkerFailure | null> {
    const worker = new Worker(new URL("./sqlite-worker.ts", import.meta.url).href);
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<string>) => this.#settle(JSON.parse(event.data) as WorkerReply);
    worker.onerror = (event) => this.#lose(event.message, worker);
    worker.addEventListener("close", () => this.#lose("the thread ended", worker));
    const { path, busyTimeoutMs, appliedAt } = this.#options;
    const reply = await this.#post(worker, { op: "open", path, busyTimeoutMs, appliedAt });
    if (!("failure" in reply)) return null;
    this.#lose(reply.failure.message, worker);
    return reply.failure;
  }

  #settle(reply: WorkerReply): void {
    const settle = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    // An idle worker must not keep the process alive, one with work to do must.
    if (this.#pending.size === 0) this.#worker?.unref();
    settle?.(reply);
  }

  /** Gives up the worker; what it had not answered fails, and the next request starts another. */
  #lose(why: string, worker: Worker): void {
    if (worker !== this.#worker) return;
    this.#worker = null;
    this.#opening = null;
    worker.terminate();
    const failure = { code: "WORKER", message: `its worker thread was lost: ${why}` };
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const [id, settle] of pending) settle({ id, failure });
  }

  #post(worker: Worker, request: WorkerRequest): Promise<WorkerReply> {
    const { promise, resolve: settle } = Promise.withResolvers<WorkerReply>();
    const message: WorkerMessage = { id: this.#nextId++, request };
    this.#pending.set(message.id, settle);
    worker.ref();
    worker.postMessage(packed(message));
    return promise;
  }

  async #request(request: WorkerRequest): Promise<WorkerReply> {
    const failure = await this.open();
    if (failure) return { id: 0, failure };
    const worker = this.#worker;
    if (!worker) return { id: 0, failure: { code: "WORKER", message: "its worker thread was lost" } };
    return await this.#post(worker, request);
  }

  async write(batch: Batch): Promise<WriteOutcome> {
    const reply = await this.#request({ op: "write", batch });
    if (!("failure" in reply)) return { ok: true, conflicts: reply.conflicts, links: reply.links };
    const { failure } = reply;
    const problem = sqliteProblem(failure, this.#options.path);
    return { ok: false, problem, badData: isBadData(failure.code) };
  }

  async all(sql: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    const reply = await this.#request({ op: "all", sql, params });
    if ("failure" in reply) throw new StoreError(sqliteProblem(reply.failure, this.#options.path));
    return reply.rows;
  }

  async erase(statements: readonly Statement[]): Promise<boolean> {
    const reply = await this.#request({ op: "erase", statements });
    if ("failure" in reply) throw new StoreError(sqliteProblem(reply.failure, this.#options.path));
    return reply.rows[0]?.["isScrubbed"] === true;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    const reply = await this.#post(worker, { op: "close" });
    this.#lose("the store was closed", worker);
    if ("failure" in reply) throw new StoreError(sqliteProblem(reply.failure, this.#options.path));
  }
}

/**
 * Opens (and creates, with its directory) the SQLite file at `path`.
 *
 * @throws StoreError naming the path and the fix: locked, read-only, damaged, newer than this code, no directory.
 */
export async function openSqlite(options: SqliteOptions): Promise<Driver> {
  const path = resolve(options.path);
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (error) {
    const fix = "create the directory, or point DATABASE_URL elsewhere";
    throw new StoreError(
      `database ${path}: its directory cannot be created (${errorText(error)}); fix: ${fix}`,
    );
  }
  const driver = new SqliteDriver({ ...options, path });
  const failure = await driver.open();
  if (failure) throw new StoreError(sqliteProblem(failure, path));
  return driver;
}
