import { describe, expect, test } from "bun:test";
import { createWording } from "../../../engine/call/wording.ts";
import type { Notice } from "../../../machines/context.ts";
import { deploymentOf } from "./support.ts";

const agent = deploymentOf({
  agent: { instructions: "Be kind.", coachInstructions: "Whisper.", greeting: "Hello, caller." },
}).agent;
const wording = createWording(agent);

const NOTICES = [
  "line_restored",
  "calling_human",
  "human_unreachable",
  "still_calling",
  "still_waiting",
  "human_coming",
  "nobody_reached",
  "human_will_call",
  "taking_back",
  "back_with_caller",
  "escalation_already_open",
  "goodbye_noted",
  "not_possible_now",
] as const satisfies readonly Notice[];

describe("what the model is told", () => {
  test("is the agent's instructions, word for word, while it is the agent", () => {
    expect(wording.role("agent")).toBe("Be kind.");
  });

  test("as a coach begins with that role, and keeps the agent's instructions for reference", () => {
    const role = wording.role("coach");
    expect(role).toStartWith("COACH MODE. Whisper.");
    expect(role).toEndWith("Be kind.");
  });

  test("as a coach names the tools by which the person sends it away, or back to the caller", () => {
    expect(wording.role("coach")).toMatch(
      /asks you to leave.*\bend_call\b.*\n.*hands the caller back.*\btake_back\b/,
    );
    expect(wording.role("agent")).not.toContain("take_back");
  });

  test("to greet is the role and the exact words", () => {
    expect(wording.greeting()).toStartWith("Be kind.\n\n");
    expect(wording.greeting()).toEndWith('Say exactly: "Hello, caller."');
  });

  test("of an event has the role first, because it replaces the standing instructions", () => {
    for (const notice of NOTICES) expect(wording.notice(notice)).toStartWith("Be kind.\n\nNow: ");
  });

  test("in answer to a tool is data: a name to go by and a note to understand", () => {
    for (const notice of NOTICES) {
      const { status, note } = wording.toolOutput(notice);
      expect(status).toBe(notice);
      expect(wording.notice(notice)).toEndWith(`Now: ${note}`);
    }
  });

  test("is different for each event", () => {
    expect(new Set(NOTICES.map((notice) => wording.notice(notice))).size).toBe(NOTICES.length);
  });
});
