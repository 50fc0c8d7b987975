import { StoreError } from "../../engine/errors.ts";
import { callOfKey } from "../../engine/platform/call-key.ts";
import type {
  AuditEntry,
  CallQuery,
  CallRow,
  Clock,
  JournalEntry,
  Log,
  Snapshot,
  Store,
  StoredCharts,
  StoredSnapshot,
} from "../../engine/ports.ts";
import type { Driver, SqlRow, SqlValue } from "./driver.ts";
import { openPostgres } from "./postgres-driver.ts";
import { StorePrivacy } from "./privacy.ts";
import type { FieldCipher } from "./protect.ts";
import { decodeCall, decodeCharts, decodeEvent, decodeJournal, decodeSnapshot } from "./rows.ts";
import {
  SELECT_CALL,
  SELECT_CHART_VERSIONS,
  SELECT_CHARTS,
  SELECT_EVENTS,
  SELECT_JOURNAL,
  SELECT_LAST_EVENT,
  SELECT_OPEN_INTENTS,
  SELECT_SNAPSHOTS,
  selectCalls,
  selectKeys,
} from "./sql.ts";
import { openSqlite } from "./sqlite-driver.ts";
import { BUSY_TIMEOUT_MS, sqlitePath } from "./sqlite-file.ts";
import type { TextCipher } from "./text-cipher.ts";
import { storeErrorOf, WriteQueue } from "./write-queue.ts";
import type { Write } from "./writes.ts";

const QUEUED_WRITES_MAX = 50_000;
const LIST_MAX = 500;
/** Rows fetched at once. Small, because decoding a page happens in one turn of the main loop. */
const PAGE_CALLS = 50;
const PAGE_EVENTS = 200;
const PAGE_SNAPSHOTS = 20;
/** A shutdown tries this often before it gives up on a database that fails. */
const CLOSE_ATTEMPTS = 3;

export interface StoreOptions {
  /** `sqlite://relative/path`, `sqlite:///absolute/path` or `postgres://…`. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  /** From protect.ts. */
  readonly cipher: FieldCipher;
  /** With so many waiting writes `flush()` rejects, and log entries are dropped: see {@link WriteQueue}. */
  readonly maxQueuedWrites?: number;
  /** How long SQLite waits for another process's lock. */
  readonly busyTimeoutMs?: number;
}

/** The port over one driver. */
export class QueuedStore implements Store {
  readonly #log: Log;
  readonly #texts: TextCipher;
  #snapshotsNotKept = 0;
  readonly #driver: Driver;
  readonly #cipher: FieldCipher;
  readonly #queue: WriteQueue;
  readonly #maxQueuedWrites: number;
  /** Erasure, retention and keys. */
  readonly privacy: StorePrivacy;
  #closing: Promise<void> | null = null;

