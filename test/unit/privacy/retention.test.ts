import { afterEach, expect, test } from "bun:test";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { Retention, type RetentionDays } from "../../../engine/privacy/retention.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { LogFields } from "../../../engine/ports.ts";
import { keepCall, type Kept, newFolder, openKept, recordedBytes, removeFolders, sidOf } from "./kept.ts";

afterEach(removeFolders);

const DAY_MS = 86_400_000;
const audio = { bytes: 800, pieces: () => [new Uint8Array(800).fill(0x55)] };
const FOR_EVER: RetentionDays = { rowsDays: null, recordingsDays: null, auditDays: null };

function retentionOf({ privacy, recordings, clock }: Kept, days: Partial<RetentionDays>) {
  const told: LogFields[] = [];
  const log = { ...silentLog, info: (_: string, fields: LogFields = {}) => void told.push(fields) };
  const options = { days: { ...FOR_EVER, ...days }, store: privacy, recordings, clock, log };
  return { retention: new Retention(options), told };
}

const rowsOf = async ({ store }: Kept) => (await store.listCalls({ limit: 500 })).length;
const logOf = async ({ store }: Kept, n: number) => (await Array.fromAsync(store.events(sidOf(n)))).length;

test("rows go when their time is over, with keys and recordings, and logs when theirs is", async () => {
  const folder = newFolder();
  const kept = await openKept(folder);
  keepCall(kept, 1);
  await kept.recordings.save(sidOf(1), "coach", audio);
  kept.clock.advance(10 * DAY_MS);
  const endedAt = new Date(kept.clock.now()).toISOString();
  keepCall(kept, 2, { startedAt: endedAt, endedAt });
  keepCall(kept, 3, { state: "streaming", endedAt: null });
  const { retention, told } = retentionOf(kept, { rowsDays: 5, auditDays: 30 });
  await retention.sweep();
  expect(await kept.store.getCall(sidOf(1))).toBeNull();
  expect(readdirSync(join(folder, "recordings"))).toEqual([]);
  expect([await rowsOf(kept), await logOf(kept, 1), await logOf(kept, 2)]).toEqual([2, 2, 2]);
  kept.clock.advance(25 * DAY_MS);
  await retention.sweep();
  expect([await rowsOf(kept), await logOf(kept, 1), await logOf(kept, 2)]).toEqual([1, 0, 2]);
  expect(told).toEqual([
    { rows: 1, recordings: 1, logs: 0 },
    { rows: 1, recordings: 0, logs: 1 },
  ]);
  expect(retention.counters).toEqual({
    rowsExpired: 2,
    recordingsExpired: 1,
    logsExpired: 1,
    sweepsFailed: 0,
  });
  retention.stop();
  await kept.store.close();
});

test("a call that is live, or for whose caller somebody is sought, keeps its row and log", async () => {
  const kept = await openKept(newFolder());
  keepCall(kept, 1, { state: "streaming", endedAt: null });
  keepCall(kept, 2);
  kept.store.saveSnapshot(sidOf(2), { seq: 1, machineHash: "abc", version: 1, body: "{}" });
  kept.clock.advance(100 * DAY_MS);
  const { retention } = retentionOf(kept, { rowsDays: 1, auditDays: 1 });
  await retention.sweep();
  expect([await rowsOf(kept), await logOf(kept, 1), await logOf(kept, 2)]).toEqual([2, 2, 2]);
  retention.stop();
  await kept.store.close();
});

test("recordings can go before their rows", async () => {
  const folder = newFolder();
  const kept = await openKept(folder);
  for (const n of [1, 2]) {
    keepCall(kept, n);
    await kept.recordings.save(sidOf(n), "coach", audio);
  }
  const file = join(folder, "recordings", `${sidOf(1)}.coach.wav.sealed`);
  const old = (kept.clock.now() - 8 * DAY_MS) / 1000;
  utimesSync(file, old, old);
  const { retention } = retentionOf(kept, { recordingsDays: 7 });
  await retention.sweep();
  expect([await recordedBytes(kept, 1), await recordedBytes(kept, 2)]).toEqual([null, 858]);
  expect(await rowsOf(kept)).toBe(2);
  retention.stop();
  await kept.store.close();
});

test("of much that is due some goes at once, and the rest soon, while nothing is kept from starting", async () => {
  const kept = await openKept(newFolder());
  for (let n = 0; n < 60; n++) keepCall(kept, n);
  kept.clock.advance(DAY_MS * 2);
  const { retention } = retentionOf(kept, { rowsDays: 1 });
  await retention.sweep();
  expect(await rowsOf(kept)).toBe(10);
  kept.clock.advance(10_000);
  await kept.store.flush();
  while (retention.counters.rowsExpired < 60) await new Promise((resolve) => setImmediate(resolve));
  expect(await rowsOf(kept)).toBe(0);
  retention.stop();
  await kept.store.close();
});

test("a store that does not answer is counted, and asked again an hour later", async () => {
  const kept = await openKept(newFolder());
  let asked = 0;
  const store = {
    expire: () => {
      asked++;
      return Promise.reject(new Error("the disk is gone"));
    },
  };
  const { recordings, clock } = kept;
  const retention = new Retention({
    days: { ...FOR_EVER, rowsDays: 1 },
    store,
    recordings,
    clock,
    log: silentLog,
  });
  await retention.sweep();
  clock.advance(3_600_000);
  expect(asked).toBe(2);
  retention.stop();
  await kept.store.close();
});

test("when all is kept for ever nothing is asked", async () => {
  const kept = await openKept(newFolder());
  const store = { expire: () => Promise.reject(new Error("it was asked")) };
  const { recordings, clock } = kept;
  const retention = new Retention({ days: FOR_EVER, store, recordings, clock, log: silentLog });
  retention.start();
  clock.advance(DAY_MS);
  expect(retention.counters.sweepsFailed).toBe(0);
  retention.stop();
  await kept.store.close();
});
