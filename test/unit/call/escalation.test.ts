/** A call that calls people: what its ladders ask for is done, noted, told and kept, and goes on after it. */
import { describe, expect, test } from "bun:test";
import { enqueueActions } from "xstate";
import { Recorder } from "../../../engine/call/recorder.ts";
import { ladderPolicyOf } from "../../../engine/config/ladder-policy.ts";
import type { DeploymentInput } from "../../../engine/config/deployment.ts";
import { PushError } from "../../../engine/errors.ts";
import type { CreateCall, SendMessage } from "../../../engine/ports.ts";
import { incidentMachine } from "../../../machines/incident.machine.ts";
import {
  accepts,
  CALLER,
  type Calls,
  handedOver,
  joins,
  legSid,
  makeCalls,
  streaming,
} from "./calls-setup.ts";
import { incidentOf } from "./incidents.ts";
import { CALL_SID, deploymentOf, settle } from "./support.ts";

const NURSE = "+15550100";
const DOCTOR = "+15550101";
const HOOK = "https://push.example/secret-hook";
const WINDOW_MS = 60_000;
const PAUSE_MS = 600_000;

const LADDER: DeploymentInput = {
  escalation: {
    ackTimeoutMs: WINDOW_MS,
    ringTimeoutMs: 20_000,
    againAfterMs: PAUSE_MS,
    rungs: [
      { name: "primary", contacts: [{ name: "nurse", voice: NURSE, sms: NURSE, push: HOOK }] },
      { name: "secondary", contacts: [{ name: "Dr. Lee", sms: DOCTOR }] },
    ],
  },
};

/** The AI has asked for a person: the first rung is paged. */
async function paging(calls: Calls) {
  const scene = await streaming(calls);
  calls.carrier.requests.length = 0;
  scene.session.deliver({
    type: "tool.escalate",
    toolCallId: "t1",
    reason: "chest pain",
    urgency: "high",
  });
  await settle();
  return scene;
}

/** Nobody answers, and both windows close. */
async function inVain(calls: Calls) {
  const scene = await paging(calls);
  await wait(calls, WINDOW_MS);
  await wait(calls, WINDOW_MS);
  return scene;
}

/** A little at a time, so that what is asked for meanwhile is answered. */
async function wait({ clock }: Calls, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10_000) {
    clock.advance(Math.min(10_000, ms - passed));
    await settle();
  }
}

const called = ({ carrier }: Calls): string[] =>
  carrier.requests.flatMap(([operation, input]) =>
    operation === "createCall" ? [(input as CreateCall).to] : [],
  );
const texts = ({ carrier }: Calls): SendMessage[] =>
  carrier.requests.flatMap(([operation, input]) =>
    operation === "sendMessage" ? [input as SendMessage] : [],
  );
const hungUp = ({ carrier }: Calls): unknown[] =>
  carrier.requests.flatMap(([operation, callSid, patch]) =>
    operation === "updateCall" && Bun.deepEquals(patch, { status: "completed" }) ? [callSid] : [],
  );
const log = ({ store }: Calls) => store.logs.get(CALL_SID) ?? [];
const incidentEntries = (calls: Calls) => log(calls).filter((entry) => entry.name === "incident");
const row = ({ store }: Calls) => store.rows.get(CALL_SID);

describe("a rung", () => {
  test("is paged by all channels of its contacts at once", async () => {
    const calls = makeCalls({ deployment: LADDER });
    await paging(calls);
    expect(called(calls)).toEqual([NURSE]);
    expect(texts(calls).map((text) => text.to)).toEqual([NURSE]);
    expect(calls.pushes.sent.map((push) => push.url)).toEqual([HOOK]);
  });

  test("that does not answer in its window is hung up, and the next one is paged", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await paging(calls);
    await wait(calls, WINDOW_MS);
    expect(hungUp(calls)).toContain(legSid(calls));
    expect(texts(calls).at(-1)?.to).toBe(DOCTOR);
    expect(session.row().escalation).toMatchObject({
      outcome: null,
      rungsReached: ["primary", "secondary"],
    });
  });
});

