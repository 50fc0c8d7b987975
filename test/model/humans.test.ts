/** Incidents, and the people they bring: who is told what, who is in the room, and who hears whom. */
import { describe, expect, test } from "bun:test";
import { createActor, fromCallback } from "xstate";
import { callMachine } from "../../machines/call.machine.ts";
import { MAX_INCIDENTS } from "../../machines/ladder.types.ts";
import { CALL_SID, INPUT } from "./driver.ts";
import { OWNER } from "./ladder-double.ts";
import { coached, coaching, handedOver, released, Script, talking, WANTED } from "./script.ts";

const REMOVING = { ...INPUT, afterHandover: "remove" } as const;
const JOIN_MS = 10_000;
const WITH_TIME = { ...INPUT, policy: { ...INPUT.policy, joinTimeoutMs: JOIN_MS } };
const tool = (type: "tool.escalate" | "tool.endCall" | "tool.takeBack") => {
  const head = { toolCallId: "t1", reason: "pain" };
  return type === "tool.escalate"
    ? ({ type, ...head, urgency: "high" } as const)
    : ({ type, ...head } as const);
};
const answerTo = (call: Script): unknown => call.inputs("model.toolResult").at(-1);
const incident = (call: Script) => call.snapshot.context.incidents.at(-1);
const paged = (): Script => talking().happens(WANTED);

describe("an incident", () => {
  test("is opened once, by the AI or by an operator, and is the call's at once", () => {
    const call = talking().happens(tool("tool.escalate"));
    expect(call.value).toEqual({ escalating: { ladder: "paging", link: "live" } });
    expect(incident(call)).toMatchObject({
      number: 1,
      by: "ai",
      reason: "pain",
      urgency: "high",
      phase: "paging",
    });
    expect(answerTo(call)).toEqual({ toolCallId: "t1", notice: "calling_human", respond: true });
    call.happens(tool("tool.escalate")).happens(WANTED);
    expect(answerTo(call)).toMatchObject({ notice: "escalation_already_open" });
    expect(call.snapshot.context.incidents).toHaveLength(1);
    expect(paged().notices).toEqual(["calling_human"]);
  });

  test("pages nobody but the person whom the operator names", () => {
    const inputs: unknown[] = [];
    const ladder = fromCallback(({ input }) => void inputs.push(input));
    const actor = createActor(callMachine.provide({ actors: { ladder: ladder as never } }), { input: INPUT });
    actor.start();
    for (const event of upTo()) actor.send(event);
    actor.send({ ...WANTED, at: INPUT.startedAtMs + 9, to: "+15550133" });
    actor.stop();
    expect(inputs).toEqual([
      {
        callSid: CALL_SID,
        number: 1,
        by: "operator",
        reason: null,
        urgency: "normal",
        atMs: INPUT.startedAtMs + 9,
        policy: {
          ...INPUT.policy,
          rungs: [
            {
              name: "operator",
              contacts: [
                { name: "the person the operator chose", voice: "+15550133", sms: null, push: null },
              ],
            },
          ],
        },
        firstPage: 1,
        followUp: false,
        pauseFirst: false,
      },
    ]);
  });

  test("is one of at most so many", () => {
    const call = talking();
    for (let n = 0; n < MAX_INCIDENTS; n++) {
      call.happens(WANTED).ladder({ phase: "owned", owner: OWNER, clear: true });
    }
    call.happens(tool("tool.escalate"));
    expect(call.snapshot.context.incidents).toHaveLength(MAX_INCIDENTS);
    expect(answerTo(call)).toMatchObject({ notice: "not_possible_now" });
  });

  test("whose ladder fails is over, and the call goes on without it", () => {
    const broken = fromCallback(() => {
      throw new Error("no");
    });
    const actor = createActor(callMachine.provide({ actors: { ladder: broken as never } }), { input: INPUT });
    actor.start();
    for (const event of upTo()) actor.send(event);
    actor.send({ ...WANTED, at: INPUT.startedAtMs + 9 });
    const { status, value, context, children } = actor.getSnapshot();
    actor.stop();
    expect([status, value]).toEqual(["active", { streaming: "live" }]);
    expect(context.incidents[0]).toMatchObject({ phase: "over", clear: true });
    expect(context.errors.map(({ code }) => code)).toEqual(["ladder_failed"]);
    expect(Object.keys(children)).not.toContain("ladder-1");
  });
});

/** What leads to a conversation of caller and AI. */
function upTo() {
  const at = INPUT.startedAtMs + 1;
  return [
    { type: "participant.joined", at, label: "caller", callSid: CALL_SID, conferenceSid: "CF1" },
    { type: "model.ready", at },
    { type: "ai.streamStarted", at, label: "ai-1", streamSid: "MZ1", streamCallSid: "CA1" },
  ] as const;
}

