/** Calls that an engine left: another on the same store goes on with them, and nothing is done twice. */
import { afterEach, describe, expect, test } from "bun:test";
import type { ChainedEntry } from "../../../engine/platform/hash-chain.ts";
import { replay } from "../../../engine/audit/replay.ts";
import type { CallSession } from "../../../engine/call/call-session.ts";
import { closeLostCalls, findLostCalls } from "../../../engine/call/lost-calls.ts";
import { loadUnfinished, resumeUnfinished } from "../../../engine/call/restore.ts";
import type { DeploymentInput } from "../../../engine/config/deployment.ts";
import { answerPage } from "../../../engine/http/answer-page.ts";
import type { AuditEntry, CallRow, StoredSnapshot } from "../../../engine/ports.ts";
import { type Calls, escalate, handedOver, makeCalls, openStream, streaming } from "./calls-setup.ts";
import { CALL_SID, settle } from "./support.ts";

/** The engine stops as it is; what it held in memory is gone. Another one has its store and its carrier. */
function dies(calls: Calls, deployment: DeploymentInput = DEPLOYMENT): Calls {
  calls.supervisor.handOverAll();
  calls.followUps.handOver();
  calls.carrier.requests.length = 0;
  const { clock, store, carrier } = calls;
  return makeCalls({ clock, deployment, world: { store, carrier } });
}

const DEPLOYMENT = {
  escalation: {
    ackTimeoutMs: 30_000,
    rungs: [
      { name: "primary", contacts: [{ name: "nurse", voice: "+15550100" }] },
      { name: "secondary", contacts: [{ name: "Dr. Lee", voice: "+15550101", sms: "+15550101" }] },
    ],
  },
};

const back: Calls[] = [];

async function comesBack(next: Calls) {
  back.push(next);
  const { store, clock, log, supervisor, followUps, carrier, journal } = next;
  const tokens: Record<string, unknown> = {};
  const gateway = { resumeTokens: (callSid: string, used: unknown) => void (tokens[callSid] = used) };
  const found = await loadUnfinished({ store, clock, log, journal });
  const left = resumeUnfinished(found, { journal, supervisor, followUps, gateway, carrier, log });
  return { found, left, tokens };
}

/** Nobody could be reached, and the caller hangs up. */
async function leftUnmet(calls: Calls): Promise<void> {
  const { session } = await streaming(calls);
  session.deliver(escalate(null));
  for (let s = 0; s < 65; s++) {
    await settle();
    calls.clock.advance(1000);
  }
  session.deliver({ type: "caller.gone", reason: "left" });
  await settle();
}

/** 400 ms of it. */
const SPEECH = Buffer.alloc(3200, 7).toString("base64");

const names = (entries: readonly AuditEntry[] | undefined, kind: AuditEntry["kind"]): string[] =>
  (entries ?? []).filter((entry) => entry.kind === kind).map(({ name }) => name);

/** Whatever came before and after: it is one log, by which the machines do the same again. */
afterEach(() => {
  for (const { store } of back.splice(0)) {
    for (const log of store.logs.values()) {
      expect(replay(log as readonly ChainedEntry[])).toMatchObject({ divergence: null, why: null });
    }
  }
});

