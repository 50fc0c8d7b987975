/** What goes on when nobody could be reached and the caller has left. */
import { describe, expect, test } from "bun:test";
import { enqueueActions } from "xstate";
import { Recorder } from "../../../engine/call/recorder.ts";
import { ladderPolicyOf } from "../../../engine/config/ladder-policy.ts";
import { incidentMachine } from "../../../machines/incident.machine.ts";
import { answerPage } from "../../../engine/http/answer-page.ts";
import { CALLER, type Calls, handedOver, makeCalls, streaming } from "./calls-setup.ts";
import { incidentOf } from "./incidents.ts";
import {
  DOCTOR,
  NURSE,
  PAUSE_MS,
  LADDER,
  paging,
  inVain,
  wait,
  called,
  texts,
  hungUp,
  log,
  row,
} from "./ladder-setup.ts";
import { CALL_SID, deploymentOf, settle } from "./support.ts";

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
    expect(log(calls).at(-2)).toMatchObject({ kind: "note", name: "follow_up.ended", data: { owned: true } });
    const labels = row(calls)?.escalations.flatMap((each) => each.pages.map((one) => one.label)) ?? [];
    expect(new Set(labels).size).toBe(labels.length);
    // Late, and politely: who has it, and for them the number to call.
    expect(calls.escalations.page(CALL_SID, label)).toMatchObject({
      standing: "yours",
      callerNumber: CALLER,
    });
  });

  test("somebody is sought on also when the one who had taken it was not there before the caller left", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    const [text] = calls.escalations.pagesTo(NURSE);
    const label = text?.label ?? "";
    calls.escalations.deliver(CALL_SID, { type: "page.acknowledged", label });
    await settle();
    expect(session.row()).toMatchObject({ escalation: { owner: { contact: "nurse" } } });
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    await wait(calls, 60_000);
    expect(session.ended).toBe(true);
    // Their yes was for the call; what follows is for everybody to take, and for them by the same text.
    expect(calls.escalations.page(CALL_SID, label)).toMatchObject({ standing: "open", followUp: true });
    expect(calls.followUps.size).toBe(1);
    calls.carrier.requests.length = 0;
    await wait(calls, PAUSE_MS);
    expect(called(calls)).toEqual([NURSE]);
    calls.followUps.stop();
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
    expect(log(calls).at(-2)).toMatchObject({ kind: "note", name: "follow_up.stopped" });
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
    expect(log(calls).at(-2)).toMatchObject({ name: "follow_up.refused", data: { stopped: true } });
    expect(calls.lines.some((line) => line.event === "follow_up.refused")).toBe(true);
  });

  test("so many are followed up at once and no more", async () => {
    const { followUps, escalations, store, clock, journal } = makeCalls({ deployment: LADDER });
    const begun = Array.from({ length: 1001 }, (_, n) => {
      const callSid = `CA${n}`;
      const incidents = [incidentOf([], { phase: "over", outcome: "exhausted" })];
      const policy = ladderPolicyOf(deploymentOf(LADDER));
      escalations.update(callSid, { from: CALLER, policy }, incidents);
      const recorder = new Recorder(callSid, clock, store);
      const row = (): never => ({ callSid }) as never;
      const start = { callSid, from: CALLER, to: "+15550123", conferenceName: `af-${callSid}` };
      const writes = { recorder, journal: journal.of(callSid) };
      return followUps.begin({ start, policy, incidents, ...writes, row });
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
    expect(log(calls).at(-2)).toMatchObject({ name: "follow_up.failed", data: { owned: false } });
    expect(calls.lines.find((line) => line.event === "follow_up.actor_failed")).toMatchObject({
      level: "error",
      callSid: CALL_SID,
      error: "broken action",
    });
    expect(calls.escalations.page(CALL_SID, label)?.standing).toBe("over");
  });
});

