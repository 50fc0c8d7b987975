import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type AnyActorRef, createActor, fromCallback, sendParent, sendTo, setup } from "xstate";
import { type ActorStep, observeActors, type TakenEdge } from "../../../engine/audit/observer.ts";
import { callMachine } from "../../../machines/call.machine.ts";
import { chartOf } from "../../../machines/viz/graph.ts";
import { CALL_SID, INPUT, possible } from "../../model/driver.ts";

const keyOf = ({ source, event, index }: TakenEdge): string => `${source}|${event}|${index}`;

/** A call's actor, and what it did so far; without what the ladders below it did. */
function call() {
  const steps: ActorStep[] = [];
  const actor = createActor(callMachine, {
    input: INPUT,
    inspect: observeActors((step) => void (step.actor === "call" && steps.push(step))),
  });
  return { actor: actor.start(), steps };
}

describe("the observer of a call", () => {
  test("tells the start, with the state it leads to", () => {
    const { actor, steps } = call();
    expect(steps).toEqual([
      { actor: "call", event: "xstate.init", edges: [], value: actor.getSnapshot().value, status: "active" },
    ]);
  });

  test("tells each edge by state, event, guard and target, those without an event included", () => {
    const { actor, steps } = call();
    const at = INPUT.startedAtMs;
    actor.send({ type: "model.ready", at });
    expect(steps.at(-1)).toMatchObject({
      event: "model.ready",
      edges: [{ source: "call", event: "*", index: 0, guard: null, targets: [] }],
    });
    actor.send({ type: "caller.gone", at, reason: "dial_ended" });
    const { edges, value, status } = steps.at(-1) as ActorStep;
    expect(edges.map(({ event }) => event)).toContain("");
    expect(edges.filter(({ guard }) => guard !== null).length).toBeGreaterThan(0);
    expect(edges.flatMap(({ targets }) => targets).some((id) => id.startsWith("call.wrapUp"))).toBe(true);
    expect([value, status]).toEqual([actor.getSnapshot().value, "done"]);
  });

  test("tells one step for each event, whatever comes, with edges that the machine has", () => {
    const keys = new Set(chartOf(callMachine).transitions.map(({ key }) => key));
    const walks = fc.array(fc.nat(1_000_000), { minLength: 10, maxLength: 60 });
    fc.assert(
      fc.property(walks, (picks) => {
        const { actor, steps } = call();
        let told = 1;
        for (const [turn, pick] of picks.entries()) {
          const before = actor.getSnapshot();
          if (before.status !== "active") break;
          const events = possible(before.context, INPUT.startedAtMs + turn);
          const event = events[pick % events.length] as (typeof events)[number];
          const first = callMachine.getTransitionData(before, event) ?? [];
          actor.send(event);
          const after = actor.getSnapshot();
          expect(steps).toHaveLength(++told);
          const step = steps.at(-1) as ActorStep;
          expect(step).toMatchObject({ actor: "call", event: event.type, status: after.status });
          expect(step.value).toEqual(after.value);
          const taken = step.edges.map((edge) => keyOf(edge));
          expect(step.edges.slice(0, first.length)).toMatchObject(
            first.map(({ source, eventType }) => ({ source: source.id, event: eventType })),
          );
          expect(taken.filter((key) => !keys.has(key))).toEqual([]);
        }
        actor.stop();
      }),
      { numRuns: 60 },
    );
  });

  test("tells nothing that the event says, and nothing of actors without states", () => {
    const { actor, steps } = call();
    actor.send({
      type: "op.escalate",
      at: INPUT.startedAtMs,
      to: "+15550101",
      reason: "pain",
      urgency: "high",
    });
    actor.stop();
    expect(steps.at(-1)).toMatchObject({ event: "xstate.stop", edges: [], status: "stopped" });
    expect(new Set(steps.map((step) => step.actor))).toEqual(new Set(["call"]));
    for (const personal of ["+15550101", "pain", CALL_SID])
      expect(JSON.stringify(steps)).not.toContain(personal);
  });
});

const page = setup({ actors: { idle: fromCallback(() => undefined) } }).createMachine({
  id: "page",
  initial: "ringing",
  invoke: { src: "idle" },
  states: {
    ringing: { on: { TAKE: { target: "taken", actions: sendParent({ type: "TAKEN" }) } } },
    taken: { type: "final" },
  },
});

const ladder = setup({ actors: { page }, guards: { always: () => true } }).createMachine({
  id: "ladder",
  initial: "paging",
  invoke: { src: "page", id: "human-1" },
  states: {
    paging: {
      on: {
        ACK: { guard: "always", actions: sendTo("human-1", { type: "TAKE" }) },
        TAKEN: { target: "owned" },
      },
    },
    owned: {},
  },
});

const root = setup({ actors: { ladder } }).createMachine({
  id: "call",
  initial: "starting",
  states: {
    starting: { always: "escalating" },
    escalating: {
      invoke: { src: "ladder", id: "ladder-1" },
      on: { ACK: { actions: sendTo("ladder-1", { type: "ACK" }) } },
    },
  },
});

const line = ({ actor, event, edges, value, status }: ActorStep): string =>
  `${actor} ${event} ${edges.map((edge) => `${keyOf(edge)}${edge.guard ? ` [${edge.guard}]` : ""}→${edge.targets.join()}`).join(" ")} ${JSON.stringify(value)} ${status}`;

describe("the observer of a system of actors", () => {
  test("tells the steps of children by their path, causes before what they cause", () => {
    const lines: string[] = [];
    const actor = createActor(root, { inspect: observeActors((step) => lines.push(line(step))) }).start();
    expect(lines).toEqual([
      'call xstate.init call.starting||0→call.escalating "escalating" active',
      'ladder-1 xstate.init  "paging" active',
      'ladder-1/human-1 xstate.init  "ringing" active',
    ]);
    lines.length = 0;
    actor.send({ type: "ACK" });
    expect(lines).toEqual([
      'call ACK call.escalating|ACK|0→ "escalating" active',
      'ladder-1 ACK ladder.paging|ACK|0 [always]→ "paging" active',
      'ladder-1/human-1 TAKE page.ringing|TAKE|0→page.taken "taken" done',
      'ladder-1 TAKEN ladder.paging|TAKEN|0→ladder.owned "owned" active',
      'ladder-1 xstate.done.actor.human-1  "owned" active',
    ]);
  });

  test("tells a restored actor where it goes on", () => {
    const first = createActor(root).start();
    const snapshot = first.getPersistedSnapshot();
    const steps: ActorStep[] = [];
    const actor: AnyActorRef = createActor(root, {
      snapshot,
      inspect: observeActors((step) => steps.push(step)),
    }).start();
    expect(steps.map((step) => step.actor)).toEqual(["call", "ladder-1", "ladder-1/human-1"]);
    expect(steps.every(({ event, edges }) => event === "xstate.init" && edges.length === 0)).toBe(true);
    actor.send({ type: "ACK" });
    expect(steps).toHaveLength(8);
  });
});
