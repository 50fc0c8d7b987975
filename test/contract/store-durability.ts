/** What every store must do for calls that outlive their engine: the part of store.contract.ts about that. */
import { expect, test } from "bun:test";
import { StoreError } from "../../engine/errors.ts";
import type { JournalEntry, Snapshot, Store } from "../../engine/ports.ts";

export function snapshot(seq: number, change: Partial<Snapshot> = {}): Snapshot {
  return { seq, machineHash: "abc", version: 1, body: `{"said":"“it hurts” 💥","seq":${seq}}`, ...change };
}

export function entry(n: number, change: Partial<JournalEntry> = {}): JournalEntry {
  const data = { to: "+15550100", nested: [null, n] };
  const name = "page.call";
  return {
    callSid: "CA1",
    effectId: `CA1/${n}/${name}`,
    name,
    state: "intent",
    atMs: 1000 + n,
    data,
    ...change,
  };
}

export function snapshotTests(store: () => Store): void {
  test("the last snapshot of every call that has one comes back, oldest sid first", async () => {
    store().saveSnapshot("CA2", snapshot(1));
    store().saveSnapshot("CA1", snapshot(1));
    await store().durable();
    store().saveSnapshot("CA2", snapshot(2));
    store().saveSnapshot("CA2", snapshot(3, { machineHash: "def", version: 2 }));
    expect(await store().unfinishedSnapshots()).toEqual([
      { callSid: "CA1", ...snapshot(1) },
      { callSid: "CA2", ...snapshot(3, { machineHash: "def", version: 2 }) },
    ]);
  });

  test("a snapshot that was dropped is gone, also when it had not been written yet", async () => {
    store().saveSnapshot("CA1", snapshot(1));
    store().saveSnapshot("CA2", snapshot(1));
    await store().durable();
    store().dropSnapshot("CA1");
    store().saveSnapshot("CA3", snapshot(1));
    store().dropSnapshot("CA3");
    const kept = await store().unfinishedSnapshots();
    expect(kept.map(({ callSid }) => callSid)).toEqual(["CA2"]);
  });

  test("more snapshots than are read at once all come back", async () => {
    const sids = Array.from({ length: 45 }, (_, n) => `CA${String(n).padStart(4, "0")}`);
    for (const callSid of sids) store().saveSnapshot(callSid, snapshot(1));
    expect((await store().unfinishedSnapshots()).map(({ callSid }) => callSid)).toEqual(sids);
  });

  test("snapshots that follow each other faster than they are written are one write", async () => {
    for (let seq = 1; seq <= 100; seq++) store().saveSnapshot("CA1", snapshot(seq));
    await store().durable();
    expect(store().counters()).toMatchObject({ snapshots: 1, snapshotsCoalesced: 99 });
    expect((await store().unfinishedSnapshots())[0]?.seq).toBe(100);
  });

  test("a closed store says that nothing is durable any more", async () => {
    await store().close();
    const error = await store()
      .durable()
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StoreError);
  });
}

const HASH = "0123456789abcdef".repeat(4);
const OTHER_HASH = "fedcba9876543210".repeat(4);

export function chartsTests(store: () => Store): void {
  const first = { hash: HASH, savedAt: "2026-01-01T00:00:00.000Z", body: '{"machines":{"ü":"💥"}}' };
  const later = { hash: OTHER_HASH, savedAt: "2026-02-01T00:00:00.000Z", body: "{}" };

  test("the charts of a version come back, and of one that is not known none do", async () => {
    expect(await store().charts(HASH)).toBeNull();
    store().saveCharts(first);
    store().saveCharts(later);
    expect(await store().charts(HASH)).toEqual(first);
    expect(await store().charts(OTHER_HASH)).toEqual(later);
  });

  test("the charts of a version are kept as they were first saved", async () => {
    store().saveCharts(first);
    store().saveCharts({ ...first, body: "{}" });
    await store().durable();
    store().saveCharts({ ...later, hash: HASH });
    expect(await store().charts(HASH)).toEqual(first);
  });

  test("versions are listed newest first", async () => {
    expect(await store().chartVersions()).toEqual([]);
    store().saveCharts(later);
    store().saveCharts(first);
    expect(await store().chartVersions()).toEqual([OTHER_HASH, HASH]);
  });
}

export function journalTests(store: () => Store): void {
  test("the journal of a call comes back in order, with intents before their results", async () => {
    const done = entry(1, { state: "done", atMs: 1001, data: { sid: "CA9" } });
    store().appendJournal([entry(2), done]);
    store().appendJournal([entry(1), entry(7, { callSid: "CA2" })]);
    await store().durable();
    expect(await store().journal("CA1")).toEqual([entry(1), done, entry(2)]);
    expect(await store().journal("CA3")).toEqual([]);
  });

  test("an intent is open until it has a result, whichever", async () => {
    store().appendJournal([1, 2, 3, 4].map((n) => entry(n)));
    store().appendJournal([
      entry(1, { state: "done" }),
      entry(2, { state: "failed" }),
      entry(3, { state: "dead" }),
    ]);
    expect(await store().openIntents("CA1")).toEqual([entry(4)]);
  });

  test("an entry of an effect and state that is there already changes nothing", async () => {
    store().appendJournal([entry(1), entry(1, { data: {} })]);
    store().appendJournal([entry(1, { atMs: 5000 })]);
    expect(await store().journal("CA1")).toEqual([entry(1)]);
  });

  test("dropping the snapshot of a call leaves of its journal what was done, and not with whom", async () => {
    store().appendJournal([entry(1), entry(1, { state: "done" }), entry(2, { callSid: "CA2" })]);
    await store().durable();
    store().dropSnapshot("CA1");
    const kept = [entry(1, { data: {} }), entry(1, { state: "done", data: {} })];
    expect(await store().journal("CA1")).toEqual(kept);
    expect(await store().journal("CA2")).toEqual([entry(2, { callSid: "CA2" })]);
  });

  test("an entry that cannot be written is refused alone, and whoever waits for it is told", async () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    store().appendJournal([entry(1), entry(2, { data: circular })]);
    const error = await store()
      .durable()
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StoreError);
    expect(await store().journal("CA1")).toEqual([entry(1)]);
    await store().durable();
  });
}
