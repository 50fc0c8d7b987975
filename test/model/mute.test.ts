/** The caller or a human, silenced by an operator: one request at a time, and never the AI, whose mute has its own order. */
import { describe, expect, test } from "bun:test";
import { coached, coaching, handedOver, type Script, talking, WANTED } from "./script.ts";

const mute = (label: string) => ({ type: "op.mute", label }) as const;
const unmute = (label: string) => ({ type: "op.unmute", label }) as const;
const changed = (label: string, muted: boolean) =>
  ({ type: "participant.changed", label, muted, coaching: null, hold: null }) as const;
const isMuted = (call: Script, label: string) => call.snapshot.context.legs[label]?.muted;
const mutes = (call: Script, label: string): readonly unknown[] =>
  call.effects
    .filter(({ name }) => name === "carrier.mute")
    .map(({ input }) => input as { readonly label: string; readonly muted: boolean })
    .filter((input) => input.label === label)
    .map((input) => input.muted);

describe("somebody whom an operator mutes", () => {
  test("is asked for once, and muted when the carrier says so", () => {
    for (const label of ["caller", "human-1"]) {
      const call = coaching().happens(mute(label)).happens(mute(label)).happens(unmute(label));
      expect(mutes(call, label)).toEqual([true]);
      expect(isMuted(call, label)).toBe(false);
      call.answer("carrier.mute", "done", label);
      expect(isMuted(call, label)).toBe(true);
      expect(mutes(call.happens(mute(label)), label)).toEqual([true]);
      call.happens(unmute(label)).answer("carrier.mute", "done", label);
      expect(mutes(call, label)).toEqual([true, false]);
      expect(isMuted(call, label)).toBe(false);
    }
  });

  test("is the caller or a human in the room: nobody who is coming or has left, nobody unknown, and never the AI", () => {
    const call = coaching().happens(WANTED).accepts("human-2");
    for (const label of ["human-2", "human-9", "ai-1"]) {
      const before = call.effects.length;
      call.happens(mute(label)).happens(unmute(label));
      expect(call.effects).toHaveLength(before);
    }
    const left = coaching().leaves("human-1");
    const before = left.effects.length;
    expect(left.happens(mute("human-1")).effects).toHaveLength(before);
    const over = coaching().happens({ type: "op.hangup" });
    expect(mutes(over.happens(mute("caller")), "caller")).toEqual([]);
  });

  test("stays so whatever becomes of the AI and the others", () => {
    const call = coaching().happens(mute("caller")).answer("carrier.mute", "done", "caller");
    call.happens({ type: "op.remove" }).leaves("human-1").happens({ type: "engine.restored" });
    expect(isMuted(call, "caller")).toBe(true);
    expect(mutes(call, "caller")).toEqual([true]);
  });

  test("comes back heard, under another label, since a new participant is not muted", () => {
    const call = coaching().happens(mute("human-1")).answer("carrier.mute", "done", "human-1");
    const callSid = "CA-human-1";
    call.happens({ type: "human.returned", label: "human-2", from: "human-1", callSid, withoutAi: false });
    expect(isMuted(call.joins("human-2"), "human-2")).toBe(false);
  });

  test("is taken for muted when nobody knows, and can be unmuted; not when the carrier has refused", () => {
    const unknown = coaching().happens(mute("caller")).answer("carrier.mute", "failed", "caller");
    expect(isMuted(unknown, "caller")).toBe(true);
    expect(mutes(unknown.happens(unmute("caller")), "caller")).toEqual([true, false]);
    const refused = talking().happens(mute("caller")).refused("carrier.mute", 20_404);
    expect(isMuted(refused, "caller")).toBe(false);
    expect(refused.snapshot.context.errors.at(-1)?.code).toBe("carrier.mute.20404");
    const still = coaching().happens(mute("caller")).answer("carrier.mute", "done", "caller");
    still.happens(unmute("caller")).answer("carrier.mute", "failed", "caller");
    expect(isMuted(still, "caller")).toBe(true);
  });

  test("may be muted by somebody else, whose word is the carrier's callback, but not while it is asked for", () => {
    const call = talking().happens(changed("caller", true));
    expect(isMuted(call, "caller")).toBe(true);
    call.happens(unmute("caller")).happens(changed("caller", false));
    expect(isMuted(call, "caller")).toBe(true);
    expect(isMuted(call.answer("carrier.mute", "done", "caller"), "caller")).toBe(false);
  });

  test("changes nothing of the order that keeps the caller from hearing the coach", () => {
    const call = handedOver().happens(mute("human-1"));
    // The answer about the human is none about the AI.
    call.answer("carrier.mute", "failed", "human-1");
    expect(call.whisper).toBe("muting");
    expect(call.happens(changed("caller", true)).whisper).toBe("muting");
    const through = coached(call);
    expect(through.whisper).toBe("active");
    expect(isMuted(through, "ai-1")).toBe(false);
    expect(through.happens(mute("human-1")).whisper).toBe("active");
  });
});
