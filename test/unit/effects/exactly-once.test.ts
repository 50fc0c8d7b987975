/** Whatever is lost on the way, and whichever engine dies when: nobody is rung, texted or added twice. */
import { describe, expect, test } from "bun:test";
import type { EffectAnswer } from "../../../engine/call/effect-answer.ts";
import { FAKE_ACCOUNT } from "../../support/fake-ports.ts";
import { CALL_SID, CONFERENCE_SID, settle } from "../call/support.ts";
import {
  type AnyEffect,
  diesBefore,
  effect,
  makeWorld,
  pass,
  startEngine,
  type World,
} from "./effects-world.ts";

const NURSE = "+15550100";
const DOCTOR = "+15550101";

/** Kinds of effects that exist twice when they are done twice, and how many of each the world has. */
const KINDS: readonly (readonly [string, () => AnyEffect, (world: World) => Promise<number>])[] = [
  [
    "carrier.addAi",
    () => effect("carrier.addAi", { label: "ai-2", muted: false }),
    async ({ carrier }) => carrier.participants.length,
  ],
  [
    "page.call",
    () => effect("page.call", { label: "human-1", incident: 1, to: NURSE }),
    async ({ made }) => (await made(NURSE)).calls.length,
  ],
  [
    "page.sms",
    () => effect("page.sms", { label: "sms-1", incident: 1, to: NURSE }),
    async ({ made }) => (await made(NURSE)).texts.length,
  ],
  [
    "ladder.tellPaged",
    () => effect("ladder.tellPaged", { to: NURSE, why: "handled", by: "Dr. Lee" }),
    async ({ made }) => (await made(NURSE)).texts.length,
  ],
  [
    "ladder.tellCaller",
    () => effect("ladder.tellCaller", {}),
    async ({ made }) => (await made("+15550177")).texts.length,
  ],
];

for (const [name, make, count] of KINDS) {
  describe(name, () => {
    for (const losses of [["before"], ["after"], ["before", "after"]] as const) {
      test(`is done once when its answers are lost: ${losses.join(", then ")} it took effect`, async () => {
        const world = makeWorld();
        const { runner, answers, journal } = await startEngine(world);
        world.carrier.lose(...losses);
        runner.run(make());
        await pass(world.clock, 10_000);
        expect(await count(world)).toBe(1);
        expect(answers).toMatchObject([{ type: "effect.done", name }]);
        if (name !== "page.sms" && !name.startsWith("ladder")) {
          expect(answers[0]).toMatchObject({ callSid: expect.stringMatching(/^CA/) });
        }
        expect(journal.open).toBe(0);
        expect(journal.counters.found).toBe(losses.at(-1) === "after" ? 1 : 0);
        expect(journal.counters.repeated).toBe(losses[0] === "before" ? 1 : 0);
      });
    }

    test("is given up when it never gets through, and not tried for ever", async () => {
      const world = makeWorld();
      const { runner, answers } = await startEngine(world);
      world.carrier.lose("before", "before", "before", "before");
      runner.run(make());
      await pass(world.clock, 10_000);
      expect(await count(world)).toBe(0);
      expect(answers).toHaveLength(1);
    });

    test("that an engine died over before it was done is done by the next", async () => {
      const world = makeWorld();
      const each = make();
      await diesBefore(world, each);
      expect(await count(world)).toBe(0);
      const { runner, answers } = await startEngine(world, true);
      runner.resume();
      await pass(world.clock, 400);
      expect(await count(world)).toBe(0);
      await pass(world.clock, 2000);
      expect(await count(world)).toBe(1);
      expect(answers).toMatchObject([{ type: "effect.done", id: each.id }]);
    });

    test("that an engine died over after it was done is found by the next", async () => {
      const world = makeWorld();
      const dead = await startEngine(world);
      world.carrier.lose("hangs");
      const each = make();
      dead.runner.run(each);
      await settle();
      expect(await count(world)).toBe(1);
      dead.die();
      await pass(world.clock, 60_000);
      const { runner, answers, journal } = await startEngine(world, true);
      runner.resume();
      await pass(world.clock, 2000);
      expect(await count(world)).toBe(1);
      expect(answers).toMatchObject([{ type: "effect.done", id: each.id }]);
      expect(journal.counters).toMatchObject({ resumed: 1, found: 1, repeated: 0, dead: 0 });
    });

    test("that was answered is answered the same when a restored actor asks for it again", async () => {
      const world = makeWorld();
      const first = await startEngine(world);
      const each = make();
      first.runner.run(each);
      await settle();
      first.die();
      const { runner, answers } = await startEngine(world, true);
      runner.resume();
      runner.run(each);
      await pass(world.clock, 2000);
      expect(await count(world)).toBe(1);
      const atAnyTime = (given: readonly EffectAnswer[]) => given.map((answer) => ({ ...answer, at: 0 }));
      expect(atAnyTime(answers)).toEqual(atAnyTime(first.answers));
    });

    test("that is being found again is not begun a second time by a restored actor", async () => {
      const world = makeWorld();
      const dead = await startEngine(world);
      world.carrier.lose("hangs");
      const each = make();
      dead.runner.run(each);
      await settle();
      dead.die();
      const { runner, answers } = await startEngine(world, true);
      runner.resume();
      runner.run(each);
      await pass(world.clock, 2000);
      expect(await count(world)).toBe(1);
      expect(answers).toHaveLength(1);
    });
  });
}

