/** Words of the carrier that do not come, and what the call does to learn of it all the same. */
import { describe, expect, test } from "bun:test";
import { talking, WANTED } from "./script.ts";

describe("a call without a human", () => {
  test("looks once, early, who is there: the word of a caller who left at once may be lost", () => {
    const call = talking().waits(30_000).happens({ type: "deadline", name: "checkup" });
    expect(call.asked("carrier.reconcile")).toBe(1);
    expect(call.shows("caller", "ai-1").value).toEqual({ streaming: "live" });
    expect(call.waits(31_000).happens({ type: "deadline", name: "checkup" }).asked("carrier.reconcile")).toBe(
      1,
    );
  });
});

describe("an owner who leaves", () => {
  test("by hanging up in the room was there, too", () => {
    const call = talking().happens(WANTED).accepts("human-1").leaves("human-1", "participant_hung_up");
    expect(call.words).toEqual(["owner.joined human-1"]);
  });

  test("by a key was there, also when the word of their joining is lost: nobody else is sought", () => {
    const call = talking().happens(WANTED).accepts("human-1").leaves("human-1", "handed_back");
    expect(call.words).toEqual(["owner.joined human-1"]);
    call.ladder({ phase: "owned", outcome: "owned" });
    expect(call.value).toEqual({ streaming: "live" });
    expect(call.notices).not.toContain("human_unreachable");
    const returned = { label: "human-9", from: "human-1", callSid: "CA-human-9", withoutAi: false } as const;
    expect(call.happens({ type: "human.returned", ...returned }).joins("human-9").whisper).toBe("muting");
  });
});