describe("what is about pages", () => {
  test("is handed on to the ladder, in every state, and is never the call's own", () => {
    const events = [
      { type: "page.acknowledged", label: "sms-2" },
      { type: "page.declined", label: "push-3" },
      { type: "page.undelivered", label: "sms-2" },
      { type: "human.answered", label: "human-1", answer: "declined" },
      { type: "leg.status", label: "human-1", callSid: "CA-human-1", status: "busy" },
      { type: "effect.done", id: `${CALL_SID}/human-1/1/page.call`, name: "page.call", label: "human-1" },
      { type: "deadline", name: "release", of: "human-1" },
    ] as const;
    const calls = [
      paged,
      () => paged().ladder({ phase: "exhausted" }),
      () => paged().happens({ type: "op.hangup" }),
    ];
    for (const make of calls) {
      for (const event of events) {
        const call = make();
        const { value } = call;
        call.happens(event);
        expect(call.value).toEqual(value);
        expect(call.steps.at(-1)?.told).toMatchObject([{ to: "ladder-1", message: event }]);
      }
    }
    const other = paged().happens({
      type: "leg.status",
      label: "ai-1",
      callSid: "CA-ai-1",
      status: "ringing",
    });
    expect(other.steps.at(-1)?.told).toEqual([]);
  });

  test("goes nowhere once the ladder is through", () => {
    const call = paged().ladder({ phase: "owned", owner: OWNER, clear: true });
    call.happens({ type: "page.acknowledged", label: "sms-2" });
    expect(call.steps.at(-1)?.told).toEqual([]);
    expect(Object.keys(call.snapshot.children)).not.toContain("ladder-1");
  });

  test("is not taken for a deadline of the call", () => {
    const call = coaching().leaves("human-1").happens({ type: "deadline", name: "release", of: "ladder-1" });
    expect(call.whisper).toEqual({ releasing: "muting" });
  });
});

describe("the caller", () => {
  test("is told of each rung once, that somebody comes, and that nobody could be reached", () => {
    const call = paged().ladder({ nextAtMs: 1 }).ladder({ rung: 1 }).ladder({ nextAtMs: 2 });
    expect(call.notices).toEqual(["calling_human", "still_calling"]);
    call.ladder({ phase: "exhausted" });
    expect(call.value).toEqual({ streaming: "live" });
    expect(call.notices.slice(2)).toEqual(["nobody_reached"]);
    call.ladder({ phase: "paging", walk: 2, rung: 0 });
    expect(call.value).toEqual({ escalating: { ladder: "paging", link: "live" } });
    call.accepts("human-1");
    expect(call.value).toEqual({ escalating: { ladder: "joining", link: "live" } });
    expect(call.notices.slice(3)).toEqual(["still_calling", "human_coming"]);
  });

  test("is told who will call when the owner has no phone to join by", () => {
    for (const phase of ["paging", "exhausted"] as const) {
      const call = paged().ladder({ phase }).ladder({ phase: "owned", owner: OWNER });
      expect(call.value).toEqual({ streaming: "live" });
      expect(call.notices.at(-1)).toBe("human_will_call");
    }
  });

  test("keeps the AI until the human is in the room", () => {
    const call = paged().ladder({ phase: "ringing" }).accepts("human-1");
    expect(call.lastGate).toEqual({ gate: "open", speaker: "agent" });
    call.joins("human-1");
    expect(call.whisper).toBe("muting");
    expect(call.lastGate).toMatchObject({ gate: "closed" });
    expect(call.words).toEqual(["owner.joined human-1"]);
  });

  test("who leaves ends the pages, and the call waits for them to end", () => {
    const call = paged().happens({ type: "caller.gone", reason: "hung_up" });
    expect(call.words).toEqual(["close caller_left"]);
    call.answer("carrier.hangUp", "done", "ai-1");
    expect(call.value).toEqual({ wrapUp: "clearing" });
    call.ladder({ phase: "over", outcome: "caller_left", clear: true });
    expect(call.value).toBe("ended");
  });

  test("who leaves takes with them the human who is about to join", () => {
    const call = paged().accepts("human-1").happens({ type: "caller.gone", reason: "hung_up" });
    expect(call.inputs("carrier.hangUp")).toContainEqual({ label: "human-1", callSid: "CA-human-1" });
    call.joins("human-1");
    expect(call.words).toEqual(["close caller_left", "owner.lost human-1"]);
  });
});

