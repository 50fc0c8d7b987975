/** A part of a call that fails, in ways the outside world cannot be made to show. */
import { describe, expect, test } from "bun:test";
import { ProviderError } from "../../../engine/errors.ts";
import type { ModelSession, ModelSessionConfig, ModelSink, SpeechModel } from "../../../engine/ports.ts";
import { SilentSession } from "../../support/fake-ports.ts";
import { StallingClock } from "../media/fake-carrier.ts";
import { beginCall, joined, makeCalls, openStream, ringing, streaming } from "./calls-setup.ts";
import { CALL_SID, settle, START_MS } from "./support.ts";

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

/** Fails to set one of the timers it is asked for. */
class FailingClock extends StallingClock {
  failsAt: number | null = null;

  override setTimeout(fn: () => void, delayMs: number): unknown {
    if (delayMs === this.failsAt) throw new Error("no timer");
    return super.setTimeout(fn, delayMs);
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
    session.deliver(joined("caller"));
    await settle();
    calls.clock.advance(30_000);
    await settle();
    expect(calls.carrier.requests.at(-1)?.[0]).toBe("updateCall");
    session.deliver({ type: "caller.gone", reason: "farewell" });
    await settle();
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({
      endReason: "arrival_failed",
      errors: [{ code: "arrive_timeout" }],
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
      errors: [{ code: "model.auth_failed", message: "the key is wrong" }],
    });
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
    session.deliver(joined("human-1"));
    await settle();
    expect(session.state).toBe("coaching");
    expect(calls.carrier.participants.find((each) => each.label === "ai-1")).toMatchObject({ muted: true });
    const gates = (calls.store.logs.get(CALL_SID) ?? []).filter((entry) => entry.name === "media.gate");
    expect(gates.at(-1)?.data).toMatchObject({ gate: "closed" });
    expect(session.row().errors).toMatchObject([{ message: "the model did not confirm" }]);
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
      inputAudioTokens: 8,
      outputAudioTokens: 4,
    };
    for (const responseId of ["r1", "r2"]) {
      calls.model.sessions[0]?.sink.responseDone({ responseId, status: "completed", usage });
    }
    expect(session.row().metrics).toMatchObject({ turns: 2, inputTokens: 20, outputAudioTokens: 8 });
  });
});

describe("an actor that fails", () => {
  async function failing() {
    const clock = new FailingClock(START_MS);
    const calls = makeCalls({ clock });
    const other = await streaming(calls, OTHER_SID);
    const scene = await ringing(calls);
    clock.failsAt = 500;
    calls.carrier.failNext("updateParticipant");
    calls.carrier.failNext("updateParticipant", { status: 400, code: 16_028 });
    return { calls, clock, other, ...scene };
  }

  test("ends its call in one row, hangs up its legs, and harms no other call", async () => {
    const { calls, clock, other, session, stream } = await failing();
    // The timer of a state cannot be set: the one before another try to coach.
    clock.failsAt = 4000;
    stream.close();
    await settle();
    expect(calls.lines.some((line) => line.event === "call.actor_failed")).toBe(true);
    expect(session.ended).toBe(true);
    expect(calls.supervisor.get(CALL_SID)).toBeNull();
    const hungUp = calls.carrier.requests.filter(([operation]) => operation === "updateCall");
    expect(hungUp.map(([, , patch]) => patch)).toEqual(hungUp.map(() => ({ status: "completed" })));
    expect(hungUp).toHaveLength(3);
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({ state: "ended", endReason: "internal_error" });
    expect(calls.model.sessions.map((each) => each.closed)).toEqual([false, true]);
    expect(other.session.state).toBe("streaming");
    other.session.deliver({ type: "op.hangup" });
    await settle();
    expect(clock.pendingTimers).toBe(0);
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
