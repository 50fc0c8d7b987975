import { describe, expect, test } from "bun:test";
import { BEAT_MS, MAX_VIEWERS, MAX_WAITING_BYTES, QUIET_MS } from "../../../engine/console/viewers.ts";
import { beginCall, CALLER, escalate, handedOver, streaming } from "../call/calls-setup.ts";
import { inVain, LADDER, paging } from "../call/ladder-setup.ts";
import { CALL_SID, settle } from "../call/support.ts";
import { makeViewers, OPERATOR, VIEWER } from "./feed-setup.ts";

const SLOW = MAX_WAITING_BYTES + 1;

describe("a viewer", () => {
  test("is shown all that is live on the first beat, and what changes on each later one", async () => {
    const calls = makeViewers();
    const { session } = await streaming(calls);
    const viewer = calls.join();
    expect(viewer.texts).toEqual([]);
    calls.clock.advance(1);
    expect(viewer.snapshots).toMatchObject([
      { missed: 0, calls: [{ callSid: CALL_SID, from: CALLER, now: { state: "streaming", role: "agent" } }] },
    ]);
    expect(viewer.snapshots[0]?.calls[0]?.room.map(({ label }) => label)).toEqual(["caller", "ai-1"]);
    session.deliver(escalate());
    await settle();
    calls.clock.advance(BEAT_MS);
    expect(viewer.deltas).toMatchObject([
      { calls: [{ callSid: CALL_SID, now: { state: "escalating" } }], incidents: [{ phase: "paging" }] },
    ]);
    expect(viewer.deltas[0]?.calls[0]).not.toHaveProperty("from");
  });

  test("is told of many changes in a beat once, as they came out", async () => {
    const calls = makeViewers();
    const viewer = calls.join();
    calls.clock.advance(1);
    const { session } = await streaming(calls);
    session.deliver(escalate());
    await settle();
    calls.clock.advance(BEAT_MS);
    expect(viewer.deltas).toHaveLength(1);
    expect(viewer.deltas[0]?.calls).toMatchObject([{ callSid: CALL_SID, now: { state: "escalating" } }]);
  });

  test("is told nothing when nothing has happened", () => {
    const calls = makeViewers();
    const viewer = calls.join();
    calls.clock.advance(20 * BEAT_MS);
    expect(viewer.texts).toHaveLength(1);
  });

  test("is told every five seconds that nothing has happened", () => {
    const calls = makeViewers();
    const viewer = calls.join();
    calls.clock.advance(1);
    const nothing = { type: "delta" as const, calls: [], gone: [], incidents: [], closed: [] };
    for (let times = 1; times <= 3; times++) {
      calls.clock.advance(QUIET_MS + BEAT_MS);
      expect(viewer.deltas).toHaveLength(times);
      expect(viewer.deltas.at(-1)).toMatchObject(nothing);
    }
  });

  test("hears that a call is over, and of its incidents no more", async () => {
    const calls = makeViewers({ deployment: LADDER });
    const { session } = await paging(calls);
    const viewer = calls.join();
    calls.clock.advance(1);
    calls.followUps.stop();
    session.abandon();
    calls.clock.advance(BEAT_MS);
    expect(viewer.deltas.at(-1)).toMatchObject({ gone: [CALL_SID], closed: [`${CALL_SID}/1`] });
    calls.clock.advance(BEAT_MS);
    expect(viewer.deltas).toHaveLength(1);
  });

  test("sees the incident that goes on when its caller has left", async () => {
    const calls = makeViewers({ deployment: LADDER });
    const { session } = await inVain(calls);
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await settle();
    const viewer = calls.join();
    calls.clock.advance(1);
    const seen = viewer.snapshots[0]?.incidents.map(({ number, following }) => ({ number, following }));
    expect(seen).toContainEqual({ number: 2, following: true });
  });

  test("may see neither numbers nor words with a viewer's token", async () => {
    const calls = makeViewers();
    const scene = await handedOver(calls);
    const [operator, viewer] = [calls.join(OPERATOR), calls.join(VIEWER)];
    for (const socket of [operator, viewer]) calls.watch(socket, CALL_SID);
    calls.clock.advance(1);
    calls.model.sessions.at(-1)?.sink.userText({ itemId: "i1", text: "my name is Ann" });
    scene.session.deliver(escalate());
    await settle();
    calls.clock.advance(BEAT_MS);
    const [all, redacted] = [JSON.stringify(operator.texts), JSON.stringify(viewer.texts)];
    for (const secret of [CALLER, "Ann", "chest pain"]) {
      expect(all).toContain(secret);
      expect(redacted).not.toContain(secret);
    }
    expect(redacted).toContain('"text":"[redacted]"');
  });
});

