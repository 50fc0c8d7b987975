import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LogCheck } from "../../../engine/audit/check.ts";
import { replay } from "../../../engine/audit/replay.ts";
import type { ChainedEntry } from "../../../engine/platform/hash-chain.ts";
import { parseEraseArgs, runErase, runRewrap } from "../../../engine/privacy/commands.ts";
import { eraseCall } from "../../../engine/privacy/erasure.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { Sealer } from "../../../engine/platform/seal.ts";
import type { AuditEntry, CallRow } from "../../../engine/ports.ts";
import { snapshot } from "../../contract/store-durability.ts";
import {
  CALLER,
  filesWith,
  keepCall,
  KEY,
  type Kept,
  newFolder,
  NEXT_KEY,
  openKept,
  recordedBytes,
  removeFolders,
  rowOf,
  sidOf,
} from "./kept.ts";

afterEach(removeFolders);

const said = (row: CallRow | null) => row?.protected.transcript.map(({ text }) => text);

async function logOf({ store }: Kept, callSid: string): Promise<readonly AuditEntry[]> {
  return await Array.fromAsync(store.events(callSid));
}

function verdictOf(entries: readonly AuditEntry[], row: CallRow | null, hash?: string) {
  const check = new LogCheck({
    ...(row && { row: { ended: true, auditEntries: row.auditEntries, auditHash: row.auditHash } }),
    ...(hash === undefined ? {} : { hash }),
  });
  for (const entry of entries) check.take(JSON.stringify(entry));
  return check.end();
}

/** What the database has stored of a call, as text. */
function stored(folder: string, sql: string, callSid: string): readonly string[] {
  const database = new Database(join(folder, "t.db"), { readonly: true });
  const values = database.query<Record<string, string>, [string]>(sql).all(callSid);
  database.close();
  return values.flatMap((row) => Object.values(row));
}

const WRAPPED = "select wrapped from call_keys where call_sid = ?";
const SEALED = "select protected from calls where call_sid = ?";

const audio = { bytes: 800, pieces: () => [new Uint8Array(800).fill(0x55)] };

