import { expect, test } from "bun:test";
import type { Batch, Driver, WriteOutcome } from "../../../adapters/store/driver.ts";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { QueuedStore } from "../../../adapters/store/store.ts";
import { StoreError } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { chainedAll, ChainLink, chainStart, entryHash } from "../../../engine/platform/hash-chain.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { entry, snapshot } from "../../contract/store-durability.ts";
import { auditEntry, callRow } from "../../contract/store.contract.ts";
import { keptLog } from "../call/support.ts";

const seqsOf = ({ events }: Batch): number[] =>
  events.map((event) => ("text" in event ? (JSON.parse(event.text) as AuditEntry).seq : event[1]));

/** Keeps what it is given; answers each transaction with what `answer` says. */
class FakeDriver implements Driver {
  readonly batches: Batch[] = [];
  readonly written: number[] = [];
  answer: (batch: Batch) => WriteOutcome | Promise<WriteOutcome> = () => ({
    ok: true,
    conflicts: [],
    links: [],
  });
  closed = false;

  async write(batch: Batch): Promise<WriteOutcome> {
    this.batches.push(batch);
    const outcome = await this.answer(batch);
    if (outcome.ok) this.written.push(...seqsOf(batch));
    return outcome;
  }

  all() {
    return Promise.resolve([]);
  }

  erase() {
    return Promise.resolve(false);
  }

  close() {
    this.closed = true;
    return Promise.resolve();
  }
}

function setUp(maxQueuedWrites?: number) {
  const clock = new VirtualClock();
  const { log, lines } = keptLog(clock);
  const driver = new FakeDriver();
  const cipher = createFieldCipher({ key: new Uint8Array(32), ids: systemIds, log: silentLog });
  const limit = maxQueuedWrites === undefined ? {} : { maxQueuedWrites };
  return { clock, driver, lines, store: new QueuedStore(driver, { clock, log, cipher, ...limit }) };
}

const entries = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => auditEntry("CA1", from + i));
const seqs = (from: number, to: number) => entries(from, to).map((entry) => entry.seq);
const failed = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => error,
  );
