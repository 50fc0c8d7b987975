/**
 * The story of a machine at a glance: its top-level states in a row, what moves a call between them, and its
 * ending below. Transitions are merged by their ends. Ways back and skips run in lanes above the row, each
 * with its label on it; what leads to the ending drops from every state to one line below.
 */
import { arrow, documentOf, head, hueClass, polyline, rect, text, title } from "./draw.ts";
import type { Point } from "./draw.ts";
import type { Chart } from "./graph.ts";
import { describe, hueOf, pathName } from "./labels.ts";
import { LABEL_LINE } from "./lanes.ts";
import type { Label, Route, Slot } from "./lanes.ts";
import { linksOf } from "./links.ts";
import { placeOverview } from "./overview-layout.ts";
import type { Heading } from "./svg.ts";
import { escape, px } from "./text.ts";
import { styleSheet } from "./theme.ts";

const HEADING_X = 18;

/** `<name>-overview.svg`: the top-level states and the ways between them. */
export function drawOverview(chart: Chart, heading: Heading): string {
  const placed = placeOverview(chart, linksOf(chart));
  const body = [
    text("heading", { x: HEADING_X, y: 30 }, heading.title),
    ...placed.routes.map((route) => routeGroup(chart, route)),
    // Labels last, so that no line of another route runs over them.
    ...placed.routes.flatMap((route) => route.labels.map((label) => labelText(label))),
    ...placed.slots.map((slot) => box(chart, slot)),
    initialDot(placed.initial),
  ].join("\n");
  return documentOf({
    width: placed.width,
    height: placed.height,
    name: heading.name,
    hash: heading.hash,
    title: `${heading.name}: ${heading.title}`,
    description: `Overview: ${chart.root.children.map(({ key }) => key).join(", ")}.`,
    style: styleSheet(),
    body,
  });
}

function box(chart: Chart, slot: Slot): string {
  const state = chart.states.get(slot.id);
  if (!state) return "";
  const middle = { x: slot.x + slot.width / 2, y: slot.y + slot.height / 2 + 5 };
  if (state === chart.root) {
    return `<g class="anywhere">${rect(slot, slot, 10)}${text("note", middle, "from any state", "middle")}</g>`;
  }
  const within = state.children.map(({ key }) => key).join(", ");
  const about = [state.description ?? "", within].filter((line) => line !== "").join("\n");
  const inner = { width: slot.width - 6, height: slot.height - 6 };
  return [
    `<g class="panel state ${state.type} ${hueClass(hueOf(chart, state.id))}" data-state="${escape(state.id)}">`,
    title(about),
    rect(slot, slot, 10),
    ...(state.type === "final" ? [rect({ x: slot.x + 3, y: slot.y + 3 }, inner, 7)] : []),
    text("panel-name", middle, state.key, "middle"),
    "</g>",
  ].join("");
}

/** A route with all of its transitions by key, so that one that is taken can be found. */
function routeGroup(chart: Chart, { link, points, headed }: Route): string {
  const lines = link.transitions.map(
    (transition) => `${pathName(chart, transition.source)}: ${describe(chart, transition)}`,
  );
  const keys = link.transitions.map(({ key }) => `<g class="edge" data-edge="${escape(key)}"/>`).join("");
  const name = escape(`${link.from}>${link.to}`);
  const line = `<path class="line" d="${polyline(points)}"/>${headed ? head(points) : ""}`;
  return `<g class="link ${hueClass(hueOf(chart, link.to))}" data-link="${name}">${title(lines.join("\n"))}${keys}${line}</g>`;
}

function labelText({ x, y, width, lines, anchor, covers }: Label): string {
  const left = anchor === "middle" ? x - width / 2 : x;
  const size = { width: width + 8, height: lines.length * LABEL_LINE + 2 };
  const ground = covers ? rect({ x: left - 4, y: y - 11 }, size, 3, "ground") : "";
  return (
    ground +
    lines.map((line, index) => text("reason", { x, y: y + index * LABEL_LINE }, line, anchor)).join("")
  );
}

function initialDot(at: Point | null): string {
  if (!at) return "";
  const dot = `<circle class="dot" cx="${px(at.x - 22)}" cy="${px(at.y)}" r="5"/>`;
  const line = arrow([
    { x: at.x - 17, y: at.y },
    { x: at.x - 1, y: at.y },
  ]);
  return `<g class="initial">${dot}${line}</g>`;
}
