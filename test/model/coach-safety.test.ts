/** The whisper's order of safety when answers come late, not at all, or about somebody else. */
import { describe, expect, test } from "bun:test";
import { coaching, handedOver } from "./script.ts";

describe("the way to the coach", () => {
  test("opens the gate last", () => {
    const call = coaching();
    expect(call.whisper).toEqual("active");
    expect(call.lastGate).toEqual({ gate: "open", speaker: "coach" });
    const order = call.effects.map((effect) => effect.name).slice(-6);
    expect(order).toEqual([
      "media.gate",
      "carrier.mute",
      "carrier.coach",
      "model.role",
      "carrier.mute",
      "media.gate",
    ]);
  });

  test("stays closed when a step fails, and the AI is muted", () => {
    for (const step of ["carrier.coach", "model.role"] as const) {
      const call = handedOver().answer("carrier.mute");
      if (step === "model.role") call.answer("carrier.coach");
      call.answer(step, "failed");
      expect(call.whisper).toBe("listening");
      expect(call.lastGate).toMatchObject({ gate: "closed" });
      expect(call.inputs("carrier.mute").at(-1)).toEqual({ label: "ai-1", muted: true });
      expect(call.answer("carrier.mute").snapshot.context.handover).toBe("listening");
    }
  });

  test("ends with the AI taken out when it cannot be muted, at first or for listening", () => {
    const first = handedOver().answer("carrier.mute", "failed");
    const later = handedOver().answer("carrier.mute").answer("carrier.coach", "failed");
    for (const call of [first, later.answer("carrier.mute", "failed")]) {
      expect(call.value).toEqual({ removed: "leaving" });
      expect(call.inputs("carrier.remove")).toEqual([{ label: "ai-1" }]);
      expect(call.lastGate).toMatchObject({ gate: "closed" });
    }
    expect(first.snapshot.context.handover).toBe("joined_without_ai");
    expect(later.snapshot.context.handover).toBe("listening");
  });

  test("is not taken on an answer that was about another human", () => {
    const call = handedOver().answer("carrier.mute");
    // The request to coach the first human is still on its way when the operator takes the AI back …
    call.happens({ type: "op.restore" }).answer("carrier.mute");
    call.leaves("human-1");
    expect(call.whisper).toEqual({ releasing: "uncoaching" });
    // … and its answer says nothing about a second one.
    call.answer("carrier.coach");
    expect(call.snapshot.context.legs["ai-1"]?.coachOf).toBe("CA-human-1");
    call.answer("carrier.uncoach");
    expect(call.snapshot.context.legs["ai-1"]?.coachOf).toBeNull();
  });
});

describe("what Twilio says of the AI leg", () => {
  const changed = {
    type: "participant.changed",
    label: "ai-1",
    muted: null,
    coaching: null,
    hold: null,
  } as const;

  test("closes the gate when it is no coach any more, and goes through the order again", () => {
    const call = coaching().happens({ ...changed, coaching: false });
    expect(call.whisper).toEqual("muting");
    expect(call.lastGate).toMatchObject({ gate: "closed" });
    call.answer("carrier.mute").answer("carrier.coach").answer("model.role").answer("carrier.mute");
    expect(call.whisper).toEqual("active");
  });

  test("unmutes it when a mute that was taken back has taken effect after all", () => {
    const call = coaching();
    const before = call.asked("carrier.mute");
    call.happens({ ...changed, muted: true });
    expect(call.asked("carrier.mute")).toBe(before + 1);
    expect(call.effects.at(-1)?.input).toEqual({ label: "ai-1", muted: false });
  });

  test("changes nothing when it does not say, or speaks of a change that is under way", () => {
    const call = coaching().happens(changed);
    expect(call.whisper).toEqual("active");
    call.leaves("human-1").happens({ ...changed, muted: true, coaching: false });
    expect(call.whisper).toEqual({ releasing: "muting" });
  });
});

test("a role that was refused for an earlier request is still waited for", () => {
  const call = handedOver().answer("carrier.mute").answer("carrier.coach");
  expect(call.whisper).toEqual("switching");
  const dropped = { type: "ai.streamClosed", label: "ai-1", streamSid: "MZ-ai-1", reason: "socket" } as const;
  call.happens(dropped).streams("ai-1").answer("carrier.mute").answer("carrier.coach");
  expect(call.whisper).toEqual("switching");
  expect(call.asked("model.role")).toBe(2);
  call.answer("model.role", "failed");
  expect(call.whisper).toEqual("switching");
  call.answer("model.role").answer("carrier.mute");
  expect(call.whisper).toEqual("active");
});