describe("the log of a call", () => {
  test("has the effects and results of its ladders and pages, and no number, URL or reason", async () => {
    const calls = makeCalls({ deployment: LADDER });
    calls.pushes.failNext(new PushError("the push receiver answered 410", { status: 410, retryable: false }));
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const effects = log(calls).filter(({ kind, name }) => kind === "effect" && /^(page|ladder)\./.test(name));
    expect(new Set(effects.map(({ name }) => name))).toEqual(
      new Set(["page.call", "page.sms", "page.push", "page.hangUp", "ladder.tellPaged", "ladder.tellCaller"]),
    );
    const ids = effects.map(({ data }) => data["id"]);
    expect(new Set(ids).size).toBe(ids.length);
    const results = log(calls).filter(({ kind }) => kind === "result");
    for (const id of ids) expect(results.map(({ data }) => data["id"])).toContain(id);
    expect(results.find(({ data }) => data["name"] === "page.push")).toMatchObject({
      name: "effect.failed",
      data: { status: 410 },
    });
    for (const text of [JSON.stringify(log(calls)), JSON.stringify(calls.lines)]) {
      for (const personal of [NURSE, DOCTOR, CALLER, HOOK, "chest pain"])
        expect(text).not.toContain(personal);
    }
  });

  test("has each change of an incident, with the pages that changed", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await paging(calls);
    await accepts(calls, session);
    const entries = incidentEntries(calls);
    expect(entries.every(({ kind }) => kind === "state")).toBe(true);
    expect(entries[0]?.data).toMatchObject({ number: 1, phase: "paging", walk: 1, rung: 0, owner: null });
    expect(entries.map(({ data }) => data["phase"])).toContain("joining");
    expect(entries.at(-1)?.data["owner"]).toEqual({ contact: "nurse", rung: "primary", channel: "voice" });
    const results = entries.flatMap(({ data }) =>
      (data["pages"] as { label: string; result: unknown }[]).map((page) => [page.label, page.result]),
    );
    expect(results).toContainEqual(["human-1", null]);
    expect(results).toContainEqual(["human-1", "acknowledged"]);
    const told = calls.feed.flatMap((message) => (message.type === "incident" ? [message.incident] : []));
    expect(told).toEqual(entries.map(({ data }) => data) as never);
  });
});

describe("an owner", () => {
  test("is in the row with the way there, and counts in the metrics", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await paging(calls);
    await wait(calls, 10_000);
    await joins(calls, session);
    expect(session.state).toBe("coaching");
    expect(session.row()).toMatchObject({
      escalated: true,
      escalation: {
        by: "ai",
        urgency: "high",
        outcome: "owned",
        timeToAckMs: 10_000,
        owner: { contact: "nurse", rung: "primary", channel: "voice" },
        pages: [
          { label: "human-1", channel: "voice", result: "acknowledged" },
          { label: "sms-2", channel: "sms", result: "cancelled" },
          { label: "push-3", channel: "push", result: "cancelled" },
        ],
      },
    });
    const { escalationMetrics } = calls;
    expect(escalationMetrics.acks).toEqual({ primary: 1 });
    expect(escalationMetrics.outcomes).toEqual({ owned: 1 });
    expect(escalationMetrics.pages).toContainEqual({ channel: "voice", result: "acknowledged", count: 1 });
    expect(escalationMetrics.timeToAck).toMatchObject({ count: 1, sumMs: 10_000 });
  });

  test("by text is rung, and a code tells their incident", async () => {
    const calls = makeCalls({ deployment: LADDER });
    await paging(calls);
    const [page] = calls.escalations.pagesTo(NURSE);
    expect(page).toMatchObject({ callSid: CALL_SID, label: "sms-2", incident: 1, standing: "open" });
    expect(texts(calls)[0]?.body).toContain(page?.code ?? "no code");
    calls.escalations.deliver(CALL_SID, { type: "page.acknowledged", label: "sms-2" });
    await settle();
    expect(calls.escalations.page(CALL_SID, "sms-2")).toMatchObject({ standing: "yours", rings: true });
    // Their phone rings already.
    expect(called(calls)).toEqual([NURSE]);
  });
});

