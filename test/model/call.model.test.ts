import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { getShortestPaths } from "xstate/graph";
import type { AnyStateNode } from "xstate";
import { callMachine } from "../../machines/call.machine.ts";
import type { CallContext, CallEffect } from "../../machines/context.ts";
import type { CallEvent } from "../../machines/events.ts";
import { finish, INPUT, possible, type Snapshot, start, take } from "./driver.ts";

function leaves(node: AnyStateNode): string[] {
  const children = Object.values(node.states);
  return children.length === 0 ? [node.id] : children.flatMap(leaves);
}

function active(snapshot: { readonly _nodes: readonly AnyStateNode[] }): string[] {
  return snapshot._nodes.filter((node) => Object.keys(node.states).length === 0).map((node) => node.id);
}

/** States, and the facts that decide what can follow: enough to tell the ways through the chart apart. */
function identity(snapshot: { readonly value: unknown; readonly context: CallContext }): string {
  const { context } = snapshot;
  const ai = context.aiLabel === null ? null : context.legs[context.aiLabel];
  const human = context.humanLabel === null ? null : context.legs[context.humanLabel];
  const facts = [
    context.streamSid !== null,
    context.model,
    ai?.status,
    ai?.muted,
    ai?.coachOf !== null,
    human?.status,
    context.role,
    context.callerOnHold,
    context.holdWanted,
  ];
  return JSON.stringify([snapshot.value, ...facts]);
}

const humansOf = (context: CallContext): number =>
  Object.values(context.legs).filter((leg) => leg.kind === "human").length;

const paths = getShortestPaths(callMachine, {
  input: INPUT,
  events: (snapshot) => possible(snapshot.context, INPUT.startedAtMs + 1),
  serializeState: (snapshot) => identity(snapshot as unknown as Snapshot),
  // Each AI leg after the second only repeats what the second did.
  stopWhen: (snapshot) =>
    snapshot.context.aiCount > 2 || humansOf(snapshot.context) > 2 || snapshot.context.incidents.length > 2,
  limit: 200_000,
});

describe("paths through the call machine", () => {
  test("reach every state", () => {
    const reached = new Set(paths.flatMap((path) => active(path.state as never)));
    expect(leaves(callMachine.root as AnyStateNode).filter((id) => !reached.has(id))).toEqual([]);
  });

  test("all lead to the end when the caller leaves", () => {
    const stuck = paths.filter(
      (path) => finish(path.state as unknown as Snapshot, INPUT.startedAtMs + 2).status !== "done",
    );
    expect(stuck.map((path) => JSON.stringify(path.state.value))).toEqual([]);
    expect(paths.length).toBeGreaterThan(200);
  });
});

/** What a walk through the machine has shown, for the checks of the order of safety. */
interface Watch {
  readonly ids: Set<string>;
  gate: "open" | "closed";
  readonly broken: string[];
}

function observe(watch: Watch, effects: readonly CallEffect[], after: CallContext): void {
  for (const effect of effects) {
    if (watch.ids.has(effect.id)) watch.broken.push(`effect ${effect.id} asked for twice`);
    watch.ids.add(effect.id);
    if (effect.name === "media.gate") {
      watch.gate = effect.input.gate;
      const { gate, speaker } = effect.input;
      if (gate === "open" && speaker !== after.role) {
        watch.broken.push(`the gate was opened to the ${speaker} in the role of ${after.role}`);
      }
      const ai = after.aiLabel === null ? undefined : after.legs[after.aiLabel];
      const human = after.humanLabel === null ? undefined : after.legs[after.humanLabel];
      const whispers = ai?.coachOf !== null && ai?.coachOf === human?.callSid;
      if (effect.input.gate === "open" && effect.input.speaker === "coach" && !whispers) {
        watch.broken.push("the gate was opened to a coach whom the carrier does not keep from the caller");
      }
    }
    if (
      effect.name === "carrier.mute" &&
      !effect.input.muted &&
      watch.gate === "open" &&
      after.role === "coach"
    ) {
      watch.broken.push("a coach was unmuted behind an open gate");
    }
    if (effect.name === "model.role" && effect.input.role === "coach" && watch.gate === "open") {
      watch.broken.push("the model became a coach while the gate was open");
    }
    if (after.endReason !== null && effect.name === "carrier.addAi") {
      watch.broken.push(`${effect.name} after the end`);
    }
  }
}

const HELPFUL = new Set([
  "participant.joined",
  "ai.streamStarted",
  "model.ready",
  "effect.done",
  "op.escalate",
  "human.answered",
]);
const longWalks = fc.array(fc.nat(1_000_000), { minLength: 60, maxLength: 120 });
const walks = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 80 });

/** Three times out of four something that leads on, else anything at all. */
function choose(pick: number, context: CallContext, at: number): CallEvent {
  const all = possible(context, at);
  const events = pick % 4 === 0 ? all : all.filter((event) => HELPFUL.has(event.type));
  return events[Math.floor(pick / 4) % events.length] as CallEvent;
}

/** Left out of the walk that is to get far. */
const ENDING = new Set(["caller.gone", "op.hangup", "engine.shutdown", "conference.ended", "model.failed"]);

describe("any order of events", () => {
  test("keeps the order of safety, never fails, and ends when the caller leaves", () => {
    fc.assert(
      fc.property(walks, (picks) => {
        const watch: Watch = { ids: new Set(), gate: "open", broken: [] };
        let step = start();
        observe(watch, step.effects, step.snapshot.context);
        let at = INPUT.startedAtMs;
        for (const pick of picks) {
          if (step.snapshot.status !== "active") break;
          step = take(step.snapshot, choose(pick, step.snapshot.context, ++at));
          observe(watch, step.effects, step.snapshot.context);
        }
        expect(watch.broken).toEqual([]);
        expect(step.snapshot.status).not.toBe("error");
        if (step.snapshot.status === "active") expect(finish(step.snapshot, ++at).status).toBe("done");
      }),
      { numRuns: 3000, seed: 20_261_122 },
    );
  });

  test("leads far into the chart, so that the check above is worth something", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(longWalks, (picks) => {
        let { snapshot } = start();
        let at = INPUT.startedAtMs;
        for (const pick of picks) {
          if (snapshot.status !== "active") break;
          const event = choose(pick, snapshot.context, ++at);
          if (!ENDING.has(event.type)) snapshot = take(snapshot, event).snapshot;
          for (const id of active(snapshot as never)) seen.add(id);
        }
      }),
      { numRuns: 3000, seed: 7 },
    );
    const all = leaves(callMachine.root as AnyStateNode).filter((id) => id !== "call.wrapUp.detaching");
    expect([...seen].sort()).toEqual(expect.arrayContaining(all));
  });
});
