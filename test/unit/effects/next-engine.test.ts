/** What one engine leaves, and the next takes up. */
import { describe, expect, test } from "bun:test";
import type { CreateCall } from "../../../engine/ports.ts";
import { CALL_SID } from "../call/support.ts";
import { diesBefore, effect, makeWorld, pass, startEngine } from "./effects-world.ts";

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
