import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { createStore } from "../../../adapters/store/store.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";

/** Of every thread of this process, by its id: field 19 of `/proc/PID/task/TID/stat`. */
function nicenesses(): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const id of readdirSync("/proc/self/task")) {
    try {
      const [, afterName = ""] = readFileSync(`/proc/self/task/${id}/stat`, "latin1").split(") ");
      found.set(id, Number(afterName.split(" ")[16]));
    } catch {
      // It has ended since.
    }
  }
  return found;
}

test.skipIf(process.platform !== "linux")(
  "the thread that writes goes after the one that moves the audio",
  async () => {
    const main = String(process.pid);
    const before = nicenesses();
    const own = before.get(main);
    const folder = await mkdtemp(join(tmpdir(), "tandem-worker-"));
    const cipher = createFieldCipher({ key: null, ids: systemIds, log: silentLog });
    const options = { clock: systemClock, log: silentLog, cipher };
    const store = await createStore({ url: `sqlite://${join(folder, "tandem.db")}`, ...options });
    try {
      const after = nicenesses();
      const news = [...after].filter(([id]) => !before.has(id));
      expect(news.map(([, niceness]) => niceness)).toContain(Math.max(10, own ?? 0));
      expect(after.get(main)).toBe(own);
    } finally {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
);
