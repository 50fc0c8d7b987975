/** What the answers to effects add to the facts, and what a look at Twilio corrects. */
import { describe, expect, test } from "bun:test";
import type { CallContext, EffectName, Leg } from "../../../machines/context.ts";
import { guards, legsToClear } from "../../../machines/call.guards.ts";
import {
  AI_SID,
  after,
  asked,
  AT,
  CALL_SID,
  CONFERENCE_SID,
  done,
  failed,
  HUMAN_SID,
  inRoom,
  OTHER_CONFERENCE_SID,
  waitingFor,
} from "./facts.ts";

describe("an answer", () => {
  test("that nobody waits for changes nothing, so that a second one is harmless", () => {
    const context = inRoom();
    expect(after(context, done("carrier.remove", "ai-1"))).toEqual(context);
    expect(after(context, failed("carrier.remove", "ai-1"))).toEqual(context);
    const once = after(waitingFor(context, "carrier.remove", "ai-1"), done("carrier.remove", "ai-1"));
    expect(after(once, done("carrier.remove", "ai-1"), failed("carrier.remove", "ai-1"))).toEqual(once);
  });

  test("settles its effect, whether it is good or bad", () => {
    const names: readonly EffectName[] = ["carrier.addAi", "carrier.mute", "carrier.reconcile", "model.role"];
    for (const name of names) {
      for (const answer of [done(name, "ai-1"), failed(name, "ai-1")]) {
        expect(after(waitingFor(asked(), name, "ai-1"), answer).pending).toEqual({});
      }
    }
  });

  test("to a new leg names its call and the conference", () => {
    const answer = done("carrier.addAi", "ai-1", { callSid: AI_SID, conferenceSid: CONFERENCE_SID });
    const context = after(waitingFor(asked(), "carrier.addAi", "ai-1"), answer);
    expect(context.legs["ai-1"]).toMatchObject({ status: "dialing", callSid: AI_SID });
    expect(context.conferenceSid).toBe(CONFERENCE_SID);
  });

  test("that comes after the leg has joined does not set it back", () => {
    const up = waitingFor(asked({ status: "joined", callSid: AI_SID }), "carrier.addAi", "ai-1");
    const answer = done("carrier.addAi", "ai-1", { callSid: HUMAN_SID, conferenceSid: OTHER_CONFERENCE_SID });
    const context = after({ ...up, conferenceSid: CONFERENCE_SID }, answer);
    expect(context.legs["ai-1"]).toMatchObject({ status: "joined", callSid: AI_SID });
    expect(context.conferenceSid).toBe(CONFERENCE_SID);
  });

  test("to a new leg in another conference says that the caller has left, and their conference ended", () => {
    const answerIn = (conferenceSid: string) =>
      done("carrier.addAi", "ai-1", { callSid: AI_SID, conferenceSid });
    const asking = waitingFor({ ...asked(), conferenceSid: CONFERENCE_SID }, "carrier.addAi", "ai-1");
    const context = after(asking, answerIn(OTHER_CONFERENCE_SID));
    expect(context.callerGone).toBe(true);
    expect(context.legs["ai-1"]).toMatchObject({ status: "dialing", callSid: AI_SID });
    expect(after(asking, answerIn(CONFERENCE_SID)).callerGone).toBe(false);
  });

  test("to mute, coach and the role is the value that was asked for", () => {
    const muted = after(waitingFor(inRoom(), "carrier.mute", "ai-1", true), done("carrier.mute", "ai-1"));
    expect(muted.legs["ai-1"]?.muted).toBe(true);
    const unmuted = after(waitingFor(muted, "carrier.mute", "ai-1", false), done("carrier.mute", "ai-1"));
    expect(unmuted.legs["ai-1"]?.muted).toBe(false);
    const asking = waitingFor(inRoom(), "carrier.coach", "ai-1", null, HUMAN_SID);
    const coach = after({ ...asking, humanLabel: null }, done("carrier.coach", "ai-1"));
    expect(coach.legs["ai-1"]?.coachOf).toBe(HUMAN_SID);
    const nobody = after(waitingFor(coach, "carrier.uncoach", "ai-1"), done("carrier.uncoach", "ai-1"));
    expect(nobody.legs["ai-1"]?.coachOf).toBeNull();
    const role = (value: boolean): CallContext =>
      after(waitingFor(inRoom(), "model.role", null, value), done("model.role"));
    expect([role(true).role, role(false).role]).toEqual(["coach", "agent"]);
  });

  test("to a removal or a hang-up is that the leg has left", () => {
    const removed = after(waitingFor(inRoom(), "carrier.remove", "ai-1"), done("carrier.remove", "ai-1"));
    expect(removed.legs["ai-1"]).toMatchObject({ status: "left", outcome: "removed" });
    const hungUp = after(waitingFor(inRoom(), "carrier.hangUp", "caller"), done("carrier.hangUp", "caller"));
    expect(hungUp.legs["caller"]).toMatchObject({ status: "left", outcome: "hung_up" });
    expect(hungUp.callerGone).toBe(true);
  });

  test("to the end of the conference takes everybody in it", () => {
    const context = after(waitingFor(inRoom(), "carrier.endConference"), done("carrier.endConference"));
    expect(Object.values(context.legs).every((leg) => leg.status === "left")).toBe(true);
  });
});