describe("a call that an engine left", () => {
  test("says that its speakers are not told apart all the time: forks do not come back by themselves", async () => {
    const deployment = { ...DEPLOYMENT, speakers: "forked" } as const;
    const calls = makeCalls({ deployment });
    await streaming(calls);
    expect(calls.supervisor.get(CALL_SID)?.row().speakers).toBe("forked");
    const next = dies(calls, deployment);
    await comesBack(next);
    await settle();
    const session = next.supervisor.get(CALL_SID);
    expect(session?.state).toBe("streaming");
    expect(session?.row().speakers).toBe("partly");
    // Nobody else is there: what is said is the caller's.
    const sink = next.model.sessions.at(-1)?.sink;
    sink?.speechStarted("item-1");
    sink?.speechStopped("item-1");
    sink?.userText({ itemId: "item-1", text: "Hello?" });
    expect(session?.row().protected.transcript.at(-1)).toMatchObject({ speaker: "caller", text: "Hello?" });
  });

  test("is left as it is where it is another engine's, also one that cannot be read", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    await streaming(calls);
    const { clock, log, store, journal } = dies(calls);
    const ours = store.rows.get(CALL_SID) as CallRow;
    const kept = store.snapshots.get(CALL_SID) as StoredSnapshot;
    const left = async (node: string, body: string | null) => {
      store.rows.set(CALL_SID, { ...ours, node });
      store.snapshots.set(CALL_SID, { ...kept, body });
      const isOurs = (row: CallRow) => row.node === "https://a.example.com";
      const found = await loadUnfinished({ store, clock, log, journal, isOurs });
      return [found.length, (await findLostCalls(store, isOurs)).length, store.snapshots.size];
    };
    expect(await left("https://b.example.com", kept.body)).toEqual([0, 0, 1]);
    expect(await left("https://b.example.com", null)).toEqual([0, 0, 1]);
    expect(await left("https://a.example.com", kept.body)).toEqual([1, 1, 1]);
    expect(await left("https://a.example.com", null)).toEqual([0, 1, 0]);
  });

  test("goes on where it was: the AI is told the conversation, and is heard when its leg is back", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    await streaming(calls);
    const next = dies(calls);
    const { found, left, tokens } = await comesBack(next);
    expect([found.length, left.length]).toEqual([1, 0]);
    expect(tokens).toEqual({ [CALL_SID]: { "ai-1": 1 } });
    const session = next.supervisor.get(CALL_SID);
    expect(session?.wantedAiLabel).toBe("ai-1");
    await settle();
    expect(next.carrier.requests.map(([operation]) => operation)).not.toContain("createParticipant");
    const stream = openStream(session as never, next.clock, "ai-1", "MZ2");
    expect(stream.taken).toBe(true);
    await settle();
    expect(session?.state).toBe("streaming");
    const log = next.store.logs.get(CALL_SID);
    expect(names(log, "note")).toContain("call.restored");
    expect((log ?? []).map(({ seq }) => seq)).toEqual((log ?? []).map((_, index) => index + 1));
  });

  for (const { how, gaps } of [
    { how: "was handed over has its whole cost", gaps: [] },
    {
      how: "an engine died with has its cost so far, and says that something may be missing",
      gaps: ["restart"],
    },
  ] as const) {
    test(`that ${how}`, async () => {
      const calls = makeCalls({ deployment: DEPLOYMENT });
      await streaming(calls);
      const usage = { inputTokens: 100, outputTokens: 50, cachedTokens: 0, cachedAudioTokens: 0 };
      calls.model.sessions[0]?.sink.responseDone({
        responseId: "r1",
        status: "completed",
        usage: { ...usage, inputAudioTokens: 90, outputAudioTokens: 40 },
      });
      calls.clock.advance(90_000);
      const { store } = calls;
      const written = { appendEvents: store.appendEvents, saveSnapshot: store.saveSnapshot };
      const lost = (): void => undefined;
      // Whoever dies writes nothing any more.
      if (gaps.length > 0) Object.assign(store, { appendEvents: lost, saveSnapshot: lost });
      const next = dies(calls);
      Object.assign(store, written);
      next.clock.advance(60_000);
      await comesBack(next);
      await settle();
      next.supervisor.get(CALL_SID)?.deliver({ type: "caller.gone", reason: "dial_ended" });
      await settle();
      for (const each of next.supervisor.all()) each.abandon();
      const { cost } = next.store.rows.get(CALL_SID) ?? {};
      expect(cost?.model.tokens).toMatchObject({ textInput: 10, audioInput: 90, audioOutput: 40 });
      expect(cost?.carrier.inbound.minutes).toBe(3);
      expect(cost?.gaps).toEqual(gaps);
    });
  }

  test("whose caller has left meanwhile ends with one row", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    await streaming(calls);
    const next = dies(calls);
    await next.carrier.updateCall(CALL_SID, { status: "completed" });
    await comesBack(next);
    await settle();
    expect(next.store.rows.get(CALL_SID)).toMatchObject({ state: "ended", endReason: "caller_hung_up" });
    expect(next.store.snapshots.size).toBe(0);
    expect(next.supervisor.size).toBe(0);
  });

  test("has those muted whom an operator had muted, and is asked once more for a mute that was not answered", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    const { session } = await handedOver(calls);
    const conference = session.row().conferenceSid ?? "";
    await calls.carrier.createParticipant({ conference, to: "", from: "", label: "human-1" });
    session.deliver({ type: "op.mute", label: "caller" });
    await settle();
    // The engine dies before the request is on its way.
    calls.carrier.updateParticipant = () => new Promise(() => undefined);
    session.deliver({ type: "op.mute", label: "human-1" });
    await settle();
    Reflect.deleteProperty(calls.carrier, "updateParticipant");
    const next = dies(calls);
    await comesBack(next);
    // What was on its way may still take effect: it is looked for before it is asked for again.
    for (let seconds = 0; seconds < 10; seconds++) {
      await settle();
      next.clock.advance(1000);
    }
    await settle();
    const legs = next.supervisor.get(CALL_SID)?.standing.context.legs;
    expect([legs?.["caller"]?.muted, legs?.["human-1"]?.muted]).toEqual([true, true]);
    const asked = next.carrier.requests.filter(([operation, of]) => {
      const { participant } = of as { readonly participant?: string };
      return operation === "updateParticipant" && participant !== undefined && !participant.startsWith("ai-");
    });
    expect(asked).toHaveLength(1);
  });

  test("rings nobody again, and goes to the next rung at the time that was set", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    const { session } = await streaming(calls);
    session.deliver(escalate(null));
    await settle();
    const openedAtMs = calls.clock.now();
    calls.clock.advance(10_000);
    const next = dies(calls);
    next.clock.advance(5000);
    await comesBack(next);
    const ring = next.supervisor.get(CALL_SID)?.legsUp();
    // No ring that is in doubt may be taken for it.
    const page = `${CALL_SID}/human-1`;
    expect(ring?.filter(({ callSid }) => next.journal.claims.isLegOf(page, callSid))).toMatchObject([
      { label: "human-1" },
    ]);
    await settle();
    const calledUp = () => next.carrier.requests.filter(([operation]) => operation === "createCall");
    expect(calledUp()).toEqual([]);
    next.clock.advance(openedAtMs + 30_000 - next.clock.now() - 1);
    await settle();
    expect(calledUp()).toEqual([]);
    next.clock.advance(1);
    await settle();
    expect(calledUp()).toHaveLength(1);
  });

  test("goes on at once with a deadline that passed while nobody was there", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    const { session } = await streaming(calls);
    session.deliver(escalate(null));
    await settle();
    const next = dies(calls);
    next.clock.advance(31_000);
    await comesBack(next);
    next.clock.advance(0);
    await settle();
    const phases = next.escalations.incidents(CALL_SID).map(({ rung }) => rung);
    expect(phases).toEqual([1]);
  });

  test("has its coach back muted, behind a closed gate, and through the whole order of safety", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    await handedOver(calls);
    const room = { conference: `af-${CALL_SID}`, to: "", from: "+15550100" };
    await calls.carrier.createParticipant({ ...room, label: "human-1" });
    const next = dies(calls);
    await comesBack(next);
    await settle();
    const [session] = next.model.sessions;
    expect(session?.instructions).not.toContain("COACH MODE");
    const patches = () =>
      next.carrier.requests.flatMap(([operation, , patch]) =>
        operation === "updateParticipant" ? [patch] : [],
      );
    expect(patches()).toEqual([]);
    const host = next.supervisor.get(CALL_SID) as CallSession;
    const stream = openStream(host, next.clock, "ai-1", "MZ2");
    // What it says before the order is through is heard by nobody.
    session?.sink.responseStarted("r1");
    session?.sink.audio({ responseId: "r1", itemId: "i1", contentIndex: 0, base64: SPEECH });
    await settle();
    expect(patches()).toMatchObject([{ muted: true }, { coaching: true }, { muted: false }]);
    expect(session?.instructions).toContain("COACH MODE");
    expect(host.state).toBe("coaching");
    next.clock.advance(200);
    expect(stream.socket.playedBytes()).toBe(0);
    session?.sink.responseStarted("r2");
    session?.sink.audio({ responseId: "r2", itemId: "i2", contentIndex: 0, base64: SPEECH });
    next.clock.advance(200);
    expect(stream.socket.playedBytes()).toBeGreaterThan(0);
  });

  test("tells the model what is so, for tools whose results it never saw", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    const { session } = await streaming(calls);
    calls.model.sessions[0]?.sink.userText({ itemId: "u1", text: "I need a nurse." });
    session.deliver({ type: "tool.escalate", toolCallId: "t1", reason: "pain", urgency: "high" });
    await settle();
    const next = dies(calls);
    const { found } = await comesBack(next);
    const { history } = next.model.sessions[0]?.config ?? { history: [] };
    expect(history.at(-1)).toMatchObject({
      role: "system",
      text: expect.stringContaining("do not ask again"),
    });
    expect(found[0]?.saved).toMatchObject({ voice: { transcript: [{ text: "I need a nurse." }] } });
    // Asked once more by a model that does not know it, it is told so.
    const again = next.supervisor.get(CALL_SID);
    again?.deliver({ type: "tool.escalate", toolCallId: "t2", reason: "pain", urgency: "high" });
    await settle();
    expect(next.escalations.incidents(CALL_SID)).toHaveLength(1);
  });

  test("is followed up by the next engine when its caller had left before", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    await leftUnmet(calls);
    expect(calls.followUps.size).toBe(1);
    const next = dies(calls);
    await comesBack(next);
    await settle();
    expect([next.supervisor.size, next.followUps.size]).toEqual([0, 1]);
    const text = next.escalations.pagesTo("+15550101").at(-1);
    expect(text).toMatchObject({ callSid: CALL_SID, label: expect.stringMatching(/^sms-/) });
    next.clock.advance(600_000);
    await settle();
    const asked = next.carrier.requests.filter(([operation]) => operation === "createCall");
    expect(asked).toHaveLength(1);
    next.escalations.deliver(CALL_SID, { type: "op.hangup" });
    await settle();
    expect(next.followUps.size).toBe(0);
    expect(next.store.snapshots.size).toBe(0);
    expect(names(next.store.logs.get(CALL_SID), "note")).toContain("log.closed");
  });

  test("is said to have nobody who is sought for it when what followed it cannot be taken up", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    await leftUnmet(calls);
    expect(calls.followUps.size).toBe(1);
    const next = dies(calls);
    next.store.logs.delete(CALL_SID);
    expect((await comesBack(next)).found).toEqual([]);
    const row = await next.store.getCall(CALL_SID);
    expect(row).toMatchObject({ endReason: "caller_hung_up", escalation: { outcome: "exhausted" } });
    expect(row?.escalations.flatMap(({ pages }) => pages.map(({ result }) => result))).not.toContain(null);
    expect(next.lines.at(-1)).toMatchObject({ event: "lost_call.unanswered", level: "error" });
  });

  test("has its caller told, and somebody sought on, when it cannot be gone on with after all", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    const { session } = await streaming(calls);
    session.deliver(escalate(null));
    await settle();
    const next = dies(calls);
    next.escalations.resume = () => {
      throw new Error("broken");
    };
    const { left } = await comesBack(next);
    await settle();
    expect([left.length, next.supervisor.size, next.followUps.size]).toEqual([1, 0, 1]);
    const rows = left.map(({ row }) => row);
    await closeLostCalls(rows, { ...next, apology: "Sorry." });
    const told = next.carrier.requests.filter(([, callSid]) => callSid === CALL_SID);
    expect(told).toEqual([["updateCall", CALL_SID, { twiml: expect.stringContaining("Sorry.") }]]);
    expect(await next.store.getCall(CALL_SID)).toMatchObject({
      state: "ended",
      endReason: "engine_lost",
      escalations: [{ outcome: "call_lost" }],
    });
    next.followUps.stop();
    expect(names(next.store.logs.get(CALL_SID), "note").filter((name) => name === "log.closed")).toHaveLength(
      1,
    );
  });

  test("is taken by the text of a call that two engines before had, before anybody was paged for it", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    await leftUnmet(calls);
    const next = dies(calls);
    await comesBack(next);
    await settle();
    const last = dies(next);
    await comesBack(last);
    await settle();
    const { label = "", standing } = last.escalations.pagesTo("+15550101").at(-1) ?? {};
    expect(standing).toBe("open");
    const answer = { callSid: CALL_SID, label, answer: "acknowledged" } as const;
    expect(answerPage(last.escalations, answer)).toMatchObject({ standing: "yours", followUp: true });
    await settle();
    expect(last.followUps.size).toBe(0);
    expect(last.store.rows.get(CALL_SID)?.escalations.at(-1)).toMatchObject({
      outcome: "owned",
      owner: { contact: "Dr. Lee", channel: "sms" },
    });
  });

  test("is not taken up when its log is closed, and its snapshot goes", async () => {
    const calls = makeCalls({ deployment: DEPLOYMENT });
    await streaming(calls);
    const next = dies(calls);
    next.store.logs.delete(CALL_SID);
    const { found } = await comesBack(next);
    expect(found).toEqual([]);
    expect(next.store.snapshots.size).toBe(0);
    expect(next.lines.at(-1)).toMatchObject({ event: "restore.refused", callSid: CALL_SID });
  });
});
