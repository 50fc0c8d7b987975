/**
 * Trouble with the disk and the database, and the engine's real process on it: who is in a call notices nothing,
 * nobody new is taken while nothing can be kept, and an engine that cannot start says why and touches nothing.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type EngineProcess, EngineRefused, type Outside } from "../support/engine-process.ts";
import {
  aiHeard,
  answers,
  begin,
  ended,
  escalate,
  kill,
  LADDER,
  onCall,
  pages,
  rings,
  talking,
  untilCoaching,
} from "../support/outside-steps.ts";
import { NUMBER, ON_CALL } from "../support/world.ts";

const OTHER_CALLER = "+15550143";
const PAGE_BYTES = 4096;
/** A file that may not grow is a full disk to whoever writes to it. Its signal would end the process. */
const CAN_BE_LIMITED = ["sh", "-c", `trap '' XFSZ; exec "$@"`, "engine"];
const FULL_FROM_THE_START = ["sh", "-c", `trap '' XFSZ; ulimit -f 0; exec "$@"`, "engine"];
/** Root is let in everywhere, unless it leaves that right behind. */
const AS_ANYBODY = process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override"] : [];

const WITH_APOLOGY = { ...LADDER, agent: { apology: "Sorry." } };

/** Where a process that runs can be given another limit, and there is a device that is always full. */
const onLinux = test.if(process.platform === "linux");

const failures = ({ said }: Outside) => said.join("").split('"event":"store.write-failed"').length - 1;

function limitFiles(engine: EngineProcess, bytes: number | "unlimited"): void {
  const soft = bytes === "unlimited" ? bytes : `${bytes}:unlimited`;
  const { exitCode, stderr } = Bun.spawnSync(["prlimit", "--pid", String(engine.pid), `--fsize=${soft}`]);
  expect([exitCode, stderr.toString()]).toEqual([0, ""]);
}

async function readiness({ origin }: Outside): Promise<readonly [number, string]> {
  const answer = await fetch(`${origin}/readyz`);
  return [answer.status, await answer.text()];
}

async function becomes(outside: Outside, status: number): Promise<string> {
  return await outside.until(`/readyz answers ${status}`, async () => {
    const [now, text] = await readiness(outside);
    return now === status && text;
  });
}

async function metric({ origin }: Outside, name: string): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

/** What holds anything of the database, by its name. */
function files(outside: Outside): Readonly<Record<string, string>> {
  const folder = dirname(outside.databasePath);
  const names = readdirSync(folder).filter((name) => name.startsWith("calls.db"));
  const kept = names.filter((name) => !/-shm$|\.lock/.test(name));
  const texts = kept.map((name) => [name, readFileSync(join(folder, name)).toString("base64")] as const);
  return Object.fromEntries(texts.filter(([, text]) => text !== ""));
}

/** A database with a call in it, that no engine uses. */
async function left(): Promise<Outside> {
  const { outside, engine } = await begin();
  const { phone, callSid } = await talking(outside);
  phone.hangUp();
  await ended(outside, callSid);
  await engine.end("SIGTERM");
  return outside;
}

async function refusal(outside: Outside, under: readonly string[] = []): Promise<EngineRefused> {
  const refused = await outside.start(under).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(EngineRefused);
  return refused as EngineRefused;
}

describe("a disk that is full", () => {
  onLinux("drops no caller and keeps no page back; nobody new is taken until all is written", async () => {
    const { outside, engine } = await begin({ deployment: WITH_APOLOGY }, CAN_BE_LIMITED);
    const nurse = await onCall(outside, ON_CALL);
    const { phone, callSid } = await talking(outside);
    limitFiles(engine, 0);
    await escalate(outside, callSid);
    await outside.until("the first is rung", () => nurse.state === "incoming");
    expect(JSON.parse(await becomes(outside, 503))).toMatchObject({
      parts: {
        calls: { state: "ok" },
        store: { state: "failing", reason: expect.stringContaining("log says why") },
      },
    });
    const other = await outside.phone(OTHER_CALLER);
    await other.dial(NUMBER);
    await outside.until("the other caller is told", () => other.ear.heardSpeech);
    await outside.until("the other caller is let go", () => other.state === "idle");
    await answers(outside, nurse);
    nurse.press("1");
    await untilCoaching(outside, callSid);
    expect([phone.state, nurse.state, rings(outside)]).toEqual(["in-call", "in-call", 1]);
    // Operators see the calls, and what is wrong.
    expect(await outside.api(`calls/${callSid}`)).toMatchObject({ callSid, escalated: true });
    expect(await outside.api("calls")).toMatchObject([{ callSid }]);
    expect(await metric(outside, "tandem_store_failing")).toBe(1);
    expect(await metric(outside, 'tandem_calls_refused_total{reason="storage"}')).toBe(1);
    expect(await metric(outside, 'tandem_journal_total{counter="unjournaled"}')).toBeGreaterThan(0);
    expect(failures(outside)).toBe(1);
    expect(outside.said.join("")).toContain(`database ${outside.databasePath} cannot`);
    limitFiles(engine, "unlimited");
    await becomes(outside, 200);
    phone.hangUp();
    nurse.hangUp();
    const row = await ended(outside, callSid);
    expect(row).toMatchObject({ handover: "coached" });
    expect(pages(row)).toEqual([["human-1", "acknowledged"]]);
    expect(await metric(outside, "tandem_store_failing")).toBe(0);
    expect(await metric(outside, 'tandem_store_total{counter="droppedEvents"}')).toBe(0);
  });
});

