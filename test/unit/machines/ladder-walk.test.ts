/** Who is paged when. */
import { describe, expect, test } from "bun:test";
import { MAX_LATE_TEXTS } from "../../../machines/ladder.asks.ts";
import {
  LadderRig,
  DOCTOR,
  inputOf,
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

const paged = (world: LadderRig): readonly string[] => world.incident.pages.map((page) => page.label);

describe("a rung", () => {
  test("pages all its contacts by all their channels at once", () => {
    const world = rig([[NURSE, DOCTOR, PORTER]]);
    expect(paged(world)).toEqual(["human-1", "sms-2", "push-3", "human-4", "sms-5", "push-6"]);
    expect(world.asked("page.call").map((effect) => (effect.input as { to: string }).to)).toEqual([
      "+15550100",
      "+15550101",
    ]);
    expect(world.incident.nextAtMs).toBe(START_MS + WINDOW_MS);
  });

  test("goes on with numbers where the call left off", () => {
    const world = new LadderRig(inputOf({ firstPage: 7 })).start();
    expect(paged(world)).toEqual(["human-7", "sms-8", "push-9"]);
  });

  test("has its whole window, whatever happens meanwhile", () => {
    const world = rig([[a], [b]])
      .later(60_000)
      .answer("page.call")
      .leg("human-1", "ringing");
    expect(world.due("rung")?.atMs).toBe(START_MS + WINDOW_MS);
    world.pass("rung");
    expect(world.nowMs).toBe(START_MS + WINDOW_MS);
    expect(world.incident).toMatchObject({ rung: 1, nextAtMs: START_MS + 2 * WINDOW_MS });
    expect(paged(world)).toEqual(["human-1", "sms-2", "human-3", "sms-4"]);
    expect(world.record("sms-2")?.result).toBe("timed-out");
    expect(world.record("human-1")?.result).toBe("timed-out");
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
  });

  test("is not cut short by the deadline of the one before it", () => {
    const world = rig([[a], [b], [c]]).later(WINDOW_MS - 1);
    world.happens({ type: "page.declined", label: "sms-2" });
    expect(world.incident.rung).toBe(1);
    world.later(1).happens({ type: "deadline", name: "rung", of: "ladder-1" });
    expect(world.incident.rung).toBe(1);
  });

  test("lets whoever hears the briefing at its end accept, if nobody owns it by then", () => {
    const world = rig([[a], [b]])
      .later(110_000)
      .picksUp("human-1")
      .pass("rung");
    expect(world.record("human-1")?.result).toBeNull();
    expect(world.asked("page.hangUp")).toEqual([]);
    world.presses("human-1", "accepted");
    expect(world.incident).toMatchObject({ phase: "joining", owner: { contactName: "a", rung: 0 } });
    expect(world.record("human-3")?.result).toBe("cancelled");
  });

  test("is left at once when everybody on it has declined by one channel", () => {
    const world = rig([[a, b], [c]]);
    world.happens({ type: "page.declined", label: "sms-2" });
    expect(world.record("human-1")?.result).toBe("cancelled");
    expect(world.incident.rung).toBe(0);
    world.picksUp("human-3").presses("human-3", "declined");
    expect(world.record("sms-4")?.result).toBe("cancelled");
    expect(world.incident).toMatchObject({ rung: 1, nextAtMs: START_MS + WINDOW_MS });
    expect(world.asked("page.call", "human-5")).toHaveLength(1);
  });

  test("hangs up without a word on those who declined by text while they listened", () => {
    const world = rig([[a], [c]])
      .picksUp("human-1")
      .happens({ type: "page.declined", label: "sms-2" });
    expect(world.asked("page.tell")).toEqual([]);
    expect(world.asked("page.hangUp", "human-1")).toHaveLength(1);
  });

  test("is left at once when nothing of it can be acknowledged any more", () => {
    const world = rig([[a], [c]])
      .fail("page.sms")
      .answer("page.call")
      .leg("human-1", "busy");
    expect(world.incident.rung).toBe(1);
  });

  test("is not left while a text of it may be answered", () => {
    const world = rig([[a], [c]])
      .answer("page.sms")
      .answer("page.call")
      .leg("human-1", "busy");
    expect(world.incident.rung).toBe(0);
  });
});

describe("the walk over the rungs", () => {
  test("is repeated as often as the policy says, and then exhausted", () => {
    const world = rig([[a], [b]], { repeat: 2 });
    for (let window = 0; window < 4; window++) world.pass("rung");
    expect(world.incident).toMatchObject({
      phase: "exhausted",
      outcome: "exhausted",
      endedAtMs: null,
      walk: 2,
    });
    expect(world.incident.pages.map((page) => [page.walk, page.rung])).toEqual(
      [[1, 0], [1, 0], [1, 1], [1, 1], [2, 0], [2, 0], [2, 1], [2, 1]], // prettier-ignore
    );
    expect(world.asked("ladder.tellCaller")).toHaveLength(1);
  });

  test("goes on after a pause, and does not text the caller again", () => {
    const world = rig([[a], [b]])
      .pass("rung")
      .pass("rung");
    expect(world.incident.nextAtMs).toBe(START_MS + 2 * WINDOW_MS + PAUSE_MS);
    world.pass("again");
    expect(world.incident).toMatchObject({ phase: "paging", walk: 2, rung: 0 });
    world.pass("rung").pass("rung");
    expect(world.incident).toMatchObject({ phase: "exhausted", walk: 2 });
    expect(world.asked("ladder.tellCaller")).toHaveLength(1);
  });

  test("does not text the caller when the policy says so", () => {
    expect(
      rig([[a]], { textCaller: false })
        .pass("rung")
        .asked("ladder.tellCaller"),
    ).toEqual([]);
  });

  test("does not begin again at once with people who have just declined", () => {
    const world = rig([[c]], { repeat: 0 })
      .picksUp("human-1")
      .presses("human-1", "declined");
    expect(paged(world)).toEqual(["human-1"]);
    world.answer("page.hangUp").pass("rung");
    expect(world.nowMs).toBe(START_MS + WINDOW_MS);
    expect(paged(world)).toEqual(["human-1", "human-2"]);
  });

  test("never ends by itself when it is to go on until somebody owns it", () => {
    const world = rig([[c]], { repeat: 0 });
    for (let walk = 1; walk <= 5; walk++) world.pass("rung");
    expect(world.incident).toMatchObject({ phase: "paging", walk: 6, outcome: null });
  });

  test("is exhausted at once without anybody on call", () => {
    expect(rig([]).incident).toMatchObject({ phase: "exhausted", clear: true });
    expect(rig([[]], { repeat: 0 }).incident.phase).toBe("paging");
  });

  test("goes on when the records are full, and counts those it could not keep", () => {
    const world = rig([[c]], { repeat: 0 });
    for (let walk = 0; walk < 305; walk++) {
      world.fail("page.call").pass("rung");
    }
    expect(world.incident.pages).toHaveLength(300);
    expect(world.incident.pagesDropped).toBe(6);
    world.presses("human-306", "accepted");
    expect(world.incident.owner).toMatchObject({ pageLabel: "human-306", label: "human-306" });
  });

  test("keeps no more than so many old texts for a late answer", () => {
    const world = rig([[PORTER]], { repeat: 0 });
    for (let walk = 0; walk < 250; walk++) world.answer("page.push").pass("rung");
    // Besides those, the page of the window that is open, and the one of the window that has just closed.
    expect(world.livePages).toHaveLength(MAX_LATE_TEXTS + 2);
    world.acks("push-240");
    expect(world.incident.owner).toMatchObject({ pageLabel: "push-240" });
  });
});
