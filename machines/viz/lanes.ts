/** Ways between boxes that stand in a row: straight to the next one, and in lanes above or below the row. */
import type { Point } from "./draw.ts";
import { reasons } from "./links.ts";
import type { Link } from "./links.ts";
import { widthOf, wrap } from "./text.ts";

export const LANE_HEIGHT = 24;
export const LABEL_SIZE = 10.5;
export const LABEL_LINE = 13;
const FIRST_LANE = 24;
/** Lines that fit above and below a straight arrow. */
const LINES_ABOVE = 3;

/** A box in a row. */
export interface Slot {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Label {
  /** Start or middle of the first line, at its baseline. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly lines: readonly string[];
  readonly anchor: "start" | "middle";
  /** It lies on its line, which is hidden behind it. */
  readonly covers: boolean;
}

export interface Route {
  readonly link: Link;
  readonly points: readonly Point[];
  /** Several routes may share one arrow head. */
  readonly headed: boolean;
  readonly labels: readonly Label[];
}

export const textWidth = (lines: readonly string[]): number =>
  Math.max(0, ...lines.map((line) => widthOf(line, LABEL_SIZE)));

/** Reasons on one line, as many as fit, and how many more there are. */
export function oneLine(link: Link, maxWidth: number): string {
  const all = reasons(link);
  for (let shown = all.length; shown > 0; shown -= 1) {
    const more = shown < all.length ? ` +${all.length - shown}` : "";
    const line = all.slice(0, shown).join(" · ") + more;
    if (shown === 1 || widthOf(line, LABEL_SIZE) <= maxWidth) return line;
  }
  return "";
}

/** Every reason from a line of its own on, broken where it is too wide; at most `maxLines`. */
export function column(link: Link, maxWidth: number, maxLines: number): string[] {
  const all = reasons(link).map((reason) => wrap(reason, LABEL_SIZE, maxWidth));
  const lines: string[] = [];
  for (const [index, reason] of all.entries()) {
    const room = maxLines - (index < all.length - 1 ? 1 : 0);
    if (lines.length + reason.length > room) return [...lines, `+${all.length - index}`];
    lines.push(...reason);
  }
  return lines;
}

const position = (slots: readonly Slot[], id: string): number => slots.findIndex((slot) => slot.id === id);

const isNext = (slots: readonly Slot[], { from, to }: Link): boolean =>
  position(slots, to) === position(slots, from) + 1;

/** Arrows from boxes to their right neighbours. */
export function straightRoutes(slots: readonly Slot[], links: readonly Link[]): Route[] {
  return links
    .filter((link) => isNext(slots, link))
    .flatMap((link): Route[] => {
      const from = slots[position(slots, link.from)];
      const to = slots[position(slots, link.to)];
      if (!from || !to) return [];
      const y = from.y + from.height / 2;
      const start = from.x + from.width;
      const lines = column(link, to.x - start - 8, 2 * LINES_ABOVE);
      const above = lines.slice(0, lines.length <= LINES_ABOVE ? lines.length : Math.ceil(lines.length / 2));
      const below = lines.slice(above.length);
      const x = (start + to.x) / 2 - 2;
      const label = (part: readonly string[], top: number): Label => ({
        x,
        y: top,
        width: textWidth(part),
        lines: part,
        anchor: "middle",
        covers: false,
      });
      return [
        {
          link,
          points: [
            { x: start, y },
            { x: to.x - 1, y },
          ],
          headed: true,
          labels: [label(above, y - 6 - (above.length - 1) * LABEL_LINE), label(below, y + 16)],
        },
      ];
    });
}

/** Which lane each link that is not straight runs in: short ones near the row, no two of one lane overlapping. */
export function lanesOf(slots: readonly Slot[], links: readonly Link[]): Map<Link, number> {
  const span = (link: Link): [number, number] => {
    const ends = [position(slots, link.from), position(slots, link.to)];
    return [Math.min(...ends), Math.max(...ends)];
  };
  const length = (link: Link): number => span(link)[1] - span(link)[0];
  const taken: [number, number][][] = [];
  const lanes = new Map<Link, number>();
  const bent = links.filter((link) => !isNext(slots, link));
  for (const link of bent.toSorted((a, b) => length(a) - length(b) || span(a)[0] - span(b)[0])) {
    const [low, high] = span(link);
    const free = taken.findIndex((lane) => lane.every(([from, to]) => to <= low || from >= high));
    const lane = free === -1 ? taken.length : free;
    (taken[lane] ??= []).push([low, high]);
    lanes.set(link, lane);
  }
  return lanes;
}

/** The routes in the lanes: out of the box, along the lane with the label on it, into the other box. */
export function laneRoutes(
  slots: readonly Slot[],
  lanes: ReadonlyMap<Link, number>,
  side: "above" | "below",
): Route[] {
  const ports = portsOf(slots, lanes);
  const routes = [...lanes].flatMap(([link, lane]): Route[] => {
    const from = slots[position(slots, link.from)];
    const to = slots[position(slots, link.to)];
    const start = ports.get(`${link.from} ${link.from}>${link.to}`);
    const end = ports.get(`${link.to} ${link.from}>${link.to}`);
    if (!from || !to || start === undefined || end === undefined) return [];
    const away = FIRST_LANE + lane * LANE_HEIGHT;
    const edge = side === "above" ? from.y : from.y + from.height;
    const y = side === "above" ? edge - away : edge + away;
    const line = oneLine(link, Math.abs(end - start) - 26);
    const label: Label = {
      x: (start + end) / 2,
      y: y + 3.5,
      width: textWidth([line]),
      lines: [line],
      anchor: "middle",
      covers: true,
    };
    const points = [
      { x: start, y: edge },
      { x: start, y },
      { x: end, y },
      { x: end, y: edge + (side === "above" ? -1 : 1) },
    ];
    return [{ link, points, headed: true, labels: [label] }];
  });
  return routes.map((route) => ({
    ...route,
    labels: route.labels.map((label) => beside(label, route, routes)),
  }));
}

const LABEL_STEP = 6;
const CLEARANCE = 15;

/** The label moved along its lane, as little as needed, to where no other route crosses it. */
function beside(label: Label, route: Route, routes: readonly Route[]): Label {
  const lane = route.points[1]?.y ?? 0;
  const ends = [route.points[1]?.x ?? 0, route.points[2]?.x ?? 0];
  const room = (Math.max(...ends) - Math.min(...ends) - label.width) / 2 - CLEARANCE;
  const crossings = routes
    .filter((other) => other !== route)
    .flatMap(({ points: [start, first, second, end] }) =>
      [
        { a: start, b: first },
        { a: second, b: end },
      ].flatMap(({ a, b }) => (a && b && (a.y - lane) * (b.y - lane) < 0 ? [a.x] : [])),
    );
  const free = (x: number): boolean =>
    crossings.every((crossing) => Math.abs(crossing - x) > label.width / 2 + CLEARANCE);
  for (let shift = 0; shift <= room; shift += LABEL_STEP) {
    const x = [label.x - shift, label.x + shift].find(free);
    if (x !== undefined) return { ...label, x };
  }
  return label;
}

/**
 * Where routes meet the boxes' edges, as x by `box link`. Those to the left start on the left; of those to
 * one side, the one of the outer lane is nearer the middle, so that routes of one box do not cross.
 */
function portsOf(slots: readonly Slot[], lanes: ReadonlyMap<Link, number>): Map<string, number> {
  const ports = new Map<string, number>();
  slots.forEach((slot, at) => {
    const ends = [...lanes]
      .filter(([{ from, to }]) => from === slot.id || to === slot.id)
      .map(([link, lane]) => {
        const other = position(slots, link.from === slot.id ? link.to : link.from);
        return { link, rank: other < at ? lane - 1000 : 1000 - lane };
      })
      .toSorted((a, b) => a.rank - b.rank);
    ends.forEach(({ link }, index) => {
      const x = slot.x + (slot.width * (index + 1)) / (ends.length + 1);
      ports.set(`${slot.id} ${link.from}>${link.to}`, x);
    });
  });
  return ports;
}
