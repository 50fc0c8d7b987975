/** The whole drawing of a machine: its panels in a column, and the ways between them along the sides. */
import { documentOf, text } from "./draw.ts";
import type { Chart } from "./graph.ts";
import { layoutOf } from "./layout.ts";
import { EMPTY_LAYOUT } from "./placed.ts";
import type { Layout } from "./placed.ts";
import { panelOf } from "./panel.ts";
import type { Panel, PlacedPanel } from "./panel.ts";
import { planOf } from "./plan.ts";
import { routesBetween } from "./routes.ts";
import { px } from "./text.ts";
import { styleSheet } from "./theme.ts";

const PAGE_WIDTH = 830;
const MARGIN = 12;
const LANE = 11;
const GAP = 34;
const TOP = 40;

export interface Heading {
  readonly name: string;
  readonly title: string;
  /** Content hash of the machine. */
  readonly hash: string;
}

/** `<name>.svg`: every state and every transition. */
export async function drawChart(chart: Chart, heading: Heading): Promise<string> {
  const plan = planOf(chart);
  const routes = routesBetween(chart, plan);
  const left = MARGIN + LANE * routes.lanes.left;
  const right = MARGIN + LANE * routes.lanes.right;
  const room = PAGE_WIDTH - left - right;
  const layouts: Layout[] = [];
  for (const state of plan.panels) layouts.push(await layoutOf(chart, plan, state, room - 42));
  const width = Math.max(room, ...layouts.map((layout) => layout.width + 42));
  const drawn: Panel[] = [];
  const isWhole = plan.panels.length === 1 && plan.panels[0] === chart.root;
  if (!isWhole) drawn.push(panelOf(chart, plan, chart.root, EMPTY_LAYOUT, width));
  plan.panels.forEach((state, index) =>
    drawn.push(panelOf(chart, plan, state, layouts[index] ?? EMPTY_LAYOUT, width)),
  );
  const placed = stack(drawn);
  const body = [
    text("heading", { x: left, y: 26 }, heading.title),
    ...placed.map(({ panel, y }) => `<g transform="translate(${px(left)} ${px(y)})">\n${panel.svg}\n</g>`),
    routes.draw({ placed, left, width, lane: LANE }),
  ].join("\n");
  const last = placed.at(-1);
  return documentOf({
    width: left + width + right,
    height: (last ? last.y + last.panel.height : TOP) + MARGIN,
    name: heading.name,
    hash: heading.hash,
    title: `${heading.name}: ${heading.title}`,
    description: `State chart with ${chart.states.size - 1} states and ${chart.transitions.length} transitions.`,
    style: styleSheet(),
    body,
  });
}

function stack(panels: readonly Panel[]): PlacedPanel[] {
  let y = TOP;
  return panels.map((panel) => {
    const placed = { panel, y };
    y += panel.height + GAP;
    return placed;
  });
}
