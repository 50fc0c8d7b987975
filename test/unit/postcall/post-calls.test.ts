/** What follows a call: its row is completed and handed on, whoever fails, and whoever dies in between. */
import { describe, expect, test } from "bun:test";
import { LogCheck } from "../../../engine/audit/check.ts";
import { forgetUnfinished, loadUnfinished, resumeUnfinished } from "../../../engine/call/restore.ts";
import type { DeploymentInput } from "../../../engine/config/deployment.ts";
import type { ExtractorAnswer } from "../../../engine/extractor-port.ts";
import { redact } from "../../../engine/platform/redact.ts";
import type { CallRow } from "../../../engine/ports.ts";
import { foundName, KeptRows, ScriptedExtractor } from "../../support/fake-after-call.ts";
import { type Calls, makeCalls, streaming } from "../call/calls-setup.ts";
import { inVain, LADDER, PAUSE_MS, wait } from "../call/ladder-setup.ts";
import { CALL_SID, settle } from "../call/support.ts";

const HOOK = "https://rows.example/hook";
const KEY = `${CALL_SID}/postcall`;
const SAID = "My name is Ann Lee.";
const FOUND = foundName("Ann Lee", 0, 11);
const FAILED: ExtractorAnswer = { ok: false, problem: "timeout", status: 0 };
const DEPLOYMENT: DeploymentInput = {
  postCall: { attempts: 3, retryAfterMs: 1000, webhook: { url: HOOK, attempts: 3, retryAfterMs: 1000 } },
};

function scene(answers: readonly ExtractorAnswer[] = [], more: Parameters<typeof makeCalls>[0] = {}) {
  const extractor = new ScriptedExtractor();
  extractor.answers.push(...answers);
  const sender = new KeptRows();
  return { ...makeCalls({ deployment: DEPLOYMENT, extractor, sender, ...more }), extractor, sender };
}

type Scene = ReturnType<typeof scene>;

/** A caller says it, and leaves. */
async function ends(calls: Calls, text = SAID): Promise<void> {
  const { session } = await streaming(calls);
  calls.model.sessions.at(-1)?.sink.userText({ itemId: "item-1", text });
  session.deliver({ type: "caller.gone", reason: "dial_ended" });
  await settle();
  expect(session.ended).toBe(true);
}

const rowOf = ({ store }: Pick<Calls, "store">): CallRow => store.rows.get(CALL_SID) as CallRow;

const passing = async ({ clock }: Pick<Calls, "clock">, ms: number): Promise<void> => {
  clock.advance(ms);
  await settle();
};

/** The engine stops as it is, and another has its store. */
function dies(calls: Scene, deployment = DEPLOYMENT): Scene {
  calls.supervisor.handOverAll();
  calls.followUps.handOver();
  calls.postCalls.stop();
  const { clock, store, carrier } = calls;
  return scene([], { clock, deployment, world: { store, carrier } });
}

async function comesBack(next: Scene): Promise<void> {
  const { store, clock, log, supervisor, followUps, postCalls, carrier, journal } = next;
  const gateway = { resumeTokens: () => undefined };
  const found = await loadUnfinished({ store, clock, log, journal });
  resumeUnfinished(found, { journal, supervisor, followUps, postCalls, gateway, carrier, log });
  await settle();
}

