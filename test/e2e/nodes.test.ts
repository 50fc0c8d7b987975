/**
 * Two engines, each with a carrier of its own, on one database server: each has its calls, both show all of them, and
 * what becomes of one is nothing to the other. It needs a server: TEST_POSTGRES_URL.
 */
import { SQL } from "bun";
import { describe, expect, test } from "bun:test";
import type { Phone } from "../../adapters/sandbox/phone/phone.ts";
import { createFieldCipher } from "../../adapters/store/protect.ts";
import { createStore } from "../../adapters/store/store.ts";
import { runAudit } from "../../engine/audit/cli.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { systemIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import type { CallRow } from "../../engine/ports.ts";
import { callRow } from "../contract/store.contract.ts";
import { stopAfterTest } from "../support/after-test.ts";
import type { EngineProcess, Outside, OutsideOptions } from "../support/engine-process.ts";
import { startLine } from "../support/line.ts";
import {
  aiHeard,
  answers,
  begin,
  ended,
  escalate,
  isCoaching,
  kill,
  LADDER,
  onCall,
  pages,
  rings,
  streams,
  talking,
  untilCoaching,
} from "../support/outside-steps.ts";
import { makeDatabase, postgresUrl, type ServerDatabase } from "../support/postgres.ts";
import { startRowReceiver } from "../support/row-receiver.ts";
import { NUMBER, ON_CALL } from "../support/world.ts";

const KEY = { TANDEM_ENCRYPTION_KEY: "ab".repeat(32) };
const SECRET = "a-webhook-secret-for-tests-only";
const parts = {
  key: Buffer.from("ab".repeat(32), "hex"),
  clock: systemClock,
  ids: systemIds,
  log: silentLog,
};
const WITH_APOLOGY = { ...LADDER, agent: { apology: "Sorry." } };

interface Node {
  readonly outside: Outside;
  readonly engine: EngineProcess;
}

interface NodesOptions extends OutsideOptions {
  /** Default: a new one. */
  readonly database?: ServerDatabase;
}

async function nodes({ env, database, ...options }: NodesOptions = {}): Promise<readonly [Node, Node]> {
  const { url, drop } = database ?? (await makeDatabase());
  const both = { deployment: WITH_APOLOGY, ...options, env: { ...KEY, DATABASE_URL: url, ...env } };
  // At the same time: the tables are made once.
  const made = await Promise.all([begin({ ...both, seed: 12 }), begin({ ...both, seed: 13 })]);
  stopAfterTest(drop);
  return made;
}

async function command(
  { origin, token }: Outside,
  callSid: string,
  body: object,
): Promise<readonly [number, string]> {
  const init = { method: "POST", headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body) };
  const answer = await fetch(`${origin}/api/calls/${callSid}/commands`, init);
  return [answer.status, await answer.text()];
}

async function logOf({ origin, token }: Outside, callSid: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  return await (await fetch(`${origin}/api/calls/${callSid}/events`, { headers })).text();
}

/** By the log as this node tells it. */
async function verified({ origin, token }: Outside, callSid: string): Promise<string> {
  const said: string[] = [];
  const out = (text: string): void => void said.push(text);
  const surface = { env: {}, clock: systemClock, out, err: out };
  await runAudit(["verify", callSid, "--engine", origin, "--token", token], surface);
  return said.join("");
}

/** Beside a call that is there. */
async function talkingToo(outside: Outside): Promise<{ phone: Phone; callSid: string }> {
  const before = streams(outside).length;
  const phone = await outside.phone("+15550143");
  const callSid = await phone.dial(NUMBER);
  await outside.until("the AI streams to them, too", () => streams(outside).length > before);
  return { phone, callSid };
}

async function over({ api }: Outside, callSid: string): Promise<CallRow | null> {
  const row = await api<CallRow>(`calls/${callSid}`);
  return row.endedAt === null ? null : row;
}

async function delivery({ api }: Outside, callSid: string): Promise<string | undefined> {
  return (await api<CallRow>(`calls/${callSid}`)).delivery?.status;
}

/** Names that are held at the server. */
async function claims(url: string): Promise<number> {
  const sql = new SQL(url, { max: 1 });
  try {
    const rows = await sql`select 1 from pg_locks where locktype = 'advisory' and
      database = (select oid from pg_database where datname = current_database())`;
    return rows.length;
  } finally {
    await sql.close();
  }
}

const sids = async (outside: Outside): Promise<readonly string[]> =>
  (await outside.api<CallRow[]>("calls?limit=100")).map(({ callSid }) => callSid).sort();