describe("an owner who is on the way", () => {
  const found = ["caller", "ai-1", "human-1"] as const;

  test("is found in the room when the word of their joining was lost", () => {
    const call = paged().accepts("human-1").happens({ type: "deadline", name: "join" });
    call.shows(...found);
    expect(call.whisper).toBe("muting");
    expect(call.words).toEqual(["owner.joined human-1"]);
  });

  test("is not given up while nobody can say whether they are there", () => {
    const call = paged().accepts("human-1").happens({ type: "deadline", name: "join" });
    call.answer("carrier.reconcile", "failed");
    expect(call.value).toMatchObject({ escalating: { ladder: "joining" } });
    expect(call.words).toEqual([]);
    expect(call.asked("carrier.hangUp")).toBe(0);
  });

  test("is given up when nobody could say so for too long, and the ladder goes on", () => {
    const call = paged().accepts("human-1");
    for (let look = 1; look <= 5; look++) {
      expect(call.words).toEqual([]);
      call.happens({ type: "deadline", name: "join" }).answer("carrier.reconcile", "failed");
    }
    expect(call.words).toEqual(["owner.lost human-1"]);
    expect(call.asked("carrier.hangUp")).toBe(1);
  });

  test("is not given up by a look that came before their time had run out", () => {
    const call = talking(WITH_TIME).happens(WANTED).accepts("human-1");
    call.happens({ type: "deadline", name: "join" }).shows("caller", "ai-1");
    expect(call.value).toMatchObject({ escalating: { ladder: "joining" } });
    call.waits(JOIN_MS).happens({ type: "deadline", name: "join" }).shows("caller", "ai-1");
    expect(call.words).toEqual(["owner.lost human-1"]);
  });

  test("and does not come is hung up, the ladder goes on, and the caller is told once", () => {
    const absent = paged()
      .accepts("human-1")
      .happens({ type: "deadline", name: "join" })
      .shows("caller", "ai-1");
    expect(absent.inputs("carrier.hangUp")).toEqual([{ label: "human-1", callSid: "CA-human-1" }]);
    for (const call of [absent, paged().accepts("human-1").leaves("human-1", "dial_ended")]) {
      expect(call.value).toMatchObject({ escalating: { ladder: "paging" } });
      expect(call.words).toEqual(["owner.lost human-1"]);
      call.ladder({ phase: "paging", rung: 1, owner: null }).ladder({ nextAtMs: 5 });
      expect(call.notices).toEqual(["calling_human", "human_coming", "human_unreachable"]);
    }
  });

  test("joins from wherever the AI is with the caller", () => {
    const exhausted = (): Script => paged().ladder({ phase: "exhausted" });
    expect(exhausted().accepts("human-1").joins("human-1").whisper).toBe("muting");
    const farewell = exhausted().happens(tool("tool.endCall")).accepts("human-1");
    expect(farewell.value).toEqual({ streaming: "closing" });
    expect(farewell.joins("human-1").whisper).toBe("muting");
  });

  test("is sent away when the operator or the AI calls it off, and told first of all", () => {
    for (const event of [{ type: "op.restore" }, tool("tool.endCall")] as const) {
      const call = paged().accepts("human-1").happens(event);
      expect(call.words).toEqual(["close called_off", "owner.lost human-1"]);
      expect(call.inputs("carrier.hangUp")).toEqual([{ label: "human-1", callSid: "CA-human-1" }]);
      // Whatever its ladder had said before it heard of that.
      call.joins("human-1").ladder({ phase: "joining" });
      expect(call.value).toHaveProperty("streaming");
    }
  });
});