describe("erasing a call", () => {
  test("leaves none of it in any byte of any file, and the others as they were", async () => {
    const folder = newFolder();
    const kept = await openKept(folder);
    for (let n = 1; n <= 3; n++) {
      keepCall(kept, n);
      expect(await kept.recordings.save(sidOf(n), "coach", audio)).toBe(true);
    }
    await kept.store.flush();
    expect(said(await kept.store.getCall(sidOf(2)))).toEqual(["The secret of call 2 is out."]);
    const leavings = [...stored(folder, WRAPPED, sidOf(2)), ...stored(folder, SEALED, sidOf(2))];
    expect(leavings).toHaveLength(2);
    for (const each of leavings) expect(filesWith(folder, each)).not.toEqual([]);
    const track = join(folder, "recordings", `${sidOf(2)}.coach.wav.sealed`);
    const copy = readFileSync(track);
    expect(await eraseCall(sidOf(2), kept)).toEqual({
      callSid: sidOf(2),
      outcome: "erased",
      recordings: 1,
      scrubbed: true,
    });
    for (const each of leavings) expect(filesWith(folder, each)).toEqual([]);
    const row = await kept.store.getCall(sidOf(2));
    expect(row?.protected).toEqual({
      from: "[erased]",
      to: "[erased]",
      transcript: [],
      escalationReason: null,
      slots: null,
    });
    // A copy that was taken before is of no use.
    expect(existsSync(track)).toBe(false);
    writeFileSync(track, copy);
    expect(await recordedBytes(kept, 2)).toBeNull();
    for (const n of [1, 3]) {
      expect(said(await kept.store.getCall(sidOf(n)))).toEqual([`The secret of call ${n} is out.`]);
      expect(await recordedBytes(kept, n)).toBe(858);
    }
    expect(await kept.privacy.callsFrom(CALLER)).toEqual([sidOf(1), sidOf(3)]);
    await kept.store.close();
  });

  test("leaves a log that verifies, tells of it, and fits the hash that was kept when the call ended", async () => {
    const kept = await openKept(newFolder());
    const before = keepCall(kept, 1);
    await eraseCall(sidOf(1), kept);
    const entries = await logOf(kept, sidOf(1));
    expect(entries.at(-1)).toMatchObject({ seq: 3, kind: "note", name: "call.erased", data: {} });
    const row = await kept.store.getCall(sidOf(1));
    expect(verdictOf(entries, row).status).toBe("intact");
    expect(verdictOf(entries, row, before.auditHash ?? "").findings).toEqual([]);
    // Taken off again, it is missed; and nothing else may come after the end.
    expect(verdictOf(entries.slice(0, 2), row).findings).toMatchObject([{ problem: "truncated" }]);
    const renamed = entries.map((entry) => ({ ...entry, name: entry.name.replace("call.erased", "x") }));
    expect(verdictOf(renamed, row).status).toBe("broken");
    expect(replay(entries as readonly ChainedEntry[]).outcome).toBe("cannot");
    await kept.store.close();
  });

  test("again changes nothing, and one that is not there is unknown", async () => {
    const kept = await openKept(newFolder());
    keepCall(kept, 1);
    await eraseCall(sidOf(1), kept);
    expect(await eraseCall(sidOf(1), kept)).toMatchObject({ outcome: "erased", recordings: 0 });
    expect(await logOf(kept, sidOf(1))).toHaveLength(3);
    expect(await eraseCall(sidOf(9), kept)).toMatchObject({ outcome: "unknown" });
    await kept.store.close();
  });

  test("waits for the call to be over, and for whoever is still sought for its caller", async () => {
    const kept = await openKept(newFolder());
    keepCall(kept, 1, { state: "streaming", endedAt: null });
    keepCall(kept, 2);
    keepCall(kept, 3);
    const snapshot = { seq: 1, machineHash: "abc", version: 1, body: "{}" };
    kept.store.saveSnapshot(sidOf(2), snapshot);
    kept.store.saveSnapshot(`${sidOf(3)}/postcall`, snapshot);
    for (const n of [1, 2, 3]) {
      expect(await eraseCall(sidOf(n), kept)).toMatchObject({ outcome: "live" });
      expect(said(await kept.store.getCall(sidOf(n)))).toHaveLength(1);
    }
    await kept.store.close();
  });

  test("destroys what goes on after it as well, which is sealed with its key", async () => {
    const folder = newFolder();
    const kept = await openKept(folder);
    keepCall(kept, 1);
    const name = `${sidOf(1)}/postcall`;
    kept.store.saveSnapshot(name, { seq: 1, machineHash: "abc", version: 1, body: "{}" });
    await kept.store.flush();
    expect(stored(folder, WRAPPED, sidOf(1))).toHaveLength(1);
    expect(stored(folder, WRAPPED, name)).toEqual([]);
    expect(await kept.store.unfinishedSnapshots()).toMatchObject([{ callSid: name, body: "{}" }]);
    await kept.privacy.erase(rowOf(1), null);
    await kept.store.close();
    const later = await openKept(folder);
    expect(await later.store.unfinishedSnapshots()).toEqual([]);
    await later.store.close();
  });

  test("of many calls that were written to one file leaves no copy of any key in it", async () => {
    const folder = newFolder();
    const kept = await openKept(folder);
    const order = Array.from({ length: 400 }, (_, n) => (n * 149) % 400);
    for (const n of order) keepCall(kept, n);
    await kept.store.flush();
    const some = order.filter((n) => n % 8 === 0);
    const expired = order.filter((n) => n % 8 === 1);
    const keys = [...some, ...expired].flatMap((n) => stored(folder, WRAPPED, sidOf(n)));
    expect(keys).toHaveLength(100);
    for (const n of some) await eraseCall(sidOf(n), kept);
    const old = { state: "ended", endedAt: "2020-01-01T00:00:00.000Z" };
    for (const n of expired) keepCall(kept, n, old);
    const gone = await kept.privacy.expire({
      rowsBefore: "2021-01-01T00:00:00.000Z",
      logsBefore: null,
      limit: 100,
    });
    expect(gone.calls.toSorted()).toEqual(expired.map(sidOf).toSorted());
    expect(keys.filter((key) => filesWith(folder, key).length > 0)).toEqual([]);
    await kept.store.close();
  });

  test("works on what another process has open, and that one reads it no more", async () => {
    const folder = newFolder();
    const engine = await openKept(folder);
    const row = keepCall(engine, 1);
    await engine.store.flush();
    const command = await openKept(folder);
    expect((await eraseCall(sidOf(1), command)).outcome).toBe("erased");
    await command.store.close();
    expect((await engine.store.getCall(sidOf(1)))?.protected.from).toBe("[erased]");
    // It has the key still: what it writes late is sealed with what is not there any more.
    engine.store.saveCall(row);
    await engine.store.close();
    const later = await openKept(folder);
    expect(said(await later.store.getCall(sidOf(1)))).toEqual([]);
    await later.store.close();
  });
});

