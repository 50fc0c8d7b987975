import { describe, expect, test } from "bun:test";
import { endedText, goneText, soughtText } from "../../../engine/console/app/incident-text.ts";

const open = { phase: "paging", outcome: null, owner: null, following: false } as const;
const ada = { contact: "Nurse Ada", rung: "primary", channel: "sms" } as const;

describe("an incident in words", () => {
  test("says that somebody is sought only as long as that is so", () => {
    expect(soughtText(open)).toBe("Somebody is sought.");
    expect(soughtText({ ...open, following: true })).toContain("calls the caller back");
    // The rungs are walked again: what came of the walk before is no outcome any more.
    expect(soughtText({ ...open, outcome: "exhausted" })).toBe("Somebody is sought.");
    expect(soughtText({ ...open, phase: "exhausted", outcome: "exhausted" })).toContain("walked again");
    // Its engine was lost.
    expect(endedText(open)).toBe("Nobody took it, and the engine gave it up.");
  });

  test("says who has it, or took it", () => {
    expect(soughtText({ ...open, phase: "owned", owner: ada })).toBe("Nurse Ada has it, by sms.");
    expect(endedText({ outcome: "owned", owner: ada })).toBe("Nurse Ada took it, by sms.");
  });

  test("tells a call that was lost from a caller who has left", () => {
    const lost = { ...open, phase: "over", outcome: "call_lost", following: true } as const;
    expect(soughtText(lost)).toBe(endedText(lost));
    expect(soughtText(lost)).toContain("cut off");
    // As long as its caller is told so.
    expect(soughtText({ ...lost, following: false })).toContain("is sought again");
    expect(goneText([lost, open])).toBe("the call was cut off");
    expect(goneText([{ outcome: "exhausted" }, open])).toBe("the caller has left");
  });
});
