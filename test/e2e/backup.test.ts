/** A copy of the database of an engine that has live calls, and the engine that goes on with them on it. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { sqliteBackups } from "../../adapters/store/backup.ts";
import { claimDatabase } from "../../adapters/store/owner.ts";
import { runBackup, runRestore } from "../../engine/backup/commands.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import type { CallRow } from "../../engine/ports.ts";
import {
  aiHeard,
  begin,
  ended,
  escalate,
  kill,
  LADDER,
  onCall,
  pages,
  talking,
} from "../support/outside-steps.ts";
import { ON_CALL } from "../support/world.ts";

const KEY = { TANDEM_ENCRYPTION_KEY: "ab".repeat(32) };
/** Nobody is given up while commands run. */
const PATIENT = {
  ...LADDER,
  escalation: { ...LADDER.escalation, ackTimeoutMs: 120_000, ringTimeoutMs: 120_000 },
};

test("a new engine on a restored copy goes on with the calls that were live", async () => {
  const { outside, engine } = await begin({ deployment: PATIENT, env: KEY });
  const nurse = await onCall(outside, ON_CALL);
  const { phone, callSid } = await talking(outside);
  await escalate(outside, callSid);
  await outside.until("the first is rung", () => nurse.state === "incoming");
  const backup = join(dirname(outside.databasePath), "copies", "calls.backup");
  const said: string[] = [];
  const out = (text: string): void => void said.push(text);
  const parts = (url: string) => ({ backups: async () => sqliteBackups(url), clock: systemClock, out });
  expect([await runBackup([backup], parts(outside.databaseUrl)), said[0]]).toEqual([
    0,
    expect.stringContaining(": 1 calls, 1 of them not over, logs until "),
  ]);
  await kill(outside, engine);
  const elsewhere = `sqlite://${join(dirname(outside.databasePath), "second", "calls.db")}`;
  expect([await runRestore([backup], parts(elsewhere)), said.at(-1)]).toEqual([
    0,
    expect.stringContaining("calls.db is restored\n"),
  ]);
  await outside.start([], { DATABASE_URL: elsewhere });
  await aiHeard(outside, phone);
  // Who was rung is not rung again, and the call ends as every other, with a log that fits.
  const live = await outside.api<CallRow>(`calls/${callSid}`);
  expect([nurse.state, pages(live)]).toEqual(["incoming", [["human-1", null]]]);
  nurse.hangUp();
  phone.hangUp();
  const row = await ended(outside, callSid);
  expect(row).toMatchObject({ escalated: true, metrics: { restarts: 1 } });
});

test("an engine that is still at opening the database is seen: nothing is replaced under it", async () => {
  const { outside, engine } = await begin({ env: KEY });
  await engine.end("SIGTERM");
  const backup = join(dirname(outside.databasePath), "calls.backup");
  const parts = {
    backups: async () => sqliteBackups(outside.databaseUrl),
    clock: systemClock,
    out: () => undefined,
  };
  expect(await runBackup([backup], parts)).toBe(0);
  // Whoever opens the database now waits.
  const other = new Database(outside.databasePath);
  other.run("begin exclusive");
  const starting = outside.start();
  await outside.until("it is claimed", () => {
    const claimed = claimDatabase(outside.databaseUrl);
    claimed.release();
    return !claimed.alone;
  });
  await expect(runRestore([backup, "--force"], parts)).rejects.toThrow(
    "an engine uses it; fix: stop the engine",
  );
  other.run("rollback");
  other.close();
  await starting;
});
