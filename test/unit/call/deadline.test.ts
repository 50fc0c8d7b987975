import { describe, expect, test } from "bun:test";
import { createActor, setup } from "xstate";
import { callInput } from "../../../engine/call/call-input.ts";
import { deadlineActor, hostDeadlines, startRestored } from "../../../engine/call/deadline.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { SteadyClock } from "../../../engine/platform/steady-clock.ts";
import type { Clock } from "../../../engine/ports.ts";
import type { CallEvent, UnstampedCallEvent } from "../../../machines/events.ts";
import type { DeadlineInput } from "../../../machines/call.setup.ts";
import { SetClock } from "../platform/set-clock.ts";
import { CALL_SID, deploymentOf, START_MS } from "./support.ts";

const LIMITS = callInput(
  { callSid: CALL_SID, conferenceName: `af-${CALL_SID}`, from: "+15550177", to: "+15550100" },
  deploymentOf(),
  START_MS,
).limits;

function make<C extends Clock = VirtualClock>(
  atMs: number,
  everyMs?: number,
  name: DeadlineInput["name"] = "ring",
  clock: C = new VirtualClock(START_MS) as Clock as C,
) {
  const delivered: { readonly event: UnstampedCallEvent; readonly atMs: number }[] = [];
  const over = new AbortController();
  const deliver = (event: UnstampedCallEvent): void => void delivered.push({ event, atMs: clock.now() });
  const deadline = deadlineActor(clock);
  const machine = setup({
    types: { events: {} as CallEvent },
    actors: { deadline },
  }).createMachine({
    initial: "waiting",
    states: {
      waiting: {
        invoke: {
          src: "deadline",
          id: "ring",
          input: { name, atMs, ...(everyMs === undefined ? {} : { everyMs }) },
        },
        on: { "media.drained": "left" },
      },
      left: {},
    },
  });
  const actor = createActor(machine);
  hostDeadlines(actor, { deliver, over: over.signal });
  return { actor, clock, delivered, over };
}

const RING = { type: "deadline", name: "ring" } as const;

describe("a deadline", () => {
  test("comes at its time, once", () => {
    const { actor, clock, delivered } = make(START_MS + 60_000);
    actor.start();
    clock.advance(59_999);
    expect(delivered).toEqual([]);
    clock.advance(1);
    clock.advance(1_000_000);
    expect(delivered).toEqual([{ event: RING, atMs: START_MS + 60_000 }]);
  });

  test("is a moment and not a length: what begins late has less time", () => {
    const { actor, clock, delivered } = make(START_MS + 60_000);
    clock.advance(45_000);
    actor.start();
    clock.advance(14_999);
    expect(delivered).toEqual([]);
    clock.advance(1);
    expect(delivered).toEqual([{ event: RING, atMs: START_MS + 60_000 }]);
  });

  test("that has passed already comes at once, but not while its state is being entered", () => {
    const { actor, clock, delivered } = make(START_MS - 5000);
    actor.start();
    expect(delivered).toEqual([]);
    clock.advance(0);
    expect(delivered).toEqual([{ event: RING, atMs: START_MS }]);
  });

  test("that comes again does so on time, until its state is left", () => {
    const { actor, clock, delivered } = make(START_MS + 10_000, 30_000);
    actor.start();
    clock.advance(70_000);
    expect(delivered.map(({ atMs }) => atMs - START_MS)).toEqual([10_000, 40_000, 70_000]);
    actor.send({ type: "media.drained", at: START_MS });
    expect(clock.pendingTimers).toBe(0);
  });

  test("does not come early on a clock that agrees with the machine's by the millisecond, or runs slower", () => {
    for (const backMs of [0, 3_600_000]) {
      const machine = new SetClock(START_MS);
      const clock = new SteadyClock(machine);
      const { actor, delivered } = make(START_MS + 60_000, undefined, "ring", clock);
      actor.start();
      machine.set(-backMs);
      while (delivered.length === 0) {
        machine.advance(0.9);
        clock.now();
      }
      expect(delivered).toEqual([{ event: RING, atMs: START_MS + 60_000 }]);
    }
  });

  test("comes when its time was waited for, though the clock was set back meanwhile", () => {
    const clock = new SetClock(START_MS);
    const { actor, delivered } = make(START_MS + 60_000, undefined, "ring", clock);
    actor.start();
    clock.set(-3_600_000);
    clock.advance(60_000);
    expect(delivered).toHaveLength(1);
  });

  test("of what the engine itself does begins anew with an engine that comes back, others do not", () => {
    for (const [name, lateMs] of [
      ["modelReady", LIMITS.modelReadyTimeoutMs],
      ["ring", 0],
    ] as const) {
      const { actor, clock, delivered } = make(START_MS - 60_000, undefined, name);
      startRestored(actor, LIMITS);
      clock.advance(1_000_000);
      expect(delivered).toMatchObject([{ event: { name }, atMs: START_MS + lateMs }]);
    }
  });

  test("is cleared when its state is left, when its actor stops and when its call is over", () => {
    for (const leave of ["event", "stop", "over"] as const) {
      const { actor, clock, delivered, over } = make(START_MS + 60_000);
      actor.start();
      expect(clock.pendingTimers).toBe(1);
      if (leave === "event") actor.send({ type: "media.drained", at: START_MS });
      else if (leave === "stop") actor.stop();
      else over.abort();
      expect(clock.pendingTimers).toBe(0);
      clock.advance(1_000_000);
      expect(delivered).toEqual([]);
    }
  });
});
