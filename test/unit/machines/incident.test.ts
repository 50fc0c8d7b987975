/** An incident that goes on without its call. */
import { describe, expect, test } from "bun:test";
import { inputOf, LadderRig, PAUSE_MS, START_MS } from "../../model/ladder.rig.ts";

const followUp = (): LadderRig => new LadderRig(inputOf({ followUp: true, firstPage: 4 })).start();

describe("a follow-up", () => {
  test("begins with the pause, and does not text the caller again", () => {
    const world = followUp();
    expect(world.effects).toEqual([]);
    expect(world.incident).toMatchObject({ phase: "exhausted", nextAtMs: START_MS + PAUSE_MS, clear: true });
    world.pass("again");
    expect(world.incident).toMatchObject({ phase: "paging", walk: 1 });
    expect(world.incident.pages[0]?.label).toBe("human-4");
    world.pass("rung").pass("rung");
    expect(world.incident.phase).toBe("exhausted");
    expect(world.asked("ladder.tellCaller")).toEqual([]);
  });

  test("is owned at once by the key: there is no room to join", () => {
    const world = followUp().pass("again").picksUp("human-4").presses("human-4", "accepted");
    expect(world.incident).toMatchObject({
      phase: "owned",
      outcome: "owned",
      owner: { contactName: "nurse", label: null, callSid: null },
    });
    world.answer("page.sms").answer("page.push");
    expect(world.status).toBe("done");
  });

  test("is owned at once by text, and nobody is rung for it", () => {
    const world = followUp().pass("again").acks("sms-5");
    expect(world.incident).toMatchObject({ phase: "owned", owner: { channel: "sms" } });
    expect(world.record("human-4")?.result).toBe("cancelled");
    expect(world.asked("page.call")).toHaveLength(1);
  });

  test("is called off by an operator", () => {
    const world = followUp().pass("again").happens({ type: "op.hangup" });
    expect(world.incident).toMatchObject({ phase: "over", outcome: "called_off" });
    world.fail("page.call").answer("page.sms").answer("page.push");
    expect(world.status).toBe("done");
  });
});

describe("a ladder that is stored and started again", () => {
  const deadlines = (world: LadderRig): readonly string[] =>
    [...world.deadlines].map(({ name, of, atMs }) => `${name} of ${of} at ${atMs}`).toSorted();

  test("keeps its deadlines, pages nobody twice, and takes up where it was", () => {
    const before = new LadderRig(inputOf()).start().picksUp("human-1").later(20_000);
    const world = before.later(60_000).restarted();
    expect(deadlines(world)).toEqual(deadlines(before));
    expect(world.effects).toHaveLength(before.effects.length);
    world.presses("human-1", "accepted");
    expect(world.incident).toMatchObject({ phase: "joining", owner: { label: "human-1" } });
    const later = world.restarted().happens({ type: "owner.lost", label: "human-1" });
    expect(later.incident).toMatchObject({ phase: "paging", rung: 1 });
    expect(later.asked("page.call")).toHaveLength(2);
  });
});
