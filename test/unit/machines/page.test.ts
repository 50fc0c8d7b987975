/** One page by what it is told and what it asks for, in the ladder that carries it. */
import { describe, expect, test } from "bun:test";
import { contact, inputOf, LadderRig, NURSE, policyOf } from "../../model/ladder.rig.ts";

const phoneOnly = contact("nurse", { voice: "+15550100" });
const textOnly = contact("nurse", { sms: "+15550100" });
const other = contact("doctor", { sms: "+15550102" });

/** A rung of these people; the ladder has a second one, so that it goes on. */
function rig(...contacts: readonly (typeof NURSE)[]): LadderRig {
  const rungs = [
    { name: "primary", contacts },
    { name: "secondary", contacts: [contact("porter", { sms: "+15550109" })] },
  ];
  return new LadderRig(inputOf({ policy: policyOf({ rungs }) })).start();
}

describe("a phone that is rung", () => {
  test("acknowledges by the key that accepts, and its leg is the owner's from then on", () => {
    const world = rig(phoneOnly).picksUp("human-1").presses("human-1", "accepted");
    expect(world.record("human-1")?.result).toBe("acknowledged");
    expect(world.incident.owner).toMatchObject({ label: "human-1", callSid: "CA-human-1", consult: false });
    expect(world.livePages).toEqual([]);
    expect(world.asked("page.hangUp")).toEqual([]);
  });

  test("acknowledges before the answer to its request has come, and the call sid is told after", () => {
    const world = rig(phoneOnly).presses("human-1", "consult");
    expect(world.incident.owner).toMatchObject({ label: "human-1", callSid: null, consult: true });
    expect(world.incident.clear).toBe(false);
    world.answer("page.call", "human-1", "CA-late");
    expect(world.incident.owner?.callSid).toBe("CA-late");
    expect(world.incident.clear).toBe(true);
  });

  test("is the owner's even when its call sid never becomes known", () => {
    const world = rig(phoneOnly).presses("human-1", "accepted").pass("page", "human-1");
    expect(world.incident).toMatchObject({ phase: "joining", clear: true });
  });

  for (const [answer, result] of [
    ["declined", "declined"],
    ["voicemail", "voicemail"],
  ] as const) {
    test(`is hung up when it is ${answer}`, () => {
      const world = rig(phoneOnly).picksUp("human-1").presses("human-1", answer);
      expect(world.record("human-1")?.result).toBe(result);
      expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
      expect(world.incident.owner).toBeNull();
    });
  }

  test("never acknowledges by a voicemail, whatever key is heard after", () => {
    const world = rig(phoneOnly).picksUp("human-1").presses("human-1", "voicemail");
    world.presses("human-1", "accepted");
    expect(world.record("human-1")?.result).toBe("voicemail");
    expect(world.incident.owner).toBeNull();
    world.answer("page.hangUp", "human-1").presses("human-1", "accepted");
    expect(world.incident.owner).toBeNull();
    // Nor when the word of it comes after the page has been given up.
    const late = rig(phoneOnly).picksUp("human-1").pass("page", "human-1").presses("human-1", "voicemail");
    expect(late.presses("human-1", "accepted").incident.owner).toBeNull();
  });

  for (const [status, result] of [
    ["busy", "busy"],
    ["no-answer", "no-answer"],
    ["failed", "failed"],
    ["canceled", "cancelled"],
    ["completed", "no-answer"],
  ] as const) {
    test(`ends as ${result} when its call is ${status}, and is not hung up`, () => {
      const world = rig(phoneOnly).answer("page.call", "human-1").leg("human-1", status);
      expect(world.record("human-1")?.result).toBe(result);
      expect(world.asked("page.hangUp")).toEqual([]);
      expect(world.livePages).not.toContain("human-1");
    });
  }

  test("is at an end however its callbacks are ordered, and does not come back to life", () => {
    const world = rig(phoneOnly).leg("human-1", "busy").leg("human-1", "ringing");
    world.leg("human-1", "in-progress").answer("page.call", "human-1").presses("human-1", "accepted");
    expect(world.record("human-1")?.result).toBe("busy");
    expect(world.incident.owner).toBeNull();
  });

  test("has failed when the request has, unless the call has shown itself", () => {
    expect(rig(phoneOnly).fail("page.call", "human-1").record("human-1")?.result).toBe("failed");
    const up = rig(phoneOnly).leg("human-1", "ringing").fail("page.call", "human-1");
    expect(up.record("human-1")?.result).toBeNull();
    expect(up.presses("human-1", "accepted").incident.owner?.label).toBe("human-1");
  });

  test("that rings for too long is hung up, since its callbacks must have been lost", () => {
    const world = rig(phoneOnly).answer("page.call", "human-1").pass("page", "human-1");
    expect(world.record("human-1")?.result).toBe("no-answer");
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
  });

  test("is hung up when nobody has pressed a key by the end of the briefing", () => {
    const world = rig(phoneOnly).picksUp("human-1").pass("page", "human-1");
    expect(world.record("human-1")?.result).toBe("no-answer");
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
  });

  test("is given the whole briefing, though a deadline of the ringing was on its way", () => {
    const world = rig(phoneOnly).answer("page.call", "human-1").later(39_999);
    world.leg("human-1", "in-progress").happens({ type: "deadline", name: "page", of: "human-1" });
    expect(world.record("human-1")?.result).toBeNull();
  });

  test("of which nobody knows whether it was made waits for its callbacks", () => {
    const silent = rig(phoneOnly).answer("page.call", "human-1", null).pass("page", "human-1");
    expect(silent.record("human-1")?.result).toBe("failed");
    expect(silent.livePages).not.toContain("human-1");
    const made = rig(phoneOnly).answer("page.call", "human-1", null).leg("human-1", "ringing");
    expect(made.presses("human-1", "accepted").incident.owner?.callSid).toBe("CA-human-1");
  });

  test("whose request is never answered is taken back in the end", () => {
    const world = rig(phoneOnly).pass("page", "human-1");
    expect(world.record("human-1")?.result).toBe("failed");
    expect(world.asked("page.withdraw", "human-1")).toHaveLength(1);
    expect(world.livePages).toContain("human-1");
    world.pass("page", "human-1");
    expect(world.livePages).not.toContain("human-1");
  });
});

