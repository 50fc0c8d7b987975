import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ChainLink, chainStart, entryHash } from "../../engine/platform/hash-chain.ts";
import { StoreError } from "../../engine/errors.ts";
import { chartsTests, journalTests, snapshotTests } from "./store-durability.ts";
import type { AuditEntry, CallRow, EscalationRow, ProtectedFields, Store } from "../../engine/ports.ts";

const FIELDS: ProtectedFields = {
  from: "+15550142",
  to: "+15550100",
  transcript: [
    {
      atMs: 10,
      speaker: "agent",
      text: "How can I help?",
      heardText: "How can",
      heardMs: 400,
      generatedMs: 900,
    },
    { atMs: 1500, speaker: "caller", text: "It hurts – badly 💥" },
  ],
  escalationReason: "chest pain",
  slots: { name: "Zoë", callbackNumber: null, insured: true },
};

const escalation: EscalationRow = {
  number: 1,
  by: "ai",
  urgency: "high",
  outcome: "owned",
  openedAt: "2026-01-01T00:00:00.000Z",
  endedAt: "2026-01-01T00:01:00.000Z",
  ackAt: "2026-01-01T00:00:30.000Z",
  timeToAckMs: 30_000,
  owner: { contact: "Zoë “Z” Ångström", rung: "primary", channel: "sms" },
  walks: 1,
  rungsReached: ["primary"],
  pages: [
    {
      label: "sms-1",
      rung: "primary",
      contact: "Zoë “Z” Ångström",
      channel: "sms",
      purpose: "page",
      walk: 1,
      startedAt: "2026-01-01T00:00:00.000Z",
      endedAt: null,
      result: "acknowledged",
    },
  ],
  pagesDropped: 0,
};
const HASH = "0123456789abcdef".repeat(4);

/** A call row with every field set; `n` makes it unlike the others and later than those before. */
export function callRow(n: number, change: Partial<CallRow> = {}): CallRow {
  return {
    callSid: `CA${String(n).padStart(32, "0")}`,
    conferenceSid: null,
    conferenceName: `af-${n}`,
    node: "https://tandem.example.com",
    agent: "after-hours",
    provider: "openai",
    state: "ended",
    startedAt: new Date(1_700_000_000_000 + n * 1000).toISOString(),
    answeredAt: null,
    endedAt: new Date(1_700_000_000_000 + n * 1000 + 60_000).toISOString(),
    durationMs: 60_000,
    endReason: "caller-left",
    errors: [{ at: "2026-01-01T00:00:00.000Z", code: "31920", message: "the stream's “server” refused" }],
    escalated: true,
    handover: "coach",
    escalations: [escalation],
    escalation,
    extraction: {
      status: "failed",
      reason: "timeout",
      schemaVersion: 1,
      model: "gpt-5.4-mini",
      attempts: 1,
      nextAttemptAt: "2026-01-01T00:02:00.000Z",
      endedAt: null,
      findings: null,
      usage: null,
      costMicros: null,
    },
    cost: null,
    delivery: null,
    recordings: ["coach"],
    speakers: "forked",
    metrics: { turns: 3, responseMsP50: 612.25 },
    auditEntries: 3,
    auditHash: HASH,
    protected: FIELDS,
    ...change,
  };
}

const hashOf = (seq: number): string => seq.toString(16).padStart(64, "0");

export function auditEntry(callSid: string, seq: number, change: Partial<AuditEntry> = {}): AuditEntry {
  const at = new Date(1_700_000_000_000 + seq).toISOString();
  return {
    callSid,
    seq,
    at,
    kind: "event",
    name: "caller.joined",
    data: { seq, nested: [null, "“x”"] },
    prev: seq === 1 ? HASH : hashOf(seq - 1),
    hash: hashOf(seq),
    ...change,
  };
}

