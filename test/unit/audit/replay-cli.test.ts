/** `bun run replay` against a whole engine over HTTP, and against files. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runReplay } from "../../../engine/audit/replay-cli.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { type FakeEngine, startFakeEngine } from "../../support/fake-ports.ts";
import { CALL_SID, settle } from "../call/support.ts";
import { OTHER_SID, rehashed, wholeLog } from "./log-setup.ts";

const TOKEN = "token-for-tests";
/** What time it is for the engine: an event that waits for another is told with its own time otherwise. */
const NOW_MS = 1_700_000_000_000;

let fake: FakeEngine;
let folder: string;
let whole: AuditEntry[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tandem-replay-"));
  fake = startFakeEngine({ consoleToken: TOKEN, clock: { ...systemClock, now: () => NOW_MS } });
  const { supervisor } = fake.engine;
  for (const callSid of [CALL_SID, OTHER_SID]) {
    supervisor.begin({ callSid, conferenceName: `af-${callSid}`, from: "+15550142", to: "+15550123" });
  }
  const conferenceSid = "CF00000000000000000000000000000001";
  supervisor.deliver(CALL_SID, {
    type: "participant.joined",
    label: "caller",
    callSid: CALL_SID,
    conferenceSid,
  });
  supervisor.deliver(CALL_SID, { type: "caller.gone", reason: "dial_ended" });
  while (supervisor.get(CALL_SID) !== null) await settle();
  whole = fake.store.logs.get(CALL_SID) ?? [];
});

afterAll(async () => {
  await fake.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(...argv: string[]) {
  let out = "";
  let err = "";
  const code = await runReplay(argv, {
    env: { PORT: String(fake.engine.port), TANDEM_CONSOLE_TOKEN: TOKEN },
    clock: systemClock,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
  });
  return { code, out, err };
}

async function fileOf(name: string, entries: readonly unknown[]): Promise<string> {
  const path = join(folder, name);
  await Bun.write(path, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  return path;
}

/** The log with another effect in one place. */
const otherEffect = (): AuditEntry[] =>
  rehashed(
    whole.map((entry) =>
      entry.kind === "effect" && entry.name === "carrier.addAi"
        ? { ...entry, data: { ...entry.data, muted: true } }
        : entry,
    ),
  );

describe("replay", () => {
  test("agrees with a finished call of a running engine, and so far with a live one", async () => {
    const { code, out } = await run(CALL_SID, OTHER_SID);
    const [first, second] = out.split("\n");
    expect(first).toMatch(new RegExp(`^${CALL_SID}: agrees: \\d+ events, \\d+ steps, states and effects$`));
    expect(second).toStartWith(`${OTHER_SID}: agrees so far, the log has no end yet:`);
    expect(code).toBe(0);
  });

  test("names the first entry that differs, with what was logged and what came", async () => {
    const path = await fileOf("other.ndjson", otherEffect());
    const seq = whole.find(({ name }) => name === "carrier.addAi")?.seq ?? 0;
    const { code, out } = await run(path);
    expect(code).toBe(1);
    expect(out).toStartWith(`${path}: DIVERGES at entry ${seq}, effect, after entry `);
    expect(out).toContain("effect carrier.addAi: muted was true, and now is false\n");
    expect(out).toMatch(
      / {2}logged: effect carrier\.addAi \{.*"muted":true\}\n {2}came: {3}effect carrier\.addAi \{.*"muted":false\}/,
    );
    const json = await run("--json", path);
    expect([json.code, JSON.parse(json.out)]).toMatchObject([
      1,
      { target: path, outcome: "diverges", divergence: { seq, what: "effect" } },
    ]);
  });

  test("tells the story of a call up to where it differs", async () => {
    const traced = await run("--trace", CALL_SID);
    const lines = traced.out.split("\n");
    expect(lines[0]).toMatch(/^ {5}0\.000 {2}note call\.begun agent=/);
    const event = lines.findIndex((line) => line.includes("  participant.joined label=caller"));
    expect(lines.slice(event + 1, event + 5).map((line) => line.trim())).toEqual([
      "asks for carrier.addAi label=ai-1 muted=false",
      "call: call.arriving.awaitingCaller [callerJoined] → call.arriving.addingAi",
      "call is in arriving.addingAi (participant.joined)",
      "the call is arriving",
    ]);
    expect(lines.findLast((line) => line.includes("note "))).toContain("log.closed");
    const path = await fileOf("traced.ndjson", otherEffect());
    const cut = await run("--trace", path);
    expect(cut.out).not.toContain("carrier.addAi label=ai-1 muted=true\n");
    expect(cut.out).toContain("participant.joined label=caller\n");
    expect(cut.out).toContain("DIVERGES");
  });

  test("does not replay what it cannot trust or understand, and says why", async () => {
    const damaged = await fileOf(
      "damaged.ndjson",
      whole.map((each) => (each.seq === 3 ? { ...each, name: "x" } : each)),
    );
    const cut = await fileOf("cut.ndjson", whole.slice(0, -1));
    const foreign = await fileOf("foreign.ndjson", wholeLog(4));
    const old = await fileOf(
      "old.ndjson",
      whole.map(({ prev: _prev, hash: _hash, ...each }) => each),
    );
    const cases = [
      [damaged, "CANNOT be replayed: its chain is broken: changed, entry 3: does not fit its hash"],
      [cut, "agrees so far, the log has no end yet"],
      [foreign, "CANNOT be replayed: it does not begin with what the call was started with"],
      [old, "CANNOT be replayed: it was written before logs could be checked or replayed"],
    ] as const;
    for (const [path, words] of cases) {
      const { code, out } = await run(path);
      expect([code, out]).toEqual([2, expect.stringContaining(`${path}: ${words}`)]);
    }
    const missing = await run(join(folder, "none.ndjson"), CALL_SID);
    expect([missing.code, missing.out]).toEqual([2, expect.stringContaining(`${CALL_SID}: agrees`)]);
    expect(missing.err).toContain("none.ndjson");
  });

  test("names every mistake on its command line, and explains itself", async () => {
    const { code, err } = await run("--trace", "--json", "--engine", "localhost");
    expect(code).toBe(2);
    for (const name of ["--engine", "replay: names no log", "--trace"]) expect(err).toContain(name);
    expect((await run("a", "--colour")).err).toContain("--colour");
    const help = await run("--help");
    expect([help.code, help.out.includes("Exit code: 0")]).toEqual([0, true]);
  });
});
