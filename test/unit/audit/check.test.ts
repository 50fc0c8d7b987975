import { describe, expect, test } from "bun:test";
import { entryHash } from "../../../engine/platform/hash-chain.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { CALL_SID } from "../call/support.ts";
import { check, found, OTHER_SID, recorded, rehashed, rowOf, wholeLog } from "./log-setup.ts";

const LOG = wholeLog(8);
const START = LOG[0]?.prev ?? "";

/** The log with the entry of one number made into something else. */
function with5(change: Partial<Record<string, unknown>>): unknown[] {
  return LOG.map((entry) => (entry.seq === 5 ? { ...entry, ...change } : entry));
}

/** One entry with a right hash of its own, behind whatever `prev` says. */
function sealed(entry: AuditEntry, change: Partial<AuditEntry>): AuditEntry {
  const { prev, hash: _hash, ...content } = { ...entry, ...change };
  return { ...content, prev, hash: entryHash(prev ?? "", content) };
}

const at = (seq: number): AuditEntry => LOG[seq - 1] as AuditEntry;
const without = (...seqs: number[]) => LOG.filter((entry) => !seqs.includes(entry.seq));

describe("a log that nobody touched", () => {
  test("is intact when it is closed, whoever checks it and whatever its lines look like", () => {
    const head = { entries: 8, hash: at(8).hash as string };
    const whole = { status: "intact", callSid: CALL_SID, head, findings: [], more: 0 } as const;
    expect(check(LOG)).toEqual(whole);
    const expected = { callSid: CALL_SID, row: rowOf(LOG), hash: head.hash };
    expect(check(LOG, expected)).toEqual(whole);
    const retyped = LOG.map(
      (entry) => ` ${JSON.stringify(Object.fromEntries(Object.entries(entry).sort()))} \r`,
    );
    expect(check([...retyped, ""])).toEqual(whole);
  });

  test("is live while its call is, even when more was logged after the row was read", () => {
    const begun = without(8);
    expect(check(begun, { row: rowOf(begun, false) }).status).toBe("live");
    expect(check(begun, { row: rowOf(begun.slice(0, 4), false) }).status).toBe("live");
    expect(check(LOG, { row: rowOf(begun, false) }).status).toBe("intact");
  });

  test("is not closed without its end, if nobody says that the call goes on", () => {
    const begun = without(8);
    expect(check(begun)).toMatchObject({ status: "not-closed", findings: [] });
    expect(check(begun, { row: rowOf(begun) })).toMatchObject({ status: "not-closed", findings: [] });
  });

  test("that has no hashes was written before there was a chain, which is no error", () => {
    const old = LOG.map((entry) => ({ ...entry, prev: null, hash: null }));
    const older = LOG.map(({ prev: _prev, hash: _hash, ...entry }) => entry);
    const row = { ended: true, auditEntries: 0, auditHash: null };
    for (const log of [old, older]) {
      expect(check(log, { row })).toMatchObject({ status: "unchained", head: null, findings: [] });
    }
  });

  test("of the greatest length is checked whole", () => {
    expect(check(wholeLog(5000)).status).toBe("intact");
  });
});

