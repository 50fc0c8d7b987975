import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { createStore } from "../../../adapters/store/store.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { seededIds, systemIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { Store } from "../../../engine/ports.ts";
import { entry, snapshot } from "../../contract/store-durability.ts";

const KEY = Uint8Array.fromHex(seededIds(1).sid("") + seededIds(2).sid(""));
const OTHER_KEY = Uint8Array.fromHex(seededIds(3).sid("") + seededIds(4).sid(""));

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "tandem-texts-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = () => join(folder, "t.db");
const open = (key: Uint8Array | null): Promise<Store> => {
  const cipher = createFieldCipher({ key, ids: systemIds, log: silentLog });
  return createStore({ url: `sqlite://${path()}`, clock: systemClock, log: silentLog, cipher });
};

async function savedWith(key: Uint8Array | null): Promise<void> {
  const store = await open(key);
  store.saveSnapshot("CA1", snapshot(1));
  store.appendJournal([entry(1)]);
  await store.close();
}

for (const [name, key] of [
  ["with a key", KEY],
  ["without a key", null],
] as const) {
  test(`${name} no file of the database holds a word or a number, and all of it comes back`, async () => {
    await savedWith(key);
    for (const file of await readdir(folder)) {
      const text = await readFile(join(folder, file), "latin1");
      for (const word of ["hurts", "555"]) expect(text).not.toContain(word);
    }
    const store = await open(key);
    expect(await store.unfinishedSnapshots()).toEqual([{ callSid: "CA1", ...snapshot(1) }]);
    expect(await store.openIntents("CA1")).toEqual([entry(1)]);
    await store.close();
  });
}

test("without a key one is made beside the database, once, for its owner only", async () => {
  await savedWith(null);
  const made = await readFile(`${path()}.key`, "utf8");
  expect((await stat(`${path()}.key`)).mode & 0o777).toBe(0o600);
  await savedWith(null);
  expect(await readFile(`${path()}.key`, "utf8")).toBe(made);
});

test("a key file that was cut off is no key: nothing is kept, and it is counted", async () => {
  await writeFile(`${path()}.key`, "");
  const store = await open(null);
  store.saveSnapshot("CA1", snapshot(1));
  expect(await store.unfinishedSnapshots()).toEqual([]);
  expect(store.counters()["snapshotsNotKept"]).toBe(1);
  await store.close();
});

test("with another key the call is known still, and its snapshot is not", async () => {
  await savedWith(KEY);
  const store = await open(OTHER_KEY);
  expect(await store.unfinishedSnapshots()).toEqual([{ callSid: "CA1", ...snapshot(1), body: null }]);
  expect(await store.openIntents("CA1")).toEqual([{ ...entry(1), data: {} }]);
  expect(store.counters()["unreadableProtected"]).toBe(2);
  await store.close();
});

test("a snapshot that was moved to another call does not open", async () => {
  await savedWith(KEY);
  const other = new Database(path());
  other.run("update snapshots set call_sid = 'CA2'");
  other.close();
  const store = await open(KEY);
  expect(await store.unfinishedSnapshots()).toMatchObject([{ callSid: "CA2", body: null }]);
  await store.close();
});
