/**
 * A machine as plain data, walked from its StateNode tree: hierarchy, regions, initial states, every
 * transition (eventless ones too), invoked actors, actions. XState's `toDirectedGraph` leaves out eventless
 * transitions and initial states, so it is not used.
 */
import type { AnyStateMachine, AnyStateNode } from "xstate";
import { eventName, isTimerPlumbing, named } from "./names.ts";
import type { Named } from "./names.ts";

export interface Transition {
  /** Stable across builds and `machine.provide()`: `${source.id}|${event type}|${index}`. */
  readonly key: string;
  readonly source: string;
  /** Event type as XState holds it; empty for an eventless transition. */
  readonly type: string;
  /** The event's name for people; null for an eventless transition. */
  readonly event: string | null;
  readonly guard: Named | null;
  readonly actions: readonly Named[];
  /** Ids of the targets; empty when no state changes. */
  readonly targets: readonly string[];
  readonly reenter: boolean;
}

export interface Invoked {
  readonly src: string;
  /** Given by the machine, or null when XState made it up. */
  readonly id: string | null;
}

export interface State {
  readonly id: string;
  readonly key: string;
  readonly path: readonly string[];
  readonly type: "atomic" | "compound" | "parallel" | "final" | "history";
  readonly description: string | null;
  /** Of a history state: what it remembers, and where it leads when there is nothing to remember. */
  readonly history: { readonly kind: "shallow" | "deep"; readonly targets: readonly string[] } | null;
  /** Id of the initial child of a compound state. */
  readonly initial: string | null;
  readonly entry: readonly Named[];
  readonly exit: readonly Named[];
  readonly invoked: readonly Invoked[];
  readonly tags: readonly string[];
  readonly transitions: readonly Transition[];
  readonly children: readonly State[];
}

export interface Chart {
  readonly root: State;
  /** Every state by id, the root included, in document order. */
  readonly states: ReadonlyMap<string, State>;
  /** Id of each state's parent. */
  readonly parents: ReadonlyMap<string, string>;
  /** Every transition, in document order. */
  readonly transitions: readonly Transition[];
}

/** Walks the whole of a machine. */
export const chartOf = (machine: AnyStateMachine): Chart => chartFrom(walk(machine.root));

/** The chart of a root that was walked before, maybe by an earlier version. */
export function chartFrom(root: State): Chart {
  const states = new Map<string, State>();
  const parents = new Map<string, string>();
  const visit = (state: State): void => {
    states.set(state.id, state);
    for (const child of state.children) {
      parents.set(child.id, state.id);
      visit(child);
    }
  };
  visit(root);
  return { root, states, parents, transitions: [...states.values()].flatMap((state) => state.transitions) };
}

/** From a state up to the root, itself first. */
export function lineage(chart: Chart, id: string): string[] {
  const found: string[] = [];
  for (let at: string | undefined = id; at !== undefined; at = chart.parents.get(at)) found.push(at);
  return found;
}

/** The top-level state that holds `id`, or the root's own id. */
export function topOf(chart: Chart, id: string): string {
  return lineage(chart, id).at(-2) ?? id;
}

function walk(node: AnyStateNode): State {
  const initial = node.type === "compound" ? node.initial.target[0]?.id : undefined;
  return {
    id: node.id,
    key: node.key,
    path: node.path,
    type: node.type,
    description: node.description ?? null,
    history:
      node.type === "history" ? { kind: node.history || "shallow", targets: historyTargets(node) } : null,
    initial: initial ?? null,
    entry: actions(node.entry),
    exit: actions(node.exit),
    invoked: node.invoke.map(({ id, src }) => ({
      src: typeof src === "string" && !src.startsWith("xstate.invoke.") ? src : "inline",
      id: /^\d+\./.test(id) ? null : id,
    })),
    tags: node.tags,
    transitions: [
      ...[...node.transitions].flatMap(([type, list]) => transitions(node, type, list)),
      ...transitions(node, "", node.always ?? []),
    ],
    children: Object.values(node.states).map((child) => walk(child)),
  };
}

/** As XState resolves them: its targets, by id or by path from its parent, or else the parent's initial state. */
function historyTargets({ config, parent }: AnyStateNode): string[] {
  const { target } = config as { readonly target?: string | readonly string[] };
  if (target === undefined) {
    if (parent?.type === "parallel") return [parent.id];
    return (parent?.initial.target ?? []).map(({ id }) => id);
  }
  return [target].flat().map((path) => {
    if (path.startsWith("#")) return path.slice(1);
    const keys = path.split(".").filter((key) => key !== "");
    return keys.reduce<AnyStateNode | undefined>((at, key) => at?.states[key], parent)?.id ?? path;
  });
}

type Definition = NonNullable<AnyStateNode["always"]>[number];

function transitions(node: AnyStateNode, type: string, list: readonly Definition[]): Transition[] {
  return list.map((definition, index) => ({
    key: `${node.id}|${type}|${index}`,
    source: node.id,
    type,
    event: type === "" ? null : eventName(type),
    guard: definition.guard === undefined ? null : named(definition.guard),
    actions: actions(definition.actions),
    targets: (definition.target ?? []).map((target) => target.id),
    reenter: definition.reenter,
  }));
}

const actions = (list: readonly unknown[]): Named[] =>
  list.filter((action) => !isTimerPlumbing(action)).map((action) => named(action));
