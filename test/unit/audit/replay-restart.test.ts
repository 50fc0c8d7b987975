/** The log of a call whose engine died and was started again: a small engine of its own, that keeps snapshots. */
import { expect, test } from "bun:test";
import { type Actor, createActor, type Snapshot } from "xstate";
import { CALL_RESTORED } from "../../../engine/audit/chain.ts";
import type { ChainedEntry } from "../../../engine/platform/hash-chain.ts";
import { observeActors } from "../../../engine/audit/observer.ts";
import { replay } from "../../../engine/audit/replay.ts";
import { MACHINES } from "../../../engine/audit/rerun.ts";
import type { NamedEffect } from "../../../engine/call/effect-answer.ts";
import { hearEffects } from "../../../engine/call/effect-runner.ts";
import { EscalationMetrics } from "../../../engine/call/escalation-metrics.ts";
import { IncidentWatch } from "../../../engine/call/incident-watch.ts";
import { Recorder } from "../../../engine/call/recorder.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { callMachine, topState } from "../../../machines/call.machine.ts";
import type { CallEvent, UnstampedCallEvent } from "../../../machines/events.ts";
import { INPUT } from "../../model/driver.ts";
import { MemoryStore } from "../../support/fake-ports.ts";

type Kept = { readonly snapshot: Snapshot<unknown>; readonly seq: number };

class SmallEngine {
  readonly store = new MemoryStore();
  readonly clock = new VirtualClock(INPUT.startedAtMs);
  #recorder = new Recorder(INPUT.callSid, this.clock, this.store);
  #actor: Actor<typeof callMachine>;
  #watch: IncidentWatch;

  constructor() {
    this.#actor = this.#start(null);
    this.#watch = this.#watching();
  }

  get log(): ChainedEntry[] {
    return (this.store.logs.get(INPUT.callSid) ?? []) as ChainedEntry[];
  }

