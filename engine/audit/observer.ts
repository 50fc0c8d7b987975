/**
 * What every machine of a call's system did with every event: the edges it took and the state it came to. Read
 * from XState's inspection events (5.33): microsteps name their transitions, a snapshot ends the step.
 */
import type { ActorRefLike, AnyMachineSnapshot, InspectionEvent, StateValue } from "xstate";
import { full, named } from "../../machines/viz/names.ts";

/** One edge as the machine defines it: `{source}|{event}|{index}` is its key in the drawings. */
export interface TakenEdge {
  /** Id of the state that it leaves. */
  readonly source: string;
  /** What it waits for, such as `leg.status` or `*`; empty for an edge that waits for no event. */
  readonly event: string;
  /** Its place among the edges of that state for that event, from 0. */
  readonly index: number;
  /** Name of its guard, with its parameters. */
  readonly guard: string | null;
  /** Ids of the states that it leads to; empty when no state changes. */
  readonly targets: readonly string[];
}

/** An event that an actor took, and what came of it. Of the event only its type: the rest may name a person. */
export interface ActorStep {
  /** The root by the id of its machine, others by the path of their ids: `call`, `ladder-1`, `ladder-1/human-2`. */
  readonly actor: string;
  /** `xstate.init` for the start, also of an actor that was restored; `xstate.stop` for the end. */
  readonly event: string;
  /** In the order they were taken. */
  readonly edges: readonly TakenEdge[];
  readonly value: StateValue;
  readonly status: AnyMachineSnapshot["status"];
}

type Microstep = Extract<InspectionEvent, { readonly type: "@xstate.microstep" }>;
type Transition = Microstep["_transitions"][number];

interface OpenStep {
  readonly event: string;
  readonly edges: TakenEdge[];
  snapshot: unknown;
  told: boolean;
}

/**
 * For `inspect` of `createActor`. `onStep` is called once for each event of each machine, a parent's step before
 * those that it causes in its children. It runs within the actor's own processing: it must not throw, nor send.
 */
export function observeActors(onStep: (step: ActorStep) => void): (inspected: InspectionEvent) => void {
  const open = new Map<ActorRefLike, OpenStep>();

  const tell = (actor: ActorRefLike, event: string, edges: readonly TakenEdge[], snapshot: unknown): void => {
    if (!isOfMachine(snapshot)) return;
    const { value, status } = snapshot;
    onStep({ actor: nameOf(actor), event, edges, value: value as StateValue, status });
  };

  const onMicrostep = ({ actorRef, event, snapshot, _transitions }: Microstep): void => {
    let step = open.get(actorRef);
    if (!step || step.told)
      open.set(actorRef, (step = { event: event.type, edges: [], snapshot, told: false }));
    for (const transition of _transitions) step.edges.push(edgeOf(transition));
    step.snapshot = snapshot;
  };

  /** Whatever an actor sends goes out once its own step is over, which shows in its snapshot. */
  const tellCauses = (): void => {
    for (const [actor, step] of open) {
      if (step.told || actor.getSnapshot() !== step.snapshot) continue;
      step.told = true;
      tell(actor, step.event, step.edges, step.snapshot);
    }
  };

  /** An actor's first snapshot is there before it starts, and with it its children. */
  const onStart = (actor: ActorRefLike): void => {
    const snapshot: unknown = actor.getSnapshot();
    if (!isOfMachine(snapshot) || open.has(actor)) return;
    open.set(actor, { event: "xstate.init", edges: [], snapshot, told: false });
  };

  return (inspected) => {
    if (inspected.type === "@xstate.microstep") onMicrostep(inspected);
    else if (inspected.type === "@xstate.event") {
      if (inspected.event.type === "xstate.init") onStart(inspected.actorRef);
      tellCauses();
    } else if (inspected.type === "@xstate.snapshot") {
      const { actorRef, event, snapshot } = inspected;
      const step = open.get(actorRef);
      open.delete(actorRef);
      if (!step?.told) tell(actorRef, event.type, step?.edges ?? [], snapshot);
    }
  };
}

function isOfMachine(snapshot: unknown): snapshot is AnyMachineSnapshot {
  return typeof snapshot === "object" && snapshot !== null && "value" in snapshot && "machine" in snapshot;
}

interface NamedActor {
  readonly id: string;
  readonly _parent?: NamedActor;
  readonly logic?: { readonly id?: unknown };
}

function nameOf(actor: ActorRefLike): string {
  const path: string[] = [];
  let at = actor as unknown as NamedActor;
  // The id of a root is a number that differs from run to run.
  if (!at._parent) return typeof at.logic?.id === "string" ? at.logic.id : at.id;
  for (; at._parent; at = at._parent) path.unshift(at.id);
  return path.join("/");
}

/** A machine's transitions are the same objects for as long as it lives. */
const edges = new WeakMap<Transition, TakenEdge>();

export function edgeOf(transition: Transition): TakenEdge {
  let edge = edges.get(transition);
  if (edge) return edge;
  const { source, eventType: event, guard, target } = transition;
  const among = event === "" ? source.always : source.transitions.get(event);
  edge = {
    source: source.id,
    event,
    index: among?.indexOf(transition) ?? -1,
    guard: guard === undefined ? null : full(named(guard)),
    targets: (target ?? []).map(({ id }) => id),
  };
  edges.set(transition, edge);
  return edge;
}
