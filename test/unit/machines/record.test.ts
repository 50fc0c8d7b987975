/** Callbacks come late, twice, never, in the wrong order and about strangers; facts stay true. */
import { describe, expect, test } from "bun:test";
import { LEG_RANK, type LegStatus } from "../../../machines/context.ts";
import type { UnstampedCallEvent } from "../../../machines/events.ts";
import { withError } from "../../../machines/record.ts";
import {
  AI_SID,
  after,
  asked,
  AT,
  CALL_SID,
  CONFERENCE_SID,
  HUMAN_SID,
  inRoom,
  OTHER_CONFERENCE_SID,
  waitingFor,
} from "./facts.ts";

const joined = (label: string, callSid: string, conferenceSid = CONFERENCE_SID): UnstampedCallEvent => ({
  type: "participant.joined",
  label,
  callSid,
  conferenceSid,
});
const left = (label: string, callSid: string, reason = "participant_hung_up"): UnstampedCallEvent => ({
  type: "participant.left",
  label,
  callSid,
  reason,
});
const status = (
  label: string,
  value: Extract<UnstampedCallEvent, { type: "leg.status" }>["status"],
): UnstampedCallEvent => ({ type: "leg.status", label, callSid: AI_SID, status: value });

describe("a leg", () => {
  test("that joins is known by its call sid, and names the conference", () => {
    const context = after(asked(), joined("ai-1", AI_SID));
    expect(context.legs["ai-1"]).toMatchObject({ status: "joined", callSid: AI_SID, outcome: null });
    expect(context.conferenceSid).toBe(CONFERENCE_SID);
  });

  test("keeps the call sid and the conference it was first known by", () => {
    const context = after(asked(), joined("ai-1", AI_SID), joined("ai-1", HUMAN_SID, OTHER_CONFERENCE_SID));
    expect(context.legs["ai-1"]?.callSid).toBe(AI_SID);
    expect(context.conferenceSid).toBe(CONFERENCE_SID);
  });

  test("that has left does not come back by a late join", () => {
    const context = after(asked(), left("ai-1", AI_SID), joined("ai-1", AI_SID));
    expect(context.legs["ai-1"]).toMatchObject({ status: "left", outcome: "participant_hung_up" });
  });

  test("keeps the first reason it left for", () => {
    const context = after(asked(), left("ai-1", AI_SID, "first"), left("ai-1", AI_SID, "second"));
    expect(context.legs["ai-1"]?.outcome).toBe("first");
  });

  test("never goes back, whatever comes in whatever order", () => {
    const events = [
      status("ai-1", "queued"),
      status("ai-1", "ringing"),
      status("ai-1", "in-progress"),
      joined("ai-1", AI_SID),
      left("ai-1", AI_SID),
      status("ai-1", "completed"),
    ];
    for (const before of Object.keys(LEG_RANK) as LegStatus[]) {
      for (const event of events) {
        const context = asked({ status: before });
        const now = after(context, event).legs["ai-1"]?.status as LegStatus;
        expect(LEG_RANK[now]).toBeGreaterThanOrEqual(LEG_RANK[before]);
      }
    }
  });

  test("is dialled, rings and is answered by its call's progress, but joins only by the conference", () => {
    const statuses = ["queued", "initiated", "ringing", "in-progress"] as const;
    const seen = statuses.map((value) => after(asked(), status("ai-1", value)).legs["ai-1"]?.status);
    expect(seen).toEqual(["dialing", "dialing", "ringing", "ringing"]);
  });

  test("has left once its call is over, and says how", () => {
    for (const value of ["completed", "busy", "failed", "no-answer", "canceled"] as const) {
      expect(after(asked(), status("ai-1", value)).legs["ai-1"]).toMatchObject({
        status: "left",
        outcome: value,
        callSid: AI_SID,
      });
    }
  });

  test("that the call never asked for is none of its own", () => {
    const context = inRoom();
    const strangers = [
      joined("stranger", HUMAN_SID),
      left("stranger", HUMAN_SID),
      status("stranger", "busy"),
    ];
    expect(after(context, ...strangers)).toEqual(context);
  });

  test("is the same after a callback has come twice", () => {
    const events = [joined("ai-1", AI_SID), status("ai-1", "completed"), left("caller", CALL_SID)];
    for (const event of events) {
      const once = after(asked(), event);
      expect(after(once, event)).toEqual(once);
    }
  });
});

describe("the caller", () => {
  test("is gone when their leg leaves, when their call is over and when their document ends", () => {
    const ways: UnstampedCallEvent[] = [
      left("caller", CALL_SID),
      { type: "leg.status", label: "caller", callSid: CALL_SID, status: "completed" },
      { type: "caller.gone", reason: "dial_ended" },
    ];
    for (const way of ways) {
      const context = after(inRoom(), way);
      expect(context.callerGone).toBe(true);
      expect(context.legs["caller"]?.status).toBe("left");
    }
  });

  test("is not gone because somebody else is", () => {
    const context = after(inRoom(), left("ai-1", AI_SID), left("human-1", HUMAN_SID));
    expect(context.callerGone).toBe(false);
  });

  test("stays gone when their join comes late", () => {
    const context = after(asked(), { type: "caller.gone", reason: "dial_ended" }, joined("caller", CALL_SID));
    expect(context.callerGone).toBe(true);
    expect(context.legs["caller"]).toMatchObject({ status: "left", outcome: "dial_ended" });
  });
});

