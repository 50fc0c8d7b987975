/**
 * A store as one engine sees it: what it writes waits a moment in the process, and is committed in one piece, or is
 * lost with the process.
 */
import type {
  AuditEntry,
  CallQuery,
  CallRow,
  Clock,
  JournalEntry,
  Snapshot,
  Store,
  StoredCharts,
  StoredSnapshot,
} from "../../engine/ports.ts";
import { GROUP_COMMIT_MS } from "../../adapters/store/write-queue.ts";
import { StoreError } from "../../engine/errors.ts";
import type { MemoryStore } from "../support/fake-ports.ts";

/** How long a transaction takes, at least and at most. */
const WRITE_MS = [0.2, 3] as const;

interface Write {
  /** Such as `intent page.call`. */
  readonly what: string;
  readonly apply: (disk: MemoryStore) => void;
}

export interface VolatileStoreOptions {
  readonly disk: MemoryStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly isDead: () => boolean;
  readonly onMoment: (moment: "written" | "committed", what: string) => void;
}

export class VolatileStore implements Store {
  readonly failing = null;
  readonly #options: VolatileStoreOptions;
  #queue: Write[] = [];
  #timer: unknown = null;
  #writing = false;
  #hurry = false;
  #waiters: { readonly upTo: number; readonly resolve: () => void }[] = [];
  /** Writes ever queued, and ever committed. */
  #queued = 0;
  #committed = 0;
  #closed = false;

  constructor(options: VolatileStoreOptions) {
    this.#options = options;
  }

  saveCall(row: CallRow): void {
    this.#push(`row ${row.state}`, (disk) => disk.saveCall(row));
  }

  appendEvents(entries: readonly AuditEntry[]): void {
    for (const entry of entries) {
      const { kind, name, data } = entry;
      const state = name === "incident" ? String(data["phase"]) : name;
      this.#push(`${kind} ${kind === "state" ? state : name}`, (disk) => disk.appendEvents([entry]));
    }
  }

  saveSnapshot(callSid: string, snapshot: Snapshot): void {
    this.#push("snapshot", (disk) => disk.saveSnapshot(callSid, snapshot));
  }

  dropSnapshot(callSid: string): void {
    this.#push("snapshot dropped", (disk) => disk.dropSnapshot(callSid));
  }

  appendJournal(entries: readonly JournalEntry[]): void {
    for (const entry of entries)
      this.#push(`${entry.state} ${entry.name}`, (disk) => disk.appendJournal([entry]));
  }

  async getCall(callSid: string): Promise<CallRow | null> {
    return await (await this.#read()).getCall(callSid);
  }

  async listCalls(query: CallQuery): Promise<readonly CallRow[]> {
    return await (await this.#read()).listCalls(query);
  }

  async *events(callSid: string): AsyncIterable<AuditEntry> {
    yield* (await this.#read()).events(callSid);
  }

  async lastEvent(callSid: string): Promise<AuditEntry | null> {
    return await (await this.#read()).lastEvent(callSid);
  }

  async unfinishedSnapshots(): Promise<readonly StoredSnapshot[]> {
    return await (await this.#read()).unfinishedSnapshots();
  }

  async journal(callSid: string): Promise<readonly JournalEntry[]> {
    return await (await this.#read()).journal(callSid);
  }

  async openIntents(callSid: string): Promise<readonly JournalEntry[]> {
    return await (await this.#read()).openIntents(callSid);
  }

  saveCharts(charts: StoredCharts): void {
    this.#push("charts", (disk) => disk.saveCharts(charts));
  }

  async charts(hash: string): Promise<StoredCharts | null> {
    return await (await this.#read()).charts(hash);
  }

  async chartVersions(): Promise<readonly string[]> {
    return await (await this.#read()).chartVersions();
  }

  /** With what the step that asks writes after it. */
  durable(): Promise<void> {
    if (this.#closed) return Promise.reject(new StoreError("the store is closed"));
    return this.#settled();
  }

  flush(): Promise<void> {
    return this.#settled();
  }

  counters(): Readonly<Record<string, number>> {
    return { queuedWrites: this.#queued - this.#committed };
  }

  async close(): Promise<void> {
    await this.#settled();
    this.#closed = true;
  }

  #push(what: string, apply: Write["apply"]): void {
    if (this.#closed || this.#options.isDead()) return;
    this.#queue.push({ what, apply });
    this.#queued++;
    this.#timer ??= this.#options.clock.setTimeout(() => this.#pump(), GROUP_COMMIT_MS);
    this.#options.onMoment("written", what);
  }

  #settled(): Promise<void> {
    if (this.#queued === this.#committed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push({ upTo: this.#queued, resolve });
    this.#hurry = true;
    queueMicrotask(() => this.#pump());
    return promise;
  }

  /** Reads see all writes made before them. */
  async #read(): Promise<MemoryStore> {
    await this.#settled();
    return this.#options.disk;
  }

  #pump(): void {
    const { clock, random } = this.#options;
    clock.clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#writing || this.#queue.length === 0) return;
    this.#writing = true;
    this.#hurry = false;
    const batch = this.#queue;
    this.#queue = [];
    const [min, max] = WRITE_MS;
    clock.setTimeout(() => this.#commit(batch), min + random() ** 3 * (max - min));
  }

  /** All of it or nothing. */
  #commit(batch: readonly Write[]): void {
    const { disk, onMoment, isDead, clock } = this.#options;
    for (const { apply } of batch) apply(disk);
    this.#committed += batch.length;
    this.#writing = false;
    for (const { what } of batch) onMoment("committed", what);
    if (isDead()) return;
    while ((this.#waiters[0]?.upTo ?? Number.POSITIVE_INFINITY) <= this.#committed)
      this.#waiters.shift()?.resolve();
    if (this.#queue.length === 0) return;
    if (this.#hurry) this.#pump();
    else this.#timer ??= clock.setTimeout(() => this.#pump(), GROUP_COMMIT_MS);
  }
}