  get state(): string {
    return topState(this.#actor.getSnapshot().value);
  }

  take(...events: readonly UnstampedCallEvent[]): void {
    for (const unstamped of events) {
      this.clock.advance(10);
      const event = { ...unstamped, at: this.clock.now() } as CallEvent;
      const before = JSON.stringify(this.#actor.getSnapshot().value);
      this.#recorder.write("event", event.type, event);
      this.#actor.send(event);
      const { value, context } = this.#actor.getSnapshot();
      if (context.incidents.length > 0) this.#watch.see(context.incidents);
      if (JSON.stringify(value) !== before) this.#recorder.write("state", topState(value), { value });
    }
  }

  keep(): Kept {
    const snapshot = JSON.parse(JSON.stringify(this.#actor.getPersistedSnapshot())) as Snapshot<unknown>;
    return { snapshot, seq: this.#recorder.head.entries };
  }

  /** Dies, with the log as far as `lastSeq`, and goes on from what was kept. */
  restart({ snapshot, seq }: Kept, lastSeq = this.#recorder.head.entries): void {
    this.store.logs.set(INPUT.callSid, this.log.slice(0, lastSeq));
    const last = this.log.at(-1) ?? null;
    this.#recorder = new Recorder(INPUT.callSid, this.clock, this.store, last, this.#recorder.known);
    this.#recorder.write("note", CALL_RESTORED, { snapshotSeq: seq });
    this.#actor = this.#start(snapshot);
    this.#watch = this.#watching();
  }

  close(): void {
    const { endReason } = this.#actor.getSnapshot().context;
    this.#recorder.write("note", "call.ended", { endReason });
    this.#recorder.write("note", "log.closed", {});
  }

  #watching(): IncidentWatch {
    const nothing = (): void => undefined;
    const metrics = new EscalationMetrics();
    const options = { recorder: this.#recorder, metrics, tell: nothing, onPageEnded: nothing };
    return new IncidentWatch(options, this.#actor.getSnapshot().context.incidents);
  }

  #start(snapshot: Snapshot<unknown> | null): Actor<typeof callMachine> {
    if (snapshot === null) this.#recorder.begin("nurse line", INPUT);
    const steps = observeActors(({ actor, ...step }) => this.#recorder.write("step", actor, step));
    const inspect = hearEffects(
      ({ id, name, input }: NamedEffect) => this.#recorder.write("effect", name, { id, ...input }),
      steps,
    );
    const actor = createActor(
      callMachine,
      snapshot ? { input: INPUT, snapshot, inspect } : { input: INPUT, inspect },
    );
    return actor.start();
  }
}

const CONFERENCE = "CF00000000000000000000000000000001";
const UP: readonly UnstampedCallEvent[] = [
  { type: "model.ready" },
  { type: "participant.joined", label: "caller", callSid: INPUT.callSid, conferenceSid: CONFERENCE },
  { type: "ai.streamStarted", label: "ai-1", streamSid: "MZ1", streamCallSid: "CA2" },
];
const WANTED: UnstampedCallEvent = { type: "tool.escalate", toolCallId: "t", reason: "r", urgency: "high" };
const PICKED_UP: UnstampedCallEvent = {
  type: "leg.status",
  label: "human-1",
  callSid: "CA3",
  status: "in-progress",
};
const ACCEPTED: UnstampedCallEvent = { type: "human.answered", label: "human-1", answer: "accepted" };
const GONE: UnstampedCallEvent = { type: "caller.gone", reason: "dial_ended" };

test("a call that was restored replays through its restarts, with all its actors", () => {
  const engine = new SmallEngine();
  engine.take(...UP, WANTED);
  engine.restart(engine.keep());
  engine.take(PICKED_UP);
  engine.restart(engine.keep());
  engine.take(ACCEPTED);
  expect(engine.state).toBe("escalating");
  engine.take(GONE);
  engine.close();
  const starts = engine.log.filter(({ data }) => data["event"] === "xstate.init").map(({ name }) => name);
  // Before and after: the call, its ladder and its page.
  expect(starts.filter((name) => name === "ladder-1/human-1").length).toBe(3);
  expect(replay(engine.log)).toMatchObject({ outcome: "agrees", divergence: null });
});

test("however often a call was restored, each beginning of its log is run once", () => {
  const engine = new SmallEngine();
  engine.take(...UP, WANTED);
  engine.restart(engine.keep());
  engine.take(PICKED_UP);
  engine.restart(engine.keep());
  engine.take(ACCEPTED);
  engine.restart(engine.keep());
  engine.take(GONE);
  engine.close();
  let begun = 0;
  const call = callMachine.provide({});
  const { getInitialSnapshot } = call;
  call.getInitialSnapshot = (...args) => {
    begun++;
    return getInitialSnapshot(...args);
  };
  expect(replay(engine.log, { ...MACHINES, call })).toMatchObject({ outcome: "agrees", divergence: null });
  // The whole log, and up to each of its three restarts.
  expect(begun).toBe(4);
});

test("a call that was restored from before what its engine had logged does that again, and agrees", () => {
  const engine = new SmallEngine();
  engine.take(...UP, WANTED);
  const kept = engine.keep();
  engine.take(PICKED_UP, ACCEPTED);
  engine.restart(kept);
  engine.take(PICKED_UP, GONE);
  engine.close();
  expect(replay(engine.log)).toMatchObject({ outcome: "agrees", divergence: null });
});

test("what an engine that died in the middle of a step did not log is no difference", () => {
  const engine = new SmallEngine();
  engine.take(...UP);
  const before = engine.log.length;
  engine.take(WANTED);
  const kept = engine.keep();
  engine.restart({ ...kept, seq: before + 1 }, before + 1);
  engine.take(PICKED_UP, GONE);
  engine.close();
  expect(replay(engine.log)).toMatchObject({ outcome: "agrees", divergence: null });
});

test("a call that was restored to something else than it was is reported at the restart", () => {
  const engine = new SmallEngine();
  engine.take(...UP);
  const kept = engine.keep();
  engine.take(WANTED);
  engine.restart({ snapshot: kept.snapshot, seq: engine.log.length });
  engine.take(GONE);
  engine.close();
  const note = engine.log.find(({ name }) => name === CALL_RESTORED)?.seq ?? 0;
  expect(replay(engine.log)).toMatchObject({
    outcome: "diverges",
    divergence: { seq: note + 1, cause: { seq: note, name: CALL_RESTORED } },
  });
});

for (const [from, ahead] of [
  ["itself", 0],
  ["an entry that comes later", 2],
  ["an entry that is not in the log", 1000],
] as const) {
  test(`a restart that goes on from ${from} is named, and what came before it agrees`, () => {
    const engine = new SmallEngine();
    engine.take(...UP);
    const note = engine.log.length + 1;
    engine.restart({ ...engine.keep(), seq: note + ahead });
    engine.take(GONE);
    engine.close();
    expect(engine.log[note - 1]?.name).toBe(CALL_RESTORED);
    expect(replay(engine.log)).toMatchObject({
      outcome: "cannot",
      events: UP.length,
      why: `entry ${note}, call.restored, goes on from entry ${note + ahead}, which is not before it: the log lacks what was gone on with`,
    });
  });
}

test("a restart that does not say from where, or from nothing, cannot be replayed", () => {
  const engine = new SmallEngine();
  engine.take(...UP);
  engine.restart({ ...engine.keep(), seq: 0 });
  engine.take(GONE);
  engine.close();
  const why = replay(engine.log).why;
  expect(why).toBe("there was no state of the call at entry 0, from which it was restored");
});
