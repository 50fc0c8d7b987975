/**
 * A machine as Mermaid `stateDiagram-v2` text, for readers and tools that draw it themselves. Mermaid has no
 * edges between the insides of two different composite states, nor from a composite state to itself or its
 * own inside: the first are lifted to the states that stand beside each other, with the inner names in the
 * label and without their actions; the others are written as comments.
 */
import { lineage } from "./graph.ts";
import type { Chart, State, Transition } from "./graph.ts";
import { describe, pathName, trigger } from "./labels.ts";
import { full } from "./names.ts";
import type { Heading } from "./svg.ts";

/** `<name>.mmd`. */
export function mermaidOf(chart: Chart, heading: Heading): string {
  const edges = chart.transitions.flatMap((transition) => edgesOf(chart, transition));
  const lines = [
    "---",
    `title: ${JSON.stringify(heading.title)}`,
    "---",
    "stateDiagram-v2",
    ...inside(chart, chart.root, edges, "  "),
    ...unseen(chart),
  ];
  return `${lines.join("\n")}\n`;
}

interface Edge {
  /** Id of the state that the edge is written in. */
  readonly scope: string;
  readonly from: string;
  readonly to: string;
  readonly label: string;
}

function edgesOf(chart: Chart, transition: Transition): Edge[] {
  return transition.targets.flatMap((target): Edge[] => {
    const { source } = transition;
    if (source === target) {
      const isLeaf = chart.states.get(source)?.children.length === 0;
      const scope = chart.parents.get(source);
      const label = triggerOf(transition);
      return isLeaf && scope !== undefined ? [{ scope, from: source, to: target, label }] : [];
    }
    const sources = lineage(chart, source);
    const targets = lineage(chart, target);
    const scope = sources.find((id) => targets.includes(id));
    if (scope === undefined || scope === source || scope === target) return [];
    const from = sources[sources.indexOf(scope) - 1] ?? source;
    const to = targets[targets.indexOf(scope) - 1] ?? target;
    if (from === source && to === target) return [{ scope, from, to, label: triggerOf(transition) }];
    const origin = from === source ? "" : `${inner(chart, from, source)} - `;
    const end = to === target ? "" : ` → ${inner(chart, to, target)}`;
    return [{ scope, from, to, label: `${origin}${trigger(transition)}${end}` }];
  });
}

/** The path of `id` inside its ancestor `above`. */
function inner(chart: Chart, above: string, id: string): string {
  const depth = chart.states.get(above)?.path.length ?? 0;
  return (chart.states.get(id)?.path ?? []).slice(depth).join(".");
}

function triggerOf({ event, guard, actions }: Transition): string {
  const parts = [event ?? "", guard ? `[${full(guard)}]` : ""];
  if (actions.length > 0) parts.push(`/ ${actions.map(full).join(", ")}`);
  return parts.filter((part) => part !== "").join(" ") || "always";
}

function inside(chart: Chart, state: State, edges: readonly Edge[], indent: string): string[] {
  const lines = state.initial === null ? [] : [`${indent}[*] --> ${alias(firstChild(chart, state))}`];
  state.children.forEach((child, index) => {
    if (state.type === "parallel" && index > 0) lines.push(`${indent}--`);
    lines.push(...declaration(chart, child, edges, indent));
  });
  const own = edges.filter(({ scope }) => scope === state.id);
  for (const [, group] of Map.groupBy(own, ({ from, to }) => `${from} ${to}`)) {
    const [first] = group;
    if (!first) continue;
    const label = group.map((edge) => safe(edge.label)).join("<br/>");
    lines.push(`${indent}${alias(first.from)} --> ${alias(first.to)} : ${label}`);
  }
  lines.push(
    ...state.children.filter(({ type }) => type === "final").map(({ id }) => `${indent}${alias(id)} --> [*]`),
  );
  return lines;
}

/** The child that holds the initial state, which may lie deeper. */
function firstChild(chart: Chart, state: State): string {
  const above = lineage(chart, state.initial ?? state.id);
  return above[above.indexOf(state.id) - 1] ?? state.id;
}

function declaration(chart: Chart, state: State, edges: readonly Edge[], indent: string): string[] {
  const name = `state "${safe(state.key).replaceAll('"', "'")}" as ${alias(state.id)}`;
  if (state.children.length === 0) return [`${indent}${name}`, ...note(state, indent)];
  return [`${indent}${name} {`, ...inside(chart, state, edges, `${indent}  `), `${indent}}`];
}

/** What a leaf does, and what it answers without leaving. */
function note(state: State, indent: string): string[] {
  const lines = behaviour(state);
  if (lines.length === 0) return [];
  return [
    `${indent}note right of ${alias(state.id)}`,
    ...lines.map((line) => `${indent}  ${safe(line)}`),
    `${indent}end note`,
  ];
}

function behaviour(state: State): string[] {
  const lines: string[] = [];
  if (state.entry.length > 0) lines.push(`entry / ${state.entry.map(full).join(", ")}`);
  if (state.exit.length > 0) lines.push(`exit / ${state.exit.map(full).join(", ")}`);
  for (const { src, id } of state.invoked) lines.push(`invoke ${src}${id === null ? "" : ` (${id})`}`);
  const internal = state.transitions.filter(({ targets }) => targets.length === 0);
  return [...lines, ...internal.map((transition) => triggerOf(transition))];
}

/** What the format has no edge or note for, as comments at the end. */
function unseen(chart: Chart): string[] {
  return [...chart.states.values()].flatMap((state) => {
    const lost = state.transitions.filter(
      (transition) => transition.targets.length > 0 && edgesOf(chart, transition).length === 0,
    );
    const lines = lost.map((transition) => describe(chart, transition));
    if (state.children.length > 0) lines.push(...behaviour(state));
    return lines.map((line) => `%% ${pathName(chart, state.id)} ... ${safe(line)}`);
  });
}

/** Ids with the letters that Mermaid takes. */
const alias = (id: string): string => id.replace(/[^A-Za-z0-9]/g, "_");

/** Text without what ends a label or starts markup. */
const safe = (text: string): string =>
  text
    .replace(/[\r\n]+/g, " ")
    .replaceAll(":", "∶")
    .replaceAll(";", ",")
    .replaceAll("<", "‹")
    .replaceAll(">", "›")
    .replaceAll("%%", "% %")
    .replaceAll("#", "＃");
