/** The life of one call, from its first webhook to its row. */
import { describe, expect, test } from "bun:test";
import {
  CALLER,
  beginCall,
  callerJoins,
  escalate,
  handedOver,
  joined,
  joins,
  makeCalls,
  openStream,
  streaming,
} from "./calls-setup.ts";
import { CALL_SID, settle, START_MS } from "./support.ts";

const OTHER_SID = "CA00000000000000000000000000000002";

describe("a call that begins", () => {
  test("has a row, a log and a place in the index before anything else happens", () => {
    const calls = makeCalls();
    const session = beginCall(calls);
    expect(session.state).toBe("arriving");
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({
      state: "arriving",
      conferenceName: `af-${CALL_SID}`,
      provider: "sandbox",
      agent: "after-hours",
      protected: { from: CALLER, to: "+15550123" },
    });
    expect(calls.store.logs.get(CALL_SID)?.[0]).toMatchObject({ seq: 1, name: "call.begun" });
    expect(calls.index.getSnapshot().context.calls[CALL_SID]).toMatchObject({
      state: "arriving",
      startedAtMs: START_MS,
    });
  });

  test("connects the model at once and adds the AI only when the caller is there", async () => {
    const calls = makeCalls({ deployment: { agent: { instructions: "Be kind.", voice: "cedar" } } });
    const session = beginCall(calls);
    expect(calls.model.sessions[0]?.config).toMatchObject({
      callId: CALL_SID,
      instructions: "Be kind.",
      voice: "cedar",
      history: [],
    });
    await settle();
    expect(calls.carrier.requests).toEqual([]);
    await callerJoins(calls, session);
    expect(calls.carrier.requests.map(([operation]) => operation)).toEqual(["createParticipant"]);
    expect(session.state).toBe("arriving");
  });

  test("streams once the AI can hear and speak, and the AI greets the caller once", async () => {
    const calls = makeCalls({ deployment: { agent: { greeting: "Hello, caller." } } });
    const { session, stream } = await streaming(calls);
    expect(session.state).toBe("streaming");
    expect(session.row().answeredAt).not.toBeNull();
    stream.close();
    openStream(session, calls.clock, "ai-1", "MZ2");
    await settle();
    expect(session.state).toBe("streaming");
    const greetings = calls.model.sessions[0]?.told.filter((text) => text.includes("Hello, caller."));
    expect(greetings).toHaveLength(1);
  });
});

describe("a call that goes on", () => {
  test("tells the feed each state with the one before, and each effect with its outcome", async () => {
    const calls = makeCalls();
    await streaming(calls);
    const states = calls.feed.flatMap((message) =>
      message.type === "state" ? [[message.from, message.state]] : [],
    );
    expect(states[0]).toEqual([null, "arriving"]);
    expect(states.at(-1)).toEqual(["arriving", "streaming"]);
    const added = calls.feed.flatMap((message) =>
      message.type === "effect" && message.name === "carrier.addAi" ? [message.outcome] : [],
    );
    expect(added).toEqual(["started", "done"]);
    expect(calls.feed.every((message) => message.callSid === CALL_SID)).toBe(true);
  });

  test("logs every event, state, effect and result in order, and quotes nobody", async () => {
    const calls = makeCalls();
    const { session } = await handedOver(calls);
    session.deliver({ type: "op.hangup" });
    await settle();
    const log = calls.store.logs.get(CALL_SID) ?? [];
    expect(log.map((entry) => entry.seq)).toEqual(log.map((_, i) => i + 1));
    const kinds = (name: string) => log.filter((entry) => entry.name === name).map((entry) => entry.kind);
    expect(kinds("participant.joined")).toEqual(["event", "event"]);
    expect(kinds("carrier.addAi")).toEqual(["effect"]);
    expect(kinds("effect.done").filter((kind) => kind === "result").length).toBeGreaterThan(3);
    expect(log.at(-2)).toMatchObject({
      kind: "note",
      name: "call.ended",
      data: { endReason: "operator_ended" },
    });
    const text = JSON.stringify(log);
    for (const personal of [CALLER, "+15550100", "chest pain"]) expect(text).not.toContain(personal);
  });

  test("keeps names, numbers and reasons out of its log lines", async () => {
    const calls = makeCalls();
    const { session } = await handedOver(calls);
    session.deliver({ type: "op.hangup" });
    await settle();
    const text = JSON.stringify(calls.lines);
    for (const personal of [CALLER, "+15550100", "chest pain"]) expect(text).not.toContain(personal);
    expect(calls.lines.filter((line) => line.event === "call.state").map((line) => line["state"])).toEqual([
      "arriving",
      "streaming",
      "escalating",
      "coaching",
      "wrapUp",
      "ended",
    ]);
  });

  test("saves its row at each state, with what it knows by then", async () => {
    const calls = makeCalls();
    await streaming(calls);
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({
      state: "streaming",
      conferenceSid: calls.carrier.participants[0]?.conferenceSid as string,
      endedAt: null,
    });
  });

  test("knows its legs by their call sids", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    const ai = calls.carrier.participants.find((each) => each.label === "ai-1")?.callSid ?? "";
    expect([CALL_SID, ai, OTHER_SID].map((sid) => session.labelOf(sid))).toEqual(["caller", "ai-1", null]);
  });

  test("accepts the commands that do something in its state, and no other", async () => {
    const calls = makeCalls();
    const commands = ["op.coach", "op.remove", "op.restore", "op.hold", "op.resume", "op.hangup"] as const;
    const accepted = (session: { accepts(event: { type: (typeof commands)[number] }): boolean }) =>
      commands.filter((type) => session.accepts({ type }));
    const { session } = await streaming(calls);
    expect(accepted(session)).toEqual(["op.hangup"]);
    expect(session.accepts(escalate())).toBe(true);
    session.deliver(escalate());
    await settle();
    expect(accepted(session)).toEqual(["op.restore", "op.hangup"]);
    expect(session.accepts(escalate())).toBe(false);
    await joins(calls, session);
    expect(session.state).toBe("coaching");
    expect(accepted(session)).toEqual(["op.remove", "op.restore", "op.hold", "op.hangup"]);
    // Asking changes nothing.
    expect(session.state).toBe("coaching");
  });
});