describe("a failure", () => {
  test("is an error of the call, named after the effect and Twilio's code, or else the status", () => {
    const name = "carrier.mute";
    const withCode = after(waitingFor(inRoom(), name, "ai-1", true), failed(name, "ai-1", { code: 16_028 }));
    expect(withCode.errors).toEqual([{ atMs: AT, code: "carrier.mute.16028", message: "no" }]);
    expect(withCode.legs["ai-1"]?.muted).toBe(false);
    const without = after(waitingFor(inRoom(), name, "ai-1", true), failed(name, "ai-1", { status: 503 }));
    expect(without.errors[0]?.code).toBe("carrier.mute.503");
  });

  test("to make a leg is a leg that has left", () => {
    const context = after(waitingFor(asked(), "carrier.addAi", "ai-1"), failed("carrier.addAi", "ai-1"));
    expect(context.legs["ai-1"]).toMatchObject({ status: "left", outcome: "failed" });
  });

  test("to make a leg that has shown itself all the same is only an error", () => {
    const up = waitingFor(asked({ status: "joined", callSid: AI_SID }), "carrier.addAi", "ai-1");
    const context = after(up, failed("carrier.addAi", "ai-1", { status: 0 }));
    expect(context.legs["ai-1"]).toMatchObject({ status: "joined", outcome: null });
    expect(context.errors).toHaveLength(1);
  });

  test("to hang up leaves the leg as it is, and it is not waited for any more", () => {
    const context = after(waitingFor(inRoom(), "carrier.hangUp", "ai-1"), failed("carrier.hangUp", "ai-1"));
    expect(context.legs["ai-1"]).toMatchObject({ status: "joined", outcome: "hang_up_failed" });
    expect(legsToClear(context).map((leg) => leg.label)).toEqual(["caller", "human-1"]);
  });

  test("to hang up somebody who has left meanwhile is no outcome of theirs", () => {
    const left = waitingFor(asked({ status: "left", outcome: "completed" }), "carrier.hangUp", "ai-1");
    const context = after(left, failed("carrier.hangUp", "ai-1"));
    expect(context.legs["ai-1"]).toMatchObject({ status: "left", outcome: "completed" });
  });

  test("to hang up somebody who has declined is not waited for either", () => {
    const declined = asked(
      { status: "left" },
      { status: "ringing", callSid: HUMAN_SID, outcome: "declined" },
    );
    const context = after(
      waitingFor(declined, "carrier.hangUp", "human-1"),
      failed("carrier.hangUp", "human-1"),
    );
    expect(legsToClear(context).map((leg) => leg.label)).toEqual(["caller"]);
  });
});