describe("two rings to one number that are in doubt at once", () => {
  test("are two rings, and each has one of the calls", async () => {
    const world = makeWorld();
    const { runner, answers } = await startEngine(world);
    world.carrier.lose("after", "after");
    runner.run(effect("page.call", { label: "human-1", incident: 1, to: NURSE }));
    runner.run(effect("page.call", { label: "human-2", incident: 2, to: NURSE }));
    await pass(world.clock, 10_000);
    const { calls } = await world.made(NURSE);
    expect(calls).toHaveLength(2);
    const sids = answers.map((answer) => ("callSid" in answer ? answer.callSid : null));
    expect(sids.toSorted()).toEqual(calls.map(({ callSid }) => callSid).toSorted());
  });

  test("are two rings when only one of them was made", async () => {
    for (const losses of [
      ["before", "after"],
      ["after", "before"],
    ] as const) {
      const world = makeWorld();
      const { runner, answers } = await startEngine(world);
      world.carrier.lose(...losses);
      runner.run(effect("page.call", { label: "human-1", incident: 1, to: NURSE }));
      runner.run(effect("page.call", { label: "human-2", incident: 2, to: NURSE }));
      await pass(world.clock, 10_000);
      expect((await world.made(NURSE)).calls).toHaveLength(2);
      expect(new Set(answers.map((answer) => "callSid" in answer && answer.callSid)).size).toBe(2);
    }
  });

  test("are not taken for one whose result is in the journal of an engine before", async () => {
    const world = makeWorld();
    const dead = await startEngine(world);
    dead.runner.run(effect("page.call", { label: "human-1", incident: 1, to: NURSE }));
    await settle();
    world.carrier.lose("before");
    dead.runner.run(effect("page.call", { label: "human-2", incident: 1, to: NURSE }));
    await settle();
    dead.die();
    const { runner, answers } = await startEngine(world, true);
    runner.resume();
    await pass(world.clock, 2000);
    expect((await world.made(NURSE)).calls).toHaveLength(2);
    expect(answers).toHaveLength(1);
    expect(answers[0]).not.toMatchObject({ callSid: (dead.answers[0] as { callSid: string }).callSid });
  });
});

describe("what was worded by an engine that died", () => {
  test("is sent as it was worded, and found by these words by the third", async () => {
    const world = makeWorld();
    const dead = await startEngine(world);
    world.carrier.lose("before");
    const each = effect("page.sms", { label: "sms-1", incident: 1, to: DOCTOR });
    dead.runner.run(each);
    await settle();
    dead.die();
    world.clock.advance(30_000);
    world.carrier.lose("hangs");
    const second = await startEngine(world, true);
    second.runner.resume();
    await pass(world.clock, 2000);
    second.die();
    expect((await world.made(DOCTOR)).texts).toHaveLength(1);
    const third = await startEngine(world, true);
    third.runner.resume();
    await pass(world.clock, 2000);
    expect((await world.made(DOCTOR)).texts).toHaveLength(1);
    expect(third.answers).toMatchObject([{ type: "effect.done", id: each.id }]);
  });
});

describe("a push", () => {
  test("may come twice, with the same id", async () => {
    const world = makeWorld();
    const dead = await startEngine(world);
    const each = effect("page.push", { label: "push-1", incident: 1, to: "https://push.example/hook" });
    const { send } = world.pushes;
    world.pushes.send = async (push) => {
      await send.call(world.pushes, push);
      return await new Promise(() => undefined);
    };
    dead.runner.run(each);
    await settle();
    dead.die();
    world.pushes.send = send;
    const { runner, answers } = await startEngine(world, true);
    runner.resume();
    await pass(world.clock, 2000);
    expect(world.pushes.sent.map(({ body }) => body.id)).toEqual([each.id, each.id]);
    expect(answers).toMatchObject([{ type: "effect.done", id: each.id }]);
  });
});

