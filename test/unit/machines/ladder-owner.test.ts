/** Who owns an incident, who is told, and how it ends. */
import { describe, expect, test } from "bun:test";
import {
  contact,
  LadderRig,
  NURSE,
  PAUSE_MS,
  PORTER,
  START_MS,
  WINDOW_MS,
  A as a,
  B as b,
  C as c,
  rig,
} from "../../model/ladder.rig.ts";

const tells = (world: LadderRig): readonly unknown[] =>
  world.asked("ladder.tellPaged").map((effect) => effect.input);

describe("an owner", () => {
  test("by the key is on the way until the call has them in the room", () => {
    const world = rig([[a, b]])
      .picksUp("human-1")
      .presses("human-1", "accepted");
    expect(world.incident).toMatchObject({ phase: "joining", nextAtMs: null, outcome: null });
    world.happens({ type: "owner.joined", label: "human-1" });
    expect(world.incident).toMatchObject({ phase: "owned", outcome: "owned", endedAtMs: START_MS });
  });

  test("ends every other page at once, and those paged by text are told once", () => {
    const world = rig([[a, b], [c]])
      .answer("page.sms", "sms-2")
      .answer("page.sms", "sms-4")
      .pass("rung");
    world.picksUp("human-5").presses("human-5", "accepted");
    expect(world.incident.pages.every((page) => page.result !== null)).toBe(true);
    expect(tells(world)).toEqual([
      { to: "+15550110", why: "handled", by: "c" },
      { to: "+15550111", why: "handled", by: "c" },
    ]);
    world.happens({ type: "owner.lost", label: "human-5" }).acks("sms-2");
    expect(world.incident.owner?.contactName).toBe("a");
    expect(tells(world)).toHaveLength(2);
  });

  test("is told of once more to whoever was told of another one, and has been paged again since", () => {
    const world = rig([[a], [b]], { repeat: 2 })
      .answer("page.sms", "sms-2")
      .pass("rung");
    world.picksUp("human-3").presses("human-3", "accepted");
    expect(tells(world)).toEqual([{ to: "+15550110", why: "handled", by: "b" }]);
    world.later(5000).happens({ type: "owner.lost", label: "human-3" });
    expect(world.incident).toMatchObject({ phase: "paging", walk: 2, rung: 0 });
    world.answer("page.sms", "sms-6").pass("rung");
    world.picksUp("human-7").presses("human-7", "accepted");
    expect(tells(world).slice(1)).toEqual([{ to: "+15550110", why: "handled", by: "b" }]);
  });

  test("of the last rung who does not come leaves it to those who were told that they need not do anything", () => {
    const world = rig([[c], [a, b]], { repeat: 1 }).pass("rung");
    world.answer("page.sms", "sms-3").answer("page.sms", "sms-5").acks("sms-3");
    expect(world.record("human-4")?.result).toBe("cancelled");
    world.later(5000).leg("human-2", "busy");
    expect(world.incident).toMatchObject({ phase: "paging", walk: 2, rung: 1, owner: null });
    expect(world.incident.nextAtMs).toBe(START_MS + WINDOW_MS + 5000 + WINDOW_MS);
    // Once: somebody whose phone is off may go on saying yes.
    world.acks("sms-9").leg("human-8", "busy");
    expect(world.incident).toMatchObject({ phase: "exhausted", walk: 2 });
  });

  test("who does not come ends the ladder when nobody else was asked with them, or all of them had declined", () => {
    const alone = rig([[b], [a]], { repeat: 1 })
      .pass("rung")
      .acks("sms-4")
      .leg("human-3", "busy");
    expect(alone.incident.phase).toBe("exhausted");
    const no = { type: "page.declined", label: "sms-4" } as const;
    const declined = rig([[a, b]], { repeat: 1 })
      .happens(no)
      .acks("sms-2")
      .leg("human-1", "busy");
    expect(declined.incident.phase).toBe("exhausted");
    // Nor is the pause made shorter.
    const late = rig([[a, b]], { repeat: 1 })
      .pass("rung")
      .acks("sms-2")
      .leg("human-5", "busy");
    expect(late.incident).toMatchObject({ phase: "exhausted", walk: 1 });
  });

  test("is not told by text who has it, nor is anybody whose text could not be sent", () => {
    const world = rig([[a, b]])
      .answer("page.sms", "sms-2")
      .fail("page.sms", "sms-4");
    world.presses("human-1", "accepted");
    expect(tells(world)).toEqual([]);
  });

  test("leaves nobody to be told whose text was taken back in time", () => {
    const world = rig([[a, b]]).answer("page.sms", "sms-2");
    world.presses("human-1", "accepted");
    expect(tells(world)).toEqual([]);
    world.fail("page.sms", "sms-4");
    expect(tells(world)).toEqual([]);
    const sent = rig([[a, b]])
      .answer("page.sms", "sms-2")
      .presses("human-1", "accepted");
    expect(tells(sent.answer("page.sms", "sms-4"))).toEqual([{ to: "+15550111", why: "handled", by: "a" }]);
  });

  test("who is lost on the way leaves it to the next rung, and may be paged again later", () => {
    const world = rig([[a], [b]], { repeat: 2 }).presses("human-1", "accepted");
    world.later(5000).happens({ type: "owner.lost", label: "human-1" });
    expect(world.incident).toMatchObject({ phase: "paging", rung: 1, owner: null });
    expect(world.incident.nextAtMs).toBe(START_MS + 5000 + WINDOW_MS);
    expect(world.record("human-1")?.result).toBe("acknowledged");
    world.pass("rung");
    expect(world.asked("page.call").map((effect) => (effect.input as { to: string }).to)).toEqual(
      ["+15550110", "+15550111", "+15550110"], // prettier-ignore
    );
  });

  test("is not lost by word of another leg", () => {
    const world = rig([[a], [b]]).presses("human-1", "accepted");
    world
      .happens({ type: "owner.lost", label: "human-9" })
      .happens({ type: "owner.joined", label: "human-9" });
    expect(world.incident.phase).toBe("joining");
  });

  test("by text is rung, and joins by a key like everybody", () => {
    const world = rig([[a], [b]])
      .picksUp("human-1")
      .presses("human-1", "voicemail")
      .acks("sms-2");
    expect(world.incident).toMatchObject({ phase: "ringing", owner: { channel: "sms", label: null } });
    expect(world.record("human-3")).toMatchObject({ purpose: "ring", contactName: "a", rung: 0 });
    world.picksUp("human-3").presses("human-3", "consult");
    expect(world.incident).toMatchObject({
      phase: "joining",
      owner: { pageLabel: "sms-2", label: "human-3", callSid: "CA-human-3", consult: true },
    });
    world.happens({ type: "owner.joined", label: "human-3" });
    expect(world.incident.outcome).toBe("owned");
  });

  test("by text joins by the phone that rings already", () => {
    for (const before of [(w: LadderRig) => w, (w: LadderRig) => w.picksUp("human-1")]) {
      const world = before(rig([[a], [b]])).acks("sms-2");
      expect(world.asked("page.call")).toHaveLength(1);
      expect(world.record("human-1")?.result).toBeNull();
      world.presses("human-1", "accepted");
      expect(world.incident).toMatchObject({
        phase: "joining",
        owner: { pageLabel: "sms-2", label: "human-1" },
      });
    }
  });

  test("without a phone has it at once", () => {
    const world = rig([[PORTER, b]]).acks("push-1");
    expect(world.incident).toMatchObject({ phase: "owned", owner: { contactName: "porter", label: null } });
    expect(world.asked("page.call").map((effect) => effect.input)).toHaveLength(1);
  });

  for (const [why, ends] of [
    ["does not answer", (w: LadderRig) => w.answer("page.call", "human-4").leg("human-4", "no-answer")],
    ["is busy", (w: LadderRig) => w.answer("page.call", "human-4").leg("human-4", "busy")],
    ["declines", (w: LadderRig) => w.picksUp("human-4").presses("human-4", "declined")],
    ["has a voicemail", (w: LadderRig) => w.picksUp("human-4").presses("human-4", "voicemail")],
    ["cannot be called", (w: LadderRig) => w.fail("page.call", "human-4")],
  ] as const) {
    test(`by text who ${why} when rung is let go of`, () => {
      const texter = contact("texter", { sms: "+15550113" });
      const world = rig([[texter, a], [c]]).acks("sms-1");
      expect(world.incident.phase).toBe("ringing");
      ends(world);
      expect(world.incident).toMatchObject({ phase: "paging", rung: 1, owner: null });
      expect(world.record("sms-1")?.result).toBe("acknowledged");
      world.acks("sms-1");
      expect(world.incident).toMatchObject({ phase: "ringing", owner: { contactName: "texter" } });
    });
  }

  test("stays the only one, and whoever said yes meanwhile is next when they are lost", () => {
    const world = rig([[a, b, NURSE], [c]]).presses("human-1", "accepted");
    world.acks("sms-6").acks("sms-4").acks("push-7");
    expect(world.incident.owner?.contactName).toBe("a");
    world.happens({ type: "owner.lost", label: "human-1" });
    expect(world.incident).toMatchObject({ phase: "ringing", owner: { contactName: "nurse" } });
    world.fail("page.call", "human-8");
    expect(world.incident).toMatchObject({ phase: "ringing", owner: { contactName: "b" } });
    world.fail("page.call", "human-9");
    // The nurse's second yes was heard while they were rung, and is not a new one.
    expect(world.incident).toMatchObject({ phase: "paging", rung: 1 });
  });

  test("may be somebody of an earlier rung, or who answers in the pause", () => {
    const earlier = rig([[a], [c]])
      .answer("page.sms")
      .pass("rung")
      .acks("sms-2");
    expect(earlier.incident.owner?.contactName).toBe("a");
    const late = rig([[a], [c]])
      .answer("page.sms")
      .pass("rung")
      .pass("rung")
      .later(1000)
      .acks("sms-2");
    expect(late.incident).toMatchObject({ phase: "ringing", outcome: "exhausted" });
    late.presses("human-4", "accepted").happens({ type: "owner.joined", label: "human-4" });
    expect(late.incident).toMatchObject({ phase: "owned", outcome: "owned" });
  });

  test("who is lost in the pause does not make it longer", () => {
    const world = rig([[a]])
      .answer("page.sms")
      .pass("rung")
      .later(60_000)
      .acks("sms-2");
    world.fail("page.call", "human-3");
    expect(world.incident).toMatchObject({ phase: "exhausted", nextAtMs: START_MS + WINDOW_MS + PAUSE_MS });
  });
});