describe("when a call is lost while somebody is sought", () => {
  test("whoever was asked is told so, and is asked at once to call the caller back", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await paging(calls);
    const [lost] = calls.escalations.pagesTo(NURSE);
    calls.carrier.requests.length = 0;
    session.deliver({ type: "model.failed", code: "server_error", message: "the speech model failed" });
    await settle();
    expect(texts(calls).map(({ body }) => body)).toEqual([`TANDEM: the call was cut off (${lost?.code}).`]);
    expect(calls.followUps.size).toBe(0);
    session.deliver({ type: "caller.gone", reason: "farewell" });
    await settle();
    await wait(calls, 60_000);
    expect(session.ended).toBe(true);
    expect(row(calls)?.escalations[0]).toMatchObject({ outcome: "call_lost", owner: null });
    expect(called(calls)).toContain(NURSE);
    const [page] = calls.escalations.pagesTo(NURSE);
    expect(page).toMatchObject({ incident: 2, standing: "open" });
    expect(calls.escalations.incidents(CALL_SID).at(-1)).toMatchObject({ outcome: "call_lost", owner: null });
    expect(calls.escalations.page(CALL_SID, lost?.label ?? "")?.label).toBe(page?.label ?? "");
    calls.escalations.deliver(CALL_SID, { type: "page.acknowledged", label: page?.label ?? "" });
    await settle();
    await wait(calls, 60_000);
    expect(row(calls)?.escalations.map(({ outcome }) => outcome)).toEqual(["call_lost", "owned"]);
    expect(calls.followUps.size).toBe(0);
  });
});

describe("an answer to a text of the call that is over", () => {
  const yes = ({ escalations }: Calls, label: string) =>
    answerPage(escalations, { callSid: CALL_SID, label, answer: "acknowledged" });

  test("takes the follow-up while nobody is paged for it, and nobody is paged any more", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    const [text] = calls.escalations.pagesTo(DOCTOR);
    calls.carrier.requests.length = 0;
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const wanted = `TANDEM: the caller has hung up, and is to be called back. Reply 1 ${text?.code} to take it.`;
    expect(texts(calls).map(({ body }) => body)).toEqual([wanted, wanted]);
    expect(calls.escalations.pagesTo(DOCTOR)).toMatchObject([{ code: text?.code, standing: "open" }]);
    expect(yes(calls, text?.label ?? "")).toMatchObject({
      standing: "yours",
      incident: 2,
      followUp: true,
      rings: false,
      callerNumber: CALLER,
    });
    await settle();
    await wait(calls, PAUSE_MS);
    expect(called(calls)).toEqual([]);
    expect(calls.followUps.size).toBe(0);
    expect(row(calls)?.escalations.at(-1)).toMatchObject({
      outcome: "owned",
      owner: { contact: "Dr. Lee", rung: "secondary", channel: "sms" },
      pages: [],
    });
    // It stays so for whoever looks again, and for everybody else.
    expect(calls.escalations.page(CALL_SID, text?.label ?? "")).toMatchObject({ standing: "yours" });
    expect(calls.escalations.pagesTo(NURSE)[0]).toMatchObject({ incident: 2, standing: "taken" });
  });

  test("is one to the text of the follow-up, where that has gone out", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    const [before] = calls.escalations.pagesTo(NURSE);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    await wait(calls, PAUSE_MS);
    const [newest] = calls.escalations.pagesTo(NURSE);
    expect(newest?.label).not.toBe(before?.label);
    expect(yes(calls, before?.label ?? "")).toMatchObject({ standing: "yours", label: newest?.label });
    await settle();
    await wait(calls, 60_000);
    expect(row(calls)?.escalations.at(-1)?.owner).toMatchObject({ contact: "nurse", channel: "sms" });
  });

  test("takes nothing of it by a key, nor for somebody whom the ladder does not have", async () => {
    const calls = makeCalls({ deployment: LADDER });
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const key = { type: "human.answered", label: "human-1", answer: "accepted" } as const;
    calls.escalations.deliver(CALL_SID, key);
    expect(calls.escalations.page(CALL_SID, "human-1")).toMatchObject({ standing: "over", unmet: true });
    expect(calls.followUps.size).toBe(1);
    calls.followUps.stop();
    const chosen = makeCalls({ deployment: LADDER });
    const scene = await streaming(chosen);
    const to = { to: DOCTOR, reason: null, urgency: "normal" } as const;
    scene.session.deliver({ type: "op.escalate", ...to });
    await settle();
    scene.session.deliver({ type: "model.failed", code: "server_error", message: "failed" });
    scene.session.deliver({ type: "caller.gone", reason: "farewell" });
    await settle();
    await wait(chosen, 60_000);
    expect(chosen.followUps.size).toBe(1);
    expect(yes(chosen, "human-1")).toMatchObject({ standing: "over", unmet: true });
    chosen.followUps.stop();
  });
});