describe("a page that nobody wants any more", () => {
  test("is not sent again, whatever was on its way", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const signals: (AbortSignal | undefined)[] = [];
    Object.assign(calls.pushes, {
      send: (_push: unknown, signal?: AbortSignal) => {
        signals.push(signal);
        return new Promise(() => undefined);
      },
    });
    const { session } = await paging(calls);
    expect(signals[0]?.aborted).toBe(false);
    await accepts(calls, session);
    expect(signals[0]?.aborted).toBe(true);
  });

  test("is hung up when its call fails, and when its making is answered after the end", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const answers: ((info: { callSid: string; status: "queued" }) => void)[] = [];
    const ready = calls.carrier.createCall.bind(calls.carrier);
    Object.assign(calls.carrier, { createCall: () => new Promise((resolve) => answers.push(resolve)) });
    const { session } = await paging(calls);
    session.abandon();
    answers[0]?.({ callSid: "CA77", status: "queued" });
    await settle();
    expect(hungUp(calls)).toEqual(["CA77"]);
    Object.assign(calls.carrier, { createCall: ready });
  });
});

describe("when nobody could be reached", () => {
  test("the caller is told by text, and somebody is sought on after they have left, until it is taken", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    expect(texts(calls).map((text) => text.to)).toContain(CALLER);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    expect(session.ended).toBe(true);
    expect(calls.followUps.size).toBe(1);
    expect(row(calls)).toMatchObject({ state: "ended", escalation: { outcome: "exhausted", owner: null } });
    const before = log(calls).length;
    calls.carrier.requests.length = 0;
    await wait(calls, PAUSE_MS);
    expect(called(calls)).toEqual([NURSE]);
    const [page] = calls.escalations.pagesTo(NURSE);
    expect(page).toMatchObject({ callSid: CALL_SID, incident: 2, standing: "open" });
    const label = page?.label ?? "";
    expect(calls.escalations.page(CALL_SID, label)).toMatchObject({ followUp: true, rings: false });
    expect(calls.escalations.deliver(CALL_SID, { type: "page.acknowledged", label })).toBe(true);
    await settle();
    await wait(calls, 60_000);
    expect(calls.followUps.size).toBe(0);
    expect(calls.clock.pendingTimers).toBe(0);
    expect(row(calls)).toMatchObject({
      state: "ended",
      endReason: "caller_hung_up",
      escalations: [{ outcome: "exhausted" }, { outcome: "owned", owner: { contact: "nurse" } }],
      escalation: { number: 2, by: "ai", urgency: "high", owner: { contact: "nurse", channel: "sms" } },
    });
    const seqs = log(calls).map((entry) => entry.seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    expect(seqs.length).toBeGreaterThan(before);
    expect(log(calls).at(-1)).toMatchObject({ kind: "note", name: "follow_up.ended", data: { owned: true } });
    const labels = row(calls)?.escalations.flatMap((each) => each.pages.map((one) => one.label)) ?? [];
    expect(new Set(labels).size).toBe(labels.length);
    // Late, and politely: who has it, and for them the number to call.
    expect(calls.escalations.page(CALL_SID, label)).toMatchObject({
      standing: "yours",
      callerNumber: CALLER,
    });
  });

  test("and the engine stops, it says whom it leaves without an answer, and no phone rings on", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    await wait(calls, PAUSE_MS);
    const [page] = calls.escalations.pagesTo(NURSE);
    calls.carrier.requests.length = 0;
    calls.followUps.stop();
    await settle();
    expect(hungUp(calls)).toHaveLength(1);
    expect(calls.followUps.size).toBe(0);
    expect(calls.clock.pendingTimers).toBe(0);
    expect(log(calls).at(-1)).toMatchObject({ kind: "note", name: "follow_up.stopped" });
    expect(calls.lines.some((line) => line.event === "follow_up.stopped" && line.level === "warn")).toBe(
      true,
    );
    expect(calls.escalations.page(CALL_SID, page?.label ?? "")).toMatchObject({ standing: "over" });
    const late = calls.escalations.deliver(CALL_SID, { type: "page.acknowledged", label: page?.label ?? "" });
    expect(late).toBe(false);
  });

  test("nobody is sought any more once the engine has stopped, and the log says so", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    calls.followUps.stop();
    session.abandon();
    await settle();
    expect(calls.followUps.size).toBe(0);
    expect(calls.followUps.counters).toEqual({ followUps: 0, followUpsRefused: 1 });
    expect(log(calls).at(-1)).toMatchObject({ name: "follow_up.refused", data: { stopped: true } });
    expect(calls.lines.some((line) => line.event === "follow_up.refused")).toBe(true);
  });

  test("so many are followed up at once and no more", async () => {
    const { followUps, escalations, store, clock } = makeCalls({ deployment: LADDER });
    const begun = Array.from({ length: 1001 }, (_, n) => {
      const callSid = `CA${n}`;
      const incidents = [incidentOf([], { phase: "over", outcome: "exhausted" })];
      escalations.update(callSid, CALLER, incidents);
      const policy = ladderPolicyOf(deploymentOf(LADDER));
      const recorder = new Recorder(callSid, clock, store);
      const row = (): never => ({ callSid }) as never;
      return followUps.begin({ callSid, from: CALLER, policy, incidents, recorder, row });
    });
    expect(begun.filter(Boolean)).toHaveLength(1000);
    expect(followUps.size).toBe(1000);
    expect(followUps.counters.followUpsRefused).toBe(1);
    followUps.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test("the row has the reason of each escalation in its protected part alone", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const { protected: personal, ...open } = row(calls) ?? { protected: null };
    expect(personal?.escalationReason).toBe("chest pain");
    expect(JSON.stringify(open)).not.toContain("chest pain");
  });
});

