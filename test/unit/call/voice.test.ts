/** What of the model's speech leaves for the carrier, and what is kept of it. */
import { describe, expect, spyOn, test } from "bun:test";
import type { HistoryItem } from "../../../engine/ports.ts";
import { SilentSession } from "../../support/fake-ports.ts";
import { chunk, speech } from "../media/leg-setup.ts";
import {
  escalate,
  gone,
  handedOver,
  joins,
  makeCalls,
  openStream,
  ringing,
  streaming,
  type Calls,
} from "./calls-setup.ts";
import { CALL_SID, settle } from "./support.ts";

const ONE_SECOND_BYTES = 8000;

/** The model says a second of something, in one burst. */
function say(calls: Calls, itemId: string, text: string, bytes = speech(ONE_SECOND_BYTES)): void {
  const sink = calls.model.sessions.at(-1)?.sink;
  sink?.responseStarted(`r-${itemId}`);
  sink?.audio(chunk(itemId, bytes, `r-${itemId}`));
  sink?.agentTextDelta({ itemId, responseId: `r-${itemId}`, delta: text });
  sink?.audioDone({ responseId: `r-${itemId}`, itemId, contentIndex: 0 });
  sink?.responseDone({ responseId: `r-${itemId}`, status: "completed", usage: null });
}

const COACHING = { coaching: { caller: "together", whisper: "active" } };

/** The call is in this state, after every answer that it takes to get there. */
async function until(calls: Calls, value: unknown): Promise<void> {
  for (let turn = 0; turn < 10 && !Bun.deepEquals(stateOf(calls), value); turn++) {
    // What is on the line arrives.
    calls.clock.advance(0);
    await settle();
  }
  expect(stateOf(calls)).toEqual(value);
}

function stateOf(calls: Calls): unknown {
  return calls.feed.findLast((message) => message.type === "state")?.value;
}

/** A call in which the agent speaks, then the coach, then the agent again, and that is over. */
async function coachedCall(calls: Calls) {
  const { session } = await streaming(calls);
  say(calls, "i1", "Hello there.");
  calls.clock.advance(2000);
  session.deliver(escalate());
  await settle();
  await joins(calls, session);
  await until(calls, COACHING);
  calls.clock.advance(1000);
  const whisper = speech(ONE_SECOND_BYTES, 2);
  say(calls, "i2", "Ask about the pain.", whisper);
  calls.clock.advance(2000);
  session.deliver({ type: "op.restore" });
  await until(calls, { streaming: "live" });
  say(calls, "i3", "I am back.");
  calls.clock.advance(2000);
  const end = async (): Promise<void> => {
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    calls.clock.advance(60_000);
    await settle();
    expect(session.ended).toBe(true);
  };
  return { session, whisper, end };
}

describe("the coach of a call that is recorded", () => {
  const CONFERENCE = { deployment: { recording: "conference" } } as const;
  const KEY = `${CALL_SID}/coach`;

  test("leaves a track with its words alone, at their place in the call, named in the row once it is kept", async () => {
    const calls = makeCalls(CONFERENCE);
    const { session, whisper, end } = await coachedCall(calls);
    expect(calls.recordings.kept.size).toBe(0);
    expect(session.row().recordings).toEqual([]);
    await end();
    const expected = Buffer.concat([Buffer.alloc(3 * ONE_SECOND_BYTES, 0xff), whisper]);
    expect(Buffer.from(calls.recordings.kept.get(KEY) ?? []).equals(expected)).toBe(true);
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({
      state: "ended",
      recordings: ["coach"],
      metrics: { tapeDroppedBytes: 0 },
    });
  });

  test("leaves none when it has said nothing, when nobody records, or when nothing may be kept", async () => {
    const silent = makeCalls(CONFERENCE);
    const { session } = await handedOver(silent);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const off = makeCalls();
    await (await coachedCall(off)).end();
    const keyless = makeCalls(CONFERENCE);
    keyless.recordings.enabled = false;
    await (await coachedCall(keyless)).end();
    for (const calls of [silent, off, keyless]) {
      expect(calls.recordings.kept.size).toBe(0);
      expect(calls.store.rows.get(CALL_SID)).toMatchObject({ recordings: [] });
    }
  });

  test("is not named when the disk took nothing, and the call has ended all the same", async () => {
    const calls = makeCalls(CONFERENCE);
    const save = spyOn(calls.recordings, "save").mockResolvedValue(false);
    await (await coachedCall(calls)).end();
    expect(save).toHaveBeenCalledTimes(1);
    expect(calls.store.rows.get(CALL_SID)).toMatchObject({ state: "ended", recordings: [] });
  });
});

