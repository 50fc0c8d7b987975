/** The parts of a drawing as SVG text: boxes, rows, lines with rounded corners, arrow heads. */
import { CHIP_PADDING } from "./block.ts";
import type { Block, PlacedRow, PlacedSpan } from "./block.ts";
import { NOTE_LINE } from "./box.ts";
import { escape, px } from "./text.ts";
import { HUES } from "./theme.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

const CORNER = 7;
const HEAD = 6;

export const hueClass = (hue: number): string => `h${((hue % HUES) + HUES) % HUES}`;

export const title = (text: string | null): string => (text ? `<title>${escape(text)}</title>` : "");

/** One line of text with its left end (or, by `anchor`, its middle) at the point. */
export function text(cls: string, at: Point, content: string, anchor: "start" | "middle" = "start"): string {
  const where = anchor === "middle" ? ' text-anchor="middle"' : "";
  return `<text class="${cls}" x="${px(at.x)}" y="${px(at.y)}"${where}>${escape(content)}</text>`;
}

export function rect(
  at: Point,
  size: { readonly width: number; readonly height: number },
  radius: number,
  cls = "",
): string {
  const named = cls === "" ? "" : ` class="${cls}"`;
  return `<rect${named} x="${px(at.x)}" y="${px(at.y)}" width="${px(size.width)}" height="${px(size.height)}" rx="${radius}"/>`;
}

export const notes = (lines: readonly string[], at: Point): string =>
  lines.map((line, index) => text("note", { x: at.x, y: at.y + index * NOTE_LINE }, line)).join("");

/** The rows of a block with its corner at the point; each transition is a group of its own. */
export const rows = (block: Block, at: Point): string =>
  block.rows.map((row) => rowGroup(row, at)).join("\n");

function rowGroup(row: PlacedRow, at: Point): string {
  const inner = title(row.title) + row.spans.map((span) => spanText(span, at)).join("");
  return row.edge === null
    ? `<g>${inner}</g>`
    : `<g class="edge" data-edge="${escape(row.edge)}">${inner}</g>`;
}

function spanText(span: PlacedSpan, at: Point): string {
  const x = at.x + span.x;
  const y = at.y + span.baseline;
  if (span.tone === "arrow") {
    return `<path class="glyph" d="M${px(x + 1)} ${px(y - 3.5)}h9m-3 -3l3 3l-3 3"/>`;
  }
  if (span.tone === "loop") {
    return `<path class="glyph" d="M${px(x + 3)} ${px(y - 6.5)}a4 4 0 1 0 5.5 0m.3 -2.6v3h-3"/>`;
  }
  if (span.edge !== undefined) {
    const name = text(span.tone, { x, y }, span.text);
    return `<g class="edge" data-edge="${escape(span.edge)}">${title(span.title ?? null)}${name}</g>`;
  }
  if (span.tone !== "chip") return text(span.tone, { x, y }, span.text);
  const size = { width: span.width, height: 13 };
  const label = text("chip-name", { x: x + span.width / 2, y }, span.text, "middle");
  return `<g class="chip ${hueClass(span.hue ?? 0)}">${rect({ x, y: y - 10 }, size, CHIP_PADDING + 1)}${label}</g>`;
}

/** A path along right-angled points, its corners rounded, ending where the arrow head begins. */
export function polyline(points: readonly Point[]): string {
  const path = shorten(points);
  const [first, ...rest] = path;
  if (!first) return "";
  let d = `M${px(first.x)} ${px(first.y)}`;
  rest.forEach((point, index) => {
    const before = path[index] ?? point;
    const after = path[index + 2];
    d += after ? corner(before, point, after) : `L${px(point.x)} ${px(point.y)}`;
  });
  return d;
}

function shorten(points: readonly Point[]): Point[] {
  const last = points.at(-1);
  const before = points.at(-2);
  if (!last || !before) return [...points];
  return [...points.slice(0, -1), towards(last, before, HEAD - 1)];
}

function corner(before: Point, at: Point, after: Point): string {
  const radius = Math.min(CORNER, distance(before, at) / 2, distance(at, after) / 2);
  const from = towards(at, before, radius);
  const to = towards(at, after, radius);
  return `L${px(from.x)} ${px(from.y)}Q${px(at.x)} ${px(at.y)} ${px(to.x)} ${px(to.y)}`;
}

const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

function towards(from: Point, to: Point, by: number): Point {
  const length = distance(from, to);
  if (length === 0) return from;
  return { x: from.x + ((to.x - from.x) * by) / length, y: from.y + ((to.y - from.y) * by) / length };
}

/** The arrow head at the end of a line. */
export function head(points: readonly Point[]): string {
  const tip = points.at(-1);
  const before = points.at(-2);
  if (!tip || !before) return "";
  const length = distance(before, tip) || 1;
  const ux = (tip.x - before.x) / length;
  const uy = (tip.y - before.y) / length;
  const base = { x: tip.x - ux * HEAD * 1.25, y: tip.y - uy * HEAD * 1.25 };
  const side = HEAD * 0.6;
  const left = { x: base.x - uy * side, y: base.y + ux * side };
  const right = { x: base.x + uy * side, y: base.y - ux * side };
  return `<path class="head" d="M${px(tip.x)} ${px(tip.y)}L${px(left.x)} ${px(left.y)}L${px(right.x)} ${px(right.y)}Z"/>`;
}

/** A line with its arrow head. */
export const arrow = (points: readonly Point[]): string =>
  `<path class="line" d="${polyline(points)}"/>${head(points)}`;

/** A drawing's outermost element, with its style, name and background. */
export function documentOf(options: {
  readonly width: number;
  readonly height: number;
  readonly name: string;
  readonly hash: string;
  readonly title: string;
  readonly description: string;
  readonly style: string;
  readonly body: string;
}): string {
  const { width, height } = options;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" width="${px(width)}" height="${px(height)}" viewBox="0 0 ${px(width)} ${px(height)}" data-machine="${escape(options.name)}" data-hash="${options.hash}">`,
    `<title>${escape(options.title)}</title>`,
    `<desc>${escape(options.description)}</desc>`,
    `<style>\n${options.style}\n</style>`,
    `<rect class="page" width="100%" height="100%" rx="10"/>`,
    options.body,
    "</svg>\n",
  ].join("\n");
}