async function all(entries: AsyncIterable<AuditEntry>): Promise<AuditEntry[]> {
  const list: AuditEntry[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
}

const sidsOf = (rows: readonly CallRow[]) => rows.map((row) => row.callSid);

export interface StoreUnderTest {
  readonly store: Store;
  /** Opens the same database again; the first store must be closed. */
  reopen(): Promise<Store>;
  /** Removes what was made. */
  dispose(): Promise<void>;
}

/** What every store must do; `open` gives one with an empty database and a key. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`store contract: ${name}`, () => {
    let under: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      under = await open();
      store = under.store;
    });
    afterEach(async () => {
      await store.close();
      await under.dispose();
    });
    rowTests(() => store);
    listTests(() => store);
    eventTests(() => store);
    snapshotTests(() => store);
    journalTests(() => store);
    chartsTests(() => store);

    test("what was flushed is there after the store is opened again", async () => {
      store.saveCall(callRow(1));
      store.appendEvents([auditEntry(callRow(1).callSid, 1)]);
      await store.close();
      store = await under.reopen();
      expect(await store.getCall(callRow(1).callSid)).toEqual(callRow(1));
      expect(await all(store.events(callRow(1).callSid))).toEqual([auditEntry(callRow(1).callSid, 1)]);
    });

    test("closing writes what is queued, and twice is once", async () => {
      for (let n = 0; n < 600; n++) store.saveCall(callRow(n));
      await Promise.all([store.close(), store.close()]);
      store = await under.reopen();
      expect(await store.listCalls({ limit: 500 })).toHaveLength(500);
      expect(await store.getCall(callRow(0).callSid)).toEqual(callRow(0));
    });

    test("a closed store answers with StoreError and counts what it is still given", async () => {
      await store.close();
      store.saveCall(callRow(1));
      store.appendEvents([auditEntry("CA1", 1)]);
      expect(store.counters()["refusedWrites"]).toBe(2);
      const error = await store.getCall("CA1").catch((e: unknown) => e);
      expect(error).toBeInstanceOf(StoreError);
      expect(await store.flush().catch((e: unknown) => e)).toBeInstanceOf(StoreError);
    });
  });
}

function rowTests(store: () => Store): void {
  test("a row comes back as it was saved", async () => {
    store().saveCall(callRow(1));
    expect(await store().getCall(callRow(1).callSid)).toEqual(callRow(1));
  });

  test("an unknown call is null", async () => {
    expect(await store().getCall("CAnone")).toBeNull();
  });

  test("saving again replaces the row, also within one transaction", async () => {
    store().saveCall(callRow(1, { state: "arriving", endedAt: null }));
    store().saveCall(callRow(1, { state: "streaming", endedAt: null }));
    expect((await store().getCall(callRow(1).callSid))?.state).toBe("streaming");
    store().saveCall(callRow(1));
    expect(await store().getCall(callRow(1).callSid)).toEqual(callRow(1));
    expect(await store().listCalls({ limit: 10 })).toHaveLength(1);
  });

  test("a call that is over is not replaced by one of the same sid that begins later", async () => {
    store().saveCall(callRow(1, { endReason: "caller_hung_up" }));
    await store().flush();
    const startedAt = callRow(2).startedAt;
    store().saveCall(callRow(1, { startedAt, state: "arriving", endedAt: null }));
    await store().flush();
    store().saveCall(callRow(1, { startedAt, endReason: "shutdown" }));
    expect(await store().getCall(callRow(1).callSid)).toEqual(callRow(1, { endReason: "caller_hung_up" }));
    // What comes after a call is written into the row of the call itself.
    store().saveCall(callRow(1, { endReason: "model_failed" }));
    expect((await store().getCall(callRow(1).callSid))?.endReason).toBe("model_failed");
  });

  test("text of any kind survives, even what databases treat specially", async () => {
    const message = "nul \u0000 quote ' \" back\\slash $1 ? ?2 \u2028 💥 -- ; drop table calls";
    const row = callRow(1, { errors: [{ at: "t", code: message, message }], metrics: { [message]: 1 } });
    store().saveCall(row);
    expect(await store().getCall(row.callSid)).toEqual(row);
  });

  test("a row that cannot be written is refused alone, and flush tells", async () => {
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    store().appendEvents([
      auditEntry("CA1", 1),
      auditEntry("CA1", 2, { data: circular }),
      auditEntry("CA1", 3),
    ]);
    expect(
      await store()
        .flush()
        .catch((e: unknown) => e),
    ).toBeInstanceOf(StoreError);
    expect((await all(store().events("CA1"))).map((entry) => entry.seq)).toEqual([1, 3]);
    expect(store().counters()["refusedWrites"]).toBe(1);
    await store().flush();
  });
}

function listTests(store: () => Store): void {
  test("calls are listed newest first, live ones included", async () => {
    store().saveCall(callRow(2));
    store().saveCall(callRow(3, { state: "streaming", endedAt: null }));
    store().saveCall(callRow(1));
    expect(sidsOf(await store().listCalls({ limit: 10 }))).toEqual([3, 2, 1].map((n) => callRow(n).callSid));
  });

  test("calls are filtered by state", async () => {
    store().saveCall(callRow(1));
    store().saveCall(callRow(2, { state: "streaming" }));
    store().saveCall(callRow(3, { state: "streaming" }));
    const rows = await store().listCalls({ state: "streaming", limit: 10 });
    expect(sidsOf(rows)).toEqual([callRow(3).callSid, callRow(2).callSid]);
  });

  test("pages by `before` meet every call once, also of the same instant", async () => {
    const { startedAt } = callRow(0);
    for (let n = 0; n < 130; n++) store().saveCall(callRow(n, n % 3 === 0 ? { startedAt } : {}));
    const seen: string[] = [];
    for (let before: string | undefined; ; before = seen.at(-1)) {
      const rows = await store().listCalls(before === undefined ? { limit: 60 } : { limit: 60, before });
      if (rows.length === 0) break;
      seen.push(...sidsOf(rows));
    }
    expect(seen).toHaveLength(130);
    expect(new Set(seen).size).toBe(130);
    expect(sidsOf(await store().listCalls({ limit: 130 }))).toEqual(seen);
  });

  test("nothing comes before an unknown call", async () => {
    store().saveCall(callRow(1));
    expect(await store().listCalls({ limit: 10, before: "CAnone" })).toEqual([]);
  });
}

function eventTests(store: () => Store): void {
  test("events come back in order, call by call, however many there are", async () => {
    const entries = Array.from({ length: 1000 }, (_, i) => auditEntry("CA1", i + 1));
    store().appendEvents(entries.toReversed());
    store().appendEvents([auditEntry("CA2", 1)]);
    expect(await all(store().events("CA1"))).toEqual(entries);
    expect(await all(store().events("CA2"))).toEqual([auditEntry("CA2", 1)]);
    expect(await all(store().events("CA3"))).toEqual([]);
  });

  test("the newest event of a call is there without the others, however they were written", async () => {
    expect(await store().lastEvent("CA1")).toBeNull();
    store().appendEvents([3, 1, 2].map((seq) => auditEntry("CA1", seq)));
    store().appendEvents([auditEntry("CA2", 7)]);
    expect(await store().lastEvent("CA1")).toEqual(auditEntry("CA1", 3));
  });

  test("events are read page by page, so that a reader may stop early", async () => {
    store().appendEvents(Array.from({ length: 1000 }, (_, i) => auditEntry("CA1", i + 1)));
    const reader = store().events("CA1")[Symbol.asyncIterator]();
    expect((await reader.next()).value.seq).toBe(1);
    await reader.return?.();
    store().appendEvents([auditEntry("CA1", 1001)]);
    expect(await all(store().events("CA1"))).toHaveLength(1001);
  });

  test("the hashes of an event come back exactly, and those of before there were any as null", async () => {
    const entries = [auditEntry("CA1", 1), auditEntry("CA1", 2, { prev: null, hash: null })];
    store().appendEvents(entries);
    const [chained, bare] = await all(store().events("CA1"));
    expect([chained?.prev, chained?.hash]).toEqual([HASH, hashOf(1)]);
    expect([bare?.prev, bare?.hash]).toEqual([null, null]);
  });

  test("an event that is the same but for its hash is another one", async () => {
    store().appendEvents([auditEntry("CA1", 1)]);
    await store().flush();
    store().appendEvents([auditEntry("CA1", 1, { hash: HASH }), auditEntry("CA1", 1, { prev: null })]);
    await store().flush();
    expect(await all(store().events("CA1"))).toEqual([auditEntry("CA1", 1)]);
    expect(store().counters()["eventConflicts"]).toBe(2);
  });

  test("a missing number stays a gap, and nothing is put in its place", async () => {
    store().appendEvents([1, 2, 4].map((seq) => auditEntry("CA1", seq)));
    expect((await all(store().events("CA1"))).map((entry) => entry.seq)).toEqual([1, 2, 4]);
  });

  test("what a chain was made of can be made of what comes back", async () => {
    const data = { n: [1e21, -0.1, 5e-324], text: "nul \u0000 \ud800 💥 \u2028", ä: { b: null, a: [] } };
    const content = { callSid: "CA1", seq: 1, at: "t", kind: "note" as const, name: "n", data };
    const prev = chainStart("CA1");
    store().appendEvents([{ ...content, prev, hash: entryHash(prev, content) }]);
    const [entry] = await all(store().events("CA1"));
    const { prev: before, hash, ...stored } = entry as AuditEntry;
    expect(entryHash(before ?? "", stored)).toBe(hash ?? "");
  });

  test("entries whose hash nobody has asked for come back chained, and the same again changes nothing", async () => {
    const [one, other] = ["CA1", "CA2"].map((callSid) => {
      let last: string | ChainLink = chainStart(callSid);
      return Array.from({ length: 4 }, (_, i) => (last = new ChainLink(last, auditEntry(callSid, i + 1))));
    }) as [ChainLink[], ChainLink[]];
    store().appendEvents([...one.slice(0, 2), ...other.slice(0, 1)]);
    await store().flush();
    store().appendEvents([...other.slice(1), ...one.slice(2)]);
    store().appendEvents(one);
    for (const links of [one, other]) {
      let prev = chainStart(links[0]?.callSid ?? "");
      const stored = await all(store().events(links[0]?.callSid ?? ""));
      expect(stored).toHaveLength(4);
      for (const { prev: before, hash, ...content } of stored) {
        expect([before, hash]).toEqual([prev, entryHash(prev, content)]);
        prev = hash ?? "";
      }
    }
    expect(store().counters()["eventConflicts"]).toBe(0);
  });

  test("the same event twice is one event", async () => {
    store().appendEvents([auditEntry("CA1", 1), auditEntry("CA1", 1)]);
    await store().flush();
    store().appendEvents([auditEntry("CA1", 1)]);
    await store().flush();
    expect(await all(store().events("CA1"))).toEqual([auditEntry("CA1", 1)]);
    expect(store().counters()["eventConflicts"]).toBe(0);
  });

  test("an event under a number that is taken changes nothing and is counted", async () => {
    store().appendEvents([
      auditEntry("CA1", 1),
      auditEntry("CA1", 1, { name: "other" }),
      auditEntry("CA1", 2),
    ]);
    store().appendEvents([auditEntry("CA1", 2, { data: { other: true } })]);
    await store().flush();
    expect(await all(store().events("CA1"))).toEqual([auditEntry("CA1", 1), auditEntry("CA1", 2)]);
    expect(store().counters()["eventConflicts"]).toBe(2);
  });
}
