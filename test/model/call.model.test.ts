import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { getShortestPaths } from "xstate/graph";
import type { AnyStateNode } from "xstate";
import { isOpen, isSettled } from "../../machines/call.incident.ts";
import { callMachine } from "../../machines/call.machine.ts";
import {
  aiLeg,
  type CallContext,
  type CallEffect,
  type CallMessage,
  humanInRoom,
} from "../../machines/context.ts";
import { Coverage } from "./coverage.ts";
import { answers, finish, INPUT, possible, type Snapshot, type Step, take } from "./driver.ts";
import { isOwnerWord, type Script } from "./script.ts";
import { STAGES } from "./stages.ts";

function leaves(node: AnyStateNode): string[] {
  const children = Object.values(node.states);
  return children.length === 0 ? [node.id] : children.flatMap(leaves);
}

function active(snapshot: { readonly _nodes: readonly AnyStateNode[] }): string[] {
  return snapshot._nodes.filter((node) => Object.keys(node.states).length === 0).map((node) => node.id);
}

const all = leaves(callMachine.root as AnyStateNode);

/** States, and the facts that decide what can follow: enough to tell the ways through the chart apart. */
function identity({ value, context }: Snapshot): string {
  const ai = aiLeg(context)?.status;
  return JSON.stringify([
    value,
    context.streamSid !== null,
    context.model,
    ai === "left",
    humanInRoom(context) !== null,
  ]);
}

/** A state that is left at once is never part of a snapshot. */
const sourcesOf = (edges: readonly string[]): readonly string[] =>
  edges.map((edge) => edge.split("|")[0] ?? "");

const coverage = new Coverage(callMachine);
const taken = new Set<string>();
const known = new Set<string>();
/** Only where a step has shown something new are further steps tried. */
const promising = new WeakSet<Snapshot>();

/** The machine as the graph walks it, noting every edge on the way. */
const logic = {
  transition(from: Snapshot, event: CallMessage): Snapshot {
    const { snapshot, edges } = take(from, event);
    const seen = known.size + taken.size;
    known.add(identity(snapshot));
    for (const edge of edges) taken.add(edge);
    coverage.saw([...edges, ...sourcesOf(edges), ...snapshot._nodes.map((node) => node.id)]);
    if (known.size + taken.size > seen) promising.add(snapshot);
    return snapshot;
  },
};

const paths = STAGES.flatMap((stage) => {
  const fromState = stage().snapshot;
  promising.add(fromState);
  return getShortestPaths(logic as never, {
    fromState: fromState as never,
    events: ((snapshot: Snapshot) =>
      snapshot.status === "active" ? possible(snapshot.context, INPUT.startedAtMs + 1000) : []) as never,
    serializeState: ((snapshot: Snapshot) =>
      `${identity(snapshot)} ${Object.keys(snapshot.context.pending).length}`) as never,
    stopWhen: ((snapshot: Snapshot) => !promising.has(snapshot)) as never,
  });
});

describe("paths through the call machine", () => {
  afterAll(() => {
    process.stdout.write(`${coverage.report()}\n`);
  });

  test("reach every state, and take every edge", () => {
    expect(coverage.missing).toEqual([]);
  });

  test("all lead to the end when the caller leaves", () => {
    const stuck = paths.filter(
      (path) => finish(path.state as unknown as Snapshot, INPUT.startedAtMs + 2000).status !== "done",
    );
    expect(stuck.map((path) => JSON.stringify((path.state as unknown as Snapshot).value))).toEqual([]);
    expect(paths.length).toBeGreaterThan(1000);
  });
});

/** What a walk through the machine has shown, for the checks of what must always hold. */
interface Watch {
  readonly ids: Set<string>;
  readonly words: Map<string, number>;
  gate: { readonly gate: "open" | "closed"; readonly speaker: "agent" | "coach" };
  readonly broken: string[];
}

const newWatch = (): Watch => ({
  ids: new Set(),
  words: new Map(),
  gate: { gate: "closed", speaker: "agent" },
  broken: [],
});

function observeEffect(watch: Watch, effect: CallEffect, after: CallContext): void {
  const say = (what: string): unknown => watch.broken.push(what);
  if (watch.ids.has(effect.id)) say(`effect ${effect.id} asked for twice`);
  watch.ids.add(effect.id);
  if (effect.name === "media.gate") {
    watch.gate = effect.input;
    if (effect.input.gate === "open" && effect.input.speaker !== after.role) {
      say(`the gate was opened to the ${effect.input.speaker} in the role of ${after.role}`);
    }
  }
  const unmuted =
    effect.name === "carrier.mute" && !effect.input.muted ? after.legs[effect.input.label] : null;
  if (unmuted?.kind === "ai" && after.role === "coach" && !whispers(after)) {
    say("a coach was unmuted whom the carrier does not keep from the caller");
  }
  if (effect.name === "model.role" && effect.input.role === "coach" && watch.gate.gate === "open") {
    say("the model became a coach while the gate was open");
  }
  if (after.endReason !== null && effect.name === "carrier.addAi") say("an AI leg was added after the end");
}

/** The carrier lets nobody but a human in the room hear the AI. */
function whispers(context: CallContext): boolean {
  const coachOf = aiLeg(context)?.coachOf ?? null;
  return coachOf !== null && coachOf === humanInRoom(context)?.callSid;
}