describe("a look at who is in the conference", () => {
  const look = (context: CallContext, answer: Parameters<typeof done>[2]): CallContext =>
    after(waitingFor(context, "carrier.reconcile"), done("carrier.reconcile", null, answer));
  const caller = { label: "caller", callSid: CALL_SID };
  const ai = { label: "ai-1", callSid: AI_SID };
  const human = { label: "human-1", callSid: HUMAN_SID };

  test("finds who joined without a callback", () => {
    const context = look(asked(), {
      conferenceSid: CONFERENCE_SID,
      participants: [caller, ai, human],
      callerAlive: true,
    });
    expect(Object.values(context.legs).map((leg) => [leg.status, leg.callSid])).toEqual([
      ["joined", CALL_SID],
      ["joined", AI_SID],
      ["joined", HUMAN_SID],
    ]);
    expect(context).toMatchObject({ conferenceSid: CONFERENCE_SID, callerGone: false, pending: {} });
  });

  test("finds a human who left without a callback", () => {
    const context = look(inRoom(), { participants: [caller, ai], callerAlive: true });
    expect(context.legs["human-1"]).toMatchObject({ status: "left", outcome: "not-in-conference" });
    expect(context.legs["ai-1"]?.status).toBe("joined");
  });

  test("does not take an AI leg for gone whose stream is open", () => {
    expect(look(inRoom(), { participants: [caller], callerAlive: true }).legs["ai-1"]?.status).toBe("joined");
    const lost = { ...inRoom(), streamSid: null };
    expect(look(lost, { participants: [caller], callerAlive: true }).legs["ai-1"]?.status).toBe("left");
  });

  test("takes an AI leg that is not in use for gone, stream or not", () => {
    const context = { ...inRoom(), aiLabel: "ai-2" };
    expect(look(context, { participants: [caller], callerAlive: true }).legs["ai-1"]?.status).toBe("left");
  });

  test("does not take the caller for gone while their call is alive", () => {
    const context = look(inRoom(), { participants: [], callerAlive: true });
    expect(context.legs["caller"]?.status).toBe("joined");
    expect(context.callerGone).toBe(false);
  });

  test("knows that the caller is gone when their call is over", () => {
    const context = look(inRoom(), { participants: [], callerAlive: false });
    expect(context.legs["caller"]).toMatchObject({ status: "left", outcome: "call-over" });
    expect(context.callerGone).toBe(true);
  });

  test("brings nobody back who has left, and takes nobody for gone who is still ringing", () => {
    const legs = inRoom().legs;
    const gone = {
      ...inRoom(),
      legs: { ...legs, "ai-1": { ...(legs["ai-1"] as Leg), status: "left" as const } },
    };
    expect(look(gone, { participants: [caller, ai], callerAlive: true }).legs["ai-1"]?.status).toBe("left");
    const ringing = asked({}, { status: "ringing" });
    expect(look(ringing, { participants: [], callerAlive: true }).legs["human-1"]?.status).toBe("ringing");
  });

  test("that did not say who is there moves nobody", () => {
    expect(look(inRoom(), {}).legs).toEqual(inRoom().legs);
  });

  test("counts people without our label as strangers", () => {
    const stranger = { label: null, callSid: HUMAN_SID };
    const context = look(inRoom(), { participants: [caller, ai, stranger], callerAlive: true });
    expect(Object.keys(context.legs)).toEqual(["caller", "ai-1", "human-1"]);
    expect(context.legs["human-1"]?.status).toBe("left");
  });
});

describe("the conditions of the machine", () => {
  test("begin nothing for a caller who has gone", () => {
    const args = { context: { ...inRoom(), callerGone: true }, event: { type: "op.coach", at: AT } } as const;
    expect(guards.aiUp(args)).toBe(false);
    expect(guards.humanJoined(args)).toBe(false);
    expect(guards.callerGone(args)).toBe(true);
  });

  test("do not trust a fact about the AI leg while a request to change it is on its way", () => {
    const event = { type: "op.coach", at: AT } as const;
    const context = inRoom();
    expect(guards.aiUnmuted({ context, event })).toBe(true);
    expect(guards.aiUnmuted({ context: waitingFor(context, "carrier.mute", "ai-1", true), event })).toBe(
      false,
    );
    expect(guards.aiUnmuted({ context: waitingFor(context, "carrier.mute", "ai-0", true), event })).toBe(
      true,
    );
    expect(guards.aiCoachesNobody({ context: waitingFor(context, "carrier.coach", "ai-1"), event })).toBe(
      false,
    );
    expect(guards.isAgent({ context: waitingFor(context, "model.role", null, true), event })).toBe(false);
  });

  test("take only the failure of a request about the leg in use for a failure", () => {
    const names = { names: ["carrier.mute"] } as const;
    const of = (context: CallContext, label: string) =>
      guards.failedEffect({ context, event: { at: AT, ...failed("carrier.mute", label) } as never }, names);
    expect(of(waitingFor(inRoom(), "carrier.mute", "ai-1", true), "ai-1")).toBe(true);
    expect(of(waitingFor(inRoom(), "carrier.mute", "ai-0", true), "ai-0")).toBe(false);
    expect(of(waitingFor(inRoom(), "carrier.coach", "ai-1"), "ai-1")).toBe(false);
    expect(of(inRoom(), "ai-1")).toBe(false);
  });

  test("are clear only when no leg is up and none is on its way", () => {
    const event = { type: "op.hangup", at: AT } as const;
    const gone = asked({ status: "left" }, { status: "left" });
    const legs = { ...gone.legs, caller: { ...(gone.legs["caller"] as Leg), status: "left" as const } };
    const clear = { ...gone, legs };
    expect(guards.allClear({ context: clear, event })).toBe(true);
    expect(guards.allClear({ context: inRoom(), event })).toBe(false);
    for (const name of ["carrier.addAi", "carrier.hangUp", "carrier.endConference"] as const) {
      expect(guards.allClear({ context: waitingFor(clear, name, "ai-1"), event })).toBe(false);
    }
    expect(guards.allClear({ context: waitingFor(clear, "carrier.mute", "ai-1"), event })).toBe(true);
  });
});