describe("a human who leaves", () => {
  const back = (call: Script, withoutAi: boolean): Script =>
    call.happens({
      type: "human.returned",
      label: "human-9",
      from: "human-1",
      callSid: "CA-human-9",
      withoutAi,
    });

  test("by a key gives the caller back to the AI, and may come back", () => {
    const call = coaching().leaves("human-1", "handed_back");
    expect(call.whisper).toEqual({ releasing: "muting" });
    released(call);
    expect(call.value).toEqual({ streaming: "live" });
    back(call, false);
    expect(call.value).toEqual({ streaming: "live" });
    expect(coached(call.joins("human-9")).whisper).toBe("active");
    expect(call.inputs("carrier.coach").at(-1)).toMatchObject({ callSidToCoach: "CA-human-9" });
    expect(call.words).toEqual(["owner.joined human-1"]);
  });

  test("and wants to go on without the AI does so, this once", () => {
    const call = back(coaching(), true).joins("human-9");
    expect(call.value).toEqual({ removed: "leaving" });
    call
      .answer("carrier.remove")
      .happens({ type: "ai.streamClosed", label: "ai-1", streamSid: "MZ-ai-1", reason: "stop" });
    call.happens({ type: "op.coach" }).happens({ type: "model.ready" }).streams("ai-2");
    expect(call.whisper).toBe("muting");
  });

  test("comes back to nobody when the caller has gone, or under a name that is taken", () => {
    const gone = back(coaching().happens({ type: "caller.gone", reason: "hung_up" }), false);
    expect(gone.snapshot.context.legs["human-9"]).toBeUndefined();
    const call = coaching();
    call.happens({
      type: "human.returned",
      label: "ai-1",
      from: "human-1",
      callSid: "CA9",
      withoutAi: false,
    });
    expect(call.whisper).toBe("active");
  });

  test("is hung up when they ask the AI to take the caller back, which nobody else can ask", () => {
    const call = coaching().happens(tool("tool.takeBack"));
    expect(answerTo(call)).toEqual({ toolCallId: "t1", notice: "taking_back", respond: false });
    expect(call.whisper).toEqual({ releasing: "muting" });
    expect(call.lastGate).toMatchObject({ gate: "closed" });
    expect(call.inputs("carrier.hangUp")).toEqual([{ label: "human-1", callSid: "CA-human-1" }]);
    expect(answerTo(talking().happens(tool("tool.takeBack")))).toMatchObject({ notice: "not_possible_now" });
  });

  test("is not taken for there again while they are being hung up", () => {
    const call = coaching().happens({ type: "op.restore" });
    released(call);
    expect(call.snapshot.context.legs["human-1"]?.status).toBe("joined");
    expect(call.value).toEqual({ streaming: "live" });
  });
});

describe("a human who lets the AI go", () => {
  test("has it taken out, without another word from it", () => {
    const call = coaching().happens(tool("tool.endCall"));
    expect(answerTo(call)).toEqual({ toolCallId: "t1", notice: "goodbye_noted", respond: false });
    expect(call.value).toEqual({ removed: "leaving" });
    expect(call.snapshot.context.handover).toBe("coached");
  });

  test("may do so by policy, before the AI has become a coach", () => {
    const call = handedOver(REMOVING);
    expect(call.value).toEqual({ removed: "leaving" });
    expect(call.snapshot.context.handover).toBe("removed");
  });
});

describe("a second human", () => {
  const two = (): Script => coaching().happens(WANTED).accepts("human-2").joins("human-2");

  test("is wanted by the first, and changes nothing for the AI", () => {
    const call = two();
    expect(call.whisper).toBe("active");
    expect(call.inputs("carrier.coach")).toHaveLength(1);
    expect(call.words).toEqual(["owner.joined human-1", "owner.joined human-2"]);
  });

  test("is coached when the first has left, gate first, by the whole order of safety", () => {
    const call = two().leaves("human-1");
    expect(call.whisper).toBe("muting");
    expect(call.lastGate).toMatchObject({ gate: "closed" });
    coached(call);
    expect(call.inputs("carrier.coach").at(-1)).toEqual({ label: "ai-1", callSidToCoach: "CA-human-2" });
    expect(call.whisper).toBe("active");
  });

  test("is not coached on the answer to a request that was about the first", () => {
    const call = handedOver().happens(WANTED).accepts("human-2").joins("human-2").answer("carrier.mute");
    call.leaves("human-1").answer("carrier.mute");
    expect(call.whisper).toBe("flipping");
    call.answer("carrier.coach");
    expect(call.whisper).toBe("flipping");
    expect(call.answer("carrier.coach").whisper).toBe("switching");
  });

  test("stays with the caller when the AI is out of the room", () => {
    const call = two().happens({ type: "op.remove" }).answer("carrier.remove");
    call.happens({ type: "ai.streamClosed", label: "ai-1", streamSid: "MZ-ai-1", reason: "stop" });
    expect(call.leaves("human-1").value).toEqual({ removed: "gone" });
    expect(call.leaves("human-2").value).toEqual({ removed: "restoring" });
  });
});

describe("what became of the handover", () => {
  test("is the most that the AI did for a human, and nothing when nobody joined", () => {
    expect(paged().accepts("human-1").leaves("human-1").snapshot.context.handover).toBeNull();
    expect(handedOver().leaves("human-1").snapshot.context.handover).toBe("joined_briefly");
    const lost = handedOver().happens({ type: "model.failed", code: "x", message: "gone" });
    expect(lost.snapshot.context.handover).toBe("joined_without_ai");
    expect(handedOver().happens({ type: "op.remove" }).snapshot.context.handover).toBe("removed");
    expect(coaching().happens({ type: "op.remove" }).snapshot.context.handover).toBe("coached");
  });
});