describe("the way back to the caller", () => {
  test("waits for a role that is still being changed", () => {
    const call = handedOver().answer("carrier.mute").answer("carrier.coach");
    expect(call.whisper).toEqual("switching");
    call.leaves("human-1").answer("carrier.mute").answer("carrier.uncoach");
    expect(call.whisper).toEqual({ releasing: "switching" });
    call.answer("model.role");
    expect(call.snapshot.context.role).toBe("coach");
    expect(call.whisper).toEqual({ releasing: "switching" });
    call.answer("model.role").answer("media.flush").answer("carrier.mute");
    expect(call.value).toEqual({ streaming: "live" });
    expect(call.lastGate).toEqual({ gate: "open", speaker: "agent" });
  });

  test("waits, muted, until no whisper is on the line any more", () => {
    const call = coaching().leaves("human-1");
    call.answer("carrier.mute").answer("carrier.uncoach").answer("model.role");
    expect(call.whisper).toEqual({ releasing: "switching" });
    expect(call.inputs("carrier.mute").at(-1)).toEqual({ label: "ai-1", muted: true });
    expect(call.answer("media.flush").whisper).toEqual({ releasing: "unmuting" });
  });

  test("waits for a mute that is still being set, so that it cannot land on the AI later", () => {
    const call = handedOver();
    call.leaves("human-1");
    expect(call.whisper).toEqual({ releasing: "muting" });
    call.answer("carrier.mute");
    expect(call.whisper).toEqual({ releasing: "muting" });
    call.answer("carrier.mute");
    expect(call.whisper).toEqual({ releasing: "uncoaching" });
  });

  for (const step of ["carrier.mute", "carrier.uncoach", "model.role", "media.flush"] as const) {
    test(`makes leg and session anew when ${step} fails, and opens to nobody but the agent`, () => {
      const call = coaching().leaves("human-1");
      if (step !== "carrier.mute") call.answer("carrier.mute");
      if (step === "model.role") call.answer("carrier.uncoach");
      const sessions = call.asked("model.open");
      call.answer(step, "failed");
      expect(call.value).toEqual({ removed: "restoring" });
      expect(call.asked("model.open")).toBe(sessions + 1);
      expect(call.snapshot.context.role).toBe("agent");
      expect(call.lastGate).toMatchObject({ gate: "closed" });
      call
        .answer("carrier.addAi")
        .happens({ type: "model.ready" })
        .streams("ai-2")
        .answer("carrier.mute", "done", "ai-2");
      expect(call.value).toEqual({ streaming: "live" });
      expect(call.lastGate).toEqual({ gate: "open", speaker: "agent" });
    });
  }

  test("does not wait for ever", () => {
    const call = coaching().leaves("human-1").happens({ type: "deadline", name: "release" });
    expect(call.value).toEqual({ removed: "restoring" });
  });
});

describe("an engine that goes", () => {
  test("leaves caller and human in a room that ends when either leaves", () => {
    const call = coaching().happens({ type: "engine.shutdown" });
    expect(call.value).toEqual({ wrapUp: "detaching" });
    call.answer("carrier.hangUp");
    expect(call.value).toEqual({ wrapUp: "detaching" });
    call.answer("carrier.endOnLeave");
    expect(call.value).toBe("ended");
    expect(call.asked("carrier.apologise")).toBe(0);
  });

  test("tells a caller whose human has left", () => {
    const call = coaching().leaves("human-1").happens({ type: "engine.shutdown" });
    expect(call.value).toEqual({ wrapUp: "apologising" });
  });
});

describe("a request about a leg that is not in use any more", () => {
  test("changes nothing when it fails", () => {
    const call = handedOver();
    call.happens({ type: "ai.streamClosed", label: "ai-1", streamSid: "MZ-ai-1", reason: "socket" });
    call.leaves("ai-1").answer("carrier.reconcile");
    expect(call.whisper).toEqual("readding");
    call.answer("carrier.addAi").streams("ai-2");
    expect(call.whisper).toEqual("muting");
    call.answer("carrier.mute", "failed", "ai-1");
    expect(call.whisper).toEqual("muting");
  });
});
