/** Positions for an overview: a row of states, their ending in a second row, and the ways between them. */
import type { Point } from "./draw.ts";
import type { Chart, State } from "./graph.ts";
import {
  LABEL_LINE,
  LABEL_SIZE,
  LANE_HEIGHT,
  laneRoutes,
  lanesOf,
  oneLine,
  straightRoutes,
  textWidth,
} from "./lanes.ts";
import type { Route, Slot } from "./lanes.ts";
import { reasons } from "./links.ts";
import type { Link } from "./links.ts";
import { widthOf, wrap } from "./text.ts";

const PAGE_WIDTH = 900;
const MARGIN_LEFT = 38;
const MARGIN_RIGHT = 30;
const MARGIN_BOTTOM = 18;
const TOP = 46;
const BOX_HEIGHT = 58;
const MIN_BOX_WIDTH = 100;
const MIN_GAP = 78;
const MAX_GAP = 170;
const ENDING_GAP = 140;
const MAX_DROP_LINES = 4;
const DROP_LABEL_Y = 38;
const DROP_X = 16;
const TRUNK_STEP = 14;

export interface Overview {
  readonly width: number;
  readonly height: number;
  readonly slots: readonly Slot[];
  readonly routes: readonly Route[];
  /** Where the arrow from the initial dot ends. */
  readonly initial: Point | null;
}

/** Lays out the top-level states of a chart; the root stands for "any state" where it has transitions. */
export function placeOverview(chart: Chart, links: readonly Link[]): Overview {
  const states = chart.root.children;
  const ending = endingOf(states, links);
  const story = states.filter((state) => !ending.includes(state));
  const boxWidth = Math.max(MIN_BOX_WIDTH, ...states.map(({ key }) => widthOf(key, 15, true) + 13));
  const gap = gapOf(story.length, boxWidth);
  const among = (from: readonly string[], to: readonly string[]): Link[] =>
    links.filter((link) => from.includes(link.from) && to.includes(link.to));
  const storyIds = story.map(({ id }) => id);

  const flat = slotsOf(storyIds, { x: MARGIN_LEFT, y: 0 }, boxWidth, gap);
  const lanes = lanesOf(flat, among(storyIds, storyIds));
  const fromAnywhere = among([chart.root.id], storyIds);
  const laneCount = Math.max(-1, ...lanes.values()) + 1 + fromAnywhere.length;
  const row = flat.map((slot) => ({ ...slot, y: TOP + laneCount * LANE_HEIGHT + 20 }));
  const routes = [
    ...straightRoutes(row, among(storyIds, storyIds)),
    ...laneRoutes(row, lanes, "above"),
    ...anywhereRoutes(row, fromAnywhere, laneCount),
  ];
  const below = placeEnding(chart, links, { row, ending, gap, boxWidth });
  const slots = [...row, ...below.slots];
  const first = slots.find(({ id }) => id === chart.root.initial);
  return {
    width: Math.max(...slots.map(({ x, width }) => x + width)) + MARGIN_RIGHT,
    height: below.bottom + MARGIN_BOTTOM,
    slots,
    routes: [...routes, ...below.routes],
    initial: first ? { x: first.x, y: first.y + first.height / 2 } : null,
  };
}

/**
 * The longest run of last states that nothing leads out of and that several other states lead to: where
 * every story ends. At most half of the states.
 */
function endingOf(states: readonly State[], links: readonly Link[]): State[] {
  for (let size = Math.floor(states.length / 2); size > 0; size -= 1) {
    const ids = states.slice(-size).map(({ id }) => id);
    const closed = links.every(({ from, to }) => !ids.includes(from) || ids.includes(to));
    const sources = links.filter(
      ({ from, to }) => to === ids[0] && !ids.includes(from) && states.some(({ id }) => id === from),
    );
    if (closed && sources.length > 1) return states.slice(-size);
  }
  return [];
}

function gapOf(count: number, boxWidth: number): number {
  const room = PAGE_WIDTH - MARGIN_LEFT - MARGIN_RIGHT - count * boxWidth;
  return Math.min(MAX_GAP, Math.max(MIN_GAP, count > 1 ? room / (count - 1) : 0));
}

const slotsOf = (ids: readonly string[], at: Point, width: number, gap: number): Slot[] =>
  ids.map((id, index) => ({ id, x: at.x + index * (width + gap), y: at.y, width, height: BOX_HEIGHT }));

/** Transitions of the machine itself into the row: from above, each with its label in a lane of its own. */
function anywhereRoutes(row: readonly Slot[], links: readonly Link[], laneCount: number): Route[] {
  return links.flatMap((link, index): Route[] => {
    const slot = row.find(({ id }) => id === link.to);
    if (!slot) return [];
    const y = slot.y - (laneCount - index) * LANE_HEIGHT + 4;
    const line = `any state: ${oneLine(link, PAGE_WIDTH / 2)}`;
    const x = slot.x + 6;
    return [
      {
        link,
        points: [
          { x, y },
          { x, y: slot.y - 1 },
        ],
        headed: true,
        labels: [
          { x: x + 7, y: y + 4, width: textWidth([line]), lines: [line], anchor: "start", covers: true },
        ],
      },
    ];
  });
}

interface Above {
  readonly row: readonly Slot[];
  readonly ending: readonly State[];
  readonly gap: number;
  readonly boxWidth: number;
}

