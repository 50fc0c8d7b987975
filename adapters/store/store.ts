import { StoreError } from "../../engine/errors.ts";
import type { AuditEntry, CallQuery, CallRow, Clock, Log, Store } from "../../engine/ports.ts";
import type { Driver, SqlRow, SqlValue } from "./driver.ts";
import { openPostgres } from "./postgres-driver.ts";
import type { FieldCipher } from "./protect.ts";
import { decodeCall, decodeEvent } from "./rows.ts";
import { SELECT_CALL, SELECT_EVENTS, selectCalls } from "./sql.ts";
import { openSqlite } from "./sqlite-driver.ts";
import { storeErrorOf, WriteQueue } from "./write-queue.ts";

const QUEUED_WRITES_MAX = 50_000;
const BUSY_TIMEOUT_MS = 5000;
const LIST_MAX = 500;
/** Rows fetched at once. Small, because decoding a page happens in one turn of the main loop. */
const PAGE_CALLS = 50;
const PAGE_EVENTS = 200;
/** A shutdown tries this often before it gives up on a database that fails. */
const CLOSE_ATTEMPTS = 3;

export interface StoreOptions {
  /** `sqlite://relative/path`, `sqlite:///absolute/path` or `postgres://…`. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  /** From protect.ts. */
  readonly cipher: FieldCipher;
  /** More than this many waiting writes make `flush()` reject; they are kept all the same. */
  readonly maxQueuedWrites?: number;
  /** How long SQLite waits for another process's lock. */
  readonly busyTimeoutMs?: number;
}

/** The port over one driver. */
export class QueuedStore implements Store {
  readonly #driver: Driver;
  readonly #cipher: FieldCipher;
  readonly #queue: WriteQueue;
  readonly #maxQueuedWrites: number;
  #closing: Promise<void> | null = null;

  constructor(driver: Driver, options: Omit<StoreOptions, "url">) {
    const { clock, log, cipher, maxQueuedWrites = QUEUED_WRITES_MAX } = options;
    this.#driver = driver;
    this.#cipher = cipher;
    this.#maxQueuedWrites = maxQueuedWrites;
    this.#queue = new WriteQueue({ driver, cipher, clock, log, maxQueuedWrites });
  }

  saveCall(row: CallRow): void {
    if (this.#closing) this.#queue.refuse(`row of ${row.callSid}`, "the store is closed");
    else this.#queue.push({ call: row });
  }

  appendEvents(entries: readonly AuditEntry[]): void {
    for (const event of entries) {
      if (!this.#closing) this.#queue.push({ event });
      else this.#queue.refuse(`event ${event.seq} of ${event.callSid}`, "the store is closed");
    }
  }

  async getCall(callSid: string): Promise<CallRow | null> {
    const [row] = await this.#read(SELECT_CALL, [callSid]);
    return row ? decodeCall(row, this.#cipher) : null;
  }

  async listCalls(query: CallQuery): Promise<readonly CallRow[]> {
    const limit = Math.min(LIST_MAX, Math.max(1, Math.trunc(query.limit)));
    const calls: CallRow[] = [];
    let before = query.before;
    while (calls.length < limit) {
      const size = Math.min(PAGE_CALLS, limit - calls.length);
      const sql = selectCalls({ state: query.state !== undefined, before: before !== undefined });
      const filters = [query.state, before].filter((value) => value !== undefined);
      const rows = await this.#read(sql, [...filters, size]);
      for (const row of rows) calls.push(decodeCall(row, this.#cipher));
      if (rows.length < size) break;
      before = calls.at(-1)?.callSid;
    }
    return calls;
  }

  async *events(callSid: string): AsyncGenerator<AuditEntry, void, void> {
    let last = 0;
    for (;;) {
      const rows = await this.#read(SELECT_EVENTS, [callSid, last, PAGE_EVENTS]);
      for (const row of rows) {
        const entry = decodeEvent(row);
        last = entry.seq;
        yield entry;
      }
      if (rows.length < PAGE_EVENTS) return;
    }
  }

  async flush(): Promise<void> {
    if (this.#closing) throw new StoreError("the store is closed");
    if (this.#queue.full) {
      throw new StoreError(
        `${this.#queue.length} writes wait for the database, more than ${this.#maxQueuedWrites}; fix: see why it is slow or unreachable`,
      );
    }
    const settled = await this.#queue.settled();
    if (settled.problem !== null || settled.lost > 0) throw storeErrorOf(settled);
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#queue.counters(), ...this.#cipher.counters() };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    let problem: string | null = null;
    for (let attempt = 0; attempt < CLOSE_ATTEMPTS; attempt++) {
      ({ problem } = await this.#queue.settled());
      if (problem === null) break;
    }
    this.#queue.stop();
    await this.#driver.close();
    if (problem !== null) throw new StoreError(`${this.#queue.length} writes were not stored: ${problem}`);
  }

  async #read(sql: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    if (this.#closing) throw new StoreError("the store is closed");
    const settled = await this.#queue.settled();
    if (settled.problem !== null) throw storeErrorOf(settled);
    return await this.#driver.all(sql, params);
  }
}

/**
 * Opens the database that `url` names, creates or migrates its tables and returns the store.
 *
 * @throws StoreError naming the database and the fix.
 */
export async function createStore(options: StoreOptions): Promise<Store> {
  const { url, clock, busyTimeoutMs = BUSY_TIMEOUT_MS } = options;
  const appliedAt = new Date(clock.now()).toISOString();
  if (url.startsWith("sqlite://")) {
    const path = url.slice("sqlite://".length);
    return new QueuedStore(await openSqlite({ path, busyTimeoutMs, appliedAt }), options);
  }
  if (/^postgres(ql)?:\/\//.test(url)) {
    return new QueuedStore(await openPostgres({ url, clock, appliedAt }), options);
  }
  throw new StoreError(
    "the database address is neither sqlite:// nor postgres://; fix: correct DATABASE_URL",
  );
}