describe.skipIf(postgresUrl === undefined)("two engines on one PostgreSQL (TEST_POSTGRES_URL)", () => {
  test("one is killed and goes on with its own calls; the other notices nothing, and drains", async () => {
    const [{ outside: a, engine }, { outside: b, engine: other }] = await nodes();
    const [nurse, neighbour] = [await onCall(a, ON_CALL), await onCall(b, ON_CALL)];
    const [first, second] = [await talking(a), await talking(b)];
    const both = [first.callSid, second.callSid].sort();
    expect([await sids(a), await sids(b)]).toEqual([both, both]);
    expect(await b.api(`calls/${first.callSid}`)).toMatchObject({ state: "streaming", node: a.origin });

    // A call is where it is, and its people are rung from there.
    expect(await command(b, first.callSid, { command: "escalate" })).toEqual([
      409,
      expect.stringContaining(a.origin),
    ]);
    await escalate(a, first.callSid);
    await a.until("the first is rung", () => nurse.state === "incoming");
    expect([neighbour.state, rings(a), rings(b)]).toEqual(["idle", 1, 0]);

    await escalate(b, second.callSid);
    await b.until("the neighbour is rung", () => neighbour.state === "incoming");
    await answers(b, neighbour);
    neighbour.press("1");
    await untilCoaching(b, second.callSid);

    // Not for long, or the AI's leg is given up.
    await kill(a, engine);
    // It has nobody at this moment, and says what was seen of it last.
    expect(await b.api(`calls/${first.callSid}`)).toMatchObject({ endedAt: null, node: a.origin });
    expect(await command(b, first.callSid, { command: "hangup" })).toEqual([
      409,
      expect.stringContaining(a.origin),
    ]);

    await a.start();
    await aiHeard(a, first.phone);
    // Nobody is rung again, and the other's call is not touched.
    expect([nurse.state, rings(a), rings(b), isCoaching(b)]).toEqual(["incoming", 1, 1, true]);
    await answers(a, nurse);
    nurse.press("1");
    await untilCoaching(a, first.callSid);
    nurse.hangUp();
    first.phone.hangUp();
    const row = await ended(a, first.callSid);
    expect([row.endReason, row.metrics["restarts"], pages(row)]).toEqual([
      "caller_hung_up",
      1,
      [["human-1", "acknowledged"]],
    ]);
    expect(await b.api<CallRow>(`calls/${first.callSid}`)).toEqual(row);
    expect(await logOf(b, first.callSid)).toBe(await logOf(a, first.callSid));

    // The other one drains, which ends what is live: two who talk to each other go on without the AI.
    const third = await talkingToo(b);
    expect(await other.end("SIGTERM")).toBe(0);
    await b.until("who was alone with the AI is told, and let go", () => third.phone.state === "idle");
    expect([second.phone.state, neighbour.state]).toEqual(["in-call", "in-call"]);
    neighbour.hangUp();
    await b.until("no leg is left", () => b.carrier.state().calls.length === 0);
    for (const { callSid } of [second, third]) {
      const over = await a.api<CallRow>(`calls/${callSid}`);
      expect([over.state, over.endReason, over.metrics["restarts"]]).toEqual(["ended", "engine_shutdown", 0]);
      expect(await verified(a, callSid)).toContain(": intact and closed: ");
    }
    expect(await sids(a)).toEqual([...both, third.callSid].sort());
    expect([a, b].flatMap(({ said }) => said).join("")).not.toMatch(/"level":"error"/);
  });

  test("without a key the calls of a killed node cannot be gone on with: it tells its callers, and ends the rows", async () => {
    const [{ outside: a, engine }, { outside: b }] = await nodes({ env: { TANDEM_ENCRYPTION_KEY: "" } });
    const [first, second] = [await talking(a), await talking(b)];
    await kill(a, engine);
    first.phone.ear.forget();
    await a.start();
    await a.until("the caller is let go", () => first.phone.state === "idle");
    expect(await a.until("the row has ended", () => over(b, first.callSid))).toMatchObject({
      endReason: "engine_lost",
    });
    expect([second.phone.state, streams(b).length]).toEqual(["in-call", 1]);
    expect(await b.api(`calls/${second.callSid}`)).toMatchObject({ state: "streaming" });
  });

  test("a second engine of one name leaves the calls of the first alone, and says that they are two", async () => {
    const [{ outside: a }] = await nodes();
    const { phone, callSid } = await talking(a);
    const second = await a.start([], { PORT: "0" });
    expect(a.said.join("")).toContain('"event":"node.claimed_twice"');
    expect([streams(a).length, phone.state]).toEqual([1, "in-call"]);
    await second.end("SIGTERM");
    phone.hangUp();
    expect((await ended(a, callSid)).metrics["restarts"]).toBe(0);
  });

  test("what follows a call is done once: by the node that had it, also when that was killed meanwhile", async () => {
    const receiver = startRowReceiver(SECRET);
    stopAfterTest(() => receiver.stop());
    receiver.status = 503;
    const webhook = { url: receiver.url, attempts: 20, retryAfterMs: 100, timeoutMs: 2000 };
    const [{ outside: a, engine }, { outside: b, engine: other }] = await nodes({
      deployment: { ...WITH_APOLOGY, postCall: { webhook } },
      env: { TANDEM_WEBHOOK_SECRET: SECRET },
    });
    const { phone, callSid } = await talking(a);
    phone.hangUp();
    await a.until("it was tried", () => receiver.counts.asked > 0);
    await a.until("the row tells", async () => (await delivery(b, callSid)) === "failed");
    await engine.end("SIGKILL");
    await other.end("SIGTERM");
    receiver.status = 200;
    await b.start();
    expect([await sids(b), await delivery(b, callSid)]).toEqual([[callSid], "failed"]);
    expect(receiver.rows).toEqual([]);
    await a.start();
    await a.until("it is handed on", async () => (await delivery(b, callSid)) === "delivered");
    expect(receiver.rows.map(({ row }) => row["callSid"])).toEqual([callSid]);
  });

  test("both let go of what has been kept for long enough, and neither is in the other's way", async () => {
    const database = await makeDatabase();
    const store = await createStore({ ...parts, url: database.url, cipher: createFieldCipher(parts) });
    // More than go at once, and all with the same end.
    const startedAt = "2020-01-01T00:00:00.000Z";
    for (let n = 1; n <= 120; n++) store.saveCall(callRow(n, { startedAt, endedAt: startedAt }));
    const endedAt = new Date(systemClock.now()).toISOString();
    store.saveCall(callRow(121, { startedAt: endedAt, endedAt }));
    await store.close();
    const deployment = { ...WITH_APOLOGY, privacy: { retention: { rowsDays: 30, auditDays: 30 } } };
    const [{ outside: a }, { outside: b }] = await nodes({ database, deployment });
    const kept = callRow(121).callSid;
    await a.until("the old ones are gone", async () => (await sids(a)).length === 1, 50);
    expect([await sids(a), await sids(b)]).toEqual([[kept], [kept]]);
    expect([a, b].flatMap(({ said }) => said).join("")).not.toMatch(/"level":"error"/);
  });
});

