import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFieldCipher } from "../../adapters/store/protect.ts";
import { createStore } from "../../adapters/store/store.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { seededIds, systemIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import type { Store } from "../../engine/ports.ts";
import { makeDatabase, postgresUrl } from "../support/postgres.ts";
import { storeContract, type StoreUnderTest } from "./store.contract.ts";

const KEY = Buffer.from(seededIds(1).sid("") + seededIds(2).sid(""), "hex");

async function openAt(url: string): Promise<Store> {
  const cipher = createFieldCipher({ key: KEY, ids: systemIds, log: silentLog });
  return await createStore({ url, clock: systemClock, log: silentLog, cipher });
}

storeContract("sqlite", async (): Promise<StoreUnderTest> => {
  const directory = await mkdtemp(join(tmpdir(), "tandem-store-"));
  const url = `sqlite://${join(directory, "deep", "tandem.db")}`;
  return {
    store: await openAt(url),
    reopen: () => openAt(url),
    dispose: () => rm(directory, { recursive: true, force: true }),
  };
});

if (postgresUrl) {
  storeContract("postgres", async (): Promise<StoreUnderTest> => {
    const { url, drop } = await makeDatabase();
    return { store: await openAt(url), reopen: () => openAt(url), dispose: drop };
  });
}
