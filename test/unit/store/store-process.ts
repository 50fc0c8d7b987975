/**
 * A process of its own for the tests of sqlite-failures.test.ts. Arguments: what to do, and the database file.
 * It says what it reached on standard output, one line each.
 */
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { createStore } from "../../../adapters/store/store.ts";
import { errorText } from "../../../engine/errors.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { auditEntry, callRow } from "../../contract/store.contract.ts";

const [, , task, path] = process.argv;
const cipher = createFieldCipher({ key: null, ids: systemIds, log: silentLog });
const store = await createStore({ url: `sqlite://${path}`, clock: systemClock, log: silentLog, cipher });

/** Flushes, says so, and goes on writing until it is killed. */
async function writeForever(): Promise<void> {
  for (let seq = 1; ; seq++) {
    store.saveCall(callRow(seq));
    store.appendEvents([auditEntry("CA1", seq)]);
    await store.flush();
    console.log(`flushed ${seq}`);
  }
}

/** Writes until the file may not grow any more. */
async function fill(): Promise<void> {
  for (let seq = 1; seq < 2000; seq++) {
    store.appendEvents([auditEntry("CA1", seq, { data: { padding: "x".repeat(4000) } })]);
    try {
      await store.flush();
    } catch (error) {
      console.log(`failed ${store.counters()["queuedWrites"]} ${errorText(error)}`);
      process.exit(0);
    }
  }
}

if (task === "write-forever") await writeForever();
if (task === "fill") await fill();
// "idle" does nothing more: an open store that has nothing to do must let the process end.
