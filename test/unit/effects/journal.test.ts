/** When an effect runs, as against when its intent is durable. */
import { describe, expect, test } from "bun:test";
import { Journal } from "../../../engine/effects/journal.ts";
import { StoreError } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { JournalEntry } from "../../../engine/ports.ts";
import { MemoryStore } from "../../support/fake-ports.ts";
import { CALL_SID, keptLog, settle, START_MS } from "../call/support.ts";
import { effect, makeWorld, startEngine } from "./effects-world.ts";

const NURSE = "+15550100";
const ring = () => effect("page.call", { label: "human-1", incident: 1, to: NURSE });

/** A store that commits when it is told. */
class SlowStore extends MemoryStore {
  commit = (): void => undefined;
  refuse = (_error: Error): void => undefined;

  override durable(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.commit = resolve;
    this.refuse = reject;
    return promise;
  }
}

const states = (entries: readonly JournalEntry[]) => entries.map(({ name, state }) => `${name} ${state}`);
/** Without what is noted as a request is about to be sent. */
const sides = (entries: readonly JournalEntry[]) =>
  entries.filter(({ effectId }) => !effectId.endsWith("/request"));

describe("an effect on the outside world", () => {
  test("is written in the step that asks for it, and runs when that is durable", async () => {
    const store = new SlowStore();
    const world = makeWorld(store);
    const { runner, journal } = await startEngine(world);
    const each = ring();
    runner.run(each);
    expect(states(sides(await store.journal(CALL_SID)))).toEqual(["page.call intent"]);
    await settle();
    expect(world.carrier.requests).toEqual([]);
    expect(journal.open).toBe(1);
    world.clock.advance(12);
    store.commit();
    await settle();
    expect(world.carrier.requests.map(([name]) => name)).toEqual(["createCall"]);
    expect(states(sides(await store.journal(CALL_SID)))).toEqual(["page.call intent", "page.call done"]);
    expect([journal.open, journal.lag.count, journal.lag.sumMs]).toEqual([0, 1, 12]);
    expect(world.clock.pendingTimers).toBe(0);
  });

  test("has its result written, with the sid that it made", async () => {
    const world = makeWorld();
    const { runner, answers } = await startEngine(world);
    const each = ring();
    runner.run(each);
    await settle();
    const [intent, result] = sides(await world.store.journal(CALL_SID));
    expect(intent).toMatchObject({ effectId: each.id, atMs: START_MS, data: { input: each.input } });
    const { callSid } = answers[0] as { callSid: string };
    expect(result).toMatchObject({ state: "done", data: { type: "effect.done", label: "human-1", callSid } });
  });

  test("that failed is written with its code", async () => {
    const world = makeWorld();
    const { runner } = await startEngine(world);
    world.carrier.failNext("createCall", { status: 400, code: 10_004 });
    runner.run(ring());
    await settle();
    const [, result] = sides(await world.store.journal(CALL_SID));
    expect(result).toMatchObject({ state: "failed", data: { code: 10_004, status: 400 } });
  });

  for (const [name, make, waitMs] of [
    ["that rings somebody", ring, 500],
    ["that a caller hears", () => effect("carrier.mute", { label: "ai-1", muted: true }), 50],
    ["that hangs up", () => effect("carrier.hangUp", { label: "human-1", callSid: CALL_SID }), 50],
  ] as const) {
    test(`${name} goes before the book-keeping: after ${waitMs} ms it runs all the same`, async () => {
      const store = new SlowStore();
      const world = makeWorld(store);
      const { runner, journal, lines } = await startEngine(world);
      runner.run(make());
      await settle();
      world.clock.advance(waitMs - 1);
      await settle();
      expect(world.carrier.requests).toEqual([]);
      world.clock.advance(1);
      await settle();
      expect(world.carrier.requests).toHaveLength(1);
      expect(journal.counters.late).toBe(1);
      expect(lines.filter(({ event }) => event === "journal.late")).toHaveLength(waitMs === 500 ? 1 : 0);
      world.clock.advance(9000);
      store.commit();
      await settle();
      expect(journal.lag.sumMs).toBe(9000 + waitMs);
      expect(world.carrier.requests).toHaveLength(1);
    });
  }

  test("runs at once when the store refuses its intent for good", async () => {
    const store = new SlowStore();
    const world = makeWorld(store);
    const { runner, journal, lines } = await startEngine(world);
    runner.run(ring());
    await settle();
    store.refuse(new StoreError("the store is closed"));
    await settle();
    expect(world.carrier.requests).toHaveLength(1);
    expect(journal.counters.refused).toBe(1);
    expect(lines.map(({ event }) => event)).toContain("journal.refused");
    expect(world.clock.pendingTimers).toBe(0);
  });

  test("runs at once while nothing can be written, and says so of what may be done twice", async () => {
    const store = new SlowStore();
    const world = makeWorld(store);
    const { runner, journal, lines } = await startEngine(world);
    runner.run(ring());
    await settle();
    store.failing = "the disk is full";
    store.refuse(new StoreError("the disk is full"));
    await settle();
    runner.run(effect("page.sms", { label: "sms-2", incident: 1, to: NURSE }));
    runner.run(effect("carrier.mute", { label: "ai-1", muted: true }));
    await settle();
    expect(await world.made(NURSE)).toMatchObject({ calls: [{}], texts: [{}] });
    expect(journal.counters).toMatchObject({ unjournaled: 3, late: 0, refused: 0 });
    const said = lines.filter(({ event }) => event === "journal.unjournaled");
    expect(new Set(said.map(({ name }) => name))).toEqual(new Set(["page.call", "page.sms"]));
    expect(states(await store.journal(CALL_SID))).toContain("page.sms done");
    expect(world.clock.pendingTimers).toBe(0);
  });

  test("that is withdrawn while its intent is written does not go out", async () => {
    const store = new SlowStore();
    const world = makeWorld(store);
    const { runner, journal } = await startEngine(world);
    runner.run(effect("page.sms", { label: "sms-2", incident: 1, to: NURSE }));
    runner.run(ring());
    await settle();
    for (const label of ["sms-2", "human-1"]) runner.run(effect("page.withdraw", { label }));
    store.commit();
    await settle();
    world.clock.advance(500);
    await settle();
    expect(await world.made(NURSE)).toEqual({ calls: [], texts: [] });
    // The withdrawals themselves are not answered, and nothing waits for them.
    expect(journal.open).toBe(0);
  });

  test("keeps its place: what was asked of one participant first is done first", async () => {
    const world = makeWorld();
    const { runner } = await startEngine(world);
    runner.run(effect("carrier.mute", { label: "ai-1", muted: true }));
    runner.run(effect("carrier.mute", { label: "ai-1", muted: false }));
    await settle();
    const patches = world.carrier.requests.filter(([name]) => name === "updateParticipant");
    expect(patches.map(([, , patch]) => patch)).toEqual([{ muted: true }, { muted: false }]);
  });
});

