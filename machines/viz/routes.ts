/**
 * The ways between panels. To the next panel an arrow goes straight down; all others that lead to one panel
 * share a lane beside the column, on the right when they go forward, on the left when they go back.
 */
import { arrow, head, hueClass, polyline, text, title } from "./draw.ts";
import type { Point } from "./draw.ts";
import type { Chart } from "./graph.ts";
import { describe, hueOf, pathName } from "./labels.ts";
import { linksOf, reasons } from "./links.ts";
import type { Link } from "./links.ts";
import type { Plan } from "./plan.ts";
import type { PlacedPanel } from "./panel.ts";
import { escape, px, widthOf } from "./text.ts";

const ENTER_Y = 14;
const EXIT_Y = 26;
const EXIT_STEP = 9;
const STORY_X = 64;

interface Lane {
  readonly side: "left" | "right";
  readonly to: string;
  readonly links: readonly Link[];
  /** 1 is next to the panels. */
  readonly index: number;
}

export interface Placing {
  readonly placed: readonly PlacedPanel[];
  /** The column's left side, its width, and the distance between lanes. */
  readonly left: number;
  readonly width: number;
  readonly lane: number;
}

export interface Routes {
  readonly lanes: { readonly left: number; readonly right: number };
  draw(placing: Placing): string;
}

export function routesBetween(chart: Chart, plan: Plan): Routes {
  const order = [chart.root.id, ...chart.root.children.map((state) => state.id)];
  const links = plan.panels[0] === chart.root ? [] : linksOf(chart);
  const steps = ({ from, to }: Link): number => order.indexOf(to) - order.indexOf(from);
  const next = links.filter((link) => steps(link) === 1 && link.from !== chart.root.id);
  const rest = links.filter((link) => !next.includes(link));
  const right = lanesOf(
    rest.filter((link) => steps(link) > 0),
    "right",
    steps,
  );
  const left = lanesOf(
    rest.filter((link) => steps(link) < 0),
    "left",
    steps,
  );
  return {
    lanes: { left: left.length, right: right.length },
    draw: (placing) =>
      [
        ...first(chart, placing),
        ...next.map((link) => straight(chart, link, placing)),
        ...[...left, ...right].map((lane) => bus(chart, lane, placing)),
      ].join("\n"),
  };
}

/** One lane for each target; the longer its way, the further out. */
function lanesOf(links: readonly Link[], side: Lane["side"], steps: (link: Link) => number): Lane[] {
  const reach = (list: readonly Link[]): number => Math.max(...list.map((link) => Math.abs(steps(link))));
  return [...Map.groupBy(links, (link) => link.to)]
    .sort(([, a], [, b]) => reach(a) - reach(b))
    .map(([to, list], index) => ({ side, to, links: list, index: index + 1 }));
}

const find = ({ placed }: Placing, id: string): PlacedPanel | undefined =>
  placed.find(({ panel }) => panel.state.id === id);

function first(chart: Chart, placing: Placing): string[] {
  const target = chart.root.initial === null ? undefined : find(placing, chart.root.initial);
  if (!target || placing.placed.length === 1) return [];
  const x = placing.left + STORY_X;
  const dot = `<circle class="dot" cx="${px(x)}" cy="${px(target.y - 24)}" r="5"/>`;
  return [
    `<g class="initial">${dot}${arrow([
      { x, y: target.y - 19 },
      { x, y: target.y - 2 },
    ])}</g>`,
  ];
}

function group(chart: Chart, links: readonly Link[], to: string, inner: string): string {
  const lines = links.flatMap(({ from, transitions }) =>
    transitions.map((transition) => `${pathName(chart, from)}: ${describe(chart, transition)}`),
  );
  const names = links.map(({ from }) => `${from}>${to}`).join(" ");
  const hue = hueClass(hueOf(chart, to));
  return `<g class="link ${hue}" data-link="${escape(names)}">${title(lines.join("\n"))}${inner}</g>`;
}

function straight(chart: Chart, link: Link, placing: Placing): string {
  const source = find(placing, link.from);
  const target = find(placing, link.to);
  if (!source || !target) return "";
  const x = placing.left + STORY_X;
  const from = source.y + source.panel.height;
  const words = fit(reasons(link), placing.width - STORY_X - 20);
  const label = text("event", { x: x + 12, y: (from + target.y) / 2 + 3.5 }, words);
  const line = arrow([
    { x, y: from + 1 },
    { x, y: target.y - 2 },
  ]);
  return group(chart, [link], link.to, line + label);
}

/** As many reasons as the line holds, and how many more there are. */
function fit(all: readonly string[], maxWidth: number): string {
  for (let shown = all.length; shown > 0; shown -= 1) {
    const more = shown < all.length ? ` +${all.length - shown}` : "";
    const line = all.slice(0, shown).join("  ·  ") + more;
    if (widthOf(line, 10.5, true) <= maxWidth) return line;
  }
  return `${all.length} ways`;
}

function bus(chart: Chart, lane: Lane, placing: Placing): string {
  const target = find(placing, lane.to);
  if (!target) return "";
  const edge = lane.side === "left" ? placing.left : placing.left + placing.width;
  const x = edge + (lane.side === "left" ? -1 : 1) * lane.index * placing.lane;
  const enter = target.y + ENTER_Y;
  const paths = lane.links.flatMap((link): Point[][] => {
    const source = find(placing, link.from);
    if (!source) return [];
    const exit = source.y + Math.min(source.panel.height - 8, EXIT_Y + (lane.index - 1) * EXIT_STEP);
    return [
      [
        { x: edge, y: exit },
        { x, y: exit },
        { x, y: enter },
        { x: edge + (lane.side === "left" ? -2 : 2), y: enter },
      ],
    ];
  });
  const lines = paths.map((points) => `<path class="line" d="${polyline(points)}"/>`).join("");
  return group(chart, lane.links, lane.to, lines + head(paths[0] ?? []));
}
