/** Who is sought, and who is waited for, when a call loses its AI or its engine, and its caller is still there. */
import { describe, expect, test } from "bun:test";
import { createActor, fromCallback } from "xstate";
import { callMachine } from "../../machines/call.machine.ts";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import { CALL_SID, INPUT } from "./driver.ts";
import { OWNER } from "./ladder-double.ts";
import { coached, CONFERENCE_SID, handedOver, type Script, talking, WANTED } from "./script.ts";

const ONCE = { ...INPUT, limits: { ...INPUT.limits, maxReadds: 1 } } as const;
const SEEKING = () => talking(ONCE).happens(WANTED);
const COMING = () => SEEKING().accepts("human-1");
const MODEL_FAILED: UnstampedCallEvent = { type: "model.failed", code: "fatal", message: "gone" };
const SHUTDOWN: UnstampedCallEvent = { type: "engine.shutdown" };

/** The AI's line is gone, and no other can be had. */
const LINE: UnstampedCallEvent = {
  type: "ai.streamClosed",
  label: "ai-1",
  streamSid: "MZ-ai-1",
  reason: "socket",
};
const losesLine = (call: Script): Script =>
  call.happens(LINE).leaves("ai-1").answer("carrier.reconcile").answer("carrier.addAi", "failed");
const losesModel = (call: Script): Script => call.happens(MODEL_FAILED);
const modelIsLate = (call: Script): Script =>
  call
    .happens({ type: "model.reconnecting", code: "connection_lost" })
    .happens({ type: "deadline", name: "modelReady" });
const LOSSES = [
  [losesModel, "model_failed"],
  [modelIsLate, "model_failed"],
  [losesLine, "ai_leg_failed"],
] as const;

const reason = (call: Script) => call.snapshot.context.endReason;

test("a caller whose call is lost by a fault is not taken for one who has left", () => {
  for (const event of [MODEL_FAILED, SHUTDOWN]) {
    expect(SEEKING().happens(event).words).toEqual(["close call_lost"]);
  }
  expect(SEEKING().happens({ type: "op.hangup" }).words).toEqual(["close called_off"]);
  expect(SEEKING().happens({ type: "caller.gone", reason: "hung_up" }).words).toEqual(["close caller_left"]);
});

test("a caller who is with somebody when the engine stops needs nobody else", () => {
  const call = SEEKING().accepts("human-1").joins("human-1").ladder({ phase: "owned", outcome: "owned" });
  call.happens(WANTED).happens(SHUTDOWN);
  expect(call.words.at(-1)).toBe("close called_off");
});

describe("when the AI is lost for good while somebody is on the way", () => {
  test("the caller waits with music, and goes on with the person", () => {
    for (const [lose] of LOSSES) {
      const call = lose(COMING());
      expect(call.value).toEqual({ removed: "awaiting" });
      expect(call.inputs("carrier.hold")).toEqual([{ label: "caller", hold: true }]);
      expect(call.asked("carrier.apologise")).toBe(0);
      call.answer("carrier.hold").joins("human-1");
      expect(call.words).toEqual(["owner.joined human-1"]);
      expect(call.inputs("carrier.hold").at(-1)).toEqual({ label: "caller", hold: false });
      call.leaves("ai-1").happens(LINE);
      expect(call.value).toEqual({ removed: "gone" });
      expect(call.snapshot.context.handover).toBe("joined_without_ai");
    }
  });

  test("the caller waits as well for somebody who has said yes and is being rung", () => {
    const call = losesModel(SEEKING().ladder({ phase: "ringing", owner: OWNER }));
    expect(call.value).toEqual({ removed: "awaiting" });
    call.accepts("human-1");
    expect(call.value).toEqual({ removed: "awaiting" });
    call.joins("human-1").happens(LINE).leaves("ai-1");
    expect(call.value).toEqual({ removed: "gone" });
  });

  test("and is then lost, too, the caller is told, and somebody is sought on", () => {
    for (const [lose, why] of LOSSES) {
      const call = lose(COMING()).leaves("human-1", "busy");
      expect(call.value).toEqual({ wrapUp: "apologising" });
      expect(reason(call)).toBe(why);
      expect(call.words).toEqual(["owner.lost human-1", "close call_lost"]);
    }
    const rung = losesModel(SEEKING().ladder({ phase: "ringing", owner: OWNER }));
    expect(reason(rung.ladder({ phase: "paging", owner: null }))).toBe("model_failed");
  });

  test("and no word of their joining comes, Twilio is asked", () => {
    const call = losesModel(COMING()).happens({ type: "deadline", name: "join" });
    call.shows("caller", "human-1").happens(LINE).leaves("ai-1");
    expect(call.value).toEqual({ removed: "gone" });
    const alone = losesModel(COMING()).happens({ type: "deadline", name: "join" }).shows("caller");
    expect(alone.value).toEqual({ wrapUp: "apologising" });
  });

  test("nobody is told sorry whose person is found in the room at that very moment", () => {
    const call = COMING().happens(LINE).answer("carrier.reconcile");
    call.leaves("ai-1").answer("carrier.addAi").joins("ai-2").happens({ type: "deadline", name: "join" });
    call.shows("caller", "human-1");
    expect(call.asked("carrier.apologise")).toBe(0);
    expect(call.snapshot.context.endReason).toBeNull();
  });

  test("the AI that cannot come back once the first person has left waits for the second", () => {
    const call = coached(handedOver(ONCE)).happens(WANTED).accepts("human-2").happens({ type: "op.remove" });
    call.happens(LINE).leaves("ai-1").leaves("human-1");
    expect(call.value).toEqual({ removed: "restoring" });
    call.answer("carrier.addAi", "failed");
    expect(call.value).toEqual({ removed: "awaiting" });
    call.joins("human-2");
    expect(call.value).toEqual({ removed: "gone" });
  });
});

