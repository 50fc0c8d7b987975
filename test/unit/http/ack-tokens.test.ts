import { describe, expect, test } from "bun:test";
import { AckTokens } from "../../../engine/http/ack-tokens.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { CALL_SID, START_MS } from "../call/support.ts";

const SID = "CA0123456789abcdef0123456789abcdef";
const DAY_MS = 86_400_000;

function make(secret = "not-a-secret") {
  const clock = new VirtualClock(START_MS);
  return { clock, tokens: new AckTokens({ secret, clock }) };
}

describe("the token of an ack link", () => {
  test("names one page of one call, and is good for a day", () => {
    const { clock, tokens } = make();
    const token = tokens.issue(SID, "push-5");
    expect(tokens.open(token)).toEqual({ callSid: SID, label: "push-5", expired: false });
    clock.advance(DAY_MS - 1);
    expect(tokens.open(token)?.expired).toBe(false);
    clock.advance(1001);
    expect(tokens.open(token)).toEqual({ callSid: SID, label: "push-5", expired: true });
  });

  test("is short enough for a text, and safe in a URL", () => {
    for (const label of ["sms-4", "push-300", "x".repeat(40)]) {
      const path = `/ack/${make().tokens.issue(SID, label)}`;
      expect(path.length).toBeLessThanOrEqual(120);
      expect(path).toMatch(/^\/ack\/[\w-]+$/);
    }
    expect(make().tokens.issue(SID, "sms-4").length).toBeLessThanOrEqual(50);
  });

  test("is the same key's after a restart, and nobody else's", () => {
    const token = make().tokens.issue(SID, "sms-4");
    expect(make().tokens.open(token)).not.toBeNull();
    expect(make("another").tokens.open(token)).toBeNull();
  });

  test("cannot be changed in any character, nor written in another way", () => {
    const { tokens } = make();
    const token = tokens.issue(SID, "sms-4");
    for (let at = 0; at < token.length; at++) {
      const other = token[at] === "A" ? "B" : "A";
      expect(tokens.open(token.slice(0, at) + other + token.slice(at + 1))).toBeNull();
    }
    for (const wrong of [
      "",
      "x",
      token.slice(1),
      token.slice(0, -1),
      `${token}=`,
      `${token}A`,
      ` ${token}`,
    ]) {
      expect(tokens.open(wrong)).toBeNull();
    }
    expect(tokens.open("A".repeat(10_000))).toBeNull();
  });

  test("is not made for what is no page", () => {
    const { tokens } = make();
    for (const [callSid, label] of [
      ["CA1", "sms-4"],
      [CALL_SID, ""],
      [CALL_SID, "x".repeat(41)],
    ] as const) {
      expect(() => tokens.issue(callSid, label)).toThrow("AckTokens");
    }
  });
});