describe("the command", () => {
  const run = async (kept: Kept, ...argv: readonly string[]) => {
    const lines: string[] = [];
    const code = await runErase(parseEraseArgs(argv), kept, (text) => void lines.push(text));
    return { code, text: lines.join("") };
  };

  test("finds all calls of a caller by a hash, and only these", async () => {
    const folder = newFolder();
    const kept = await openKept(folder);
    keepCall(kept, 1);
    keepCall(kept, 2, { protected: { ...rowOf(2).protected, from: "+15550143" } });
    keepCall(kept, 3);
    await kept.store.flush();
    expect(filesWith(folder, CALLER)).toEqual([]);
    const { code, text } = await run(kept, "--caller", CALLER);
    expect(code).toBe(0);
    expect(text).toBe(`${sidOf(1)}: erased\n${sidOf(3)}: erased\n`);
    expect(said(await kept.store.getCall(sidOf(2)))).toHaveLength(1);
    expect(await run(kept, "--caller", CALLER)).toMatchObject({ code: 1 });
    await kept.store.close();
  });

  test("says that a call is not over, and that there is none, with another exit code", async () => {
    const kept = await openKept(newFolder());
    keepCall(kept, 1, { state: "streaming", endedAt: null });
    const { code, text } = await run(kept, "--call", sidOf(1), "--call", sidOf(2), "--json");
    expect(code).toBe(1);
    expect(text.trim().split("\n")).toEqual([
      expect.stringContaining('"outcome":"live"'),
      expect.stringContaining('"outcome":"unknown"'),
    ]);
    await kept.store.close();
  });

  test.each([[[]], [["--call", "CA1"]], [["--caller", "5550100"]], [["--other"]]])("refuses %p", (argv) => {
    expect(() => parseEraseArgs(argv)).toThrow("mistake");
  });
});

describe("another key", () => {
  test("opens all that was kept under the one before, and after rewrapping does so alone", async () => {
    const folder = newFolder();
    const first = await openKept(folder);
    for (let n = 1; n <= 3; n++) keepCall(first, n);
    await first.recordings.save(sidOf(1), "coach", audio);
    await eraseCall(sidOf(3), first);
    await first.store.close();
    const both = await openKept(folder, { key: NEXT_KEY, previousKey: KEY });
    expect(said(await both.store.getCall(sidOf(1)))).toHaveLength(1);
    expect(await both.privacy.callsFrom(CALLER)).toEqual([sidOf(1), sidOf(2)]);
    keepCall(both, 4);
    const lines: string[] = [];
    expect(await runRewrap(both, (text) => void lines.push(text))).toBe(0);
    expect(lines.join("")).toContain("2 keys of calls and 2 rows");
    expect(await both.privacy.rewrap()).toEqual({ keys: 0, rows: 0, unreadable: 0 });
    await both.store.close();
    const alone = await openKept(folder, { key: NEXT_KEY });
    for (const n of [1, 2, 4]) expect(said(await alone.store.getCall(sidOf(n)))).toHaveLength(1);
    expect(await alone.privacy.callsFrom(CALLER)).toEqual([sidOf(1), sidOf(2), sidOf(4)]);
    expect(await recordedBytes(alone, 1)).toBe(858);
    await alone.store.close();
    const lost = await openKept(folder, { key: KEY });
    expect(await lost.privacy.rewrap()).toMatchObject({ keys: 0, unreadable: 6 });
    await lost.store.close();
  });

  test("the first one finds nothing missing: what was sealed before there was one went with its calls", async () => {
    const folder = newFolder();
    const without = await openKept(folder, { key: null });
    without.store.saveSnapshot(sidOf(1), snapshot(1));
    await without.store.durable();
    without.store.dropSnapshot(sidOf(1));
    keepCall(without, 1);
    await without.store.close();
    const kept = await openKept(folder, { key: KEY });
    expect(await kept.privacy.rewrap()).toEqual({ keys: 0, rows: 0, unreadable: 0 });
    await kept.store.close();
  });

  test("rows from before calls had keys open, are found by their caller, and can be erased", async () => {
    const folder = newFolder();
    const kept = await openKept(folder);
    keepCall(kept, 1);
    await kept.store.close();
    const old = new Sealer(KEY, systemIds);
    const { iv, tag, data } = old.seal(Buffer.from(JSON.stringify(rowOf(1).protected)), sidOf(1));
    const parts = [iv, tag, data].map((part) => Buffer.from(part).toString("base64url"));
    const sealed = ["v1", old.keyId, ...parts].join(":");
    const database = new Database(join(folder, "t.db"));
    database.run("update calls set protected = ?, caller = null", [sealed]);
    database.run("delete from call_keys");
    database.close();
    const now = await openKept(folder);
    expect(said(await now.store.getCall(sidOf(1)))).toHaveLength(1);
    expect(await now.privacy.callsFrom(CALLER)).toEqual([]);
    expect(await now.privacy.rewrap()).toEqual({ keys: 0, rows: 1, unreadable: 0 });
    expect(filesWith(folder, sealed)).toEqual([]);
    expect(said(await now.store.getCall(sidOf(1)))).toHaveLength(1);
    expect(await now.privacy.callsFrom(CALLER)).toEqual([sidOf(1)]);
    expect(await eraseCall(sidOf(1), now)).toMatchObject({ outcome: "erased" });
    expect(said(await now.store.getCall(sidOf(1)))).toEqual([]);
    await now.store.close();
    expect(existsSync(join(folder, "recordings"))).toBe(false);
  });
});
