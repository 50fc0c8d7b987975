/** Which legs a call wants, and when: who is let in by TwiML and by the media gateway depends on it. */
import { describe, expect, test } from "bun:test";
import {
  accepts,
  beginCall,
  callerJoins,
  type Calls,
  escalate,
  gone,
  handedOver,
  joined,
  legSid,
  makeCalls,
  openStream,
  ringing,
  streaming,
} from "./calls-setup.ts";
import { CALL_SID, settle } from "./support.ts";

/** The deployment's 30 s, and what the carrier may be late with its word. */
const RINGS_TOO_LONG_MS = 40_000;

describe("the AI leg", () => {
  test("is wanted from the moment it is dialled until the call ends", async () => {
    const calls = makeCalls();
    const session = beginCall(calls);
    expect(session.wantedAiLabel).toBeNull();
    await callerJoins(calls, session);
    expect(session.wantedAiLabel).toBe("ai-1");
    session.deliver({ type: "op.hangup" });
    expect(session.wantedAiLabel).toBeNull();
  });

  test("that has left is not wanted any more; the one after it is", async () => {
    const calls = makeCalls();
    const { session, stream } = await streaming(calls);
    stream.close();
    session.deliver({ type: "participant.left", label: "ai-1", callSid: "CA1", reason: "left" });
    expect(session.wantedAiLabel).toBeNull();
    await settle();
    expect(session.wantedAiLabel).toBe("ai-2");
    expect(openStream(session, calls.clock, "ai-1", "MZ2").taken).toBe(false);
    expect(openStream(session, calls.clock, "ai-2", "MZ3").taken).toBe(true);
    await settle();
    expect(session.state).toBe("streaming");
  });

  test("may bring its stream back while it is reconnecting, and the caller is told", async () => {
    const calls = makeCalls();
    const { session, stream } = await streaming(calls);
    stream.close();
    await settle();
    expect(session.wantedAiLabel).toBe("ai-1");
    expect(openStream(session, calls.clock, "ai-1", "MZ2").taken).toBe(true);
    expect(calls.model.sessions[0]?.told.at(-1)).toContain("The line was interrupted");
    expect(calls.carrier.requests.filter(([operation]) => operation === "createParticipant")).toHaveLength(1);
  });

  test("that stays away is hung up and replaced after four seconds", async () => {
    const calls = makeCalls();
    const { session, stream } = await streaming(calls);
    stream.close();
    await settle();
    calls.clock.advance(3999);
    await settle();
    expect(session.wantedAiLabel).toBe("ai-1");
    calls.clock.advance(1);
    await settle();
    expect(session.wantedAiLabel).toBe("ai-2");
    const operations = calls.carrier.requests.map(([operation]) => operation);
    expect(operations.filter((each) => each === "updateCall")).toHaveLength(1);
    expect(operations.filter((each) => each === "createParticipant")).toHaveLength(2);
  });

  test("is not wanted once it was removed, until it is asked back", async () => {
    const calls = makeCalls();
    const { session } = await gone(calls);
    expect(session.state).toBe("removed");
    expect(session.wantedAiLabel).toBeNull();
    expect(openStream(session, calls.clock, "ai-1", "MZ2").taken).toBe(false);
    session.deliver({ type: "op.restore" });
    await settle();
    expect(session.wantedAiLabel).toBe("ai-2");
    openStream(session, calls.clock, "ai-2", "MZ3");
    await settle();
    expect(session.state).toBe("coaching");
  });

  test("is not wanted from the moment it is to be removed", async () => {
    const calls = makeCalls();
    const { session } = await handedOver(calls);
    expect(session.wantedAiLabel).toBe("ai-1");
    session.deliver({ type: "op.remove" });
    expect(session.wantedAiLabel).toBeNull();
  });

  test("is wanted while it returns to a caller who is alone", async () => {
    const calls = makeCalls();
    const { session } = await gone(calls);
    session.deliver({ type: "participant.left", label: "human-1", callSid: "CA3", reason: "left" });
    await settle();
    // Twilio has not answered yet that the leg may be heard: `returning` lasts until it does.
    const unmuted = Promise.withResolvers<never>();
    calls.carrier.updateParticipant = () => unmuted.promise;
    const stream = openStream(session, calls.clock, "ai-2", "MZ3");
    await settle();
    expect(session.row().state).toBe("removed");
    stream.close();
    expect(session.wantedAiLabel).toBe("ai-2");
  });

  test("that says goodbye is heard to its end before the call ends", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    const model = calls.model.sessions[0];
    model?.sink.toolCall({ callId: "t1", name: "end_call", argumentsJson: '{"reason":"done"}' });
    await settle();
    expect(model?.told.at(-1)).toContain("goodbye_noted");
    expect(session.row().endReason).toBe("agent_ended");
  });
});

