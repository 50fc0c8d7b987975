/**
 * What comes after a call, over real sockets and with an engine of its own process: the row is completed, handed
 * on and exported, whoever fails, and no file has a word of it in the clear.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { systemClock } from "../../engine/platform/clock.ts";
import type { CallRow } from "../../engine/ports.ts";
import type { Span } from "../../engine/postcall-port.ts";
import type { FaultsPatch } from "../../adapters/sandbox/model/faults.ts";
import { stopAfterTest } from "../support/after-test.ts";
import type { EngineProcess, Outside } from "../support/engine-process.ts";
import { begin, talking } from "../support/outside-steps.ts";
import { type RowReceiver, startRowReceiver } from "../support/row-receiver.ts";
import { CALLER, noise, ON_CALL } from "../support/world.ts";

const SECRET = "a-webhook-secret-for-tests-only";
const REASON = "my mother has chest pain";
const MATTER = `This is an emergency, ${REASON}.`;
const WHO = "My name is Maria Gomez and my number is five five five, zero one four two.";
const GUARD_MS = 45_000;

interface Scene {
  readonly outside: Outside;
  readonly engine: EngineProcess;
  readonly receiver: RowReceiver;
  readonly callSid: string;
}

type Row = Omit<CallRow, "protected"> & CallRow["protected"];

interface Begin {
  readonly faults?: FaultsPatch;
  readonly receives?: number;
  /** The receiver answers when this is over. */
  readonly busy?: Promise<void>;
  readonly postCall?: Readonly<Record<string, unknown>>;
}

/** A caller has said what it is about and who they are, and has hung up. */
async function called({ faults, receives = 200, busy, postCall = {} }: Begin = {}): Promise<Scene> {
  const receiver = startRowReceiver(SECRET);
  receiver.status = receives;
  if (busy) receiver.busy = busy;
  const { outside, engine } = await begin({
    deployment: {
      limits: { drainMs: 0 },
      escalation: { rungs: [{ name: "primary", contacts: [{ name: "nurse", voice: ON_CALL }] }] },
      postCall: {
        retryAfterMs: 20,
        timeoutMs: 500,
        slots: [{ name: "relation", description: "Who is ill: mother, father, child", type: "text" }],
        webhook: { url: receiver.url, retryAfterMs: 20, timeoutMs: 2000 },
        ...postCall,
      },
    },
    env: { TANDEM_ENCRYPTION_KEY: "ab".repeat(32), TANDEM_WEBHOOK_SECRET: SECRET },
  });
  stopAfterTest(() => receiver.stop());
  if (faults) outside.model.faults.set(faults);
  const { phone, callSid } = await talking(outside);
  for (const [index, text] of [MATTER, WHO].entries()) {
    await phone.speak(noise(text, 600), text);
    await rowWith(outside, callSid, (row) => callerSaid(row).length > index);
  }
  phone.hangUp();
  return { outside, engine, receiver, callSid };
}

const callerSaid = ({ transcript }: Row): readonly string[] =>
  transcript.flatMap(({ speaker, text }) => (speaker === "caller" ? [text] : []));

/** The row once it is so. */
async function rowWith(
  { api }: Pick<Outside, "api">,
  callSid: string,
  isSo: (row: Row) => boolean,
): Promise<Row> {
  const endMs = systemClock.monotonicMs() + GUARD_MS;
  for (;;) {
    const row = await api<Row>(`calls/${callSid}`);
    if ("state" in row && isSo(row)) return row;
    if (systemClock.monotonicMs() > endMs) throw new Error(`the row stays ${JSON.stringify(row)}`);
    await new Promise((resolve) => systemClock.setTimeout(() => resolve(null), 5));
  }
}

const delivered = ({ delivery }: Row): boolean => delivery?.status === "delivered";

function quoted({ transcript }: Row, spans: readonly Span[] = []): readonly (string | undefined)[] {
  return spans.map(({ entry, start, end }) => {
    const said = transcript[entry];
    return (said?.heardText ?? said?.text)?.slice(start, end);
  });
}

/** All that the database has on disk. */
function onDisk({ databasePath: path }: Outside): string {
  return readFileSync(path, "latin1") + readFileSync(`${path}-wal`, "latin1");
}

/** None that sealed text, which is base64, could have by chance. */
const PERSONAL = ["Maria Gomez", "5550142", "chest pain", "zero one four two", "my mother"];

function expectSealed(outside: Outside, callSid: string): void {
  const bytes = onDisk(outside);
  // It is the right file, and what is not personal is in it.
  expect(bytes).toContain(callSid);
  expect(bytes).toContain("leadScore");
  expect(PERSONAL.filter((word) => bytes.includes(word))).toEqual([]);
}

function expectRight(row: Row): void {
  expect(row).toMatchObject({
    state: "ended",
    extraction: {
      status: "done",
      reason: null,
      schemaVersion: 1,
      model: "gpt-5.4-mini",
      nextAttemptAt: null,
      findings: {
        sentiment: { value: "distressed", supported: true },
        intent: { value: "emergency", supported: true },
        escalate: { value: true, supported: true },
        spansDropped: 0,
        spansRealigned: 0,
      },
    },
    slots: {
      name: "Maria Gomez",
      callbackNumber: "5550142",
      reason: REASON,
      urgency: "emergency",
      relation: expect.stringContaining("mother"),
    },
  });
  const slots = row.extraction?.findings?.slots ?? {};
  expect(quoted(row, slots["name"]?.spans)).toEqual(["Maria Gomez"]);
  expect(quoted(row, slots["callbackNumber"]?.spans)).toEqual(["five five five, zero one four two"]);
  expect(quoted(row, slots["reason"]?.spans)).toEqual([REASON]);
  expect(quoted(row, slots["urgency"]?.spans)).toEqual(["emergency"]);
  expect(Object.values(slots).map(({ filled, supported }) => filled && supported)).not.toContain(false);
}