describe("when the engine stops while somebody is on the way", () => {
  test("it waits for them, and leaves them and the caller to each other", () => {
    const call = COMING().happens(SHUTDOWN);
    expect(call.value).toEqual({ removed: "parting" });
    call.answer("carrier.hold").joins("human-1");
    expect(call.value).toEqual({ wrapUp: "detaching" });
    expect(reason(call)).toBe("engine_shutdown");
    expect(call.inputs("carrier.endOnLeave")).toEqual([{ label: "human-1" }]);
    expect(call.inputs("carrier.hold").at(-1)).toEqual({ label: "caller", hold: false });
    expect(call.inputs("carrier.hangUp")).not.toContainEqual({ label: "human-1", callSid: "CA-human-1" });
    expect(call.words[0]).toBe("owner.joined human-1");
  });

  test("it does not wait for longer than they may take, and not for one who is lost", () => {
    for (const event of [
      { type: "deadline", name: "join" },
      { type: "leg.status", label: "human-1", callSid: "CA-human-1", status: "completed" },
    ] as const) {
      const call = COMING().happens(SHUTDOWN).happens(event);
      expect(call.value).toEqual({ wrapUp: "apologising" });
      expect(reason(call)).toBe("engine_shutdown");
      expect(call.words.at(-1)).toBe("close call_lost");
    }
  });

  test("another person who has come since the first one left goes on with the caller", () => {
    const call = coached(handedOver()).happens(WANTED).accepts("human-2").leaves("human-1").joins("human-2");
    expect(call.whisper).toEqual({ releasing: "muting" });
    expect(call.happens(SHUTDOWN).value).toEqual({ wrapUp: "detaching" });
  });
});

describe("when the time for a call is up", () => {
  const TIME_UP = { type: "deadline", name: "maxCall" } as const;

  test("a caller who is alone with the AI is told, and somebody who is sought is sought on", () => {
    const call = SEEKING().happens(TIME_UP);
    expect(call.value).toEqual({ wrapUp: "apologising" });
    expect([reason(call), ...call.words]).toEqual(["time_limit", "close call_lost"]);
  });

  test("a caller who talks to a person goes on with them, without the AI, until the person leaves", () => {
    for (const call of [
      handedOver(),
      coached(handedOver()),
      coached(handedOver()).happens({ type: "op.remove" }),
    ]) {
      call.happens(TIME_UP);
      expect(call.value).toEqual({ removed: "overtime" });
      expect(call.asked("carrier.apologise")).toBe(0);
      expect(call.inputs("carrier.hangUp")).toEqual([{ label: "ai-1", callSid: "CA-ai-1" }]);
      expect(call.asked("model.close")).toBe(1);
      call.leaves("ai-1").happens({ type: "op.restore" });
      expect(call.value).toEqual({ removed: "overtime" });
      call.leaves("human-1");
      expect(call.value).toEqual({ wrapUp: "apologising" });
      expect(reason(call)).toBe("time_limit");
      expect(call.asked("carrier.addAi")).toBe(1);
    }
  });

  test("a second person who is on the way when the first one leaves is waited for", () => {
    const call = handedOver().happens(TIME_UP).happens(WANTED).accepts("human-2").leaves("human-1");
    expect(call.value).toEqual({ removed: "overtime" });
    call.joins("human-2").ladder({ phase: "owned", outcome: "owned" });
    expect(call.value).toEqual({ removed: "overtime" });
    expect(call.leaves("human-2").value).toEqual({ wrapUp: "apologising" });
  });
});

describe("when a ladder fails, which no ladder does", () => {
  test("the caller is told that nobody could be reached, and somebody is sought when they have left", () => {
    const broken = fromCallback(() => {
      throw new Error("no");
    });
    const actor = createActor(callMachine.provide({ actors: { ladder: broken as never } }), { input: INPUT });
    const told: string[] = [];
    actor.on("effect", (effect) => void (effect.name === "model.tell" && told.push(effect.input.notice)));
    actor.start();
    const at = INPUT.startedAtMs + 1;
    actor.send({ type: "participant.joined", at, label: "caller", callSid: CALL_SID, conferenceSid: "CF1" });
    actor.send({ type: "model.ready", at });
    actor.send({ type: "ai.streamStarted", at, label: "ai-1", streamSid: "MZ1", streamCallSid: "CA1" });
    actor.send({ ...WANTED, at });
    expect(told).toEqual(["calling_human", "nobody_reached"]);
    expect(actor.getSnapshot().context.incidents).toMatchObject([{ phase: "over", outcome: "exhausted" }]);
    actor.stop();
  });

  test("what an operator calls off is not taken for that", () => {
    const call = SEEKING().ladder({ phase: "exhausted", outcome: "exhausted" });
    call.ladder({ phase: "paging", walk: 2, rung: 0 }).happens({ type: "op.restore" });
    call.ladder({ phase: "over", outcome: "called_off", clear: true });
    expect(call.value).toEqual({ streaming: "live" });
    expect(call.notices.slice(-2)).toEqual(["still_calling", "back_with_caller"]);
  });
});