describe("a slow viewer", () => {
  test("is told nothing while too much waits for them, then all as it is by then, with what was missed", async () => {
    const calls = makeViewers();
    const { session } = await streaming(calls);
    const [slow, quick] = [calls.join(), calls.join()];
    calls.clock.advance(1);
    slow.waiting = SLOW;
    session.deliver(escalate());
    await settle();
    calls.clock.advance(BEAT_MS);
    session.deliver({ type: "op.hangup" });
    await settle();
    calls.clock.advance(BEAT_MS);
    expect(slow.texts).toHaveLength(1);
    expect(quick.deltas.length).toBeGreaterThanOrEqual(2);
    slow.waiting = 0;
    calls.clock.advance(BEAT_MS);
    expect(slow.snapshots.map(({ missed }) => missed)).toEqual([0, 2]);
    expect(slow.snapshots.map(({ calls: { length } }) => length)).toEqual([1, 0]);
    expect(calls.viewers.counters).toMatchObject({ missed: 2, snapshots: 3 });
  });

  test("makes up for a message that their socket has dropped", async () => {
    const calls = makeViewers();
    const viewer = calls.join();
    calls.clock.advance(1);
    viewer.full = true;
    beginCall(calls);
    calls.clock.advance(BEAT_MS);
    viewer.full = false;
    calls.clock.advance(BEAT_MS);
    expect(viewer.snapshots.map(({ missed, calls: { length } }) => [missed, length])).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  test("is sent away after a minute", () => {
    const calls = makeViewers();
    const viewer = calls.join();
    calls.clock.advance(1);
    viewer.waiting = SLOW;
    calls.clock.advance(59_000);
    expect(viewer.closed).toBeNull();
    calls.clock.advance(3_000);
    expect(viewer.closed).toBe(1013);
  });
});

describe("the watch of a call", () => {
  test("tells each entry of its log and each thing said once, beat by beat", async () => {
    const calls = makeViewers();
    const { session } = await streaming(calls);
    const [watching, other] = [calls.join(), calls.join()];
    calls.clock.advance(1);
    calls.watch(watching, CALL_SID);
    expect(watching.texts.at(-1)).toEqual({ type: "watching", callSid: CALL_SID });
    const before = calls.store.logs.get(CALL_SID)?.length ?? 0;
    session.deliver(escalate());
    calls.model.sessions.at(-1)?.sink.userText({ itemId: "i1", text: "hello" });
    await settle();
    calls.clock.advance(BEAT_MS);
    const [told] = watching.of("call");
    expect(told?.entries).toEqual(calls.store.logs.get(CALL_SID)?.slice(before) as never);
    expect(told).toMatchObject({ missed: 0, from: 0, said: [{ speaker: "caller", text: "hello" }] });
    calls.clock.advance(BEAT_MS);
    expect(watching.of("call")).toHaveLength(1);
    expect(other.of("call")).toEqual([]);
  });

  test("keeps no more entries than a beat may carry, and says how many it left out", async () => {
    const calls = makeViewers();
    const { session } = await streaming(calls);
    const viewer = calls.join();
    calls.clock.advance(1);
    calls.watch(viewer, CALL_SID);
    for (let i = 0; i < 450; i++)
      session.noteCommand({ command: "hold", by: "ann", role: "operator", via: "api" });
    calls.clock.advance(BEAT_MS);
    expect(viewer.of("call").map(({ entries, missed }) => [entries.length, missed])).toEqual([[400, 50]]);
  });

  test("ends when the viewer asks for another call, or goes", async () => {
    const calls = makeViewers();
    const { session } = await streaming(calls);
    const viewer = calls.join();
    calls.clock.advance(1);
    calls.watch(viewer, CALL_SID);
    calls.watch(viewer, null);
    session.deliver(escalate());
    await settle();
    calls.clock.advance(BEAT_MS);
    expect(viewer.of("call")).toEqual([]);
  });

  test("takes nothing else from a viewer", () => {
    const calls = makeViewers();
    const viewer = calls.join();
    const bad = ["", "{", "null", '{"watch":"../x"}', '{"watch":7}', `{"watch":"CA${"0".repeat(400)}"}`];
    for (const text of bad) calls.viewers.message(viewer, text);
    calls.viewers.message(viewer, new Uint8Array(3));
    expect(calls.viewers.counters["badMessages"]).toBe(bad.length + 1);
    expect(viewer.texts).toEqual([]);
  });
});

describe("the feed", () => {
  test("does nothing at all while nobody looks", async () => {
    const calls = makeViewers();
    const viewer = calls.join();
    calls.clock.advance(1);
    const timers = calls.clock.pendingTimers;
    calls.viewers.close(viewer);
    expect(calls.clock.pendingTimers).toBe(timers - 1);
    await streaming(calls);
    expect(viewer.texts).toHaveLength(1);
    const again = calls.join();
    calls.clock.advance(1);
    expect(again.snapshots[0]?.calls).toHaveLength(1);
  });

  test("tells many viewers in turns, all of them the same", async () => {
    const calls = makeViewers();
    const { session } = await streaming(calls);
    const viewers = Array.from({ length: 12 }, () => calls.join());
    const told = (): number => viewers.filter(({ texts }) => texts.length > 0).length;
    const counts = [1, 5, 5].map((ms) => {
      calls.clock.advance(ms);
      return told();
    });
    expect(counts).toEqual([5, 10, 12]);
    session.deliver(escalate());
    await settle();
    calls.clock.advance(BEAT_MS - 11);
    const [first] = viewers;
    expect(first?.deltas).toHaveLength(1);
    // What happens between two turns is told in the next beat, to everybody; whoever has gone holds up nobody.
    session.deliver({ type: "op.hangup" });
    await settle();
    calls.viewers.close(viewers[7] as never);
    calls.clock.advance(2 * BEAT_MS);
    const rest = viewers.filter((viewer) => viewer !== viewers[7]);
    for (const { texts } of rest) expect(texts).toEqual(first?.texts as never);
    expect(first?.deltas.length).toBeGreaterThan(1);
    expect(viewers[7]?.texts).toHaveLength(1);
  });

  test("looks at very many calls in turns", () => {
    const calls = makeViewers({ deployment: { limits: { maxLiveCalls: 1000 } } });
    for (let i = 0; i < 300; i++) beginCall(calls, `CA${String(i).padStart(32, "0")}`);
    const turns = [...calls.switchboard.look(0)];
    // A hundred that are new, twenty a turn; the others wait for the next look.
    expect(turns).toHaveLength(5);
    expect(calls.switchboard.counters.changesDeferred).toBe(1);
  });

  test("has room for so many viewers and no more", () => {
    const calls = makeViewers();
    for (let i = 0; i < MAX_VIEWERS; i++) calls.join();
    expect(calls.viewers.admit(OPERATOR)).toBeNull();
  });

  test("shows many calls that begin at once over several beats", () => {
    const calls = makeViewers({ deployment: { limits: { maxLiveCalls: 1000 } } });
    const viewer = calls.join();
    calls.clock.advance(1);
    for (let i = 0; i < 600; i++) beginCall(calls, `CA${String(i).padStart(32, "0")}`);
    for (let beat = 0; beat < 7; beat++) calls.clock.advance(BEAT_MS);
    const shown = viewer.deltas.flatMap(({ calls: changed }) => changed.filter(({ from }) => from));
    expect(Math.max(...viewer.deltas.map(({ calls: changed }) => changed.length))).toBeLessThanOrEqual(100);
    expect(new Set(shown.map(({ callSid }) => callSid)).size).toBe(600);
  });

  test("says in the log who looks at what, and not each time", async () => {
    const calls = makeViewers();
    await streaming(calls);
    const viewer = calls.join(VIEWER);
    for (let i = 0; i < 3; i++) calls.watch(viewer, CALL_SID);
    const viewed = calls.lines.filter(({ event }) => event === "console.viewed");
    expect(viewed).toMatchObject([
      { by: "bob", role: "viewer", via: "console", what: "board" },
      { by: "bob", role: "viewer", via: "console", what: "live", callSid: CALL_SID },
    ]);
  });
});