test("an urgent call leaves a row with what was said and where, which is handed on, exported and sealed", async () => {
  const { outside, receiver, callSid } = await called();
  const row = await rowWith(outside, callSid, delivered);
  expectRight(row);
  expect(row.delivery).toMatchObject({ eventId: `${callSid}/row`, attempts: 1, reason: null });
  expect(row.auditEntries).toBeGreaterThan(0);
  expect(receiver.counts).toEqual({ asked: 1, forged: 0 });
  const [received] = receiver.rows;
  expect(received).toMatchObject({ eventId: `${callSid}/row`, row: { eventId: `${callSid}/row`, callSid } });
  const { callSid: _sid, extraction, slots, from, transcript } = row;
  expect(received?.row).toMatchObject({ event: "call.row", extraction, slots, from, transcript });
  const headers = { authorization: `Bearer ${outside.token}` };
  const ask = (query: string): Promise<Response> =>
    fetch(`${outside.origin}/api/export?${query}`, { headers });
  const lines = (await (await ask("format=ndjson")).text()).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([row]);
  const [head = "", cells = ""] = (await (await ask("format=csv")).text()).split("\r\n");
  const parts = [...cells.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map((match) => match[1]);
  const cell = (name: string): string | undefined => parts[head.split(",").indexOf(name)];
  const wanted = ["callSid", "slots.name", "slots.callbackNumber", "slots.reason", "slots.urgency"].map(cell);
  expect(wanted).toEqual([callSid, "Maria Gomez", "5550142", REASON, "emergency"]);
  // What would be taken for a formula is not.
  expect(cell("from")).toBe(`'${CALLER}`);
  expect((await fetch(`${outside.origin}/api/export?format=csv`)).status).toBe(401);
  expectSealed(outside, callSid);
  const log = await (
    await fetch(`${outside.origin}/api/calls/${callSid}/postcall/events`, { headers })
  ).text();
  expect(log).toContain("postcall.deliver");
  expect(PERSONAL.filter((word) => log.includes(word))).toEqual([]);
  expect(outside.said.join("")).not.toMatch(new RegExp(PERSONAL.join("|")));
});

test("whoever fails is asked again: the model, and the receiver, who gets one event", async () => {
  const { outside, receiver, callSid } = await called({
    faults: { textResponse: { kind: "error", times: 1 } },
    receives: 503,
    postCall: { retryAfterMs: 500 },
  });
  const failed = await rowWith(outside, callSid, ({ extraction }) => extraction?.status === "failed");
  expect(failed).toMatchObject({
    state: "ended",
    extraction: { reason: "server_error", attempts: 1 },
    slots: null,
  });
  expect(failed.extraction?.nextAttemptAt).not.toBeNull();
  await rowWith(outside, callSid, ({ delivery }) => delivery?.reason === "http_503");
  await outside.until("it was asked twice", () => receiver.counts.asked >= 2);
  receiver.status = 204;
  const row = await rowWith(outside, callSid, delivered);
  expectRight(row);
  expect(row.extraction?.attempts).toBe(2);
  expect(row.delivery?.attempts).toBeGreaterThan(2);
  expect(receiver.rows.map(({ eventId }) => eventId)).toEqual([`${callSid}/row`]);
});

test("an engine that is killed in between leaves it to the next, which does the rest and nothing twice", async () => {
  const { outside, engine, receiver, callSid } = await called({
    faults: { textResponse: { kind: "hang", times: 1 } },
    postCall: { timeoutMs: 60_000 },
  });
  await outside.until("the model was asked", () => outside.model.counters()["textAsked"] === 1);
  await rowWith(outside, callSid, ({ extraction }) => extraction?.status === "pending");
  receiver.status = 503;
  await engine.end("SIGKILL");
  const second = await outside.start();
  await rowWith(outside, callSid, ({ delivery }) => delivery?.status === "failed");
  expectSealed(outside, callSid);
  await second.end("SIGTERM");
  receiver.status = 200;
  await outside.start();
  const row = await rowWith(outside, callSid, delivered);
  expectRight(row);
  expect(outside.model.counters()["textAsked"]).toBe(2);
  expect(receiver.rows.map(({ eventId }) => eventId)).toEqual([`${callSid}/row`]);
  expectSealed(outside, callSid);
});

test("an engine that is stopped while it hands a row on leaves it to the next, which does it as the same event", async () => {
  const answers = Promise.withResolvers<void>();
  const { outside, engine, receiver, callSid } = await called({ busy: answers.promise });
  await outside.until("the receiver has the row", () => receiver.rows.length === 1);
  expect(await engine.end("SIGTERM")).toBe(0);
  answers.resolve();
  await outside.start();
  const row = await rowWith(outside, callSid, delivered);
  expectRight(row);
  // It could not know that the receiver had it.
  expect(receiver.rows.map(({ eventId }) => eventId)).toEqual([`${callSid}/row`, `${callSid}/row`]);
  expect(row.delivery).toMatchObject({ eventId: `${callSid}/row`, attempts: 1 });
  expect(outside.model.counters()["textAsked"]).toBe(1);
  expect(await outside.api<Row[]>("calls?limit=100")).toHaveLength(1);
});