describe("the voice of a call", () => {
  test("reaches the caller as it is, and its words the row and the feed", async () => {
    const calls = makeCalls();
    const { session, stream } = await streaming(calls);
    say(calls, "i1", "Hello there.");
    calls.clock.advance(2000);
    expect(Buffer.concat(stream.socket.frames)).toEqual(Buffer.from(speech(ONE_SECOND_BYTES)));
    expect(session.row().protected.transcript).toMatchObject([
      { speaker: "agent", text: "Hello there.", heardText: "Hello there.", heardMs: 1000 },
    ]);
    expect(calls.feed.filter((message) => message.type === "transcript")).toMatchObject([
      { speaker: "agent", text: "Hello there.", heardText: "Hello there." },
    ]);
  });

  test("that is cut leaves in the row how far what was heard may be off", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    say(calls, "i1", "Hello there.");
    calls.clock.advance(500);
    expect(session.row().metrics).toMatchObject({ bargeIns: 0, heardErrorMaxMs: 0 });
    calls.model.sessions.at(-1)?.sink.speechStarted();
    const { metrics } = session.row();
    expect(metrics).toMatchObject({ bargeIns: 1 });
    expect(metrics["heardErrorMaxMs"]).toBeGreaterThan(0);
    expect(metrics["heardErrorMaxMs"]).toBeLessThan(200);
  });

  test("is known to the engine that goes on with the call as far as it was heard, and no further", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    const model = calls.model.sessions.at(-1);
    if (!model) throw new Error("there is no session");
    model.history = () =>
      model.interrupts.flat().map(({ heardMs }) => ({ role: "system", text: `${heardMs}` }));
    say(calls, "i1", "Hello there.");
    calls.clock.advance(500);
    session.handOver();
    await settle();
    const [cut] = model.interrupts.flat();
    expect(cut).toMatchObject({ itemId: "i1", receivedMs: 1000 });
    const saved = JSON.parse(calls.store.snapshots.get(CALL_SID)?.body ?? "{}");
    expect(saved.voice.history).toEqual([{ role: "system", text: `${cut?.heardMs}` }]);
    expect(session.row().protected.transcript).toMatchObject([{ heardMs: cut?.heardMs, generatedMs: 1000 }]);
  });

  test("that the call ends in the middle of is counted as one whose cost nobody knows", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    calls.model.sessions.at(-1)?.sink.responseStarted("r-1");
    expect(session.row().cost?.gaps).toEqual(["in_progress"]);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    calls.clock.advance(60_000);
    await settle();
    expect(session.ended).toBe(true);
    expect(session.row().cost).toMatchObject({ gaps: ["answers"], complete: false });
  });

  test("that is cut counts as silence from there on, when a person takes over", async () => {
    const calls = makeCalls();
    const { session } = await ringing(calls);
    say(calls, "i1", "A long story.", speech(30 * ONE_SECOND_BYTES));
    calls.clock.advance(500);
    const { sink } = calls.model.sessions.at(-1) ?? {};
    sink?.speechStarted();
    calls.clock.advance(1000);
    sink?.speechStopped();
    calls.clock.advance(3000);
    await joins(calls, session);
    expect(calls.voiceMetrics.handoverGap.sumMs).toBe(3000);
  });

  test("of a coach is noted as a coach's, in the row and for the console", async () => {
    const calls = makeCalls();
    const { session } = await handedOver(calls);
    say(calls, "i1", "Ask about the pain.");
    calls.clock.advance(2000);
    expect(session.row().protected.transcript).toMatchObject([
      { speaker: "coach", text: "Ask about the pain." },
    ]);
    expect(calls.feed.filter((message) => message.type === "transcript")).toMatchObject([
      { speaker: "coach", text: "Ask about the pain.", heardText: "Ask about the pain." },
    ]);
  });

  test("of a coach is told to the model's session, and so is the way back", async () => {
    const calls = makeCalls();
    const { session } = await handedOver(calls);
    await until(calls, COACHING);
    expect(calls.model.sessions.at(-1)?.speaker).toBe("coach");
    session.deliver({ type: "op.restore" });
    await until(calls, { streaming: "live" });
    expect(calls.model.sessions.at(-1)?.speaker).toBe("agent");
  });

  test("takes the caller back as a coach, and is told that it cannot as the agent", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    const model = calls.model.sessions.at(-1);
    const takeBack = (callId: string) =>
      model?.sink.toolCall({ callId, name: "take_back", argumentsJson: '{"reason":"done"}' });
    const taken = () =>
      calls.store.logs.get(session.callSid)?.filter((entry) => entry.name === "tool.takeBack") ?? [];
    takeBack("t1");
    expect(model?.told.at(-1)).toContain("take_back is for the coach");
    session.deliver(escalate());
    await settle();
    await joins(calls, session);
    await until(calls, COACHING);
    expect(taken()).toEqual([]);
    takeBack("t2");
    expect(taken()).toMatchObject([{ kind: "event", data: { toolCallId: "t2", reason: "[redacted]" } }]);
  });

  test("does not get past a gate that is closed", async () => {
    const calls = makeCalls();
    const { session, stream } = await handedOver(calls);
    session.deliver({ type: "op.remove" });
    say(calls, "i1", "Nobody may hear this.");
    calls.clock.advance(2000);
    expect(stream.socket.frames).toEqual([]);
    expect(session.row().metrics).toMatchObject({ gatedBytes: ONE_SECOND_BYTES });
  });

  test("does not go to a stream that is closed, and goes to the one after it", async () => {
    const calls = makeCalls();
    const { session, stream } = await streaming(calls);
    stream.close();
    await settle();
    say(calls, "i1", "Lost.");
    const second = openStream(session, calls.clock, "ai-1", "MZ2");
    await settle();
    say(calls, "i2", "Found.");
    calls.clock.advance(2000);
    expect(stream.socket.frames).toEqual([]);
    expect(session.row().metrics).toMatchObject({ noLegBytes: ONE_SECOND_BYTES });
    expect(Buffer.concat(second.socket.frames)).toHaveLength(ONE_SECOND_BYTES);
  });

  test("is not waited for when a stream closes whose place another has taken", async () => {
    const calls = makeCalls();
    const { session, stream } = await streaming(calls);
    openStream(session, calls.clock, "ai-1", "MZ2");
    stream.close();
    calls.clock.advance(5000);
    await settle();
    expect([session.state, session.callerWaitMs]).toEqual(["streaming", 0]);
  });

  test("is not waited for once the model has answered a cough with nothing", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    const sink = calls.model.sessions[0]?.sink;
    sink?.speechStarted();
    sink?.speechStopped();
    calls.clock.advance(700);
    expect(session.callerWaitMs).toBe(700);
    sink?.responseStarted("r1");
    sink?.responseDone({ responseId: "r1", status: "completed", usage: null });
    calls.clock.advance(1000);
    expect(session.callerWaitMs).toBe(0);
  });

  test("comes back after a removal with the conversation so far", async () => {
    const history: readonly HistoryItem[] = [{ role: "user", text: "it hurts" }];
    const calls = makeCalls();
    const open = calls.model.open.bind(calls.model);
    calls.model.open = (config, sink) => {
      const session: SilentSession = open(config, sink);
      session.history = () => history;
      return session;
    };
    const { session } = await gone(calls);
    session.deliver({ type: "op.restore" });
    await settle();
    expect(calls.model.sessions.map((each) => each.config.history)).toEqual([[], history]);
  });

  test("says which keys were pressed to nobody, only that there were some", async () => {
    const calls = makeCalls();
    const { stream } = await streaming(calls);
    const message = {
      event: "dtmf",
      streamSid: "MZ1",
      sequenceNumber: "5",
      dtmf: { track: "inbound", digit: "7" },
    };
    stream.leg.onText(JSON.stringify(message));
    const log = [...calls.store.logs.values()].flat();
    expect(log.filter((entry) => entry.kind === "media")).toMatchObject([
      { name: "dtmf", data: { keys: 1 } },
    ]);
  });
});