/** Whoever may hear the AI now: nobody but the human while it is a coach, nobody but all while it is not. */
function observeGate(watch: Watch, context: CallContext): void {
  if (watch.gate.gate === "closed") return;
  if (watch.gate.speaker === "coach" && !whispers(context)) {
    watch.broken.push("the gate is open to a coach whom the carrier does not keep from the caller");
  }
  if (watch.gate.speaker === "agent" && (context.role === "coach" || aiLeg(context)?.coachOf !== null)) {
    watch.broken.push("the gate is open to the caller while a human is coached");
  }
}

/** A ladder hears of each owner it has sent once: that they are there, or that they will not come. */
function observeWords(watch: Watch, step: Step, before: CallContext | null): void {
  for (const { message } of step.told) {
    if (isOwnerWord(message)) watch.words.set(message.label, (watch.words.get(message.label) ?? 0) + 1);
  }
  for (const [label, count] of watch.words) {
    if (count > 1) watch.broken.push(`${label}: told ${count} times what became of them`);
  }
  const awaited = before?.awaited ?? null;
  if (awaited === null || step.snapshot.context.awaited?.label === awaited.label) return;
  const incident = before?.incidents[awaited.incident - 1];
  if (incident && !isSettled(incident) && !watch.words.has(awaited.label)) {
    watch.broken.push(`${awaited.label}: the ladder was not told what became of them`);
  }
}

function observe(watch: Watch, step: Step, before: CallContext | null = null): void {
  const { context } = step.snapshot;
  for (const effect of step.effects) observeEffect(watch, effect, context);
  observeGate(watch, context);
  if (context.endReason !== null && context.incidents.some(isOpen)) {
    watch.broken.push("a ladder was not told that the call is over");
  }
  observeWords(watch, step, before);
}

function answeredWell(from: Snapshot, at: number): Snapshot {
  let snapshot = from;
  for (let turn = 0; turn < 100 && snapshot.status === "active"; turn++) {
    const next = answers(snapshot.context, at).find((event) => event.type === "effect.done");
    if (!next) break;
    snapshot = take(snapshot, next).snapshot;
  }
  return snapshot;
}

/** Every human leaves, every request is answered well, and the regular look at the call has come. */
function leftAlone(from: Snapshot, at: number): Snapshot {
  let snapshot = from;
  const humans = Object.values(from.context.legs).filter((leg) => leg.kind === "human");
  for (const { label, callSid } of humans) {
    const head = { at, label, callSid: callSid ?? `CA-${label}` };
    snapshot = take(snapshot, { type: "participant.left", ...head, reason: "participant_hung_up" }).snapshot;
  }
  snapshot = answeredWell(snapshot, at);
  return answeredWell(take(snapshot, { type: "deadline", at, name: "checkup" }).snapshot, at);
}

/** Left out of most steps of a walk, or none would get far. */
const ENDING = new Set(["caller.gone", "op.hangup", "engine.shutdown", "conference.ended", "model.failed"]);
const HELPFUL = new Set([
  "participant.joined",
  "ai.streamStarted",
  "model.ready",
  "effect.done",
  "op.escalate",
  "ladder.update",
]);

/** Mostly something that leads on, now and then anything at all. */
function choose(pick: number, context: CallContext, at: number): CallMessage {
  const everything = possible(context, at);
  const events = everything.filter(({ type }) =>
    pick % 4 === 0 ? true : pick % 4 === 1 ? !ENDING.has(type) : HELPFUL.has(type),
  );
  return events[Math.floor(pick / 4) % events.length] as CallMessage;
}

function walk(stage: Script, picks: readonly number[], seen: (step: Step) => void): readonly string[] {
  const watch = newWatch();
  let before: CallContext | null = null;
  for (const step of stage.steps) {
    observe(watch, step, before);
    before = step.snapshot.context;
  }
  let { snapshot } = stage;
  let at = INPUT.startedAtMs + 1000;
  for (const pick of picks) {
    if (snapshot.status !== "active") break;
    const step = take(snapshot, choose(pick, snapshot.context, ++at));
    observe(watch, step, snapshot.context);
    snapshot = step.snapshot;
    seen(step);
  }
  if (snapshot.status === "error") watch.broken.push("the machine failed");
  if (snapshot.status !== "active") return watch.broken;
  if (finish(snapshot, ++at).status !== "done") watch.broken.push("the call did not end");
  const { value, context } = leftAlone(snapshot, ++at);
  const streams = typeof value === "object" && "streaming" in value;
  if (streams && (context.unholdOwed || context.callerOnHold))
    watch.broken.push("the caller was left on hold");
  return watch.broken;
}

const walks = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 60 });

test("any order of events keeps what must always hold, never fails, and ends when the caller leaves", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.constantFrom(...STAGES), walks, (stage, picks) => {
      const broken = walk(stage(), picks, ({ snapshot, edges }) => {
        for (const id of active(snapshot as never)) seen.add(id);
        for (const id of sourcesOf(edges)) seen.add(id);
      });
      expect(broken).toEqual([]);
    }),
    { numRuns: 1200, seed: 20_261_122 },
  );
  // Or the check above would not be worth much.
  expect(all.filter((id) => !seen.has(id))).toEqual([]);
});