describe("a follow-up", () => {
  test("is not begun for an incident that somebody owns, or that was called off", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await handedOver(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const other = makeCalls({ deployment: LADDER });
    const scene = await paging(other);
    scene.session.deliver({ type: "op.restore" });
    await settle();
    scene.session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    expect(session.ended && scene.session.ended).toBe(true);
    expect([calls.followUps.size, other.followUps.size]).toEqual([0, 0]);
    expect(other.escalations.page(CALL_SID, "sms-2")?.standing).toBe("over");
  });

  test("goes on when the carrier refuses a page, and hears of phones that were rung in doubt", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    calls.carrier.failNext("createCall", { status: 502, retryable: true, ambiguous: true });
    calls.carrier.failNext("sendMessage", { status: 500 });
    calls.carrier.requests.length = 0;
    await wait(calls, PAUSE_MS);
    const rung = calls.escalations
      .incidents(CALL_SID)
      .at(-1)
      ?.pages.find((each) => each.channel === "voice");
    const label = rung?.label ?? "";
    calls.escalations.deliver(CALL_SID, {
      type: "leg.status",
      label,
      callSid: "CA55",
      status: "in-progress",
    });
    calls.escalations.deliver(CALL_SID, { type: "human.answered", label, answer: "accepted" });
    await settle();
    expect(calls.escalations.page(CALL_SID, label)).toMatchObject({
      standing: "yours",
      callerNumber: CALLER,
    });
    expect(calls.escalations.legWanted(CALL_SID, label)).toBe(false);
    await wait(calls, 120_000);
    expect(calls.followUps.size).toBe(0);
  });

  test("whose actor fails hangs up its phones, and says that nobody has taken it", async () => {
    const actions = incidentMachine.implementations.actions as Record<string, unknown>;
    const { forward } = actions;
    /** Nothing of ours throws in there: the test has to put in something that does. */
    actions["forward"] = enqueueActions(({ event, enqueue }) => {
      if (event.type === "page.declined") throw new Error("broken action");
      (enqueue as (action: unknown) => void)(forward);
    });
    const calls = makeCalls({ deployment: LADDER });
    actions["forward"] = forward;
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    await wait(calls, PAUSE_MS);
    calls.carrier.requests.length = 0;
    const label = calls.escalations.pagesTo(NURSE)[0]?.label ?? "";
    calls.escalations.deliver(CALL_SID, { type: "page.declined", label });
    await settle();
    expect(hungUp(calls)).toHaveLength(1);
    expect(calls.followUps.size).toBe(0);
    expect(calls.clock.pendingTimers).toBe(0);
    expect(log(calls).at(-1)).toMatchObject({ name: "follow_up.failed", data: { owned: false } });
    expect(calls.lines.find((line) => line.event === "follow_up.actor_failed")).toMatchObject({
      level: "error",
      callSid: CALL_SID,
      error: "broken action",
    });
    expect(calls.escalations.page(CALL_SID, label)?.standing).toBe("over");
  });
});
