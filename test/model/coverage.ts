/** Which states and edges of a machine its tests have gone through, seen by inspecting live actors. */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, InspectionEvent } from "xstate";

interface Edge {
  readonly source: AnyStateNode;
  readonly eventType: string;
  readonly target?: readonly AnyStateNode[] | undefined;
  readonly guard?: unknown;
}

/** Survives `provide()`, which makes all nodes and transitions anew. */
function keyOf(edge: Edge): string {
  const { source, eventType } = edge;
  const always = source.always as readonly Edge[] | undefined;
  const index = eventType === "" ? always?.indexOf(edge) : edgesOn(source, eventType).indexOf(edge);
  return `${source.id}|${eventType}|${index}`;
}

function edgesOn(node: AnyStateNode, eventType: string): readonly Edge[] {
  return (node.transitions.get(eventType) ?? []) as readonly Edge[];
}

function edgesOf(node: AnyStateNode): readonly Edge[] {
  const own = [...node.transitions.keys()].flatMap((type) => (type === "" ? [] : edgesOn(node, type)));
  const always = (node.always ?? []) as unknown as readonly Edge[];
  return [
    ...own,
    ...always,
    ...Object.values(node.states).flatMap((child) => edgesOf(child as AnyStateNode)),
  ];
}

function statesOf(node: AnyStateNode): readonly AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap((child) => statesOf(child as AnyStateNode))];
}

function guardName(guard: unknown): string {
  if (guard === undefined) return "";
  if (typeof guard === "string") return ` [${guard}]`;
  const { type, params } = guard as { readonly type?: string; readonly params?: unknown };
  return ` [${type ?? "guard"}${params === undefined ? "" : ` ${JSON.stringify(params)}`}]`;
}

function nameOf({ source, eventType, target, guard }: Edge): string {
  const to = target?.map((node) => node.id).join(", ") ?? "(stays)";
  return `${source.id}: ${eventType === "" ? "always" : eventType}${guardName(guard)} → ${to}`;
}

export class Coverage {
  readonly #id: string;
  readonly #states: ReadonlyMap<string, string>;
  readonly #edges: ReadonlyMap<string, string>;
  readonly #seen = new Map<string, number>();

  constructor(machine: AnyStateMachine) {
    const root = machine.root as AnyStateNode;
    this.#id = machine.id;
    this.#states = new Map(statesOf(root).map((node) => [node.id, node.id]));
    this.#edges = new Map(edgesOf(root).map((edge) => [keyOf(edge), nameOf(edge)]));
  }

  /** To be given to `createActor` as `inspect`. Actors of other machines in its system are left out. */
  readonly inspect = (event: InspectionEvent): void => {
    if (event.type !== "@xstate.microstep" && event.type !== "@xstate.snapshot") return;
    const snapshot = event.snapshot as AnyMachineSnapshot;
    if (snapshot.machine?.id !== this.#id) return;
    for (const node of snapshot._nodes) this.#count(node.id);
    if (event.type !== "@xstate.microstep") return;
    for (const edge of event._transitions as unknown as readonly Edge[]) {
      this.#count(keyOf(edge));
      // A transient state is never part of a snapshot.
      if (!this.#seen.has(edge.source.id)) this.#count(edge.source.id);
    }
  };

  /** Counts states by id and edges by key, of machines that are run without an actor. */
  saw(ids: Iterable<string>): void {
    for (const id of ids) this.#count(id);
  }

  #count(key: string): void {
    this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1);
  }

  /** States and edges that nothing has gone through yet. */
  get missing(): readonly string[] {
    return [...this.#states, ...this.#edges].flatMap(([key, name]) => (this.#seen.has(key) ? [] : [name]));
  }

  /** One line for each state and edge, with how often it was gone through. */
  report(): string {
    const line = ([key, name]: readonly [string, string]): string =>
      `${String(this.#seen.get(key) ?? 0).padStart(8)}  ${name}`;
    const taken = (all: ReadonlyMap<string, string>): string =>
      `${[...all.keys()].filter((key) => this.#seen.has(key)).length} of ${all.size}`;
    const heading = `${this.#id}: ${taken(this.#states)} states, ${taken(this.#edges)} edges`;
    return [heading, ...[...this.#states].map(line), ...[...this.#edges].map(line), ""].join("\n");
  }
}