describe("a changed entry", () => {
  test("is named, with the field where that can be told", () => {
    const fields: Record<string, readonly [change: Record<string, unknown>, what: string]> = {
      data: [{ data: { n: 5 } }, "its at, name or data was changed, or more than one field"],
      name: [{ name: "model.failed" }, "its at, name or data was changed, or more than one field"],
      extra: [{ extra: 1 }, "its at, name or data was changed, or more than one field"],
      kind: [{ kind: "effect" }, "its kind was event"],
      callSid: [{ callSid: OTHER_SID }, `its callSid was ${CALL_SID}`],
      prev: [{ prev: at(7).prev }, "its prev was changed"],
      hash: [{ hash: at(7).hash }, "its hash was changed: the next entry knows another"],
    };
    for (const [change, what] of Object.values(fields)) {
      expect(found(check(with5(change)))).toEqual([`changed 5: does not fit its hash: ${what}`]);
    }
  });

  test("is noticed when what was added has a name that objects do not take", () => {
    const lines = LOG.map((entry) => JSON.stringify(entry));
    const line = (lines[4] ?? "").replace(/^\{/, '{"__proto__":{"kind":"note"},');
    expect(found(check(lines.with(4, line)))[0]).toContain("changed 5");
    const inData = (lines[4] ?? "").replace('"data":{', '"data":{"__proto__":{"x":1},');
    expect(found(check(lines.with(4, inData)))[0]).toContain("changed 5");
  });

  test("whose number was changed leaves a gap, and is told by what it was", () => {
    expect(found(check(with5({ seq: 7 })))).toEqual([
      "missing 5: entry 5 is missing",
      "changed 7: does not fit its hash: its seq was 5",
    ]);
  });

  test("that was hashed anew, as were all after it, fits itself but not the row, nor a hash kept elsewhere", () => {
    const forged = rehashed(with5({ data: { n: 5 } }) as AuditEntry[]);
    expect(check(forged).status).toBe("intact");
    expect(check(forged, { row: rowOf(LOG) })).toMatchObject({
      status: "broken",
      findings: [{ problem: "row-differs", seq: 8 }],
    });
    expect(check(forged, { hash: at(8).hash as string })).toMatchObject({
      status: "broken",
      findings: [{ problem: "other-hash", seq: 8 }],
    });
  });

  test("that was hashed anew alone is not what the next one follows", () => {
    const forged = LOG.map((entry) => (entry.seq === 5 ? sealed(entry, { data: { n: 50 } }) : entry));
    expect(found(check(forged))).toEqual([
      "replaced 6: does not follow entry 5: one of the two was replaced together with its hash",
    ]);
  });

  test("without its hashes is told from a log that never had any", () => {
    expect(found(check(with5({ prev: null, hash: null })))).toEqual([
      "unhashed 5: has no hash, unlike other entries of the log",
    ]);
    const bare = LOG.map((entry) => ({ ...entry, prev: null, hash: null }));
    expect(found(check(bare, { row: rowOf(LOG) }))).toEqual([
      `unhashed 8: has no hash, but the row knows one: ${at(8).hash}`,
    ]);
  });

  test("that is no entry any more is named by its line", () => {
    const cut = LOG.map((entry) => JSON.stringify(entry).slice(0, entry.seq === 5 ? 50 : undefined));
    expect(check(cut).findings).toMatchObject([
      { problem: "unreadable", line: 5, seq: null },
      { problem: "missing", line: null, seq: 5 },
    ]);
    expect(check(with5({ seq: "5" })).findings[0]).toMatchObject({ problem: "unreadable", line: 5 });
    expect(check(["[".repeat(100_000), ...LOG]).findings).toMatchObject([{ problem: "unreadable", line: 1 }]);
  });
});

describe("an entry that is missing, or where it does not belong", () => {
  test("is named when it was taken out, be it the first or a range", () => {
    expect(found(check(without(5)))).toEqual(["missing 5: entry 5 is missing"]);
    expect(found(check(without(1)))).toEqual(["missing 1: entry 1 is missing"]);
    expect(found(check(without(3, 4, 5, 7)))).toEqual([
      "missing 3: entries 3 to 5 are missing",
      "missing 7: entry 7 is missing",
    ]);
  });

  test("is missed although the others were counted anew", () => {
    const counted = without(5).map((entry) => ({ ...entry, seq: entry.seq > 5 ? entry.seq - 1 : entry.seq }));
    expect(found(check(counted))).toEqual([
      "changed 5: does not fit its hash: its seq was 6",
      "changed 6: does not fit its hash: its seq was 7",
      "changed 7: does not fit its hash: its seq was 8",
    ]);
  });

  test("is named when it was put in, with its hash or without", () => {
    const extra = sealed(at(5), { prev: at(4).hash, data: { n: 99 } });
    for (const log of [LOG.toSpliced(4, 0, extra), LOG.toSpliced(5, 0, extra)]) {
      expect(found(check(log))).toEqual([
        "inserted 5: is a second entry of this number, and not part of the chain",
      ]);
    }
    expect(check(LOG.toSpliced(5, 0, { ...at(5), data: {} })).findings).toMatchObject([
      { problem: "changed", seq: 5, line: 6 },
    ]);
  });

  test("is named when it is there twice, or stands elsewhere", () => {
    expect(found(check(LOG.toSpliced(5, 0, at(2))))).toEqual(["duplicated 2: is there twice"]);
    const swapped = LOG.with(2, at(4)).with(3, at(3));
    expect(found(check(swapped))).toEqual(["reordered 3: stands after entry 4"]);
  });

  test("is named when it is another call's, and so is a whole log under another name", () => {
    const other = wholeLog(8, OTHER_SID);
    expect(found(check(LOG.with(4, other[4] as AuditEntry)))).toEqual([
      `wrong-call 5: belongs to ${OTHER_SID}`,
      "missing 5: entry 5 is missing",
    ]);
    expect(check(other, { callSid: CALL_SID }).findings[0]).toMatchObject({ problem: "wrong-call", seq: 1 });
    const renamed = rehashed(other).map((entry) => ({ ...entry, callSid: CALL_SID }));
    expect(check(renamed).status).toBe("broken");
    let link = START.replace(/^./, "f");
    const elsewhere = LOG.map((entry) => {
      const next = sealed(entry, { prev: link });
      link = next.hash ?? "";
      return next;
    });
    expect(found(check(elsewhere))).toEqual([`replaced 1: does not begin a log of ${CALL_SID}`]);
  });
});

describe("the end of a log", () => {
  test("that was cut off is missed by the row, to the entry", () => {
    expect(found(check(without(8), { row: rowOf(LOG) }))).toEqual([
      "truncated 8: entry 8 is missing at the end: the row knows of 8",
    ]);
    expect(found(check(without(6, 7, 8), { row: rowOf(LOG) }))).toEqual([
      "truncated 6: entries 6 to 8 are missing at the end: the row knows of 8",
    ]);
    expect(found(check([], { row: rowOf(LOG) }))).toEqual(["truncated -: there is no entry"]);
  });

  test("has nothing after it, however well chained", () => {
    const more = sealed(at(8), { seq: 9, prev: at(8).hash, name: "later" });
    expect(found(check([...LOG, more]))).toEqual(["after-end 9: came after the call had ended"]);
  });

  test("is where the row says that it is", () => {
    const longer = recorded([
      ...Array.from({ length: 8 }, (_, n) => ["event", "model.ready", { n }] as const),
      ["note", "log.closed", {}],
    ]);
    const row = { ...rowOf(LOG), auditHash: longer[7]?.hash ?? "" };
    expect(found(check(longer, { row }))).toEqual(["row-differs 9: is one too many: the row knows of 8"]);
    expect(found(check(LOG, { row: { ...rowOf(LOG), auditHash: null } }))).toEqual([
      "row-differs 8: the row knows no hash, but the log has some",
    ]);
  });

  test("of a file that is no log comes early: little is kept, and few findings are listed", () => {
    const verdict = check(Array.from({ length: 30_000 }, (_, n) => ({ ...at(5), seq: n + 1 })));
    expect(verdict.findings).toHaveLength(20);
    expect(verdict.more).toBeGreaterThan(1000);
    expect(check(Array.from({ length: 10_001 }, () => "")).findings[0]).toMatchObject({
      problem: "too-long",
    });
  });
});
