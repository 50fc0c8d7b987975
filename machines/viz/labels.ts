/** What a drawing says about a state and a transition: short on the picture, whole in the tooltip. */
import type { Row, Span } from "./block.ts";
import { topOf } from "./graph.ts";
import type { Chart, Invoked, State, Transition } from "./graph.ts";
import { full, short } from "./names.ts";
import type { Named } from "./names.ts";

const MAX_ACTION_CHARS = 24;
/** Keeps a slash with what follows it. */
const NBSP = "\u00a0";

/** `deadline [readd] / hangUpAi → streaming.readding`, for tooltips and text formats. */
export function describe(chart: Chart, transition: Transition): string {
  const { guard, actions, targets, reenter } = transition;
  const parts = [transition.event ?? ""];
  if (guard) parts.push(`[${full(guard)}]`);
  if (actions.length > 0) parts.push(`/ ${actions.map(full).join(", ")}`);
  if (targets.length > 0) parts.push(`→ ${targets.map((id) => pathName(chart, id)).join(", ")}`);
  if (reenter) parts.push("(re-entered)");
  return parts.filter((part) => part !== "").join(" ");
}

/** Event and guard alone: how a transition is told from its siblings. */
export function trigger({ event, guard }: Transition): string {
  return [event ?? "", guard ? `[${short(guard)}]` : ""].filter((part) => part !== "").join(" ") || "always";
}

/** A state's path below the root, `wrapUp.apologising`; the root's own id for the root. */
export function pathName(chart: Chart, id: string): string {
  return chart.states.get(id)?.path.join(".") || id;
}

/** How `id` is called by its neighbours: what they have in common is left out. */
export function nameFrom(chart: Chart, panel: string, id: string): string {
  const inside = chart.states.get(id)?.path ?? [];
  const depth = chart.states.get(panel)?.path.length ?? 0;
  return topOf(chart, id) === panel && inside.length > depth
    ? inside.slice(depth).join(".")
    : pathName(chart, id);
}

/** Index of the top-level state that `id` belongs to: its colour. */
export function hueOf(chart: Chart, id: string): number {
  const top = topOf(chart, id);
  return chart.root.children.findIndex((child) => child.id === top);
}

function triggerSpans({ event, guard }: Transition): Span[] {
  const spans: Span[] = [];
  if (event !== null) spans.push({ text: event, tone: "event" });
  if (guard) spans.push({ text: `[${short(guard)}]`, tone: "guard" });
  return spans.length > 0 ? spans : [{ text: "always", tone: "guard" }];
}

function actionSpans(actions: readonly Named[], whole: boolean): Span[] {
  if (actions.length === 0) return [];
  const text = actions.map((action) => (whole ? action.name : full(action))).join(", ");
  if (whole || text.length <= MAX_ACTION_CHARS) return [{ text: `/${NBSP}${text}`, tone: "action" }];
  const count = actions.length === 1 ? "action" : `${actions.length}${NBSP}actions`;
  return [{ text: `/${NBSP}${count}`, tone: "action" }];
}

/** The label of a drawn edge. */
export function edgeRow(chart: Chart, transition: Transition): Row {
  return {
    edge: transition.key,
    title: describe(chart, transition),
    spans: [...triggerSpans(transition), ...actionSpans(transition.actions, false)],
  };
}

/** A transition as a line inside its source: to a chip with the target's name, or with no target at all. */
export function transitionRow(chart: Chart, panel: string, transition: Transition): Row {
  const { targets, source, key } = transition;
  const spans = triggerSpans(transition);
  const self = targets.length === 1 && targets[0] === source;
  if (self) spans.push({ text: "", tone: "loop" });
  else if (targets.length > 0) {
    spans.push({ text: "", tone: "arrow" });
    for (const id of targets) {
      spans.push({ text: nameFrom(chart, panel, id), tone: "chip", hue: hueOf(chart, id) });
    }
  }
  if (targets.length === 0) spans.push(...actionSpans(transition.actions, true));
  if (targets.length === 0 && transition.actions.length === 0) {
    spans.push({ text: `/${NBSP}ignored`, tone: "action" });
  }
  return { edge: key, title: describe(chart, transition), spans };
}

/** One transition that many siblings share: its trigger, its target, and the states it starts from. */
export function sharedRow(chart: Chart, panel: string, group: readonly Transition[]): Row {
  const [first] = group;
  if (!first) return { spans: [] };
  const spans: Span[] = [...triggerSpans(first), { text: "", tone: "arrow" }];
  for (const id of first.targets) {
    spans.push({ text: nameFrom(chart, panel, id), tone: "chip", hue: hueOf(chart, id) });
  }
  spans.push({ text: "from", tone: "word" });
  group.forEach((transition, index) => {
    const name = chart.states.get(transition.source)?.key ?? transition.source;
    const text = index < group.length - 1 ? `${name},` : name;
    spans.push({ text, tone: "source", edge: transition.key, title: describe(chart, transition) });
  });
  return { spans };
}

const invokedName = ({ src, id }: Invoked): string => (id === null || id === src ? src : `${src} · ${id}`);

/** Entry, exit and invoked actors of a state. */
export function behaviourRows(state: State): Row[] {
  const row = (word: string, names: readonly string[], title: string): Row[] =>
    names.length === 0
      ? []
      : [
          {
            title,
            spans: [
              { text: word, tone: "word" },
              { text: names.join(", "), tone: "action" },
            ],
          },
        ];
  return [
    ...row(
      "entry",
      state.entry.map((action) => action.name),
      `on entry: ${state.entry.map(full).join(", ")}`,
    ),
    ...row(
      "exit",
      state.exit.map((action) => action.name),
      `on exit: ${state.exit.map(full).join(", ")}`,
    ),
    ...row(
      "invoke",
      state.invoked.map(invokedName),
      `runs while in this state: ${state.invoked.map(invokedName).join(", ")}`,
    ),
  ];
}