describe("a phone that is not needed any more", () => {
  const handled = (world: LadderRig): LadderRig => world.acks("sms-2");

  test("is taken back before its call is known, and hung up as soon as it shows itself", () => {
    const world = handled(rig(phoneOnly, other));
    expect(world.record("human-1")?.result).toBe("cancelled");
    expect(world.asked("page.withdraw", "human-1")).toHaveLength(1);
    world.answer("page.call", "human-1");
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
  });

  test("is hung up when a callback shows it, though the outcome of its request is unknown", () => {
    const world = handled(rig(phoneOnly, other)).answer("page.call", "human-1", null);
    expect(world.asked("page.hangUp")).toEqual([]);
    world.leg("human-1", "ringing");
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
  });

  test("is done with when the carrier was never asked", () => {
    const world = handled(rig(phoneOnly, other)).fail("page.call", "human-1");
    expect(world.livePages).not.toContain("human-1");
    expect(world.asked("page.hangUp")).toEqual([]);
  });

  test("is hung up while it rings", () => {
    const world = handled(rig(phoneOnly, other).answer("page.call", "human-1"));
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
    expect(world.asked("page.tell")).toEqual([]);
    world.answer("page.hangUp", "human-1");
    expect(world.livePages).not.toContain("human-1");
  });

  test("is told who has it when somebody listens, and hung up when that fails", () => {
    const world = handled(rig(phoneOnly, other).picksUp("human-1"));
    expect(world.asked("page.tell", "human-1")[0]?.input).toEqual({
      label: "human-1",
      callSid: "CA-human-1",
      why: "handled",
      by: "doctor",
    });
    expect(world.asked("page.hangUp")).toEqual([]);
    world.fail("page.tell", "human-1");
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
  });

  test("is hung up when it is still there long after it was told", () => {
    const world = handled(rig(phoneOnly, other).picksUp("human-1")).answer("page.tell", "human-1");
    expect(world.livePages).toContain("human-1");
    world.pass("page", "human-1");
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
  });

  test("is hung up once more when that failed, and then given up", () => {
    const world = handled(rig(phoneOnly, other).answer("page.call", "human-1")).fail(
      "page.hangUp",
      "human-1",
    );
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
    world.pass("page", "human-1").fail("page.hangUp", "human-1");
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(2);
    expect(world.livePages).not.toContain("human-1");
    expect(world.record("human-1")?.result).toBe("cancelled");
  });

  test("counts as a yes when the key was pressed before they heard who has it", () => {
    const world = handled(rig(phoneOnly, other).picksUp("human-1")).presses("human-1", "accepted");
    expect(world.incident.owner?.contactName).toBe("doctor");
    // The doctor cannot be reached after all: the nurse, whose leg is gone, is rung again.
    world.leg("human-1", "completed").fail("page.call", "human-3");
    expect(world.incident).toMatchObject({ phase: "ringing", owner: { contactName: "nurse" } });
  });
});

describe("a text", () => {
  test("has no result until it is answered, whether or not it is known to be sent", () => {
    const world = rig(textOnly);
    expect(world.record("sms-1")?.result).toBeNull();
    expect(world.incident.clear).toBe(false);
    world.answer("page.sms");
    expect(world.record("sms-1")?.result).toBeNull();
    expect(world.incident.clear).toBe(true);
  });

  test("that is never known to be sent does not keep the incident from being clear", () => {
    expect(rig(textOnly).pass("page", "sms-1").incident.clear).toBe(true);
  });

  test("is acknowledged while its request is under way", () => {
    const world = rig(textOnly).acks("sms-1");
    expect(world.record("sms-1")?.result).toBe("acknowledged");
    expect(world.fail("page.sms").record("sms-1")?.result).toBe("acknowledged");
  });

  for (const [ending, happens] of [
    ["timed-out", (world: LadderRig) => world.answer("page.sms").pass("rung")],
    [
      "declined",
      (world: LadderRig) => world.answer("page.sms").happens({ type: "page.declined", label: "sms-1" }),
    ],
    ["failed", (world: LadderRig) => world.fail("page.sms")],
    [
      "failed",
      (world: LadderRig) => world.answer("page.sms").happens({ type: "page.undelivered", label: "sms-1" }),
    ],
  ] as const) {
    test(`that was ${ending} may be acknowledged all the same`, () => {
      const world = happens(rig(textOnly));
      expect(world.record("sms-1")?.result).toBe(ending);
      expect(world.incident.rung).toBe(1);
      world.acks("sms-1");
      expect(world.record("sms-1")?.result).toBe("acknowledged");
      expect(world.incident.owner?.contactName).toBe("nurse");
    });
  }

  test("changes nothing when it is answered after the incident is over", () => {
    const world = rig(textOnly).happens({ type: "ladder.close", why: "caller_left" }).acks("sms-1");
    expect(world.record("sms-1")?.result).toBe("cancelled");
    expect(world.incident.owner).toBeNull();
  });
});
