/**
 * Which transitions become drawn edges and which become lines inside their state. A chart of a hundred
 * edges is not legible as one tangle: what leaves its top-level state, stays in its state, or is the same
 * from many siblings is written where it starts, with a chip in the target's colour.
 */
import { lineage, topOf } from "./graph.ts";
import type { Chart, State, Transition } from "./graph.ts";
import { trigger } from "./labels.ts";

/** Up to this many states a machine is one diagram; beyond, one panel for each top-level state. */
const MAX_SINGLE = 12;
/** From this many siblings on, one and the same transition is written instead of drawn. */
const MANY = 3;

export interface Plan {
  /** The states that get a panel: the top-level ones, or the root alone. */
  readonly panels: readonly State[];
  /** Key → whether the transition is a line between two boxes of one panel. */
  readonly drawn: ReadonlySet<string>;
  /** The panel of a state. */
  panelOf(id: string): string;
}

export function planOf(chart: Chart): Plan {
  const single = chart.states.size - 1 <= MAX_SINGLE;
  const panels = single ? [chart.root] : chart.root.children;
  const panelOf = (id: string): string => (single ? chart.root.id : topOf(chart, id));
  const local = chart.transitions.filter((transition) => isLocal(chart, panelOf, transition));
  const alike = Map.groupBy(local, (t) => `${panelOf(t.source)} ${trigger(t)} ${t.targets.join(" ")}`);
  const drawn = [...alike.values()].filter((group) => group.length < MANY).flat();
  return { panels, drawn: new Set(drawn.map((transition) => transition.key)), panelOf };
}

function isLocal(chart: Chart, panelOf: (id: string) => string, { source, targets }: Transition): boolean {
  const panel = panelOf(source);
  if (source === panel || targets.length === 0) return false;
  const above = lineage(chart, source);
  return targets.every(
    (target) =>
      panelOf(target) === panel && !above.includes(target) && !lineage(chart, target).includes(source),
  );
}
