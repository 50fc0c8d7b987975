import { describe, expect, test } from "bun:test";
import { FirstPerson } from "../../../engine/call/first-person.ts";
import { joined, makeCalls, ringing } from "./calls-setup.ts";
import { CALL_SID, settle } from "./support.ts";

async function rung() {
  const calls = makeCalls();
  const { session } = await ringing(calls);
  return { ...calls, session, view: new FirstPerson(calls.supervisor, calls.deployment) };
}

describe("the one person who is rung", () => {
  test("may enter the room once they have accepted, and until they are in it", async () => {
    const { view, session } = await rung();
    const standing = () => [view.page(CALL_SID, "human-1")?.standing, view.legWanted(CALL_SID, "human-1")];
    expect(view.page(CALL_SID, "human-1")).toMatchObject({
      contactName: "on-call nurse",
      rungName: "primary",
      agent: "after-hours",
      reason: "chest pain",
    });
    expect(standing()).toEqual(["open", false]);
    view.deliver(CALL_SID, { type: "human.answered", label: "human-1", answer: "accepted" });
    expect(standing()).toEqual(["yours", true]);
    session.deliver(joined("human-1"));
    expect(standing()).toEqual(["over", false]);
  });

  test("is not wanted after declining, and nobody else is", async () => {
    const { view } = await rung();
    expect(view.page(CALL_SID, "human-2")?.standing).toBe("over");
    view.deliver(CALL_SID, { type: "human.answered", label: "human-1", answer: "declined" });
    view.deliver(CALL_SID, { type: "human.answered", label: "human-1", answer: "accepted" });
    await settle();
    expect(view.page(CALL_SID, "human-1")?.standing).toBe("over");
  });

  test("of a call that is over is not known", async () => {
    const { view } = await rung();
    expect(view.callerIsHere(CALL_SID)).toBe(true);
    view.deliver(CALL_SID, { type: "caller.gone", reason: "dial_ended" });
    expect(view.callerIsHere(CALL_SID)).toBe(false);
    await settle();
    view.forget(CALL_SID);
    expect(view.deliver("CA-none", { type: "op.hangup" })).toBe(false);
    expect(view.page("CA-none", "human-1")).toBeNull();
  });
});
