/** What ladders, people and holds add to the facts. */
import { describe, expect, test } from "bun:test";
import { guards } from "../../../machines/call.guards.ts";
import { ladderInput } from "../../../machines/call.incident.ts";
import type { CallContext, CallMessage } from "../../../machines/context.ts";
import { initialLadder } from "../../../machines/ladder.facts.ts";
import type { Incident, PageRecord } from "../../../machines/ladder.types.ts";
import { record } from "../../../machines/record.ts";
import { OWNER } from "../../model/ladder-double.ts";
import { after, AT, done, failed, HUMAN_SID, inRoom, waitingFor } from "./facts.ts";

const ESCALATE = { type: "op.escalate", at: AT, to: null, reason: "pain", urgency: "high" } as const;

function withIncident(context: CallContext, patch: Partial<Incident> = {}): CallContext {
  const incident = { ...initialLadder(ladderInput(context, ESCALATE)).incident, ...patch };
  return { ...context, incidents: [...context.incidents, incident] };
}

/** Nobody but caller and AI, and a human who is being paged. */
function wanted(patch: Partial<Incident> = {}): CallContext {
  const { caller, "ai-1": ai } = inRoom().legs;
  return withIncident(
    { ...inRoom(), humanLabel: null, legs: { caller, "ai-1": ai } as CallContext["legs"] },
    patch,
  );
}

function says(context: CallContext, patch: Partial<Incident>, number = 1): CallContext {
  const incident = { ...initialLadder(ladderInput(context, ESCALATE)).incident, number, ...patch };
  const message: CallMessage = { type: "ladder.update", at: AT, incident };
  return { ...context, ...record(context, message) };
}

const owner = (callSid: string | null, label = "human-4") => ({ ...OWNER, label, callSid });

describe("a ladder's word", () => {
  test("replaces what the call knew of that incident, and of no other", () => {
    const two = withIncident(wanted());
    const now = says(two, { phase: "ringing", rung: 3 }, 2);
    expect(now.incidents.map(({ phase, rung }) => [phase, rung])).toEqual([
      ["paging", 0],
      ["ringing", 3],
    ]);
    expect(says(two, { phase: "ringing" }, 3)).toEqual(two);
  });

  test("opens nothing again that the call has closed, and its owner's leg is not wanted", () => {
    const now = says(wanted({ phase: "over" }), { phase: "joining", owner: owner(HUMAN_SID) });
    expect(now.incidents[0]?.phase).toBe("over");
    expect(now.legs["human-4"]).toMatchObject({ unwanted: true, callSid: HUMAN_SID });
  });

  test("makes a leg of the owner's that has accepted, and names its call when it is known", () => {
    const asked = says(wanted(), { phase: "joining", owner: owner(null) });
    expect(asked.legs["human-4"]).toMatchObject({ kind: "human", status: "ringing", callSid: null });
    expect(asked).toMatchObject({
      humanLabel: "human-4",
      awaited: { incident: 1, label: "human-4", sinceMs: AT, looksFailed: 0 },
    });
    const named = says({ ...asked, awaited: null }, { phase: "joining", owner: owner(HUMAN_SID) });
    expect(named.legs["human-4"]?.callSid).toBe(HUMAN_SID);
    // A leg is awaited once.
    expect(named.awaited).toBeNull();
  });

  test("takes nothing over before the owner has accepted, nor from one who has no phone", () => {
    for (const patch of [
      { phase: "ringing", owner: owner(HUMAN_SID) },
      { phase: "owned", owner: OWNER },
    ] as const) {
      expect(Object.keys(says(wanted(), patch).legs)).toEqual(["caller", "ai-1"]);
    }
  });

  test("leaves the whisper with the human who is in the room", () => {
    const now = says(withIncident(inRoom()), { phase: "joining", owner: owner(HUMAN_SID) });
    expect(now.humanLabel).toBe("human-1");
    expect(now.awaited?.label).toBe("human-4");
  });
});

describe("the next incident", () => {
  test("numbers its pages on from all that came before, so that labels are unique in the call", () => {
    const page = { label: "sms-1" } as PageRecord;
    const before = wanted({ pages: [page, page], pagesDropped: 3 });
    expect(ladderInput(before, ESCALATE)).toMatchObject({ number: 2, firstPage: 6 });
  });
});