describe("a call that goes on after a restart", () => {
  test("runs another effect under an id that is taken, and says so", async () => {
    const world = makeWorld();
    const first = await startEngine(world);
    const before = ring();
    first.runner.run(before);
    await settle();
    first.die();
    const { runner, journal, lines } = await startEngine(world, true);
    runner.resume();
    const input = { label: "human-1", incident: 1, to: "+15550101" };
    runner.run({ ...before, input } as typeof before);
    await settle();
    expect((await world.made("+15550101")).calls).toHaveLength(1);
    expect(journal.counters.taken).toBe(1);
    expect(lines.map(({ event }) => event)).toContain("journal.id_taken");
  });

  test("does not go on with what has a result", async () => {
    const world = makeWorld();
    const first = await startEngine(world);
    first.runner.run(ring());
    world.carrier.failNext("createCall", { status: 400, code: 21_211 });
    first.runner.run(ring());
    await settle();
    first.die();
    const { runner, journal } = await startEngine(world, true);
    runner.resume();
    await settle();
    expect([journal.counters.resumed, journal.open]).toEqual([0, 0]);
  });

  test("cannot be told of another journal than its own, which is handed out once", async () => {
    const clock = new VirtualClock(START_MS);
    const store = new MemoryStore();
    const entry = { callSid: CALL_SID, effectId: "a/1/page.sms", name: "page.sms", atMs: START_MS, data: {} };
    store.appendJournal([{ ...entry, state: "intent" }]);
    const journal = new Journal({ store, clock, log: keptLog(clock).log });
    await journal.resume(CALL_SID);
    expect(journal.of("CA7").unfinished).toEqual([]);
    expect(journal.of(CALL_SID).unfinished).toEqual([{ id: entry.effectId, name: "page.sms", input: {} }]);
    expect(journal.of(CALL_SID).unfinished).toEqual([]);
  });
});
