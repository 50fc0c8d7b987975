/** `bun run audit` against a whole engine over HTTP, and against files. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runAudit } from "../../../engine/audit/cli.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { type FakeEngine, startFakeEngine } from "../../support/fake-ports.ts";
import { CALL_SID, settle } from "../call/support.ts";
import { OTHER_SID, wholeLog } from "./log-setup.ts";

const TOKEN = "token-for-tests";
const UNKNOWN_SID = "CA00000000000000000000000000000009";

let fake: FakeEngine;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tandem-audit-"));
  fake = startFakeEngine({ consoleToken: TOKEN });
  const { supervisor } = fake.engine;
  for (const callSid of [CALL_SID, OTHER_SID]) {
    supervisor.begin({ callSid, conferenceName: `af-${callSid}`, from: "+15550142", to: "+15550123" });
  }
  supervisor.deliver(CALL_SID, { type: "caller.gone", reason: "dial_ended" });
  while (supervisor.get(CALL_SID) !== null) await settle();
});

afterAll(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function audit(...argv: string[]) {
  let out = "";
  let err = "";
  const code = await runAudit(argv, {
    env: { PORT: String(fake.engine.port), TANDEM_CONSOLE_TOKEN: TOKEN },
    clock: systemClock,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
  });
  return { code, out, err };
}

const logOf = (callSid: string): AuditEntry[] => fake.store.logs.get(callSid) ?? [];

async function fileOf(name: string, entries: readonly unknown[]): Promise<string> {
  const path = join(folder, name);
  await Bun.write(path, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  return path;
}

/** Changes what the store holds of the call for as long as `work` takes. */
async function tampered<T>(log: AuditEntry[], work: () => Promise<T>): Promise<T> {
  const before = logOf(CALL_SID);
  fake.store.logs.set(CALL_SID, log);
  try {
    return await work();
  } finally {
    fake.store.logs.set(CALL_SID, before);
  }
}

describe("verify", () => {
  test("finds a finished call intact, and a live one to fit so far", async () => {
    const { code, out } = await audit("verify", CALL_SID, OTHER_SID);
    const [ended, live] = [logOf(CALL_SID), logOf(OTHER_SID)];
    expect(out.split("\n")).toEqual([
      `${CALL_SID}: intact and closed: ${ended.length} entries, last hash ${ended.at(-1)?.hash}`,
      `${OTHER_SID}: fits so far, the call goes on: ${live.length} entries, last hash ${live.at(-1)?.hash}`,
      "",
    ]);
    expect(code).toBe(0);
  });

  test("names a changed entry, and a tail that was cut off in the database", async () => {
    const log = logOf(CALL_SID);
    const changed = log.map((entry) => (entry.seq === 2 ? { ...entry, name: "other" } : entry));
    const first = await tampered(changed, () => audit("verify", CALL_SID));
    expect(first.code).toBe(1);
    expect(first.out).toContain("BROKEN, 1 problem:");
    expect(first.out).toContain("  changed, entry 2, line 2: does not fit its hash: its at, name or data");
    const second = await tampered(log.slice(0, -1), () => audit("verify", "--json", CALL_SID));
    expect(second.code).toBe(1);
    expect(JSON.parse(second.out)).toMatchObject({
      target: CALL_SID,
      status: "broken",
      findings: [{ problem: "truncated", seq: log.length, line: null }],
    });
  });

  test("checks files, and says of one without its end that it is not closed", async () => {
    const log = wholeLog(5);
    const whole = await fileOf("whole.ndjson", log);
    const cut = await fileOf("cut.ndjson", log.slice(0, 4));
    const old = await fileOf(
      "old.ndjson",
      log.map(({ prev: _prev, hash: _hash, ...entry }) => entry),
    );
    const { code, out } = await audit("verify", whole, cut, old);
    expect(code).toBe(1);
    expect(out).toContain(`${whole}: intact and closed: 5 entries`);
    expect(out).toContain(`${cut}: NOT CLOSED, fits so far: 4 entries`);
    expect(out).toContain(`${old}: written before the chain existed`);
    expect((await audit("verify", old)).code).toBe(0);
  });

  test("compares with a hash that was kept elsewhere", async () => {
    const log = wholeLog(5);
    const path = await fileOf("kept.ndjson", log);
    expect((await audit("verify", path, "--hash", (log[4]?.hash ?? "").toUpperCase())).code).toBe(0);
    const { code, out } = await audit("verify", path, "--hash", "0".repeat(64));
    expect(code).toBe(1);
    expect(out).toContain("other-hash, entry 5, line 5");
  });

  test("says what could not be read and why, and goes on with the next", async () => {
    const whole = await fileOf("next.ndjson", wholeLog(3));
    const missing = join(folder, "missing.ndjson");
    const { code, out, err } = await audit("verify", missing, UNKNOWN_SID, whole);
    expect(code).toBe(2);
    expect(err).toContain(missing);
    expect(err).toContain("it knows no such call");
    expect(out).toContain(`${whole}: intact`);
    const binary = join(folder, "binary");
    await Bun.write(binary, "x".repeat(3 * 1024 * 1024));
    expect((await audit("verify", binary)).err).toContain("a line is longer than");
  });

  test("tells a wrong token from an engine that is not there", async () => {
    const refused = await audit("verify", CALL_SID, "--token", "wrong");
    expect([refused.code, refused.err.includes("it wants a token (401)")]).toEqual([2, true]);
    // Port 1 of loopback: nobody listens there.
    const nobody = await audit("verify", CALL_SID, "--engine", "http://127.0.0.1:1");
    expect([nobody.code, nobody.err.includes("no engine answers")]).toEqual([2, true]);
  });

  test("does not take a log for whole that the store gave only in part", async () => {
    const { events } = fake.store;
    fake.store.events = async function* inPart(callSid: string) {
      yield* logOf(callSid).slice(0, 3);
    };
    const { code, out } = await audit("verify", CALL_SID);
    fake.store.events = events;
    expect([code, out.includes("truncated, entry 4: ")]).toEqual([1, true]);
  });
});

