/** What only a database server can do to a store. It needs one: TEST_POSTGRES_URL. */
import { expect, test } from "bun:test";
import { createFieldCipher } from "../../adapters/store/protect.ts";
import { createStore } from "../../adapters/store/store.ts";
import { systemClock, VirtualClock } from "../../engine/platform/clock.ts";
import { systemIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { startLine } from "../support/line.ts";
import { makeDatabase, postgresUrl } from "../support/postgres.ts";
import { until } from "../support/until.ts";
import { callRow } from "./store.contract.ts";

const parts = { key: new Uint8Array(32).fill(7), ids: systemIds, log: silentLog };

test.skipIf(postgresUrl === undefined)(
  "what was given up with a connection that answered nothing does not come after what was written since (TEST_POSTGRES_URL)",
  async () => {
    const database = await makeDatabase();
    const line = await startLine(database.url);
    const clock = new VirtualClock(systemClock.now());
    const store = await createStore({ ...parts, clock, url: line.url, cipher: createFieldCipher(parts) });
    const live = callRow(1, { state: "streaming", endedAt: null });
    store.saveCall(live);
    await store.flush();
    line.stall();
    store.saveCall({ ...live, state: "escalating" });
    // It is sent, and nothing comes back: it is given up, and tried again on another connection.
    await until("it is given up", () => {
      clock.advance(5000);
      return store.counters()["failedTransactions"] === 1;
    });
    store.saveCall(callRow(1));
    await until("the end is written", () => {
      clock.advance(100);
      return store.counters()["queuedWrites"] === 0;
    });
    line.flow();
    const state = async () => (await store.getCall(live.callSid))?.state;
    await until("the old connection is over, or has done it after all", async () => {
      return line.stalled() === 0 || (await state()) !== "ended";
    });
    expect(await state()).toBe("ended");
    await store.close();
    await line.cut();
    await database.drop();
  },
);
