/** What one engine leaves, and the next takes up. */
import { describe, expect, test } from "bun:test";
import { Escalations } from "../../../engine/call/escalations.ts";
import type { CreateCall } from "../../../engine/ports.ts";
import { CALL_SID, settle } from "../call/support.ts";
import { diesBefore, effect, type Loss, makeWorld, pass, startEngine } from "./effects-world.ts";

const NURSE = "+15550100";

describe("a ring that an engine died over", () => {
  test("is not taken for that of a later page to the same number, which waits for it", async () => {
    const world = makeWorld();
    const first = effect("page.call", { label: "human-1", incident: 1, to: NURSE });
    await diesBefore(world, first);
    const { runner, answers } = await startEngine(world, true);
    runner.resume();
    const second = effect("page.call", { label: "human-2", incident: 1, to: NURSE });
    runner.run(second);
    await pass(world.clock, 500);
    expect((await world.made(NURSE)).calls).toHaveLength(0);
    await pass(world.clock, 3000);
    const labels = world.carrier.requests.flatMap(([name, input]) =>
      name === "createCall" ? [/label=([^&#]+)/.exec((input as CreateCall).statusCallback ?? "")?.[1]] : [],
    );
    expect(labels).toEqual(["human-1", "human-2"]);
    const { calls } = await world.made(NURSE);
    expect(answers).toMatchObject([
      { id: first.id, callSid: calls[0]?.callSid },
      { id: second.id, callSid: calls[1]?.callSid },
    ]);
  });

  test("is not taken for one that waited for it when the engine died", async () => {
    const world = makeWorld();
    const { runner, die } = await startEngine(world);
    world.carrier.lose("hangs");
    const first = effect("page.call", { label: "human-1", incident: 1, to: NURSE });
    const second = effect("page.call", { label: "human-2", incident: 1, to: NURSE });
    runner.run(first);
    runner.run(second);
    await settle();
    die();
    // Of two calls it is chance which goes on first.
    const entries = world.store.journals.get(CALL_SID) ?? [];
    world.store.journals.set(
      CALL_SID,
      entries.toSorted((a, b) => (a.effectId < b.effectId ? 1 : -1)),
    );
    const next = await startEngine(world, true);
    next.runner.resume();
    await pass(world.clock, 3000);
    const { calls } = await world.made(NURSE);
    expect(calls).toHaveLength(2);
    expect(next.answers).toMatchObject([
      { id: second.id, callSid: calls[1]?.callSid },
      { id: first.id, callSid: calls[0]?.callSid },
    ]);
  });

  test("is that of the page whose callbacks have named it, and of no other that is in doubt", async () => {
    const world = makeWorld();
    const first = effect("page.call", { label: "human-1", incident: 1, to: NURSE });
    await diesBefore(world, first);
    const { runner, die } = await startEngine(world);
    world.carrier.lose("hangs");
    const second = effect("page.call", { label: "human-2", incident: 1, to: NURSE });
    runner.run(second);
    await settle();
    die();
    const [ring] = (await world.made(NURSE)).calls;
    const next = await startEngine(world, true);
    next.journal.claims.add(ring?.callSid ?? "", `${CALL_SID}/human-2`);
    next.runner.resume();
    await pass(world.clock, 3000);
    const { calls } = await world.made(NURSE);
    expect(calls).toHaveLength(2);
    expect(next.answers).toMatchObject([
      { id: first.id, callSid: calls[1]?.callSid },
      { id: second.id, callSid: ring?.callSid },
    ]);
  });

  /** Somebody has been rung for a call that is over: its journal tells nothing any more. */
  async function rungBefore(loss: Loss) {
    const world = makeWorld();
    const { runner, answers, die } = await startEngine(world);
    runner.run(effect("page.call", { label: "human-1", incident: 1, to: NURSE }));
    await pass(world.clock, 1000);
    world.store.dropSnapshot(CALL_SID);
    world.carrier.lose(loss);
    const second = effect("page.call", { label: "human-2", incident: 1, to: NURSE });
    runner.run(second);
    await settle();
    expect(answers).toHaveLength(1);
    die();
    const next = await startEngine(world, true);
    next.runner.resume();
    await pass(world.clock, 2000);
    return { id: second.id, answers: next.answers, calls: (await world.made(NURSE)).calls };
  }

  test("is found beside one for a call that is over by then", async () => {
    const { id, answers, calls } = await rungBefore("hangs");
    expect(calls).toHaveLength(2);
    expect(answers).toMatchObject([{ id, type: "effect.done", callSid: calls[1]?.callSid }]);
  });

  test("is made when only one for a call that is over by then is found", async () => {
    const { id, answers, calls } = await rungBefore("before");
    expect(calls).toHaveLength(2);
    expect(answers).toMatchObject([{ id, type: "effect.done", callSid: calls[1]?.callSid }]);
  });

  test("keeps others from being rung for three seconds at most", async () => {
    const world = makeWorld();
    const { runner, answers } = await startEngine(world);
    world.carrier.lose("hangs");
    runner.run(effect("page.call", { label: "human-1", incident: 1, to: NURSE }));
    const second = effect("page.call", { label: "human-2", incident: 1, to: NURSE });
    runner.run(second);
    await pass(world.clock, 2900);
    expect(answers).toEqual([]);
    await pass(world.clock, 200);
    expect(answers).toMatchObject([{ id: second.id }]);
  });
});

test("a text that an engine died over is sent once, whatever becomes of the answer to the next", async () => {
  const world = makeWorld();
  const each = effect("page.sms", { label: "sms-1", incident: 1, to: NURSE });
  await diesBefore(world, each);
  const { runner, answers } = await startEngine(world, true);
  world.carrier.lose("after");
  runner.resume();
  await pass(world.clock, 5000);
  expect((await world.made(NURSE)).texts).toHaveLength(1);
  expect(answers).toMatchObject([{ id: each.id, type: "effect.done" }]);
});

test("an incident keeps the code of a text whose engine died over it, and nobody else is given that", async () => {
  const world = makeWorld();
  const old = await startEngine(world);
  world.carrier.lose("hangs");
  old.runner.run(effect("page.sms", { label: "sms-1", incident: 1, to: NURSE }));
  await settle();
  old.die();
  const { runner, journal } = await startEngine(world, true);
  const { clock } = world;
  const escalations = new Escalations({ clock, agent: "Ada", host: () => null, claims: journal.claims });
  escalations.resume(CALL_SID, { texts: [], codes: [] }, runner.journal);
  expect(escalations.knownCode(CALL_SID, 1)).toBe("K7");
  const others = Array.from({ length: 151 }, (_, i) => escalations.code("CA-other", i));
  expect(others).not.toContain("K7");
});

describe("what is under way when calls are handed over", () => {
  test("has no result, whatever becomes of it as the engine stops, and is found by the next", async () => {
    const world = makeWorld();
    const old = await startEngine(world);
    world.carrier.lose("after");
    const each = effect("page.call", { label: "human-1", incident: 1, to: NURSE });
    old.runner.run(each);
    const waiting = effect("page.push", { label: "push-1", incident: 1, to: "https://push.example/hook" });
    old.runner.run(waiting);
    old.runner.handOver();
    await pass(world.clock, 3000);
    expect(old.answers).toEqual([]);
    expect(old.journal.open).toBe(0);
    expect(await world.store.openIntents(CALL_SID)).toMatchObject([
      { effectId: each.id },
      { effectId: waiting.id },
    ]);
    old.die();
    const { runner, answers } = await startEngine(world, true);
    runner.resume();
    await pass(world.clock, 2000);
    expect((await world.made(NURSE)).calls).toHaveLength(1);
    expect(world.pushes.sent).toHaveLength(1);
    expect(new Set(answers.map(({ id, type }) => `${id} ${type}`))).toEqual(
      new Set([`${each.id} effect.done`, `${waiting.id} effect.done`]),
    );
  });
});