  /** `keyFile`: where a key is, or is made, when the cipher has none. */
  constructor(driver: Driver, options: Omit<StoreOptions, "url">, keyFile: string | null = null) {
    const { clock, log, cipher, maxQueuedWrites = QUEUED_WRITES_MAX } = options;
    this.#driver = driver;
    this.#cipher = cipher;
    this.#maxQueuedWrites = maxQueuedWrites;
    this.#log = log;
    this.#texts = cipher.texts(keyFile);
    this.privacy = new StorePrivacy({ driver, cipher, keyFile, settled: () => this.#settled() });
    this.#queue = new WriteQueue({ driver, cipher, texts: this.#texts, clock, log, maxQueuedWrites });
  }

  saveCall(row: CallRow): void {
    this.#push({ call: row });
  }

  appendEvents(entries: readonly AuditEntry[]): void {
    for (const event of entries) this.#push({ event });
  }

  saveSnapshot(callSid: string, snapshot: Snapshot): void {
    if (this.#texts.keeps) {
      this.#push({ snapshot: { callSid, saved: snapshot } });
      return;
    }
    if (this.#snapshotsNotKept++ > 0) return;
    const fix = "set TANDEM_ENCRYPTION_KEY";
    this.#log.error("store.snapshots-not-kept", { problem: "calls cannot be restored without a key", fix });
  }

  dropSnapshot(callSid: string): void {
    this.#push({ snapshot: { callSid, saved: null } });
  }

  async unfinishedSnapshots(): Promise<readonly StoredSnapshot[]> {
    const snapshots: StoredSnapshot[] = [];
    for (;;) {
      const rows = await this.#readSealed(SELECT_SNAPSHOTS, [
        snapshots.at(-1)?.callSid ?? "",
        PAGE_SNAPSHOTS,
      ]);
      for (const row of rows) snapshots.push(decodeSnapshot(row, this.#texts));
      if (rows.length < PAGE_SNAPSHOTS) return snapshots;
    }
  }

  appendJournal(entries: readonly JournalEntry[]): void {
    for (const journal of entries) this.#push({ journal });
  }

  async journal(callSid: string): Promise<readonly JournalEntry[]> {
    return (await this.#readSealed(SELECT_JOURNAL, [callSid])).map((row) => decodeJournal(row, this.#texts));
  }

  async openIntents(callSid: string): Promise<readonly JournalEntry[]> {
    return (await this.#readSealed(SELECT_OPEN_INTENTS, [callSid])).map((row) =>
      decodeJournal(row, this.#texts),
    );
  }

  saveCharts(charts: StoredCharts): void {
    this.#push({ charts });
  }

  async charts(hash: string): Promise<StoredCharts | null> {
    const [row] = await this.#read(SELECT_CHARTS, [hash]);
    return row ? decodeCharts(row) : null;
  }

  async chartVersions(): Promise<readonly string[]> {
    return (await this.#read(SELECT_CHART_VERSIONS, [])).map((row) => String(row["machine_hash"]));
  }

  async durable(): Promise<void> {
    if (this.#closing) throw new StoreError("the store is closed");
    const settled = await this.#queue.committed();
    if (settled.problem !== null || settled.lost > 0) throw storeErrorOf(settled);
  }

  #push(write: Write): void {
    if (this.#closing) this.#queue.refuse(write, "the store is closed");
    else this.#queue.push(write);
  }

  async getCall(callSid: string): Promise<CallRow | null> {
    const [row] = await this.#readSealed(SELECT_CALL, [callSid]);
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
      const rows = await this.#readSealed(sql, [...filters, size]);
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

  async lastEvent(callSid: string): Promise<AuditEntry | null> {
    const [row] = await this.#read(SELECT_LAST_EVENT, [callSid]);
    return row ? decodeEvent(row) : null;
  }

  async flush(): Promise<void> {
    if (this.#closing) throw new StoreError("the store is closed");
    if (this.#queue.full) {
      throw new StoreError(
        `${this.#queue.length} writes wait for the database, the limit is ${this.#maxQueuedWrites}; fix: see why it is slow or unreachable`,
      );
    }
    const settled = await this.#queue.settled();
    if (settled.problem !== null || settled.lost > 0) throw storeErrorOf(settled);
  }

  get failing(): string | null {
    return this.#queue.failing;
  }

  counters(): Readonly<Record<string, number>> {
    const snapshotsNotKept = this.#snapshotsNotKept;
    return { ...this.#queue.counters(), ...this.#cipher.counters(), snapshotsNotKept };
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

  /** {@link QueuedStore.#read} of what is sealed: with the keys of its calls. */
  async #readSealed(sql: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    const found = await this.#read(sql, params);
    const sids = [...new Set(found.map((row) => callOfKey(String(row["call_sid"]))))];
    if (sids.length > 0) this.#cipher.keys.learn(await this.#driver.all(selectKeys(sids.length), sids));
    return found;
  }

  async #read(sql: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    // What is there can be read while nothing can be written.
    if (this.failing === null) await this.#settled();
    else if (this.#closing) throw new StoreError("the store is closed");
    return await this.#driver.all(sql, params);
  }

  async #settled(): Promise<void> {
    if (this.#closing) throw new StoreError("the store is closed");
    const settled = await this.#queue.settled();
    if (settled.problem !== null) throw storeErrorOf(settled);
  }
}

/**
 * Opens the database that `url` names, creates or migrates its tables and returns the store.
 *
 * @throws StoreError naming the database and the fix.
 */
export async function createStore(options: StoreOptions): Promise<QueuedStore> {
  const { url, clock, busyTimeoutMs = BUSY_TIMEOUT_MS } = options;
  const appliedAt = new Date(clock.now()).toISOString();
  const path = sqlitePath(url);
  if (path !== null) {
    const driver = await openSqlite({ path, busyTimeoutMs, appliedAt });
    return new QueuedStore(driver, options, `${path}.key`);
  }
  if (/^postgres(ql)?:\/\//.test(url)) {
    return new QueuedStore(await openPostgres({ url, clock, appliedAt }), options);
  }
  throw new StoreError(
    "the database address is neither sqlite:// nor postgres://; fix: correct DATABASE_URL",
  );
}