describe.skipIf(postgresUrl === undefined)("a PostgreSQL that is out of reach (TEST_POSTGRES_URL)", () => {
  test("drops no caller and keeps no page back; nobody new is taken until all is written", async () => {
    const database = await makeDatabase();
    const line = await startLine(database.url);
    const { outside } = await begin({ deployment: WITH_APOLOGY, env: { ...KEY, DATABASE_URL: line.url } });
    stopAfterTest(() => line.cut());
    stopAfterTest(() => database.drop());
    const nurse = await onCall(outside, ON_CALL);
    const { phone, callSid } = await talking(outside);
    await line.cut();
    await escalate(outside, callSid);
    await outside.until("the first is rung", () => nurse.state === "incoming");
    await outside.until("it says so", async () => (await fetch(`${outside.origin}/readyz`)).status === 503);
    const other = await outside.phone("+15550143");
    await other.dial(NUMBER);
    await outside.until("the other caller is told", () => other.ear.heardSpeech);
    await outside.until("the other caller is let go", () => other.state === "idle");
    await answers(outside, nurse);
    nurse.press("1");
    await untilCoaching(outside, callSid);
    expect([phone.state, rings(outside)]).toEqual(["in-call", 1]);
    expect(await outside.api(`calls/${callSid}`)).toMatchObject({ callSid, escalated: true });
    await line.mend();
    await outside.until("it takes calls again", async () => (await fetch(`${outside.origin}/readyz`)).ok);
    // Its name is its own again: an engine that starts now is not alone.
    await outside.until("the name is claimed", async () => (await claims(database.url)) === 1, 50);
    phone.hangUp();
    nurse.hangUp();
    const row = await ended(outside, callSid);
    expect([row.handover, pages(row)]).toEqual(["coached", [["human-1", "acknowledged"]]]);
    const counters = await (await fetch(`${outside.origin}/metrics`)).text();
    expect(counters).toContain('tandem_store_total{counter="droppedEvents"} 0');
    // Each reason is said once: first the connections end, then there are none.
    const reasons = outside.said.join("").match(/"event":"store.write-failed","problem":"[^"]*"/g) ?? [];
    expect(reasons.length).toBeGreaterThan(0);
    expect(new Set(reasons).size).toBe(reasons.length);
  });
});
