import { errorText, StoreError } from "../../engine/errors.ts";
import type { Clock, Log } from "../../engine/ports.ts";
import type { Batch, Driver, EventKey, WriteOutcome } from "./driver.ts";
import type { FieldCipher } from "./protect.ts";
import type { TextCipher } from "./text-cipher.ts";
import { callOf, encodeBatch, type Encoded, isEmpty, nameOf, replaceableKey, type Write } from "./writes.ts";

/**
 * Writes that come within this time share a transaction: a transaction costs the loop of the calls more than what is
 * in it, and nothing waits for these. What asks for an effect is written at once: see {@link WriteQueue.committed}.
 */
export const GROUP_COMMIT_MS = 20;
/**
 * A batch is made in one go, on the loop that moves the audio: after the disk has stalled for a while, what waits is
 * not put into one. Only a queue that is long needs larger ones to be caught up with.
 */
const BATCH_MIN = 32;
const BATCH_MAX = 256;
const QUEUE_SHARE = 4;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5000;
/** Attempts that fail one after another until the database counts as failing: a lost connection is no trouble. */
const FAILING_FROM = 2;

/** How a wait for the queue ended: `lost` counts writes that the database will never take. */
export type Settled = { readonly problem: string | null; readonly lost: number };

interface Waiter {
  /** Number of the last write waited for. */
  readonly upTo: number;
  /** Waits on for as long as the database does not count as failing. */
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

/** A database that takes nothing. */
interface Trouble {
  problem: string;
  failures: number;
  /** Number of the last write that was waiting at the last failure: once it is written, the trouble is over. */
  upTo: number;
}

/**
 * Writes in the order they came, many to a transaction, one transaction at a time. A transaction that fails is
 * kept and tried again; only a write that the database refuses for what it holds is dropped, by itself, counted
 * and logged.
 *
 * What waits is bounded: from `maxQueuedWrites` on, log entries are dropped until half is written, and from twice
 * as many on those of the journal too; each is counted. Rows and snapshots, of which every call has one at most that waits, are kept.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  readonly #queue: Write[] = [];
  /** The number of each write of the queue, by its place. */
  readonly #numbers: number[] = [];
  readonly #waiters: Waiter[] = [];
  /** Queued writes that are passed over: no JSON can hold them, or a later one has taken their place. */
  readonly #passedOver = new WeakSet<Write>();
  /** The last row and snapshot of each call that are queued. */
  readonly #newest = new Map<string, Write>();
  /** What is left in the queue of those whose place was taken. */
  #husks = 0;
  /** Writes ever queued; the number of the last one. */
  #queued = 0;
  #writing = false;
  /** How many of the queue are in the transaction under way. */
  #inFlight = 0;
  #timer: unknown = null;
  #trouble: Trouble | null = null;
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
    droppedEvents: 0,
    droppedJournalEntries: 0,
  };

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#queue.length;
  }

  get full(): boolean {
    return this.#waiting >= this.#options.maxQueuedWrites;
  }

  get #waiting(): number {
    return this.#queue.length - this.#husks;
  }

  /** Why nothing is written, or `null`. */
  get failing(): string | null {
    const trouble = this.#trouble;
    return trouble && trouble.failures >= FAILING_FROM ? trouble.problem : null;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, queuedWrites: this.#queue.length };
  }

  push(write: Write): void {
    if (this.#overflows() && !this.#fits(write)) return;
    const key = replaceableKey(write);
    if (key !== null && this.#takePlace(write, key)) return;
    this.#queue.push(write);
    this.#numbers.push(++this.#queued);
    if (!this.#writing && this.#timer === null) this.#arm(GROUP_COMMIT_MS);
  }

  /** From a full queue until half of it is written: so a log has one gap, and not one for each transaction. */
  #overflows(): boolean {
    const { maxQueuedWrites, log } = this.#options;
    const before = this.#overflowing;
    this.#overflowing = this.#waiting >= (before ? maxQueuedWrites / 2 : maxQueuedWrites);
    if (this.#overflowing && !before) log.error("store.queue-full", { queuedWrites: this.#waiting });
    return this.#overflowing;
  }

  /** Whether there is room for a write in a queue that overflows. */
  #fits(write: Write): boolean {
    this.#counters.overflows++;
    if ("event" in write) {
      this.#counters.droppedEvents++;
      // Once it has its hash, what comes after it in its log does not keep it.
      void write.event.hash;
      return false;
    }
    const journalFits = this.#waiting < 2 * this.#options.maxQueuedWrites;
    if (!("journal" in write) || journalFits) return true;
    this.#counters.droppedJournalEntries++;
    return false;
  }

  /**
   * A snapshot comes after everything that it has seen, so it goes to the end of the queue; the one before is not
   * written, and what it holds is let go. Rows share a transaction with the one before in any case; while nothing
   * is written they take its place, and `true` says so: a snapshot without a row could not be gone on with.
   */
  #takePlace(write: Write, key: string): boolean {
    const before = this.#newest.get(key);
    this.#newest.set(key, write);
    const at = before === undefined ? -1 : this.#queue.lastIndexOf(before);
    // One that is being written may have to be written again.
    if (before === undefined || at < this.#inFlight) return false;
    if ("call" in write) {
      if (this.#trouble !== null) this.#queue[at] = write;
      return this.#trouble !== null;
    }
    this.#counters.snapshotsCoalesced++;
    const husk: Write = { snapshot: { callSid: "", saved: null } };
    this.#passedOver.add(husk);
    this.#queue[at] = husk;
    this.#husks++;
    if (this.#husks > BATCH_MAX && this.#husks * 2 > this.#queue.length) this.#sweep();
    return false;
  }

  /** Only now and then, so that it costs each write the same. */
  #sweep(): void {
    let kept = this.#inFlight;
    for (let at = this.#inFlight; at < this.#queue.length; at++) {
      const write = this.#queue[at] as Write;
      if (isHusk(write)) continue;
      this.#queue[kept] = write;
      this.#numbers[kept++] = this.#numbers[at] as number;
    }
    this.#husks -= this.#queue.length - kept;
    this.#queue.length = kept;
    this.#numbers.length = kept;
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

  /** Writes as soon as the step that asks is over, and waits until the database counts as failing. */
  committed(): Promise<Settled> {
    if (this.#queue.length === 0) return Promise.resolve({ problem: null, lost: 0 });
    const problem = this.failing;
    if (problem !== null) return Promise.resolve({ problem, lost: 0 });
    const { promise, resolve } = Promise.withResolvers<Settled>();
    this.#waiters.push({ upTo: this.#queued, patient: true, lost: 0, settle: resolve });
    // A database that fails is tried again when its time comes.
    if (this.#trouble === null) queueMicrotask(() => this.#pump());
    return promise;
  }

  stop(): void {
    this.#disarm();
    const lost = this.#queue.length;
    for (const waiter of this.#waiters.splice(0)) waiter.settle({ problem: "the store was closed", lost });
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
    const writes = this.#queue.slice(0, this.#batchSize());
    const { batch, links } = this.#encode(writes);
    this.#inFlight = writes.length;
    const outcome = await this.#attempt(batch);
    this.#inFlight = 0;
    this.#writing = false;
    if (outcome.ok) {
      for (const [index, made] of outcome.links.entries()) links[index]?.chained(made);
      this.#done(writes.length, batch, outcome.conflicts);
    } else if (!outcome.badData) this.#failed(outcome.problem);
    else if (writes.length > 1) this.#singly = writes.length;
    else this.#drop(writes[0], outcome.problem);
    if (this.#queue.length === 0 || this.#timer !== null) return;
    const hurry = this.#waiters.length > 0 || this.#singly > 0 || this.#queue.length >= BATCH_MAX;
    if (hurry) this.#pump();
    else this.#arm(GROUP_COMMIT_MS);
  }

  /** Goes on to the end of what a call writes there: so a step is in one transaction. */
  #batchSize(): number {
    if (this.#singly > 0) return 1;
    const max = Math.min(this.#queue.length, BATCH_MAX);
    const callAt = (at: number): string | null => callOf(this.#queue[at] as Write);
    let size = Math.min(max, Math.max(BATCH_MIN, Math.ceil(this.#queue.length / QUEUE_SHARE)));
    while (size < max && callAt(size) === callAt(size - 1)) size++;
    return size;
  }

  async #attempt(batch: Batch): Promise<WriteOutcome> {
    if (isEmpty(batch)) return { ok: true, conflicts: [], links: [] };
    this.#counters.transactions++;
    try {
      return await this.#options.driver.write(batch);
    } catch (error) {
      return { ok: false, problem: errorText(error), badData: false };
    }
  }

  /** What no JSON can hold is dropped here. */
  #encode(writes: readonly Write[]): Encoded {
    const { cipher, texts } = this.#options;
    const write = (index: number): Write => writes[index] as Write;
    return encodeBatch(writes, {
      cipher,
      texts,
      skip: (index) => this.#passedOver.has(write(index)),
      lose: (index, problem) => {
        this.#passedOver.add(write(index));
        this.#lose(this.#numbers[index] as number, write(index), problem);
      },
    });
  }

  #done(count: number, batch: Batch, conflicts: readonly EventKey[]): void {
    this.#singly = Math.max(0, this.#singly - count);
    this.#options.cipher.keys.stored(batch.keys);
    this.#counters.journalEntries += batch.journal.length;
    this.#counters.snapshots += batch.snapshots.length;
    this.#counters.calls += batch.calls.length;
    this.#counters.events += batch.events.length - conflicts.length;
    this.#counters.eventConflicts += conflicts.length;
    for (const { callSid, seq } of conflicts) {
      this.#options.log.error("store.event-conflict", { callSid, seq });
    }
    this.#forget(count);
    if (!isEmpty(batch)) this.#recover();
  }

  #forget(count: number): void {
    for (const write of this.#queue.splice(0, count)) {
      const key = replaceableKey(write);
      if (key !== null && this.#newest.get(key) === write) this.#newest.delete(key);
      if (isHusk(write)) this.#husks--;
    }
    this.#numbers.splice(0, count);
    const written = this.#written();
    for (let waiter = this.#waiters[0]; waiter && waiter.upTo <= written; waiter = this.#waiters[0]) {
      this.#waiters.shift();
      waiter.settle({ problem: null, lost: waiter.lost });
    }
  }

  /** Said once, and not for every attempt: a full disk stays full for a while. */
  #failed(problem: string): void {
    this.#counters.failedTransactions++;
    const { problem: before = null, failures = 0 } = this.#trouble ?? {};
    this.#trouble = { problem, failures: failures + 1, upTo: this.#queued };
    if (problem !== before) {
      this.#options.log.error("store.write-failed", { problem, queuedWrites: this.#queue.length });
    }
    for (const waiter of this.#waiters.splice(0)) {
      if (waiter.patient && this.failing === null) this.#waiters.push(waiter);
      else waiter.settle({ problem, lost: waiter.lost });
    }
    this.#arm(Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 10)));
  }

  /** Number of the last write that does not wait any more. */
  #written(): number {
    return (this.#numbers[0] ?? this.#queued + 1) - 1;
  }

  #recover(): void {
    const trouble = this.#trouble;
    if (trouble === null || this.#written() < trouble.upTo) return;
    this.#trouble = null;
    // Whoever deletes a database takes what lies beside it, too.
    this.#options.texts.keepKey();
    this.#options.log.info("store.recovered", { failures: trouble.failures });
  }

  #drop(write: Write | undefined, problem: string): void {
    if (write) this.#lose(this.#numbers[0] as number, write, problem);
    this.#singly = Math.max(0, this.#singly - 1);
    this.#forget(1);
  }

  #lose(number: number, write: Write, problem: string): void {
    this.refuse(write, problem);
    for (const waiter of this.#waiters) if (waiter.upTo >= number) waiter.lost++;
  }
}

/** What stands where a later row or snapshot has taken the place. */
function isHusk(write: Write): boolean {
  return "snapshot" in write && write.snapshot.callSid === "";
}

/** The error of a wait that did not end well. */
export function storeErrorOf(settled: Settled): StoreError {
  return new StoreError(
    settled.problem ?? `${settled.lost} writes were refused by the database: see the log`,
  );
}