describe("a call that ends", () => {
  test("leaves nothing running: no model session, no stream, no timer", async () => {
    const calls = makeCalls();
    const { session, stream } = await handedOver(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    expect(session.ended).toBe(true);
    expect(calls.model.sessions.map((each) => each.closed)).toEqual([true]);
    expect(stream.socket.closed).toEqual({ code: 1000, reason: "call ended" });
    expect(stream.leg.closed).toBe(true);
    expect(calls.clock.pendingTimers).toBe(0);
    expect(calls.index.getSnapshot().context).toMatchObject({ calls: {}, ended: { caller_hung_up: 1 } });
  });

  test("has its row saved before anybody is told", async () => {
    const calls = makeCalls();
    const rows: unknown[] = [];
    const session = beginCall(calls);
    calls.index.subscribe((snapshot) => {
      if (!(CALL_SID in snapshot.context.calls)) rows.push(calls.store.rows.get(CALL_SID)?.state);
    });
    calls.clock.advance(2500);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    expect(rows).toEqual(["ended"]);
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({
      endReason: "caller_hung_up",
      durationMs: 2500,
      endedAt: new Date(START_MS + 2500).toISOString(),
    });
    expect(calls.feed.at(-1)).toMatchObject({ type: "state", state: "ended" });
  });

  test("takes nothing more, and opens no stream any more", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const log = calls.store.logs.get(CALL_SID)?.length;
    session.deliver(joined("caller"));
    expect(openStream(session, calls.clock, "ai-1", "MZ9").taken).toBe(false);
    expect(session.row().metrics["eventsLate"]).toBe(1);
    expect(calls.store.logs.get(CALL_SID)).toHaveLength(log ?? -1);
    expect(calls.over).toEqual([CALL_SID]);
  });

  test("by its time limit apologises first, and ends when the farewell is over", async () => {
    const calls = makeCalls({ deployment: { limits: { maxCallMs: 60_000 }, agent: { apology: "Sorry." } } });
    const { session } = await streaming(calls);
    calls.clock.advance(59_999);
    expect(session.state).toBe("streaming");
    calls.clock.advance(1);
    await settle();
    expect(session.state).toBe("wrapUp");
    const told = calls.carrier.requests.findLast(([operation]) => operation === "updateCall");
    expect((told?.[2] as { twiml: string } | undefined)?.twiml).toContain("<Say>Sorry.</Say>");
    session.deliver({ type: "caller.gone", reason: "farewell" });
    await settle();
    expect(calls.store.rows.get(CALL_SID)?.endReason).toBe("time_limit");
  });
});
