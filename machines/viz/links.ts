/** Transitions between top-level states, merged by their ends: the story of a machine. */
import { topOf } from "./graph.ts";
import type { Chart, Transition } from "./graph.ts";
import { short } from "./names.ts";

export interface Link {
  /** Id of a top-level state, or the root's: from any state. */
  readonly from: string;
  readonly to: string;
  readonly transitions: readonly Transition[];
}

/** In document order of their sources; transitions that stay inside a top-level state are none. */
export function linksOf(chart: Chart): Link[] {
  const links = new Map<string, { from: string; to: string; transitions: Transition[] }>();
  for (const transition of chart.transitions) {
    const from = topOf(chart, transition.source);
    for (const to of new Set(transition.targets.map((target) => topOf(chart, target)))) {
      if (to === from) continue;
      const id = `${from}>${to}`;
      const link = links.get(id) ?? { from, to, transitions: [] };
      link.transitions.push(transition);
      links.set(id, link);
    }
  }
  return [...links.values()];
}

/** What moves a call along a link: events, and for eventless transitions the fact they wait for. */
export function reasons({ transitions }: Link): string[] {
  const names = transitions.map(({ event, guard }) => event ?? (guard ? short(guard) : "always"));
  return [...new Set(names)];
}