describe("a person", () => {
  const standing = ({ escalations }: Calls, label = "human-1") => escalations.page(CALL_SID, label)?.standing;

  test("may take the call while they are rung, and is wanted in the room once they have", async () => {
    const calls = makeCalls();
    const { session } = await streaming(calls);
    expect(standing(calls)).toBeUndefined();
    session.deliver(escalate());
    expect(standing(calls)).toBe("open");
    expect(session.legWanted("human-1")).toBe(false);
    await settle();
    await accepts(calls, session);
    expect(standing(calls)).toBe("yours");
    expect(session.legWanted("human-1")).toBe(true);
    const callSid = legSid(calls);
    session.deliver(joined("human-1", callSid, session.row().conferenceSid ?? undefined));
    await settle();
    expect(session.state).toBe("coaching");
    expect(session.labelOf(callSid)).toBe("human-1");
    session.deliver({ type: "participant.left", label: "human-1", callSid, reason: "hung_up" });
    expect(session.legWanted("human-1")).toBe(false);
  });

  test("who has declined, or whom a voicemail answered for, is not let in", async () => {
    for (const answer of ["declined", "voicemail"] as const) {
      const calls = makeCalls();
      const { session } = await ringing(calls);
      session.deliver({
        type: "leg.status",
        label: "human-1",
        callSid: legSid(calls),
        status: "in-progress",
      });
      session.deliver({ type: "human.answered", label: "human-1", answer });
      expect(standing(calls)).toBe("over");
      expect(session.legWanted("human-1")).toBe(false);
    }
  });

  test("who was rung for too long is hung up", async () => {
    const calls = makeCalls();
    await ringing(calls);
    calls.clock.advance(RINGS_TOO_LONG_MS);
    await settle();
    calls.clock.advance(60_000);
    await settle();
    const hungUp = calls.carrier.requests.filter(([operation]) => operation === "updateCall");
    expect(hungUp.map(([, , patch]) => patch)).toEqual([{ status: "completed" }]);
  });

  test("is not wanted when the operator takes the escalation back", async () => {
    const calls = makeCalls();
    const { session } = await ringing(calls);
    session.deliver({ type: "op.restore" });
    expect(standing(calls)).toBe("over");
    expect(session.state).toBe("streaming");
  });

  test("is whispered to only when Twilio keeps the AI from the caller, in the order of safety", async () => {
    const calls = makeCalls();
    const { session } = await handedOver(calls);
    expect(session.state).toBe("coaching");
    const updates = calls.carrier.requests.flatMap(([operation, , patch]) =>
      operation === "updateParticipant" ? [patch] : [],
    );
    expect(updates).toEqual([
      { muted: true },
      { coaching: true, callSidToCoach: expect.stringMatching(/^CA/) },
      { muted: false },
    ]);
    const effects = (calls.store.logs.get(CALL_SID) ?? [])
      .filter((entry) => entry.kind === "effect")
      .map((entry) => [entry.name, entry.data["gate"] ?? entry.data["role"] ?? entry.data["muted"] ?? null]);
    const from = effects.findIndex(([name, value]) => name === "media.gate" && value === "closed");
    expect(effects.slice(from)).toEqual([
      ["media.gate", "closed"],
      ["carrier.mute", true],
      ["carrier.coach", null],
      ["model.role", "coach"],
      ["carrier.mute", false],
      ["media.gate", "open"],
    ]);
  });
});
