/** A part of a call that fails, in ways the outside world cannot be made to show. */
import { afterEach, describe, expect, test } from "bun:test";
import { enqueueActions } from "xstate";
import { ProviderError } from "../../../engine/errors.ts";
import type { ModelSession, ModelSessionConfig, ModelSink, SpeechModel } from "../../../engine/ports.ts";
import { callMachine } from "../../../machines/call.machine.ts";
import type { CallEvent } from "../../../machines/events.ts";
import { SilentSession } from "../../support/fake-ports.ts";
import {
  beginCall,
  callerJoins,
  handedOver,
  joins,
  legSid,
  makeCalls,
  openStream,
  ringing,
  streaming,
} from "./calls-setup.ts";
import { CALL_SID, settle } from "./support.ts";

const OTHER_SID = "CA00000000000000000000000000000002";

function modelOf(open: (config: ModelSessionConfig, sink: ModelSink) => ModelSession): SpeechModel {
  return { provider: "sandbox", open };
}

/** Confirms no change of role. */
class StubbornSession extends SilentSession {
  override async setInstructions(): Promise<boolean> {
    return false;
  }
}

describe("a model", () => {
  test("that cannot even be opened is told to the caller, and the call ends", async () => {
    const calls = makeCalls({
      model: modelOf(() => {
        throw new Error("no model");
      }),
    });
    const session = beginCall(calls);
    expect(calls.lines.find((line) => line.event === "effect.threw")).toMatchObject({
      name: "model.open",
      error: "no model",
    });
    await callerJoins(calls, session);
    calls.clock.advance(30_000);
    await settle();
    const told = calls.carrier.requests.filter(([operation]) => operation === "updateCall");
    expect(told).toEqual([["updateCall", CALL_SID, { twiml: expect.stringContaining("sorry") }]]);
    session.deliver({ type: "caller.gone", reason: "farewell" });
    await settle();
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({
      endReason: "model_failed",
      errors: [{ code: "model_timeout" }],
    });
  });

  test("that fails in the very moment it is opened is a fact like any other", async () => {
    const calls = makeCalls({
      model: modelOf((config, sink) => {
        sink.failed(new ProviderError("auth_failed", "the key is wrong", false));
        return new SilentSession(config, sink);
      }),
    });
    const session = beginCall(calls);
    expect(session.state).toBe("wrapUp");
    expect(calls.index.getSnapshot().context.calls[CALL_SID]?.state).toBe("wrapUp");
    const states = calls.feed.flatMap((message) => (message.type === "state" ? [message.state] : []));
    expect(states).toEqual(["arriving", "wrapUp"]);
    await settle();
    session.deliver({ type: "caller.gone", reason: "farewell" });
    await settle();
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({
      state: "ended",
      endReason: "model_failed",
      errors: [{ code: "model.auth_failed" }],
    });
    // The provider's words may quote what was sent to it.
    expect(JSON.stringify(calls.store.rows.get(CALL_SID))).not.toContain("the key is wrong");
  });

  test("that does not confirm to be a coach stays muted behind a closed gate", async () => {
    const sessions: StubbornSession[] = [];
    const calls = makeCalls({
      model: modelOf((config, sink) => {
        const session = new StubbornSession(config, sink);
        sessions.push(session);
        queueMicrotask(() => sink.ready({ sessionId: "s", expiresAtMs: null }));
        return session;
      }),
    });
    const { session } = await ringing(calls);
    await joins(calls, session);
    expect(session.state).toBe("coaching");
    expect(calls.carrier.participants.find((each) => each.label === "ai-1")).toMatchObject({ muted: true });
    const gates = (calls.store.logs.get(CALL_SID) ?? []).filter((entry) => entry.name === "media.gate");
    expect(gates.at(-1)?.data).toMatchObject({ gate: "closed" });
    expect(session.row().errors).toMatchObject([{ message: "the model did not confirm" }]);
  });

  test("that breaks when it is to be a coach is taken for one that does not confirm", async () => {
    const calls = makeCalls();
    const { session } = await ringing(calls);
    const model = calls.model.sessions[0] as SilentSession;
    model.setInstructions = () => {
      throw new Error("broken session");
    };
    await joins(calls, session);
    expect(session.state).toBe("coaching");
    expect(session.row().errors).toMatchObject([{ message: "it could not be begun" }]);
    expect(calls.lines.find((line) => line.event === "effect.threw")).toMatchObject({ name: "model.role" });
  });

  test("that calls a tool wrongly is told what is wrong, and the call goes on", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    const model = calls.model.sessions[0];
    model?.sink.toolCall({ callId: "t1", name: "escalate", argumentsJson: '{"urgency":"now"}' });
    model?.sink.toolCall({ callId: "t2", name: "transfer", argumentsJson: "{}" });
    expect(model?.told.slice(-2)).toEqual([
      expect.stringContaining("reason: "),
      expect.stringContaining("there is no such tool"),
    ]);
    expect(session.state).toBe("streaming");
    expect(session.row().metrics).toMatchObject({ toolCalls: 2, toolErrors: 2 });
    // What the model wanted to say may be about the caller.
    expect(JSON.stringify(calls.lines)).not.toContain("urgency");
  });

  test("is asked what its usage was, summed over the call", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    const usage = {
      inputTokens: 10,
      outputTokens: 5,
      cachedTokens: 2,
      cachedAudioTokens: 1,
      inputAudioTokens: 8,
      outputAudioTokens: 4,
    };
    for (const responseId of ["r1", "r2"]) {
      calls.model.sessions[0]?.sink.responseDone({ responseId, status: "completed", usage });
    }
    expect(session.row().metrics).toMatchObject({ turns: 2, inputTokens: 20, outputAudioTokens: 8 });
    expect(session.row().cost?.gaps).toEqual(["in_progress"]);
    // Its connection was lost, and with it what the answer took.
    calls.model.sessions[0]?.sink.responseDone({ responseId: "r3", status: "failed", usage: null });
    expect(session.row().cost?.gaps).toEqual(["in_progress", "answers"]);
  });
});