describe("export", () => {
  test("writes the log as the engine gives it, which verifies elsewhere", async () => {
    const path = join(folder, "export.ndjson");
    const { code, out } = await audit("export", CALL_SID, "-o", path);
    expect([code, out.startsWith(`${CALL_SID}: intact and closed`)]).toEqual([0, true]);
    const text = await Bun.file(path).text();
    expect(text).toBe(
      logOf(CALL_SID)
        .map((entry) => `${JSON.stringify(entry)}\n`)
        .join(""),
    );
    expect((await audit("verify", path)).code).toBe(0);
    expect(await Bun.file(`${path}.part`).exists()).toBe(false);
  });

  test("to standard output is the log alone", async () => {
    const { code, out, err } = await audit("export", CALL_SID);
    expect(code).toBe(0);
    expect(out.trim().split("\n")).toHaveLength(logOf(CALL_SID).length);
    expect(err).toContain("intact and closed");
  });

  test("leaves nothing behind when there is nothing to export", async () => {
    const path = join(folder, "none.ndjson");
    expect((await audit("export", UNKNOWN_SID, "-o", path)).code).toBe(2);
    expect(await Bun.file(path).exists()).toBe(false);
    const nowhere = await audit("export", CALL_SID, "-o", join(folder, "no", "such", "folder"));
    expect(nowhere.code).toBe(2);
  });
});

describe("the command line", () => {
  test("names every mistake with its fix", async () => {
    const { code, err } = await audit("verify", "--engine", "localhost", "--hash", "ab", "--out", "x");
    expect(code).toBe(2);
    for (const name of ["--engine", "--hash", "verify", "--out"]) expect(err).toContain(name);
    expect((await audit()).err).toContain("command: is missing");
    expect((await audit("check")).err).toContain('"check" is not known');
    expect((await audit("export", "file.ndjson")).err).toContain("takes one call");
    expect((await audit("verify", "a", "--colour")).err).toContain("--colour");
  });

  test("explains itself", async () => {
    const { code, out } = await audit("--help");
    expect([code, out.includes("Exit code: 0")]).toEqual([0, true]);
  });
});