describe("what follows a call", () => {
  test("completes its row with what was found, hands it on and leaves nothing behind", async () => {
    const calls = scene([FOUND]);
    await ends(calls);
    expect(rowOf(calls)).toMatchObject({
      state: "ended",
      extraction: {
        status: "done",
        reason: null,
        model: "a-model",
        attempts: 1,
        usage: { inputTokens: 100 },
        findings: {
          intent: { value: "message" },
          slots: { name: { filled: true, supported: true, spans: [{ entry: 0, start: 11, end: 18 }] } },
        },
      },
      delivery: { status: "delivered", eventId: `${CALL_SID}/row`, attempts: 1, reason: null },
      protected: { slots: { name: "Ann Lee", callbackNumber: null, urgency: "normal" } },
    });
    const [delivery] = calls.sender.deliveries;
    expect(delivery).toMatchObject({ url: HOOK, eventId: `${CALL_SID}/row` });
    expect(JSON.parse(delivery?.body ?? "")).toMatchObject({
      eventId: `${CALL_SID}/row`,
      event: "call.row",
      callSid: CALL_SID,
      slots: { name: "Ann Lee" },
      extraction: { status: "done" },
    });
    expect([calls.postCalls.size, calls.store.snapshots.size, calls.clock.pendingTimers]).toEqual([0, 0, 0]);
    expect(calls.postCalls.counters()).toMatchObject({
      begun: 1,
      extracted: 1,
      delivered: 1,
      notExtracted: 0,
    });
  });

  test("has a log of its own, which is whole and has nobody's words, and leaves the call's log closed", async () => {
    const calls = scene([FAILED, FOUND]);
    await ends(calls);
    await passing(calls, 1000);
    const log = calls.store.logs.get(KEY) ?? [];
    const check = new LogCheck({ callSid: KEY });
    for (const entry of log) check.take(JSON.stringify(entry));
    expect(check.end()).toMatchObject({ status: "intact", findings: [] });
    expect(log.filter(({ kind }) => kind === "effect").map(({ name }) => name)).toEqual([
      "postcall.extract",
      "postcall.extract",
      "postcall.deliver",
    ]);
    expect(JSON.stringify(log)).not.toContain("Ann");
    expect(calls.store.logs.get(CALL_SID)?.at(-1)).toMatchObject({ name: "log.closed" });
    // Nothing is kept of what was said when it is over.
    expect(JSON.stringify([...(calls.store.journals.get(KEY) ?? [])])).not.toContain("Ann");
    expect(JSON.stringify(calls.lines)).not.toContain("Ann");
  });

  test("begins with a row that is there at once and says that more comes", async () => {
    const calls = scene();
    await ends(calls);
    expect(rowOf(calls)).toMatchObject({
      state: "ended",
      extraction: { status: "pending", attempts: 1, reason: null, findings: null },
      delivery: { status: "pending", attempts: 0 },
      protected: { slots: null },
    });
    expect(calls.sender.deliveries).toEqual([]);
  });

  test("says in the row what failed and when it is tried again, and then that it was found", async () => {
    const calls = scene([FAILED, FOUND]);
    await ends(calls);
    const { extraction } = rowOf(calls);
    expect(extraction).toMatchObject({ status: "failed", reason: "timeout", attempts: 1, endedAt: null });
    expect(extraction?.nextAttemptAt).not.toBeNull();
    expect(calls.sender.deliveries).toEqual([]);
    await passing(calls, 1000);
    expect(rowOf(calls)).toMatchObject({
      extraction: { status: "done", reason: null, attempts: 2, nextAttemptAt: null },
      delivery: { status: "delivered" },
    });
  });

  test("hands on what is known when the model fails for good, and says so in the row and the log", async () => {
    const calls = scene([FAILED, { ok: true, json: { sentiment: "fine" }, usage: null }, FAILED]);
    await ends(calls);
    await passing(calls, 1000);
    expect(rowOf(calls).extraction?.reason).toBe("malformed");
    await passing(calls, 4000);
    expect(rowOf(calls)).toMatchObject({
      extraction: { status: "failed", reason: "timeout", attempts: 3, nextAttemptAt: null, findings: null },
      delivery: { status: "delivered" },
      protected: { slots: null },
    });
    expect(calls.lines).toContainEqual(
      expect.objectContaining({ event: "postcall.not_extracted", reason: "timeout", attempts: 3 }),
    );
    // Which members of the answer were wrong, and not what they were.
    const malformed = calls.lines.find(({ event }) => event === "postcall.malformed");
    expect(malformed?.["where"]).toContain("sentiment");
    expect(JSON.stringify(malformed)).not.toContain("fine");
  });

  test("tries a receiver again, with the same event, and says when it has given up", async () => {
    const calls = scene([FOUND]);
    calls.sender.statuses.push(503, 401, 500);
    await ends(calls);
    expect(rowOf(calls).delivery).toMatchObject({ status: "failed", reason: "http_503", attempts: 1 });
    await passing(calls, 1000);
    expect(rowOf(calls).delivery).toMatchObject({ status: "failed", reason: "http_401", attempts: 2 });
    await passing(calls, 4000);
    expect(rowOf(calls).delivery).toMatchObject({ status: "dead", reason: "http_500", nextAttemptAt: null });
    expect(new Set(calls.sender.deliveries.map(({ eventId }) => eventId)).size).toBe(1);
    expect(calls.lines).toContainEqual(
      expect.objectContaining({ level: "error", event: "postcall.not_delivered", reason: "http_500" }),
    );
    expect(JSON.stringify(calls.lines)).not.toContain(HOOK);
    expect(calls.postCalls.counters()).toMatchObject({ notDelivered: 1, deliveryAttemptsFailed: 3 });
  });

  test("goes on when somebody breaks their promise not to throw", async () => {
    const calls = scene();
    calls.extractor.extract = () => {
      throw new Error("a bug");
    };
    await ends(calls);
    expect(rowOf(calls).extraction).toMatchObject({
      status: "failed",
      reason: "internal_error",
      attempts: 1,
    });
    expect(calls.lines).toContainEqual(expect.objectContaining({ event: "postcall.threw", error: "a bug" }));
  });

  test("asks nobody about a call in which nobody said anything, and hands its row on", async () => {
    const calls = scene();
    await ends(calls, "");
    expect(calls.extractor.requests).toEqual([]);
    expect(rowOf(calls)).toMatchObject({
      extraction: { status: "skipped", reason: "nothing_said" },
      delivery: { status: "delivered" },
    });
  });

  test("is nothing where nothing is wanted", async () => {
    const calls = scene([FOUND], { deployment: { postCall: { extract: false } } });
    await ends(calls);
    expect(calls.extractor.requests).toEqual([]);
    expect(rowOf(calls)).toMatchObject({ extraction: { status: "skipped", reason: "off" }, delivery: null });
    expect([calls.postCalls.size, calls.store.logs.has(KEY)]).toEqual([0, false]);
  });

  test("and what follows an incident complete one row, also after both were left to another engine", async () => {
    const deployment = { ...LADDER, ...DEPLOYMENT };
    const calls = scene([], { deployment });
    const { session } = await inVain(calls);
    calls.model.sessions.at(-1)?.sink.userText({ itemId: "item-1", text: SAID });
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    expect([calls.followUps.size, calls.postCalls.size]).toEqual([1, 1]);
    const next = dies(calls, deployment);
    next.extractor.answers.push(FAILED, FOUND);
    await comesBack(next);
    expect([next.followUps.size, next.postCalls.size]).toEqual([1, 1]);
    await passing(next, 1000);
    expect(rowOf(next)).toMatchObject({
      extraction: { status: "done" },
      delivery: { status: "delivered" },
      escalations: [{ outcome: "exhausted" }],
    });
    await wait(next, PAUSE_MS);
    const [page] = next.escalations.pagesTo("+15550100");
    next.escalations.deliver(CALL_SID, { type: "page.acknowledged", label: page?.label ?? "" });
    await settle();
    await wait(next, 60_000);
    expect(next.followUps.size).toBe(0);
    expect(rowOf(next)).toMatchObject({
      extraction: { status: "done" },
      delivery: { status: "delivered" },
      escalations: [{ outcome: "exhausted" }, { outcome: "owned" }],
      protected: { slots: { name: "Ann Lee" } },
    });
    const head = next.store.logs.get(CALL_SID)?.at(-1);
    expect(rowOf(next)).toMatchObject({ auditEntries: head?.seq, auditHash: head?.hash });
  });
});

