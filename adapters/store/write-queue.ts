import { errorText, StoreError } from "../../engine/errors.ts";
import type { Clock, Log } from "../../engine/ports.ts";
import type { Batch, Driver, EventKey, WriteOutcome } from "./driver.ts";
import type { FieldCipher } from "./protect.ts";
import type { TextCipher } from "./text-cipher.ts";
import { encodeBatch, isEmpty, nameOf, type Write } from "./writes.ts";

/** Writes that come within this time share a transaction. */
const GROUP_COMMIT_MS = 4;
const BATCH_MAX = 256;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5000;

/** How a wait for the queue ended: `lost` counts writes that the database will never take. */
export type Settled = { readonly problem: string | null; readonly lost: number };

interface Waiter {
  /** Number of the last write waited for. */
  readonly upTo: number;
  /** Waits on while the database fails. */
  readonly patient: boolean;
  lost: number;
  readonly settle: (settled: Settled) => void;
}

export interface WriteQueueOptions {
  readonly driver: Driver;
  readonly cipher: FieldCipher;
  readonly texts: TextCipher;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxQueuedWrites: number;
}

/**
 * Writes in the order they came, many to a transaction, one transaction at a time. A transaction that fails is
 * kept and tried again; only a write that the database refuses for what it holds is dropped, by itself, counted
 * and logged.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  readonly #queue: Write[] = [];
  readonly #waiters: Waiter[] = [];
  /** Queued writes that are passed over: no JSON can hold them, or a later snapshot has taken their place. */
  readonly #passedOver = new WeakSet<Write>();
  /** The snapshot of each call that is queued and not passed over. */
  readonly #snapshots = new Map<string, Write>();
  /** Writes ever queued; the number of the last one. */
  #queued = 0;
  #writing = false;
  /** How many of the queue are in the transaction under way. */
  #inFlight = 0;
  #timer: unknown = null;
  #failures = 0;
  /** How many of the next writes go one by one, to find the one that is refused. */
  #singly = 0;
  #overflowing = false;
  readonly #counters = {
    calls: 0,
    events: 0,
    journalEntries: 0,
    snapshots: 0,
    snapshotsCoalesced: 0,
    transactions: 0,
    failedTransactions: 0,
    eventConflicts: 0,
    refusedWrites: 0,
    overflows: 0,
  };

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#queue.length;
  }

  get full(): boolean {
    return this.#queue.length > this.#options.maxQueuedWrites;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, queuedWrites: this.#queue.length };
  }

  push(write: Write): void {
    if ("snapshot" in write) this.#takePlace(write, write.snapshot.callSid);
    this.#queue.push(write);
    this.#queued++;
    if (this.full) this.#overflow();
    else this.#overflowing = false;
    if (!this.#writing && this.#timer === null) this.#arm(GROUP_COMMIT_MS);
  }

  /**
   * A snapshot comes after everything that it has seen, so it goes to the end of the queue; the one before is not
   * written, and what it holds is let go.
   */
  #takePlace(write: Write, callSid: string): void {
    const before = this.#snapshots.get(callSid);
    this.#snapshots.set(callSid, write);
    const at = before === undefined ? -1 : this.#queue.lastIndexOf(before);
    // One that is being written may have to be written again.
    if (before === undefined || at < this.#inFlight) return;
    this.#counters.snapshotsCoalesced++;
    const husk: Write = { snapshot: { callSid, saved: null } };
    this.#passedOver.add(husk);
    this.#queue[at] = husk;
  }

  /** Counts a write that cannot be kept. */
  refuse(write: Write, problem: string): void {
    this.#counters.refusedWrites++;
    this.#options.log.error("store.write-refused", { what: nameOf(write), problem });
  }

  /** Writes at once, without waiting for more to share the transaction. */
  settled(): Promise<Settled> {
    if (this.#queue.length === 0) return Promise.resolve({ problem: null, lost: 0 });
    const { promise, resolve } = Promise.withResolvers<Settled>();
    this.#waiters.push({ upTo: this.#queued, patient: false, lost: 0, settle: resolve });
    this.#pump();
    return promise;
  }

  /** Writes as soon as the step that asks is over, and waits for as long as the database takes. */
  committed(): Promise<Settled> {
    if (this.#queue.length === 0) return Promise.resolve({ problem: null, lost: 0 });
    const { promise, resolve } = Promise.withResolvers<Settled>();
    this.#waiters.push({ upTo: this.#queued, patient: true, lost: 0, settle: resolve });
    // A database that fails is tried again when its time comes.
    if (this.#failures === 0) queueMicrotask(() => this.#pump());
    return promise;
  }

  stop(): void {
    this.#disarm();
    const lost = this.#queue.length;
    for (const waiter of this.#waiters.splice(0)) waiter.settle({ problem: "the store was closed", lost });
  }

  #overflow(): void {
    this.#counters.overflows++;
    if (this.#overflowing) return;
    this.#overflowing = true;
    this.#options.log.error("store.queue-full", { queuedWrites: this.#queue.length });
  }

  #arm(delayMs: number): void {
    this.#timer = this.#options.clock.setTimeout(() => this.#pump(), delayMs);
  }

  #disarm(): void {
    if (this.#timer !== null) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  #pump(): void {
    this.#disarm();
    if (this.#writing || this.#queue.length === 0) return;
    this.#writing = true;
    void this.#writeBatch();
  }

  async #writeBatch(): Promise<void> {
    const writes = this.#queue.slice(0, this.#singly > 0 ? 1 : BATCH_MAX);
    const first = this.#queued - this.#queue.length + 1;
    const batch = this.#encode(writes, first);
    this.#inFlight = writes.length;
    const outcome = await this.#attempt(batch);
    this.#inFlight = 0;
    this.#writing = false;
    if (outcome.ok) this.#done(writes.length, batch, outcome.conflicts);
    else if (!outcome.badData) this.#failed(outcome.problem);
    else if (writes.length > 1) this.#singly = writes.length;
    else this.#drop(first, writes[0], outcome.problem);
    if (this.#queue.length === 0 || this.#timer !== null) return;
    const hurry = this.#waiters.length > 0 || this.#singly > 0 || this.#queue.length >= BATCH_MAX;
    if (hurry) this.#pump();
    else this.#arm(GROUP_COMMIT_MS);
  }

  async #attempt(batch: Batch): Promise<WriteOutcome> {
    if (isEmpty(batch)) return { ok: true, conflicts: [] };
    this.#counters.transactions++;
    try {
      return await this.#options.driver.write(batch);
    } catch (error) {
      return { ok: false, problem: errorText(error), badData: false };
    }
  }

  /** What no JSON can hold is dropped here. */
  #encode(writes: readonly Write[], first: number): Batch {
    const { cipher, texts } = this.#options;
    const write = (index: number): Write => writes[index] as Write;
    return encodeBatch(writes, {
      cipher,
      texts,
      skip: (index) => this.#passedOver.has(write(index)),
      lose: (index, problem) => {
        this.#passedOver.add(write(index));
        this.#lose(first + index, write(index), problem);
      },
    });
  }

  #done(count: number, batch: Batch, conflicts: readonly EventKey[]): void {
    if (this.#failures > 0) this.#options.log.info("store.recovered", { failures: this.#failures });
    this.#failures = 0;
    this.#singly = Math.max(0, this.#singly - count);
    this.#counters.journalEntries += batch.journal.length;
    this.#counters.snapshots += batch.snapshots.length;
    this.#counters.calls += batch.calls.length;
    this.#counters.events += batch.events.length - conflicts.length;
    this.#counters.eventConflicts += conflicts.length;
    for (const { callSid, seq } of conflicts) {
      this.#options.log.error("store.event-conflict", { callSid, seq });
    }
    this.#forget(count);
  }

  #forget(count: number): void {
    for (const write of this.#queue.splice(0, count)) {
      if ("snapshot" in write && this.#snapshots.get(write.snapshot.callSid) === write) {
        this.#snapshots.delete(write.snapshot.callSid);
      }
    }
    const written = this.#queued - this.#queue.length;
    for (let waiter = this.#waiters[0]; waiter && waiter.upTo <= written; waiter = this.#waiters[0]) {
      this.#waiters.shift();
      waiter.settle({ problem: null, lost: waiter.lost });
    }
  }

  #failed(problem: string): void {
    this.#counters.failedTransactions++;
    const delayMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    this.#options.log.error("store.write-failed", { problem, failures: this.#failures, retryInMs: delayMs });
    for (const waiter of this.#waiters.splice(0)) {
      if (waiter.patient) this.#waiters.push(waiter);
      else waiter.settle({ problem, lost: waiter.lost });
    }
    this.#arm(delayMs);
  }

  #drop(ordinal: number, write: Write | undefined, problem: string): void {
    if (write) this.#lose(ordinal, write, problem);
    this.#singly = Math.max(0, this.#singly - 1);
    this.#forget(1);
  }

  #lose(ordinal: number, write: Write, problem: string): void {
    this.refuse(write, problem);
    for (const waiter of this.#waiters) if (waiter.upTo >= ordinal) waiter.lost++;
  }
}

/** The error of a wait that did not end well. */
export function storeErrorOf(settled: Settled): StoreError {
  return new StoreError(
    settled.problem ?? `${settled.lost} writes were refused by the database: see the log`,
  );
}