describe("an incident that is called off, or whose caller leaves", () => {
  for (const why of ["caller_left", "called_off"] as const) {
    test(`ends all pages (${why}), tells those paged by text, and is over when they are clear`, () => {
      const world = rig([[a, b, c]])
        .answer("page.sms", "sms-2")
        .picksUp("human-1")
        .answer("page.call", "human-3");
      world.happens({ type: "ladder.close", why });
      expect(world.incident).toMatchObject({
        phase: "over",
        outcome: why,
        endedAtMs: START_MS,
        clear: false,
      });
      expect(tells(world)).toEqual([{ to: "+15550110", why, by: null }]);
      expect(world.asked("page.tell", "human-1")[0]?.input).toMatchObject({ why });
      expect(world.asked("page.hangUp", "human-3")).toHaveLength(1);
      expect(world.asked("page.withdraw", "human-5")).toHaveLength(1);
      world.answer("page.sms", "sms-4").answer("page.hangUp", "human-3").leg("human-1", "completed");
      expect(tells(world).slice(1)).toEqual([{ to: "+15550111", why, by: null }]);
      expect(world.status).toBe("active");
      world.fail("page.call", "human-5");
      expect(world.status).toBe("done");
      expect(world.incident.clear).toBe(true);
    });
  }

  test("takes no owner any more", () => {
    const world = rig([[a]])
      .picksUp("human-1")
      .happens({ type: "ladder.close", why: "called_off" });
    world.presses("human-1", "accepted").acks("sms-2");
    expect(world.incident).toMatchObject({ phase: "over", owner: null });
  });

  test("was exhausted if it was, when the caller leaves, but not when it is called off", () => {
    const exhausted = (): LadderRig =>
      rig([[PORTER]])
        .answer("page.push")
        .pass("rung");
    const left = exhausted().happens({ type: "ladder.close", why: "caller_left" });
    expect(left.incident).toMatchObject({ phase: "over", outcome: "exhausted", endedAtMs: left.nowMs });
    const off = exhausted().happens({ type: "ladder.close", why: "called_off" });
    expect(off.incident.outcome).toBe("called_off");
  });

  test("ends the ring of whoever is on the way", () => {
    const world = rig([[a]])
      .fail("page.call", "human-1")
      .acks("sms-2")
      .answer("page.call", "human-3");
    world.happens({ type: "ladder.close", why: "caller_left" });
    expect(world.asked("page.hangUp", "human-3")).toHaveLength(1);
    expect(world.incident.outcome).toBe("caller_left");
  });

  test("is over even when no answer and no callback ever comes", () => {
    const world = rig([[a, b, c]])
      .picksUp("human-1")
      .happens({ type: "ladder.close", why: "caller_left" });
    for (let turn = 0; turn < 40 && world.status === "active"; turn++) world.pass("page");
    expect(world.status).toBe("done");
  });

  test("stays owned when the caller leaves after the owner has come", () => {
    const world = rig([[a]])
      .presses("human-1", "accepted")
      .happens({ type: "owner.joined", label: "human-1" });
    world.happens({ type: "ladder.close", why: "caller_left" });
    expect(world.incident).toMatchObject({ phase: "owned", outcome: "owned" });
  });
});
