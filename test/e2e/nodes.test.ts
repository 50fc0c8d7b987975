/**
 * Two engines, each with a carrier of its own, on one database server: each has its calls, both show all of them, and
 * what becomes of one is nothing to the other. It needs a server: TEST_POSTGRES_URL.
 */
import { describe, expect, test } from "bun:test";
import type { Phone } from "../../adapters/sandbox/phone/phone.ts";
import { runAudit } from "../../engine/audit/cli.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import type { CallRow } from "../../engine/ports.ts";
import { stopAfterTest } from "../support/after-test.ts";
import type { EngineProcess, Outside, OutsideOptions } from "../support/engine-process.ts";
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
} from "../support/outside-steps.ts";
import { makeDatabase, postgresUrl } from "../support/postgres.ts";
import { NUMBER, ON_CALL } from "../support/world.ts";

const KEY = { TANDEM_ENCRYPTION_KEY: "ab".repeat(32) };
const WITH_APOLOGY = { ...LADDER, agent: { apology: "Sorry." } };

interface Node {
  readonly outside: Outside;
  readonly engine: EngineProcess;
}

async function nodes({ env, ...options }: OutsideOptions = {}): Promise<readonly [Node, Node]> {
  const database = await makeDatabase();
  const both = { deployment: WITH_APOLOGY, ...options, env: { ...KEY, DATABASE_URL: database.url, ...env } };
  // At the same time: the tables are made once.
  const made = await Promise.all([begin({ ...both, seed: 12 }), begin({ ...both, seed: 13 })]);
  stopAfterTest(() => database.drop());
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

    await kill(a, engine);
    await escalate(b, second.callSid);
    await b.until("the neighbour is rung", () => neighbour.state === "incoming");
    await answers(b, neighbour);
    neighbour.press("1");
    await b.until("coaching", () => isCoaching(b));
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
    await a.until("coaching", () => isCoaching(a));
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
});