describe("a log that nobody can write", () => {
  onLinux("is lost, and the call goes on", async () => {
    const { outside } = await begin({}, ["sh", "-c", `exec "$@" 2>/dev/full`, "engine"]);
    const { phone, callSid } = await talking(outside);
    // Each of these has its line.
    for (let n = 0; n < 3; n++) {
      const { status } = await fetch(`${outside.origin}/twilio/conference`, { method: "POST", body: "a=b" });
      expect(status).toBe(403);
    }
    const nurse = await onCall(outside, ON_CALL);
    await escalate(outside, callSid);
    await outside.until("the first is rung", () => nurse.state === "incoming");
    phone.hangUp();
    await ended(outside, callSid);
  });
});

describe("a database that is locked by another process for a moment", () => {
  test("delays no page, and nothing of the call is missing afterwards", async () => {
    const { outside } = await begin();
    const nurse = await onCall(outside, ON_CALL);
    const { phone, callSid } = await talking(outside);
    const other = new Database(outside.databasePath);
    other.run("begin immediate");
    await escalate(outside, callSid);
    await outside.until("the first is rung", () => nurse.state === "incoming");
    expect((await readiness(outside))[0]).toBe(200);
    other.run("rollback");
    other.close();
    phone.hangUp();
    await ended(outside, callSid);
    expect(failures(outside)).toBe(0);
  });
});

describe("a database that is deleted under an engine", () => {
  test("is written again, and the next engine goes on with the call", async () => {
    const { outside, engine } = await begin();
    const { phone, callSid } = await talking(outside);
    const folder = dirname(outside.databasePath);
    for (const name of readdirSync(folder)) if (name.startsWith("calls.db")) rmSync(join(folder, name));
    const nurse = await onCall(outside, ON_CALL);
    await escalate(outside, callSid);
    await outside.until("the first is rung", () => nurse.state === "incoming");
    // Told once the call's own rows are in the new file.
    await outside.until("the call is told", async () => (await outside.api<unknown[]>("calls")).length > 0);
    await kill(outside, engine);
    expect(outside.said.join("")).toContain(
      `database ${outside.databasePath} was deleted while it was in use`,
    );
    await outside.start();
    await aiHeard(outside, phone);
    expect([nurse.state, rings(outside)]).toEqual(["incoming", 1]);
    phone.hangUp();
    await ended(outside, callSid);
  });
});

describe("a write-ahead log whose end is lost", () => {
  test("cut off or damaged, takes its last transaction with it: the next engine goes on from the one before", async () => {
    const { outside, engine } = await begin();
    const { phone, callSid } = await talking(outside);
    const wal = `${outside.databasePath}-wal`;
    await kill(outside, engine);
    writeFileSync(wal, readFileSync(wal).subarray(0, -PAGE_BYTES / 2));
    const second = await outside.start();
    await aiHeard(outside, phone);
    await kill(outside, second);
    writeFileSync(wal, Buffer.concat([readFileSync(wal).subarray(0, -200), Buffer.alloc(200, 0xa5)]));
    await outside.start();
    await aiHeard(outside, phone);
    phone.hangUp();
    await ended(outside, callSid);
  });
});

describe("an engine that cannot use its database says why, ends, and leaves it as it is", () => {
  test("when a page is damaged, when the disk is full, and when it may not write", async () => {
    const outside = await left();
    const file = outside.databasePath;
    // A page that is free may hold anything.
    const database = new Database(file);
    database.run("vacuum");
    database.close();
    const whole = readFileSync(file);
    const refusals: EngineRefused[] = [];
    const refused = async (under: readonly string[] = []): Promise<void> => {
      const before = files(outside);
      refusals.push(await refusal(outside, under));
      expect(files(outside)).toEqual(before);
    };
    writeFileSync(file, Buffer.concat([whole.subarray(0, -PAGE_BYTES), Buffer.alloc(PAGE_BYTES, 0xa5)]));
    await refused();
    writeFileSync(file, whole);
    await refused(FULL_FROM_THE_START);
    chmodSync(file, 0o444);
    await refused(AS_ANYBODY);
    chmodSync(file, 0o644);
    expect(refusals.map(({ code }) => code)).toEqual([2, 2, 2]);
    const [damaged, full, readOnly] = refusals.map(({ said }) => said);
    expect(damaged).toStartWith(
      `database ${file} is damaged (SQLITE_CORRUPT); fix: restore it from a backup`,
    );
    expect(full).toMatch(/^database .* cannot .* \(SQLITE_(FULL|IOERR\w*)\); fix: .*space/);
    expect(readOnly).toMatch(/^database .* is read-only \(SQLITE_READONLY\w*\); fix: let the user that runs/);
    // Whole again, it is gone on with.
    await outside.start();
    expect(await outside.api("calls")).toMatchObject([{ state: "ended" }]);
  });
});
