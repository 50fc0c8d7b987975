/** Which edges a machine takes, for transitions that are made without an actor and have nothing to inspect. */
import type { AnyStateMachine, AnyStateNode } from "xstate";

const MARK = "test.edge";

type Definition = NonNullable<AnyStateNode["always"]>[number];

/** A copy of the machine whose every edge names itself among the actions of a step that takes it. */
export function marked<M extends AnyStateMachine>(machine: M): M {
  const copy = machine.provide({}) as M;
  const mark = (node: AnyStateNode): void => {
    const byType: [string, readonly Definition[]][] = [...node.transitions, ["", node.always ?? []]];
    for (const [type, definitions] of byType) {
      definitions.forEach((definition, index) => {
        // Named as `Coverage` and the drawings name it.
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
