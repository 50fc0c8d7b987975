/** The whisper's order of safety when answers come late, not at all, or about somebody else. */
import { describe, expect, test } from "bun:test";
import type { CallEffect, EffectName } from "../../machines/context.ts";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import { CALL_SID, INPUT, type Snapshot, start, take } from "./driver.ts";

const CONFERENCE_SID = "CF00000000000000000000000000000001";

/** A call that is told what happens, and remembers what it asked for. */
class Script {
  snapshot: Snapshot;
  readonly effects: CallEffect[] = [];
  #at = INPUT.startedAtMs;

  constructor() {
    const first = start();
    this.snapshot = first.snapshot;
    this.effects.push(...first.effects);
  }

  get value(): unknown {
    return this.snapshot.value;
  }

  happens(event: UnstampedCallEvent): this {
    const step = take(this.snapshot, { ...event, at: ++this.#at });
    this.snapshot = step.snapshot;
    this.effects.push(...step.effects);
    return this;
  }

  /** Answers the oldest request of this kind that is still open. */
  answer(name: EffectName, outcome: "done" | "failed" = "done", label?: string): this {
    const open = Object.entries(this.snapshot.context.pending);
    const [id, effect] =
      open.find(([, each]) => each.name === name && (!label || each.label === label)) ?? [];
    if (!id || !effect) throw new Error(`no ${name} is asked for`);
    const head = { id, name, label: effect.label };
    return outcome === "done"
      ? this.happens({
          type: "effect.done",
          ...head,
          callSid: `CA-${effect.label}`,
          conferenceSid: CONFERENCE_SID,
        })
      : this.happens({ type: "effect.failed", ...head, code: 0, status: 500, message: "no" });
  }

  joins(label: string): this {
    const callSid = label === "caller" ? CALL_SID : `CA-${label}`;
    return this.happens({ type: "participant.joined", label, callSid, conferenceSid: CONFERENCE_SID });
  }

  leaves(label: string): this {
    return this.happens({
      type: "participant.left",
      label,
      callSid: `CA-${label}`,
      reason: "participant_hung_up",
    });
  }

  streams(label: string): this {
    return this.happens({ type: "ai.streamStarted", label, streamSid: `MZ-${label}`, streamCallSid: "CA-x" });
  }

  asked(name: EffectName): number {
    return this.effects.filter((effect) => effect.name === name).length;
  }

  get lastGate(): unknown {
    return this.effects.findLast((effect) => effect.name === "media.gate")?.input;
  }
}

/** Caller and AI talk, a human is rung and joins: the AI is about to become their coach. */
function handedOver(): Script {
  const call = new Script()
    .joins("caller")
    .answer("carrier.addAi")
    .happens({ type: "model.ready" })
    .streams("ai-1");
  call.happens({ type: "op.escalate", to: "+15550101", reason: null, urgency: "normal" });
  return call.answer("carrier.ringHuman").joins("human-1");
}

function coaching(): Script {
  return handedOver()
    .answer("carrier.mute")
    .answer("carrier.coach")
    .answer("model.role")
    .answer("carrier.mute");
}

describe("the way to the coach", () => {
  test("opens the gate last", () => {
    const call = coaching();
    expect(call.value).toEqual({ coaching: "active" });
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

  test("stays closed when a step fails", () => {
    for (const step of ["carrier.mute", "carrier.coach", "model.role"] as const) {
      const call = handedOver();
      if (step !== "carrier.mute") call.answer("carrier.mute");
      if (step === "model.role") call.answer("carrier.coach");
      call.answer(step, "failed");
      expect(call.value).toEqual({ coaching: "listening" });
      expect(call.lastGate).toMatchObject({ gate: "closed" });
    }
  });

  test("is not taken on an answer that was about another human", () => {
    const call = handedOver().answer("carrier.mute");
    // The request to coach the first human is still on its way when the operator takes the AI back …
    call.happens({ type: "op.restore" }).answer("carrier.mute");
    call.leaves("human-1");
    expect(call.value).toEqual({ coaching: { releasing: "uncoaching" } });
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
    expect(call.value).toEqual({ coaching: "muting" });
    expect(call.lastGate).toMatchObject({ gate: "closed" });
    call.answer("carrier.mute").answer("carrier.coach").answer("model.role").answer("carrier.mute");
    expect(call.value).toEqual({ coaching: "active" });
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
    expect(call.value).toEqual({ coaching: "active" });
    call.leaves("human-1").happens({ ...changed, muted: true, coaching: false });
    expect(call.value).toEqual({ coaching: { releasing: "muting" } });
  });
});

describe("the way back to the caller", () => {
  test("waits for a role that is still being changed", () => {
    const call = handedOver().answer("carrier.mute").answer("carrier.coach");
    expect(call.value).toEqual({ coaching: "switching" });
    call.leaves("human-1").answer("carrier.mute").answer("carrier.uncoach");
    expect(call.value).toEqual({ coaching: { releasing: "switching" } });
    call.answer("model.role");
    expect(call.snapshot.context.role).toBe("coach");
    expect(call.value).toEqual({ coaching: { releasing: "switching" } });
    call.answer("model.role").answer("carrier.mute");
    expect(call.value).toEqual({ streaming: "live" });
    expect(call.lastGate).toEqual({ gate: "open", speaker: "agent" });
  });

  test("waits for a mute that is still being set, so that it cannot land on the AI later", () => {
    const call = handedOver();
    call.leaves("human-1");
    expect(call.value).toEqual({ coaching: { releasing: "muting" } });
    call.answer("carrier.mute");
    expect(call.value).toEqual({ coaching: { releasing: "muting" } });
    call.answer("carrier.mute");
    expect(call.value).toEqual({ coaching: { releasing: "uncoaching" } });
  });

  for (const step of ["carrier.mute", "carrier.uncoach", "model.role"] as const) {
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
    expect(call.value).toEqual({ coaching: "readding" });
    call.answer("carrier.addAi").streams("ai-2");
    expect(call.value).toEqual({ coaching: "muting" });
    call.answer("carrier.mute", "failed", "ai-1");
    expect(call.value).toEqual({ coaching: "muting" });
  });
});

describe("a human who has pressed 1", () => {
  const accepted = (): Script => {
    const call = new Script()
      .joins("caller")
      .answer("carrier.addAi")
      .happens({ type: "model.ready" })
      .streams("ai-1");
    call
      .happens({ type: "op.escalate", to: null, reason: null, urgency: "normal" })
      .answer("carrier.ringHuman");
    return call.happens({ type: "human.answered", label: "human-1", answer: "accepted" });
  };
  const found = {
    type: "effect.done",
    name: "carrier.reconcile",
    label: null,
    conferenceSid: CONFERENCE_SID,
  } as const;

  test("is found in the room when the word of their joining was lost", () => {
    const call = accepted().happens({ type: "deadline", name: "join" });
    const [id = ""] =
      Object.entries(call.snapshot.context.pending).find(([, e]) => e.name === "carrier.reconcile") ?? [];
    const participants = ["caller", "ai-1", "human-1"].map((label) => ({ label, callSid: `CA-${label}` }));
    call.happens({ ...found, id, participants, callerAlive: true });
    expect(call.value).toEqual({ coaching: "muting" });
  });

  test("is not hung up on while nobody can say whether they are there", () => {
    const call = accepted().happens({ type: "deadline", name: "join" }).answer("carrier.reconcile", "failed");
    expect(call.value).toMatchObject({ escalating: { page: "joining" } });
    expect(call.asked("carrier.hangUp")).toBe(0);
  });
});