describe("the end of the conference", () => {
  const ended = (conferenceSid: string): UnstampedCallEvent => ({ type: "conference.ended", conferenceSid });

  test("takes with it who had joined, the caller included", () => {
    const context = after(inRoom(), ended(CONFERENCE_SID));
    expect(Object.values(context.legs).map((leg) => [leg.status, leg.outcome])).toEqual([
      ["left", "conference-ended"],
      ["left", "conference-ended"],
      ["left", "conference-ended"],
    ]);
    expect(context.callerGone).toBe(true);
  });

  test("leaves alone who has not joined", () => {
    const context = after(asked({ status: "dialing" }, { status: "ringing" }), ended(CONFERENCE_SID));
    expect(context.legs["human-1"]?.status).toBe("ringing");
    expect(context.legs["ai-1"]?.status).toBe("dialing");
  });

  test("means that the caller has left, even before there is word of their joining", () => {
    const before = after(asked({}, {}), ended(CONFERENCE_SID));
    expect(before.callerGone).toBe(true);
    const joined = { type: "participant.joined", label: "caller", callSid: CALL_SID } as const;
    const late = after(before, { ...joined, conferenceSid: CONFERENCE_SID });
    expect(late.callerGone).toBe(true);
    expect(late.legs["caller"]?.status).toBe("left");
  });

  test("is known by a leg that is in another one of the same name, whatever was lost", () => {
    const dialing = after(inRoom(), joined("human-1", HUMAN_SID, OTHER_CONFERENCE_SID));
    expect(dialing.callerGone).toBe(true);
    expect(dialing.legs["caller"]).toMatchObject({ status: "left", outcome: "conference-ended" });
    expect(dialing.conferenceSid).toBe(CONFERENCE_SID);
    expect(after(inRoom(), joined("human-1", HUMAN_SID)).callerGone).toBe(false);
  });

  test("is ignored when it is another conference", () => {
    expect(after(inRoom(), ended(OTHER_CONFERENCE_SID))).toEqual(inRoom());
  });
});

describe("a change that Twilio reports", () => {
  test("confirms and undoes nothing: only the answer to a request does", () => {
    for (const name of ["carrier.mute", "carrier.coach", "carrier.uncoach"] as const) {
      for (const [muted, coaching] of [
        [true, true],
        [false, false],
      ] as const) {
        const waiting = waitingFor(inRoom(), name, "ai-1", true);
        const changed = { type: "participant.changed", label: "ai-1", muted, coaching, hold: null } as const;
        expect(after(waiting, changed)).toEqual(waiting);
      }
    }
  });
});

describe("the stream of the AI", () => {
  const started = (label: string, streamSid: string): UnstampedCallEvent => ({
    type: "ai.streamStarted",
    label,
    streamSid,
    streamCallSid: AI_SID,
  });
  const closed = (streamSid: string): UnstampedCallEvent => ({
    type: "ai.streamClosed",
    label: "ai-1",
    streamSid,
    reason: "socket",
  });

  test("proves that its leg is up, and answers the call once", () => {
    const context = after(asked(), started("ai-1", "MZ1"));
    expect(context).toMatchObject({ streamSid: "MZ1", answeredAtMs: AT });
    expect(context.legs["ai-1"]?.status).toBe("joined");
    const again = after(context, { at: AT + 5000, ...started("ai-1", "MZ2") });
    expect(again).toMatchObject({ streamSid: "MZ2", answeredAtMs: AT });
  });

  test("forgives earlier attempts when it has lasted ten seconds, and not before", () => {
    const readdsAfter = (lastedMs: number): number => {
      const up = after({ ...asked(), readds: 2 }, started("ai-1", "MZ1"));
      expect(up.readds).toBe(2);
      return after(up, { at: AT + lastedMs, ...closed("MZ1") }).readds;
    };
    expect([readdsAfter(9999), readdsAfter(10_000)]).toEqual([2, 0]);
  });

  test("is gone when its engine is, and what legs no engine answered does not count", () => {
    const up = after({ ...asked(), readds: 2 }, started("ai-1", "MZ1"));
    expect(after(up, { type: "engine.restored" })).toMatchObject({ streamSid: null, readds: 0 });
  });

  test("of a leg that is not in use changes nothing", () => {
    expect(after(asked(), started("ai-0", "MZ1"))).toEqual(asked());
  });

  test("is lost when it closes, but not when one before it does", () => {
    expect(after(inRoom(), closed("MZ1")).streamSid).toBeNull();
    expect(after(inRoom(), closed("MZ0")).streamSid).toBe("MZ1");
  });
});

describe("errors", () => {
  test("of the model are facts of the call", () => {
    const context = after(inRoom(), { type: "model.failed", code: "connection_lost", message: "gone" });
    expect(context.model).toBe("failed");
    expect(context.errors).toEqual([{ atMs: AT, code: "model.connection_lost", message: "gone" }]);
  });

  test("are kept up to twenty, the first ones, and the rest are counted", () => {
    let context = asked();
    for (let n = 1; n <= 25; n++) context = { ...context, ...withError(context, n, `e${n}`, "no") };
    expect(context.errors.map((error) => error.code)).toEqual(
      Array.from({ length: 20 }, (_, i) => `e${i + 1}`),
    );
    expect(context.errorsDropped).toBe(5);
  });

  test("have a message of at most 300 characters", () => {
    expect(withError(asked(), AT, "e", "x".repeat(1000)).errors?.[0]?.message).toHaveLength(300);
  });
});