/** Lets promises that are already settled run on. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const FULL: WriteOutcome = { ok: false, problem: "the disk is full", badData: false };

test("writes within a few milliseconds share one transaction, and a call is in it once", async () => {
  const { clock, driver, store } = setUp();
  store.saveCall(callRow(1, { state: "arriving" }));
  store.appendEvents(entries(1, 3));
  store.saveCall(callRow(1, { state: "streaming" }));
  expect(driver.batches).toHaveLength(0);
  clock.advance(25);
  await turn();
  expect(driver.batches).toHaveLength(1);
  expect(driver.batches[0]?.events).toHaveLength(3);
  expect(driver.batches[0]?.calls.map(([, , state]) => state)).toEqual(["streaming"]);
  expect(clock.pendingTimers).toBe(0);
});

test("a flush does not wait for the group, and long queues go in bounded transactions", async () => {
  const { driver, store } = setUp();
  store.appendEvents(entries(1, 1000));
  await store.flush();
  expect(driver.written).toEqual(seqs(1, 1000));
  expect(Math.max(...driver.batches.map((batch) => batch.events.length))).toBeLessThanOrEqual(256);
});

test("only one transaction is under way at a time", async () => {
  const { driver, store } = setUp();
  let open = 0;
  let most = 0;
  driver.answer = async () => {
    most = Math.max(most, ++open);
    await turn();
    open--;
    return { ok: true, conflicts: [], links: [] };
  };
  store.appendEvents(entries(1, 600));
  await Promise.all([store.flush(), store.flush(), store.getCall("CA1")]);
  expect(most).toBe(1);
});

test("a transaction that fails rejects the flush, is kept, and is tried again later and later", async () => {
  const { clock, driver, store } = setUp();
  driver.answer = () => FULL;
  store.appendEvents(entries(1, 2));
  const error = await failed(store.flush());
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).message).toContain("the disk is full");
  for (const delayMs of [100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
    const attempts = driver.batches.length;
    clock.advance(delayMs - 1);
    await turn();
    expect(driver.batches).toHaveLength(attempts);
    clock.advance(1);
    await turn();
    expect(driver.batches).toHaveLength(attempts + 1);
  }
  driver.answer = () => ({ ok: true, conflicts: [], links: [] });
  store.appendEvents(entries(3, 3));
  clock.advance(5000);
  await turn();
  expect(driver.written).toEqual([1, 2, 3]);
  expect(store.counters()).toMatchObject({ failedTransactions: 9, queuedWrites: 0, events: 3 });
});

test("a flush tries a failing database at once instead of waiting for its turn", async () => {
  const { driver, store } = setUp();
  driver.answer = () => FULL;
  store.appendEvents(entries(1, 1));
  await failed(store.flush());
  driver.answer = () => ({ ok: true, conflicts: [], links: [] });
  await store.flush();
  expect(driver.written).toEqual([1]);
});

test("one write that the database refuses for what it holds is dropped alone", async () => {
  const { driver, store } = setUp();
  driver.answer = (batch) =>
    seqsOf(batch).includes(150)
      ? { ok: false, problem: "invalid byte", badData: true }
      : { ok: true, conflicts: [], links: [] };
  store.appendEvents(entries(1, 300));
  expect(await failed(store.flush())).toBeInstanceOf(StoreError);
  expect(driver.written).toEqual([...seqs(1, 149), ...seqs(151, 300)]);
  expect(store.counters()["refusedWrites"]).toBe(1);
  store.appendEvents(entries(301, 302));
  await store.flush();
  expect(driver.written.slice(-2)).toEqual([301, 302]);
});

test("a full queue makes flush reject, and drops log entries: the rest of a log, not its middle", async () => {
  const { driver, lines, store } = setUp(10);
  store.appendEvents(entries(1, 12));
  const error = await failed(store.flush());
  expect((error as StoreError).message).toContain("10 writes wait for the database, the limit is 10");
  expect(store.counters()).toMatchObject({ overflows: 2, droppedEvents: 2, queuedWrites: 10 });
  expect(lines.map(({ event }) => event)).toEqual(["store.queue-full"]);
  await store.close();
  expect(driver.written).toEqual(seqs(1, 10));
});

test("a queue that was full takes log entries again when half of it is written", async () => {
  const { driver, lines, store } = setUp(600);
  store.appendEvents(entries(1, 700));
  const { promise, resolve } = Promise.withResolvers<WriteOutcome>();
  driver.answer = (batch) => (seqsOf(batch)[0] === 257 ? promise : { ok: true, conflicts: [], links: [] });
  const durable = store.durable();
  await turn();
  // The first 256 are written, and 344 wait.
  store.appendEvents(entries(701, 702));
  resolve({ ok: true, conflicts: [], links: [] });
  await durable;
  store.appendEvents(entries(703, 703));
  await store.flush();
  expect(driver.written).toEqual([...seqs(1, 600), 703]);
  expect(store.counters()).toMatchObject({ droppedEvents: 102 });
  expect(lines.filter(({ event }) => event === "store.queue-full")).toHaveLength(1);
});

test("a full queue keeps the last row and state of each call, and the journal up to twice its size", async () => {
  const { clock, driver, store } = setUp(10);
  driver.answer = () => FULL;
  store.saveCall(callRow(1, { state: "streaming" }));
  store.appendEvents(entries(1, 20));
  clock.advance(25);
  await turn();
  store.appendJournal(Array.from({ length: 30 }, (_, n) => entry(n)));
  store.saveCall(callRow(1, { state: "ended" }));
  for (let seq = 1; seq <= 5; seq++) store.saveSnapshot("CA1", snapshot(seq));
  expect(store.counters()).toMatchObject({ droppedEvents: 11, droppedJournalEntries: 20 });
  driver.answer = () => ({ ok: true, conflicts: [], links: [] });
  clock.advance(200);
  await turn();
  expect(driver.written).toEqual(seqs(1, 9));
  const [last] = driver.batches.slice(-1);
  expect(last?.calls.map(([, , state]) => state)).toEqual(["ended"]);
  expect(last?.snapshots.map(([, seq]) => seq)).toEqual([5]);
  expect(last?.journal).toHaveLength(10);
});

test("states of calls that wait for hours take the place of those before them, and order is kept", async () => {
  const { clock, driver, store } = setUp();
  driver.answer = () => FULL;
  for (let seq = 1; seq <= 5000; seq++) {
    if (seq % 1000 === 0) store.appendEvents(entries(seq, seq));
    store.saveSnapshot(`CA${seq % 3}`, snapshot(seq));
  }
  expect(store.counters()["queuedWrites"]).toBeLessThan(600);
  driver.answer = () => ({ ok: true, conflicts: [], links: [] });
  const durable = store.durable();
  clock.advance(25);
  await durable;
  expect(driver.written).toEqual([1000, 2000, 3000, 4000, 5000]);
  const saved = driver.batches.flatMap((batch) => batch.snapshots.map(([callSid, seq]) => [callSid, seq]));
  expect(saved).toEqual([
    ["CA0", 4998],
    ["CA1", 4999],
    ["CA2", 5000],
  ]);
  expect(store.counters()["queuedWrites"]).toBe(0);
});

test("closing on a database that fails gives up, says how much is lost and leaves no timer", async () => {
  const { clock, driver, store } = setUp();
  driver.answer = () => FULL;
  store.appendEvents(entries(1, 7));
  const error = await failed(store.close());
  expect((error as StoreError).message).toBe("7 writes were not stored: the disk is full");
  expect(driver.closed).toBe(true);
  expect(clock.pendingTimers).toBe(0);
});

test("one attempt that fails is no trouble: whoever waits for durability waits on", async () => {
  const { clock, driver, lines, store } = setUp();
  driver.answer = () => FULL;
  store.appendEvents(entries(1, 1));
  let durable = false;
  const wait = store.durable().then(() => void (durable = true));
  await turn();
  void store.durable();
  await turn();
  expect([driver.batches.length, durable, store.failing]).toEqual([1, false, null]);
  driver.answer = () => ({ ok: true, conflicts: [], links: [] });
  clock.advance(100);
  await wait;
  expect(driver.written).toEqual([1]);
  expect(lines.map(({ level, event }) => [level, event])).toEqual([
    ["error", "store.write-failed"],
    ["info", "store.recovered"],
  ]);
});

test("a database that takes nothing is said once, and again when the reason is another", async () => {
  const { clock, driver, lines, store } = setUp();
  driver.answer = () => FULL;
  store.appendEvents(entries(1, 1));
  const first = failed(store.durable());
  await turn();
  clock.advance(100);
  await turn();
  expect(((await first) as StoreError).message).toBe("the disk is full");
  expect(store.failing).toBe("the disk is full");
  // Nobody waits for what will not come, nor hurries it.
  expect(await failed(store.durable())).toBeInstanceOf(StoreError);
  expect(driver.batches).toHaveLength(2);
  for (let n = 0; n < 10; n++) {
    clock.advance(5000);
    await turn();
  }
  driver.answer = () => ({ ok: false, problem: "the disk is gone", badData: false });
  clock.advance(5000);
  await turn();
  expect(lines.map(({ event, problem }) => [event, problem])).toEqual([
    ["store.write-failed", "the disk is full"],
    ["store.write-failed", "the disk is gone"],
  ]);
});

test("a database that fails is read as it is, and counts as failing until what waited is written", async () => {
  const { clock, driver, store } = setUp();
  driver.answer = () => FULL;
  store.appendEvents(entries(1, 300));
  clock.advance(25);
  await turn();
  clock.advance(100);
  await turn();
  expect(await store.getCall("CA1")).toBeNull();
  expect(driver.batches).toHaveLength(2);
  driver.answer = () => ({ ok: true, conflicts: [], links: [] });
  clock.advance(200);
  await turn();
  expect(driver.written).toEqual(seqs(1, 256));
  expect(store.failing).toBe("the disk is full");
  clock.advance(25);
  await turn();
  expect(store.failing).toBeNull();
  expect(driver.written).toEqual(seqs(1, 300));
});

test("what the same step writes after asking for durability is in the same transaction", async () => {
  const { driver, store } = setUp();
  store.appendJournal([entry(1)]);
  const durable = store.durable();
  store.saveSnapshot("CA1", snapshot(1));
  await durable;
  expect(driver.batches).toHaveLength(1);
  expect(driver.batches[0]?.journal).toHaveLength(1);
  expect(driver.batches[0]?.snapshots).toHaveLength(1);
});

test("what has piled up goes in pieces, and what a call writes at once is in one of them", async () => {
  const { driver, store } = setUp();
  const STEPS = 100;
  for (let step = 1; step <= STEPS; step++) {
    const callSid = `CA${step % 2}`;
    store.appendEvents(Array.from({ length: 4 }, (_, n) => auditEntry(callSid, step * 4 + n)));
    store.appendJournal([{ ...entry(step), callSid }]);
    store.saveSnapshot(`${callSid}/postcall`, snapshot(step));
  }
  await store.flush();
  // A quarter of what waits, and 32 at least.
  const steps = driver.batches.map(({ events }) => events.length / 4);
  expect(steps.slice(0, 3)).toEqual([25, 19, 14]);
  expect(steps.slice(-3)).toEqual([6, 6, 5]);
  expect(driver.batches.map(({ journal }) => journal.length)).toEqual(steps);
  expect(driver.batches.every(({ events, journal }) => events.length === 4 * journal.length)).toBe(true);
  expect(driver.written).toHaveLength(4 * STEPS);
});

test("a batch ends at its limit, also within what one call has written", async () => {
  const { driver, store } = setUp();
  store.appendEvents(entries(1, 600));
  await store.flush();
  expect(driver.batches.map(({ events }) => events.length)).toEqual([256, 256, 88]);
});

test("a later snapshot goes behind what it has seen, and one under way is not taken back", async () => {
  const { driver, store } = setUp();
  const { promise, resolve } = Promise.withResolvers<WriteOutcome>();
  driver.answer = () => promise;
  store.saveSnapshot("CA1", snapshot(1));
  const first = store.durable();
  await turn();
  store.saveSnapshot("CA1", snapshot(2));
  store.appendEvents(entries(1, 300));
  store.saveSnapshot("CA1", snapshot(3));
  driver.answer = () => ({ ok: true, conflicts: [], links: [] });
  resolve({ ok: true, conflicts: [], links: [] });
  await first;
  await store.durable();
  const seqsOf = driver.batches.map((batch) => batch.snapshots.map(([, seq]) => seq));
  expect(seqsOf).toEqual([[1], [], [3]]);
});

test("closing on a database that fails ends the waits for durability", async () => {
  const { driver, store } = setUp();
  driver.answer = () => FULL;
  store.appendEvents(entries(1, 1));
  const durable = failed(store.durable());
  await failed(store.close());
  expect(await durable).toBeInstanceOf(StoreError);
});

test("entries that are not chained are chained as they are written, also when that is tried again", async () => {
  const { clock, driver, store } = setUp();
  const first = new ChainLink(chainStart("CA1"), auditEntry("CA1", 1));
  const second = new ChainLink(first, auditEntry("CA1", 2));
  driver.answer = () => ({ ok: false, problem: "locked", badData: false });
  store.appendEvents([first, second]);
  await failed(store.flush());
  driver.answer = ({ events }) => ({
    ok: true,
    conflicts: [],
    links: chainedAll(events.filter((event) => "text" in event)),
  });
  clock.advance(5000);
  await store.flush();
  expect(driver.batches.map(seqsOf)).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect([first.unchained(undefined), second.unchained(undefined)]).toEqual([null, null]);
  const { prev, hash, ...content } = second.toJSON();
  expect(prev).toBe(first.hash);
  expect(hash).toBe(entryHash(prev, content));
});
