import { describe, expect, test } from "bun:test";
import { LegKeys } from "../../../engine/call/leg-keys.ts";
import { CALL_SID } from "./support.ts";

const OTHER_SID = "CA00000000000000000000000000000002";

describe("the key of an AI leg", () => {
  test("leads back to its leg", () => {
    const keys = new LegKeys("not-a-secret");
    const key = keys.issue(CALL_SID, "ai-1");
    expect(keys.resolve(key)).toEqual({ callSid: CALL_SID, label: "ai-1" });
  });

  test("names nobody and can be part of a URL", () => {
    const key = new LegKeys("not-a-secret").issue(CALL_SID, "ai-1");
    expect(key).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test("is the same after a restart, and another for another leg, call or secret", () => {
    const of = (secret: string, callSid: string, label: string) => new LegKeys(secret).issue(callSid, label);
    expect(of("a", CALL_SID, "ai-1")).toBe(of("a", CALL_SID, "ai-1"));
    const all = [
      of("a", CALL_SID, "ai-1"),
      of("b", CALL_SID, "ai-1"),
      of("a", OTHER_SID, "ai-1"),
      of("a", CALL_SID, "ai-2"),
    ];
    expect(new Set(all).size).toBe(4);
  });

  test("that was not issued here leads nowhere", () => {
    const keys = new LegKeys("not-a-secret");
    expect(keys.resolve("guessed")).toBeNull();
    expect(keys.resolve(new LegKeys("another").issue(CALL_SID, "ai-1"))).toBeNull();
  });

  test("is forgotten with its call, and only then", () => {
    const keys = new LegKeys("not-a-secret");
    const mine = [keys.issue(CALL_SID, "ai-1"), keys.issue(CALL_SID, "ai-2"), keys.issue(CALL_SID, "ai-2")];
    const other = keys.issue(OTHER_SID, "ai-1");
    expect(keys.size).toBe(3);
    keys.forget(CALL_SID);
    expect(mine.map((key) => keys.resolve(key))).toEqual([null, null, null]);
    expect(keys.resolve(other)).toEqual({ callSid: OTHER_SID, label: "ai-1" });
    expect(keys.size).toBe(1);
  });
});