function placeEnding(
  chart: Chart,
  links: readonly Link[],
  above: Above,
): { slots: Slot[]; routes: Route[]; bottom: number } {
  const { row, ending, gap, boxWidth } = above;
  const rowBottom = (row[0]?.y ?? TOP) + BOX_HEIGHT;
  if (ending.length === 0) return { slots: [], routes: [], bottom: rowBottom };
  const endingIds = ending.map(({ id }) => id);
  const drops = links.filter(({ from, to }) => row.some(({ id }) => id === from) && endingIds.includes(to));
  const rowEnd = (row.at(-1)?.x ?? 0) + boxWidth;
  // Beside the last drop there is no gap, only the margin.
  const room = (id: string): number => boxWidth - DROP_X - 12 + (id === row.at(-1)?.id ? MARGIN_RIGHT : gap);
  const labels = new Map(drops.map((link) => [link, dropLines(link, room(link.from))]));
  const labelLines = Math.max(
    0,
    ...drops.map((link) => linesAbove(drops, link, labels) + linesOf(link, labels)),
  );
  const trunks = [...new Set(drops.map(({ to }) => to))];
  const trunkY = rowBottom + DROP_LABEL_Y + labelLines * LABEL_LINE;
  const anywhere = links.some(({ from, to }) => from === chart.root.id && endingIds.includes(to));
  const ids = anywhere ? [chart.root.id, ...endingIds] : endingIds;
  const width = ids.length * boxWidth + (ids.length - 1) * ENDING_GAP;
  const x = Math.max(MARGIN_LEFT, (MARGIN_LEFT + rowEnd - width) / 2);
  const y = trunkY + trunks.length * TRUNK_STEP + 14;
  const slots = slotsOf(ids, { x, y }, boxWidth, ENDING_GAP);
  const inner = links.filter(({ from, to }) => ids.includes(from) && ids.includes(to));
  const lanes = lanesOf(slots, inner);
  const laneCount = Math.max(-1, ...lanes.values()) + 1;
  return {
    slots,
    routes: [
      ...dropRoutes(drops, { row, slots, labels, trunks, trunkY }),
      ...straightRoutes(slots, inner),
      ...laneRoutes(slots, lanes, "below"),
    ],
    bottom: y + BOX_HEIGHT + (laneCount > 0 ? laneCount * LANE_HEIGHT + 8 : 0),
  };
}

/** Reasons beside a line that drops from a state, wrapped. */
function dropLines(link: Link, maxWidth: number): string[] {
  const separated = reasons(link).map((reason, index, all) =>
    index < all.length - 1 ? `${reason} ·` : reason,
  );
  const words = separated.map((reason) => reason.replaceAll(" ", "\u00a0")).join(" ");
  const lines = wrap(words, LABEL_SIZE, maxWidth);
  if (lines.length <= MAX_DROP_LINES) return lines;
  const kept = lines.slice(0, MAX_DROP_LINES - 1);
  const shown = kept.join(" ").split("·").length - 1;
  return [...kept, `+${reasons(link).length - shown}`];
}

type Labels = ReadonlyMap<Link, readonly string[]>;

const linesOf = (link: Link, labels: Labels): number => labels.get(link)?.length ?? 0;

/** The reasons of one state's ways stand one below the other, right of them all. */
function linesAbove(drops: readonly Link[], link: Link, labels: Labels): number {
  const before = drops.slice(0, drops.indexOf(link)).filter(({ from }) => from === link.from);
  return before.reduce((sum, each) => sum + linesOf(each, labels), 0);
}

interface Drops {
  readonly row: readonly Slot[];
  readonly slots: readonly Slot[];
  readonly labels: ReadonlyMap<Link, string[]>;
  readonly trunks: readonly string[];
  readonly trunkY: number;
}

/** Down from each state, along the trunk of its target, down into the target. */
function dropRoutes(links: readonly Link[], { row, slots, labels, trunks, trunkY }: Drops): Route[] {
  return links.flatMap((link): Route[] => {
    const from = row.find(({ id }) => id === link.from);
    const to = slots.find(({ id }) => id === link.to);
    if (!from || !to) return [];
    const trunk = trunks.indexOf(link.to);
    const x = from.x + DROP_X + trunk * TRUNK_STEP;
    const y = trunkY + trunk * TRUNK_STEP;
    const end = to.x + to.width / 2;
    const bottom = from.y + from.height;
    const lines = labels.get(link) ?? [];
    const siblings = links.filter((other) => other.from === link.from);
    const last = Math.max(...siblings.map((other) => trunks.indexOf(other.to)));
    return [
      {
        link,
        points: [
          { x, y: bottom },
          { x, y },
          { x: end, y },
          { x: end, y: to.y - 1 },
        ].filter(
          (point, index, all) =>
            index === 0 || point.x !== all[index - 1]?.x || point.y !== all[index - 1]?.y,
        ),
        headed: links.find((other) => other.to === link.to) === link,
        labels: [
          {
            x: from.x + DROP_X + last * TRUNK_STEP + 8,
            y: bottom + DROP_LABEL_Y - 12 + linesAbove(links, link, labels) * LABEL_LINE,
            width: textWidth(lines),
            lines,
            anchor: "start",
            covers: false,
          },
        ],
      },
    ];
  });
}
