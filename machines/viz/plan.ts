/**
 * How each transition is shown. A chart of a hundred edges is not legible as one tangle, so only what runs
 * between boxes of one panel is a line. What leaves its top-level state or stays in its state is written
 * where it starts, with a chip in the target's colour; what is the same from many siblings is written once,
 * in the head of their parent, with the names of the states it starts from.
 */
import { lineage, topOf } from "./graph.ts";
import type { Chart, State, Transition } from "./graph.ts";
import { trigger } from "./labels.ts";

/** Up to this many states a machine is one diagram; beyond, one panel for each top-level state. */
const MAX_SINGLE = 12;
/** From this many siblings on, one and the same transition is written once for all. */
const MANY = 3;

export interface Plan {
  /** The states that get a panel: the top-level ones, or the root alone. */
  readonly panels: readonly State[];
  /** Keys of the transitions that are lines between two boxes of one panel. */
  readonly drawn: ReadonlySet<string>;
  /** Transitions that siblings share, by the id of their parent. */
  readonly shared: ReadonlyMap<string, readonly (readonly Transition[])[]>;
  /** Keys of all in `shared`. */
  readonly hoisted: ReadonlySet<string>;
  /** Id of the panel of a state. */
  panelOf(id: string): string;
}

export function planOf(chart: Chart): Plan {
  const single = chart.states.size - 1 <= MAX_SINGLE;
  const panels = single ? [chart.root] : chart.root.children;
  const panelOf = (id: string): string => (single ? chart.root.id : topOf(chart, id));
  const isPanel = (id: string): boolean => panels.some((panel) => panel.id === id);
  const shared = new Map<string, Transition[][]>();
  for (const parent of chart.states.values()) {
    if (parent === chart.root && !single) continue;
    shared.set(parent.id, sharedBy(parent.children));
  }
  const hoisted = new Set([...shared.values()].flat(2).map(({ key }) => key));
  const drawn = chart.transitions.filter(
    ({ key, source, targets }) =>
      !hoisted.has(key) && !isPanel(source) && isLine(chart, panelOf, source, targets),
  );
  return { panels, drawn: new Set(drawn.map(({ key }) => key)), shared, hoisted, panelOf };
}

/** Groups of transitions that are alike in all but their source. */
function sharedBy(children: readonly State[]): Transition[][] {
  const all = children.flatMap(({ transitions }) => transitions);
  const moving = all.filter(({ source, targets }) => targets.length > 0 && !targets.includes(source));
  return [...Map.groupBy(moving, (transition) => `${trigger(transition)} ${transition.targets.join(" ")}`)]
    .map(([, group]) => group)
    .filter((group) => new Set(group.map(({ source }) => source)).size >= MANY);
}

function isLine(
  chart: Chart,
  panelOf: (id: string) => string,
  source: string,
  targets: readonly string[],
): boolean {
  const above = lineage(chart, source);
  const panel = panelOf(source);
  return (
    targets.length > 0 &&
    targets.every(
      (target) =>
        panelOf(target) === panel && !above.includes(target) && !lineage(chart, target).includes(source),
    )
  );
}