describe("while the apology is said", () => {
  const LOOK = { type: "deadline", name: "checkCaller" } as const;
  /** In the room is nobody any more: the caller was taken out of it. */
  const redirected = (call: Script): Script => {
    const callSid = CALL_SID;
    call.happens({
      type: "participant.left",
      label: "caller",
      callSid,
      reason: "participant_updated_via_api",
    });
    return call.happens({ type: "conference.ended", conferenceSid: CONFERENCE_SID });
  };
  const apologising = (): Script => redirected(losesModel(SEEKING()));
  const answered = (call: Script, facts: object): Script => {
    const name = "carrier.reconcile";
    const [id] = Object.entries(call.snapshot.context.pending).find(([, each]) => each.name === name) ?? [];
    return call.happens({ type: "effect.done", id: id ?? "", name, label: null, ...facts });
  };
  const EMPTY = { conferenceSid: CONFERENCE_SID, participants: [] } as const;
  const inputs = (call: Script): unknown =>
    call.snapshot.children["checkCaller"]?.getSnapshot().input as unknown;

  test("Twilio is asked every few seconds whether the caller is still there", () => {
    const call = losesModel(SEEKING());
    const sinceMs = INPUT.startedAtMs;
    expect(inputs(call)).toMatchObject({ name: "checkCaller", everyMs: 3000 });
    expect((inputs(call) as { readonly atMs: number }).atMs).toBeWithin(sinceMs + 3000, sinceMs + 3100);
    for (let times = 1; times <= 3; times++) {
      expect(call.happens(LOOK).asked("carrier.reconcile")).toBe(times);
      answered(call, { ...EMPTY, callerAlive: true });
    }
    expect(call.value).toEqual({ wrapUp: "apologising" });
  });

  test("a caller who is not in the room any more, and listens, has not hung up", () => {
    const call = apologising().happens(LOOK);
    answered(call, { ...EMPTY, callerAlive: true });
    expect(call.value).toEqual({ wrapUp: "apologising" });
    expect(call.snapshot.context.callerGone).toBe(false);
    expect(call.snapshot.context.legs["caller"]?.outcome).toBeNull();
  });

  test("a caller who has hung up ends the call at once, which ends by the fault all the same", () => {
    const call = apologising().happens(LOOK);
    answered(call, { ...EMPTY, callerAlive: false });
    expect(call.value).toEqual({ wrapUp: "clearing" });
    expect(call.snapshot.context.legs["caller"]?.outcome).toBe("call-over");
    expect(reason(call)).toBe("model_failed");
    // Somebody is sought on: nobody is told that the caller has left.
    expect(call.words).toEqual(["close call_lost"]);
  });

  test("a question that fails changes nothing, and is asked again", () => {
    const call = apologising().happens(LOOK).answer("carrier.reconcile", "failed");
    expect(call.value).toEqual({ wrapUp: "apologising" });
    answered(call.happens(LOOK), { ...EMPTY, callerAlive: false });
    expect(call.value).toEqual({ wrapUp: "clearing" });
  });

  test("nothing is asked while an answer is still on its way, nor when all is said", () => {
    const call = apologising().happens(LOOK).happens(LOOK).happens(LOOK);
    expect(call.asked("carrier.reconcile")).toBe(1);
    call.happens({ type: "deadline", name: "goodbye" }).happens(LOOK);
    expect(call.value).toEqual({ wrapUp: "clearing" });
    expect(call.asked("carrier.reconcile")).toBe(1);
  });

  test("an answer to a question of before the apology says no more than what it knows of the caller's call", () => {
    for (const callerAlive of [true, false]) {
      const call = losesModel(SEEKING().happens({ type: "deadline", name: "checkup" }));
      redirected(call).happens(LOOK);
      expect(call.asked("carrier.reconcile")).toBe(1);
      const participants = [
        { label: "caller", callSid: CALL_SID },
        { label: "ai-1", callSid: "CA-ai-1" },
      ];
      answered(call, { conferenceSid: CONFERENCE_SID, participants, callerAlive });
      expect(call.value).toEqual({ wrapUp: callerAlive ? "apologising" : "clearing" });
      expect(call.happens(LOOK).asked("carrier.reconcile")).toBe(callerAlive ? 2 : 1);
      expect(reason(call)).toBe("model_failed");
    }
  });
});