describe("an engine that comes back", () => {
  test("asks the model once more when the one before had asked and not heard, and knows what was said", async () => {
    const calls = scene();
    await ends(calls);
    const next = dies(calls);
    // A store without a key does not give it back.
    const row = rowOf(next);
    next.store.rows.set(CALL_SID, { ...row, protected: redact(row.protected) });
    next.extractor.answers.push(FOUND);
    await comesBack(next);
    expect(next.extractor.requests.map(({ input }) => input)).toEqual(
      calls.extractor.requests.map(({ input }) => input),
    );
    expect(rowOf(next)).toMatchObject({
      extraction: { status: "done", attempts: 1 },
      delivery: { status: "delivered" },
      protected: { slots: { name: "Ann Lee" }, transcript: [{ text: SAID }] },
    });
    expect(next.store.snapshots.size).toBe(0);
  });

  test("waits as long as the one before would have, and asks nothing twice", async () => {
    const calls = scene([FOUND]);
    calls.sender.statuses.push(503);
    await ends(calls);
    await passing(calls, 400);
    const next = dies(calls);
    await comesBack(next);
    await passing(next, 599);
    expect(next.sender.deliveries).toEqual([]);
    await passing(next, 1);
    expect(next.sender.deliveries.map(({ eventId }) => eventId)).toEqual([`${CALL_SID}/row`]);
    expect(next.extractor.requests).toEqual([]);
    expect(JSON.parse(next.sender.deliveries[0]?.body ?? "")).toMatchObject({ slots: { name: "Ann Lee" } });
    expect(rowOf(next).delivery).toMatchObject({ status: "delivered", attempts: 2 });
  });

  /** Whoever is asked has answered, and the engine stops a few steps later. */
  async function stopped(asked: "model" | "receiver", steps: number) {
    const answered = Promise.withResolvers<void>();
    const calls = scene([FOUND]);
    const slow = asked === "model" ? calls.extractor : calls.sender;
    const method = asked === "model" ? "extract" : "send";
    const real = (Reflect.get(slow, method) as (given: unknown) => Promise<unknown>).bind(slow);
    Object.assign(slow, {
      [method]: async (given: unknown): Promise<unknown> => {
        const answer = await real(given);
        await answered.promise;
        return answer;
      },
    });
    await ends(calls);
    expect(calls.journal.open).toBe(1);
    answered.resolve();
    for (let step = 0; step < steps; step++) await Promise.resolve();
    const next = dies(calls);
    next.extractor.answers.push(FOUND);
    await settle();
    return { calls, next };
  }

  for (const asked of ["model", "receiver"] as const) {
    test(`goes on whenever the one before was stopped while the ${asked} answered`, async () => {
      let again = 0;
      for (let steps = 3; steps < 8; steps++) {
        const { calls, next } = await stopped(asked, steps);
        const left = calls.store.logs.get(KEY)?.at(-1)?.name;
        // What an engine has left it logs nothing of any more.
        expect(["call.handed_over", "log.closed"]).toContain(left ?? "");
        expect(calls.journal.open).toBe(0);
        await comesBack(next);
        const deliveries = [...calls.sender.deliveries, ...next.sender.deliveries];
        if (next.sender.deliveries.length + next.extractor.requests.length > 0) again++;
        expect(deliveries.length).toBeWithin(1, 3);
        expect(new Set(deliveries.map(({ eventId }) => eventId))).toEqual(new Set([`${CALL_SID}/row`]));
        expect([...next.store.rows.keys()]).toEqual([CALL_SID]);
        expect(rowOf(next)).toMatchObject({
          extraction: { status: "done", attempts: 1 },
          delivery: { status: "delivered", attempts: 1 },
          protected: { slots: { name: "Ann Lee" } },
        });
        expect([next.postCalls.size, next.store.snapshots.size]).toEqual([0, 0]);
        const check = new LogCheck({ callSid: KEY });
        for (const entry of next.store.logs.get(KEY) ?? []) check.take(JSON.stringify(entry));
        expect(check.end()).toMatchObject({ status: "intact", findings: [] });
      }
      expect(again).toBeGreaterThan(0);
    });
  }

  test("gives up what it cannot go on with, and the row says that it is lost", async () => {
    const calls = scene();
    await ends(calls);
    const next = dies(calls);
    const stored = next.store.snapshots.get(KEY);
    const body = (stored?.body ?? "").replace('"value":"extracting"', '"value":"singing"');
    next.store.snapshots.set(KEY, { ...(stored as NonNullable<typeof stored>), body });
    await comesBack(next);
    expect(rowOf(next)).toMatchObject({
      extraction: { status: "failed", reason: "lost", nextAttemptAt: null },
      delivery: { status: "dead", reason: "lost" },
    });
    expect([next.postCalls.size, next.store.snapshots.size]).toEqual([0, 0]);
    expect(next.lines).toContainEqual(expect.objectContaining({ event: "restore.refused" }));
  });

  test("is no comfort where several share a database: what is open is given up, and the row says so", async () => {
    const calls = scene([], { followed: false });
    await ends(calls);
    calls.postCalls.stop();
    expect(rowOf(calls)).toMatchObject({
      extraction: { status: "failed", reason: "lost" },
      delivery: { status: "dead", reason: "lost" },
    });
    expect([calls.postCalls.size, calls.store.snapshots.size]).toEqual([0, 0]);
    expect(calls.lines).toContainEqual(expect.objectContaining({ event: "postcall.not_delivered" }));
  });

  test("in a new sandbox finds no call, and goes on with what follows those that were", async () => {
    const calls = scene();
    await ends(calls);
    await streaming(calls, "CA00000000000000000000000000000002");
    expect(calls.store.snapshots.size).toBe(2);
    const next = dies(calls);
    await forgetUnfinished(next.store);
    expect([...next.store.snapshots.keys()]).toEqual([KEY]);
    next.extractor.answers.push(FOUND);
    await comesBack(next);
    expect(rowOf(next)).toMatchObject({ extraction: { status: "done" }, delivery: { status: "delivered" } });
  });

  test("finds a call that ended while the engine before was stopping", async () => {
    const calls = scene();
    calls.postCalls.stop();
    await ends(calls);
    expect(calls.extractor.requests).toEqual([]);
    expect(rowOf(calls).extraction?.status).toBe("pending");
    const next = dies(calls);
    next.extractor.answers.push(FOUND);
    await comesBack(next);
    expect(rowOf(next)).toMatchObject({ extraction: { status: "done" }, delivery: { status: "delivered" } });
  });
});
