/** What a layout gives: boxes, lines and labels with their positions, and how layouts are put together. */
import type { Block } from "./block.ts";
import type { Box } from "./box.ts";
import type { Point } from "./draw.ts";
import type { Transition } from "./graph.ts";

export const LABEL_PADDING = 3;

export interface PlacedBox {
  readonly box: Box;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** A region of a parallel state. */
  readonly region: boolean;
}

export interface PlacedEdge {
  /** Transitions with the same ends share one line; an initial edge has none. */
  readonly transitions: readonly Transition[];
  readonly points: readonly Point[];
  readonly label: { readonly x: number; readonly y: number; readonly block: Block } | null;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Containers before what they contain. */
  readonly boxes: readonly PlacedBox[];
  readonly edges: readonly PlacedEdge[];
  /** Centres of the initial dots. */
  readonly dots: readonly Point[];
}

export const EMPTY_LAYOUT: Layout = { width: 0, height: 0, boxes: [], edges: [], dots: [] };

/** The same layout with everything shifted, its extent reaching as far as its shifted content. */
export function moved(layout: Layout, dx: number, dy: number): Layout {
  const move = <T extends Point>(at: T): T => ({ ...at, x: at.x + dx, y: at.y + dy });
  return {
    width: layout.width + dx,
    height: layout.height + dy,
    boxes: layout.boxes.map(move),
    dots: layout.dots.map(move),
    edges: layout.edges.map((edge) => ({
      transitions: edge.transitions,
      points: edge.points.map(move),
      label: edge.label ? move(edge.label) : null,
    })),
  };
}

/** Two layouts on one sheet. */
export const joined = (a: Layout, b: Layout): Layout => ({
  width: Math.max(a.width, b.width),
  height: Math.max(a.height, b.height),
  boxes: [...a.boxes, ...b.boxes],
  dots: [...a.dots, ...b.dots],
  edges: [...a.edges, ...b.edges],
});

/** Whether every label lies on its own line and none on another label or on a box that is not around it. */
export function isLegible({ boxes, edges }: Layout): boolean {
  const labels = edges.flatMap(({ label, points }) => (label ? [{ area: areaOf(label), points }] : []));
  const leaves = boxes.filter(({ box }) => box.state.children.length === 0);
  return labels.every(
    ({ area, points }, index) =>
      isOnLine(area, points) &&
      labels.slice(index + 1).every((other) => !overlap(area, other.area)) &&
      leaves.every((leaf) => !overlap(area, leaf)),
  );
}

interface Area extends Point {
  readonly width: number;
  readonly height: number;
}

/** The ground of a label. */
export const areaOf = ({ x, y, block }: NonNullable<PlacedEdge["label"]>): Area => ({
  x,
  y,
  width: block.width + 2 * LABEL_PADDING,
  height: block.height + 2,
});

const overlap = (a: Area, b: Area): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Whether a line of horizontal and vertical pieces meets the area. */
function isOnLine(area: Area, points: readonly Point[]): boolean {
  return points.slice(1).some((end, index) => {
    const start = points[index] ?? end;
    const x = Math.min(start.x, end.x);
    const y = Math.min(start.y, end.y);
    // A piece has no thickness: a little is added so that it can overlap.
    const piece = { x, y, width: Math.abs(end.x - start.x) + 0.1, height: Math.abs(end.y - start.y) + 0.1 };
    return overlap(area, piece);
  });
}