describe("a human who comes back", () => {
  const back = { type: "human.returned", label: "human-9", from: "human-1", callSid: "CA9" } as const;
  const owned = (patch: Partial<Incident> = {}): CallContext =>
    withIncident(inRoom(), { phase: "owned", owner: owner(HUMAN_SID, "human-1"), ...patch });

  test("has left before, whether or not that was told", () => {
    const context = after(owned(), { ...back, withoutAi: true });
    expect(context.legs["human-1"]).toMatchObject({ status: "left", outcome: "handed_back" });
    expect(context.legs["human-9"]).toMatchObject({ status: "ringing", callSid: "CA9", withoutAi: true });
    expect(context.humanLabel).toBe("human-9");
  });

  test("is somebody who was there, in a call that goes on", () => {
    const elsewhere = after(owned(), { ...back, from: "ai-1", withoutAi: false });
    expect(elsewhere).toEqual(owned());
    const ending = { ...owned(), endReason: "operator_ended" } as const;
    expect(after(ending, { ...back, withoutAi: false })).toEqual(ending);
  });

  test("comes to an incident that is theirs still: not to one that pages on, or that another has by now", () => {
    const { legs } = after(owned(), { ...back, label: "human-1.2", withoutAi: false });
    const again = { ...back, label: "human-1.3", from: "human-1.2", withoutAi: false };
    expect(after({ ...owned(), legs }, again).legs["human-1.3"]).toMatchObject({ status: "ringing" });
    for (const gone of [
      owned({ owner: owner("CA5", "human-5") }),
      owned({ phase: "paging", owner: null }),
      owned({ phase: "over" }),
    ]) {
      expect(after(gone, { ...back, withoutAi: false })).toEqual(gone);
    }
  });
});

describe("a hold", () => {
  const hold = (value: boolean) => waitingFor(inRoom(), "carrier.hold", "caller", value);
  const changed = (value: boolean | null) =>
    ({ type: "participant.changed", label: "caller", muted: null, coaching: null, hold: value }) as const;

  test("is begun and ended by the answer to a request", () => {
    const held = after({ ...hold(true), unholdOwed: true }, done("carrier.hold", "caller"));
    expect(held).toMatchObject({ callerOnHold: true, unholdOwed: true });
    const back = after(
      { ...hold(false), callerOnHold: true, unholdOwed: true },
      done("carrier.hold", "caller"),
    );
    expect(back).toMatchObject({ callerOnHold: false, unholdOwed: false });
  });

  test("that failed is not wanted any more, but is still to be ended", () => {
    const asked = { ...hold(true), holdWanted: true, unholdOwed: true };
    expect(after(asked, failed("carrier.hold", "caller"))).toMatchObject({
      holdWanted: false,
      unholdOwed: true,
    });
  });

  test("is known by a callback when no request is on its way, and its end is owed all the same", () => {
    expect(after(inRoom(), changed(true))).toMatchObject({ callerOnHold: true, unholdOwed: true });
    const owed = { ...inRoom(), callerOnHold: true, unholdOwed: true };
    expect(after(owed, changed(false))).toMatchObject({ callerOnHold: false, unholdOwed: true });
    expect(after(hold(false), changed(true))).toEqual(hold(false));
    expect(after(inRoom(), changed(null))).toEqual(inRoom());
    expect(after(inRoom(), { ...changed(true), label: "human-1" })).toEqual(inRoom());
  });
});

describe("the end", () => {
  test("waits for the pages of every incident", () => {
    const legs = Object.fromEntries(
      Object.entries(inRoom().legs).map(([label, leg]) => [label, { ...leg, status: "left" as const }]),
    );
    const event = { type: "op.hangup", at: AT } as const;
    const clear = (patch: Partial<Incident>): boolean =>
      guards.allClear({ context: withIncident({ ...inRoom(), legs }, patch), event });
    expect(clear({ phase: "over", clear: false })).toBe(false);
    expect(clear({ phase: "over", clear: true })).toBe(true);
    expect(clear({ phase: "owned", clear: true })).toBe(true);
    // Exhausted, it is paged again.
    expect(clear({ phase: "exhausted", clear: true })).toBe(false);
  });
});