describe("what only sets a value or ends something", () => {
  const leg = async (world: World) =>
    await world.carrier.createParticipant({
      conference: CONFERENCE_SID,
      to: NURSE,
      from: FAKE_ACCOUNT.number,
      label: "ai-1",
    });
  const changes = (world: World): readonly string[] =>
    world.carrier.requests.flatMap(([name]) => (/^(update|remove|end)/.test(name) ? [name] : []));

  const resumed = async (world: World, each: AnyEffect) => {
    await diesBefore(world, each);
    const { runner, answers } = await startEngine(world, true);
    runner.resume();
    await pass(world.clock, 2000);
    return answers;
  };

  test("is not asked for again when it is so already", async () => {
    const coached = `CA${"9".repeat(32)}`;
    const cases: readonly (readonly [AnyEffect, object])[] = [
      [effect("carrier.mute", { label: "ai-1", muted: true }), { muted: true }],
      [effect("carrier.hold", { label: "caller", hold: false }), {}],
      [
        effect("carrier.coach", { label: "ai-1", callSidToCoach: coached }),
        { coaching: true, callSidToCoach: coached },
      ],
      [effect("carrier.uncoach", { label: "ai-1" }), { coaching: false }],
      [effect("carrier.remove", { label: "ai-7" }), {}],
    ];
    for (const [each, patch] of cases) {
      const world = makeWorld();
      const label = each.name === "carrier.hold" ? "caller" : "ai-1";
      await world.carrier.createParticipant({
        conference: CONFERENCE_SID,
        to: NURSE,
        from: FAKE_ACCOUNT.number,
        label,
      });
      await world.carrier.updateParticipant({ conferenceSid: CONFERENCE_SID, participant: label }, patch);
      await diesBefore(world, each);
      const before = changes(world).length;
      const { runner, answers } = await startEngine(world, true);
      runner.resume();
      await settle();
      expect([each.name, answers[0]?.type, changes(world).length - before]).toEqual([
        each.name,
        "effect.done",
        0,
      ]);
    }
  });

  test("is done once more at once when it does no harm", async () => {
    const world = makeWorld();
    const each = effect("carrier.endConference", { conferenceSid: CONFERENCE_SID });
    await diesBefore(world, each);
    const { runner, answers } = await startEngine(world, true);
    runner.resume();
    await settle();
    expect(answers).toMatchObject([{ type: "effect.done", id: each.id }]);
    expect(changes(world)).toEqual(["endConference"]);
  });

  test("is asked for when it is not so", async () => {
    const world = makeWorld();
    await leg(world);
    const answers = await resumed(world, effect("carrier.mute", { label: "ai-1", muted: true }));
    expect(answers.at(-1)).toMatchObject({ type: "effect.done", name: "carrier.mute" });
    expect(world.carrier.participants[0]?.muted).toBe(true);
  });

  test("of a participant that is gone fails as not found", async () => {
    const world = makeWorld();
    const answers = await resumed(world, effect("carrier.mute", { label: "ai-1", muted: true }));
    expect(answers.at(-1)).toMatchObject({ type: "effect.failed", status: 404, code: 20_404 });
  });

  test("of a call that is over has been done: nobody is told or hung up once more", async () => {
    const callSid = `CA${"8".repeat(32)}`;
    const tell = { label: "human-1", callSid, why: "handled", by: null } as const;
    for (const each of [
      effect("page.tell", tell),
      effect("page.hangUp", { label: "human-1", callSid }),
      effect("carrier.hangUp", { label: "human-1", callSid }),
    ]) {
      const world = makeWorld();
      await world.carrier.updateCall(callSid, { status: "completed" });
      const answers = await resumed(world, each);
      expect(answers.at(-1)).toMatchObject({ type: "effect.done", name: each.name });
      expect(changes(world)).toHaveLength(1);
    }
  });

  test("that was added, and left before the next engine came, is not added again", async () => {
    const world = makeWorld();
    const dead = await startEngine(world);
    world.carrier.lose("hangs");
    dead.runner.run(effect("carrier.addAi", { label: "ai-2", muted: false }));
    await settle();
    dead.die();
    const [ai] = world.carrier.participants;
    await world.carrier.removeParticipant({ conferenceSid: CONFERENCE_SID, participant: ai?.callSid ?? "" });
    const { runner, answers } = await startEngine(world, true);
    runner.resume();
    await pass(world.clock, 2000);
    expect(answers).toMatchObject([{ type: "effect.failed", name: "carrier.addAi", code: 20_404 }]);
    expect(world.carrier.requests.filter(([name]) => name === "createParticipant")).toHaveLength(1);
  });
});

describe("what nobody can tell", () => {
  test("is an outcome of its own: it is not tried again, and the row's errors name it", async () => {
    const world = makeWorld();
    const { runner, answers, journal } = await startEngine(world);
    world.carrier.lose("after", "after");
    for (const _ of [1, 2, 3, 4]) {
      world.carrier.failNext("findMessages", { status: 503, retryable: true });
      world.carrier.failNext("findCalls", { status: 503, retryable: true });
    }
    runner.run(effect("page.sms", { label: "sms-1", incident: 1, to: NURSE }));
    runner.run(effect("page.call", { label: "human-2", incident: 1, to: NURSE }));
    await pass(world.clock, 10_000);
    expect(answers.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toMatchObject([
      // It may ring all the same: its own callbacks tell.
      { type: "effect.done", name: "page.call", callSid: null },
      { type: "effect.failed", name: "page.sms", code: 1 },
    ]);
    expect(journal.counters.dead).toBe(2);
    expect(
      runner
        .withLost([])
        .map(({ code }) => code)
        .toSorted(),
    ).toEqual(["page.call.1", "page.sms.1"]);
    const kept = await world.store.journal(CALL_SID);
    expect(kept.filter(({ state }) => state === "dead")).toHaveLength(2);
  });
});
