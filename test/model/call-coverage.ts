/** Which edges of the call machine were taken, also those that lead back to where they began. */
import type { AnyStateMachine, AnyStateNode } from "xstate";
import { chartOf, type Transition } from "../../machines/viz/graph.ts";

const MARK = "test.edge";

type Definition = NonNullable<AnyStateNode["always"]>[number];

/** A copy of the machine whose every edge names itself among the actions of a step that takes it. */
export function marked<M extends AnyStateMachine>(machine: M): M {
  const copy = machine.provide({}) as M;
  const mark = (node: AnyStateNode): void => {
    const byType: [string, readonly Definition[]][] = [...node.transitions, ["", node.always ?? []]];
    for (const [type, definitions] of byType) {
      definitions.forEach((definition, index) => {
        // Named as the drawings name it.
        const params = { key: `${node.id}|${type}|${index}` };
        (definition as { actions: readonly unknown[] }).actions = [
          { type: MARK, params },
          ...definition.actions,
        ];
      });
    }
    Object.values(node.states).forEach(mark);
  };
  mark(copy.root);
  return copy;
}

/** Keys of the edges that a step has taken, in order. */
export function edgesIn(
  actions: readonly { readonly type: string; readonly params?: unknown }[],
): readonly string[] {
  return actions.flatMap(({ type, params }) => (type === MARK ? [(params as { key: string }).key] : []));
}

export const edgesOf = (machine: AnyStateMachine): readonly Transition[] => chartOf(machine).transitions;

/** One line for each edge that was not taken. */
export function notTaken(machine: AnyStateMachine, taken: ReadonlySet<string>): readonly string[] {
  return edgesOf(machine)
    .filter(({ key }) => !taken.has(key))
    .map(describeEdge);
}

const describeEdge = ({ source, event, guard, targets, key }: Transition): string =>
  `${source} --${event ?? "always"}${guard ? ` [${guard.name}]` : ""}--> ${targets.join(", ") || "(stays)"}   ${key}`;

/** How many of each state's edges were taken. */
export function coverageList(machine: AnyStateMachine, taken: ReadonlySet<string>): string {
  const bySource = Map.groupBy(edgesOf(machine), ({ source }) => source);
  const lines = [...bySource].map(([source, edges]) => {
    const count = edges.filter(({ key }) => taken.has(key)).length;
    return `  ${source} ${count}/${edges.length}`;
  });
  const total = edgesOf(machine).length;
  return `${machine.id}: ${total - notTaken(machine, taken).length} of ${total} edges taken\n${lines.join("\n")}\n`;
}
