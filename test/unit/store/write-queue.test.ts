import { expect, test } from "bun:test";
import type { Batch, Driver, WriteOutcome } from "../../../adapters/store/driver.ts";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { QueuedStore } from "../../../adapters/store/store.ts";
import { StoreError } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { entry, snapshot } from "../../contract/store-durability.ts";
import { auditEntry, callRow } from "../../contract/store.contract.ts";

/** Keeps what it is given; answers each transaction with what `answer` says. */
class FakeDriver implements Driver {
  readonly batches: Batch[] = [];
  readonly written: number[] = [];
  answer: (batch: Batch) => WriteOutcome | Promise<WriteOutcome> = () => ({ ok: true, conflicts: [] });
  closed = false;

  async write(batch: Batch): Promise<WriteOutcome> {
    this.batches.push(batch);
    const outcome = await this.answer(batch);
    if (outcome.ok) this.written.push(...batch.events.map(([, seq]) => seq));
    return outcome;
  }

  all() {
    return Promise.resolve([]);
  }

  close() {
    this.closed = true;
    return Promise.resolve();
  }
}

function setUp(maxQueuedWrites?: number) {
  const clock = new VirtualClock();
  const driver = new FakeDriver();
  const cipher = createFieldCipher({ key: new Uint8Array(32), ids: systemIds, log: silentLog });
  const limit = maxQueuedWrites === undefined ? {} : { maxQueuedWrites };
  return { clock, driver, store: new QueuedStore(driver, { clock, log: silentLog, cipher, ...limit }) };
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
  clock.advance(10);
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
    return { ok: true, conflicts: [] };
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
  driver.answer = () => ({ ok: true, conflicts: [] });
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
  driver.answer = () => ({ ok: true, conflicts: [] });
  await store.flush();
  expect(driver.written).toEqual([1]);
});

test("one write that the database refuses for what it holds is dropped alone", async () => {
  const { driver, store } = setUp();
  driver.answer = (batch) =>
    batch.events.some(([, seq]) => seq === 150)
      ? { ok: false, problem: "invalid byte", badData: true }
      : { ok: true, conflicts: [] };
  store.appendEvents(entries(1, 300));
  expect(await failed(store.flush())).toBeInstanceOf(StoreError);
  expect(driver.written).toEqual([...seqs(1, 149), ...seqs(151, 300)]);
  expect(store.counters()["refusedWrites"]).toBe(1);
  store.appendEvents(entries(301, 302));
  await store.flush();
  expect(driver.written.slice(-2)).toEqual([301, 302]);
});

test("a full queue makes flush reject and drops nothing", async () => {
  const { driver, store } = setUp(10);
  store.appendEvents(entries(1, 12));
  const error = await failed(store.flush());
  expect((error as StoreError).message).toContain("12 writes wait for the database, more than 10");
  expect(store.counters()).toMatchObject({ overflows: 2, queuedWrites: 12 });
  await store.close();
  expect(driver.written).toEqual(seqs(1, 12));
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

test("whoever waits for durability waits on while the database fails, and does not hurry it", async () => {
  const { clock, driver, store } = setUp();
  driver.answer = () => FULL;
  store.appendEvents(entries(1, 1));
  let durable = false;
  const wait = store.durable().then(() => void (durable = true));
  await turn();
  expect(driver.batches).toHaveLength(1);
  void store.durable();
  await turn();
  expect(driver.batches).toHaveLength(1);
  clock.advance(100);
  await turn();
  expect(driver.batches).toHaveLength(2);
  expect(durable).toBe(false);
  driver.answer = () => ({ ok: true, conflicts: [] });
  clock.advance(200);
  await wait;
  expect(driver.written).toEqual([1]);
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
  driver.answer = () => ({ ok: true, conflicts: [] });
  resolve({ ok: true, conflicts: [] });
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