describe("an actor that fails", () => {
  const actions = callMachine.implementations.actions as Record<string, unknown>;
  const recordAsIs = actions["record"];

  afterEach(() => void (actions["record"] = recordAsIs));

  /** Nothing of ours throws in there: the test has to put in something that does. */
  function breakOn(type: CallEvent["type"]): void {
    actions["record"] = enqueueActions(({ event, enqueue }: { event: CallEvent; enqueue: unknown }) => {
      if (event.type === type) throw new Error("broken action");
      (enqueue as (action: unknown) => void)(recordAsIs);
    });
  }

  test("ends its call in one row, leaves caller and person to each other, and harms no other call", async () => {
    breakOn("model.reconnecting");
    const calls = makeCalls();
    const other = await streaming(calls, OTHER_SID);
    const { session, stream } = await handedOver(calls);
    const aiSid = session.standing.context.legs["ai-1"]?.callSid;
    calls.carrier.requests.length = 0;
    session.deliver({ type: "model.reconnecting", code: "connection_lost" });
    await settle();
    expect(calls.lines.find((line) => line.event === "call.actor_failed")).toMatchObject({
      level: "error",
      callSid: CALL_SID,
      error: "broken action",
    });
    expect(session.ended).toBe(true);
    expect(calls.over).toEqual([CALL_SID]);
    expect(calls.feed.filter((message) => message.type === "state").at(-1)).toMatchObject({
      callSid: CALL_SID,
      from: "coaching",
      state: "ended",
    });
    expect(calls.carrier.requests).toEqual([
      ["updateCall", aiSid, { status: "completed" }],
      [
        "updateParticipant",
        expect.objectContaining({ participant: "human-1" }),
        { endConferenceOnExit: true },
      ],
    ]);
    expect(stream.socket.closed).toEqual({ code: 1000, reason: "call ended" });
    expect(calls.model.sessions.map((each) => each.closed)).toEqual([false, true]);
    expect(openStream(session, calls.clock, "ai-1", "MZ9").taken).toBe(false);
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({ state: "ended", endReason: "internal_error" });
    expect(other.session.state).toBe("streaming");
    other.session.deliver({ type: "op.hangup" });
    await settle();
    expect(calls.supervisor.size).toBe(0);
    expect(calls.clock.pendingTimers).toBe(0);
  });

  test("tells a caller who is alone, hangs up the phones that ring, and has somebody sought on", async () => {
    breakOn("model.reconnecting");
    const calls = makeCalls();
    const { session } = await ringing(calls);
    const page = legSid(calls);
    calls.carrier.requests.length = 0;
    session.deliver({ type: "model.reconnecting", code: "connection_lost" });
    await settle();
    expect(session.ended).toBe(true);
    const updates = calls.carrier.requests.filter(([operation]) => operation === "updateCall");
    expect(updates).toContainEqual(["updateCall", page, { status: "completed" }]);
    const toCaller = updates.filter(([, callSid]) => callSid === CALL_SID);
    expect(toCaller).toEqual([["updateCall", CALL_SID, { twiml: expect.stringContaining("sorry") }]]);
    expect(calls.escalations.page(CALL_SID, "human-1")?.standing).toBe("over");
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({
      endReason: "internal_error",
      escalations: [{ outcome: "call_lost", pages: [{ label: "human-1", result: "cancelled" }] }],
    });
    expect(calls.followUps.size).toBe(1);
    expect(calls.escalations.incidents(CALL_SID).at(-1)?.phase).toBe("paging");
    calls.followUps.stop();
    expect(calls.clock.pendingTimers).toBe(0);
  });

  test("hangs up a caller who cannot be told", async () => {
    breakOn("model.reconnecting");
    const calls = makeCalls();
    const { session } = await streaming(calls);
    calls.carrier.requests.length = 0;
    // The first is to the AI's leg.
    for (let n = 0; n < 2; n++) calls.carrier.failNext("updateCall", { status: 400 });
    session.deliver({ type: "model.reconnecting", code: "connection_lost" });
    await settle();
    expect(calls.carrier.requests.filter(([, callSid]) => callSid === CALL_SID).at(-1)).toEqual([
      "updateCall",
      CALL_SID,
      { status: "completed" },
    ]);
  });
});

describe("a stream", () => {
  test("that another one of the same leg replaced does not take its successor along", async () => {
    const calls = makeCalls();
    const { session, stream } = await streaming(calls);
    const second = openStream(session, calls.clock, "ai-1", "MZ2");
    stream.close();
    await settle();
    expect(second.taken).toBe(true);
    expect(session.state).toBe("streaming");
    expect(calls.carrier.requests.some(([operation]) => operation === "fetchCall")).toBe(false);
  });
});
