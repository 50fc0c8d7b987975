/** One panel of a drawing: a top-level state's head, and the diagram of what is inside it. */
import { LINE_HEIGHT, blockOf } from "./block.ts";
import type { Block, Row } from "./block.ts";
import { NOTE_LINE, TITLE_SIZE, ownRows, sharedRows } from "./box.ts";
import { arrow, hueClass, notes, rect, rows, text, title } from "./draw.ts";
import type { Chart, State } from "./graph.ts";
import { describe, hueOf } from "./labels.ts";
import { LABEL_PADDING, areaOf } from "./placed.ts";
import type { Layout, PlacedBox, PlacedEdge } from "./placed.ts";
import type { Plan } from "./plan.ts";
import { escape, px, widthOf } from "./text.ts";

const PADDING = 14;
const HEAD_HEIGHT = 27;
const COLUMN_GAP = 14;
const COLUMNS = 3;

interface Column {
  readonly x: number;
  readonly block: Block;
}

export interface Panel {
  readonly state: State;
  readonly width: number;
  readonly height: number;
  readonly svg: string;
}

/** A panel on the page. */
export interface PlacedPanel {
  readonly panel: Panel;
  readonly y: number;
}

/** Draws a panel of the given width with its corner at 0,0; its height follows from what it holds. */
export function panelOf(chart: Chart, plan: Plan, state: State, layout: Layout, width: number): Panel {
  const columns = headColumns(chart, plan, state, width);
  const columnsHeight = Math.max(0, ...columns.map(({ block }) => block.height));
  const shared = blockOf(sharedRows(chart, plan, state), width - 2 * PADDING);
  const headHeight = HEAD_HEIGHT + columnsHeight + shared.height;
  const hasInside = layout.boxes.length > 0;
  const height = Math.ceil(headHeight + 10 + (hasInside ? layout.height + 2 * PADDING : 0));
  const inside = { x: PADDING, y: headHeight + 8 };
  const isRoot = state === chart.root;
  const hue = isRoot ? "root" : hueClass(hueOf(chart, state.id));
  const parts = [
    `<g class="panel state ${state.type} ${hue}" data-state="${escape(state.id)}">`,
    title(state.description),
    rect({ x: 0, y: 0 }, { width, height }, 10),
    ...(state.type === "final" ? [rect({ x: 3, y: 3 }, { width: width - 6, height: height - 6 }, 7)] : []),
    text("panel-name", { x: PADDING, y: 20 }, state.key),
    heading(state, width),
    ...columns.map(({ x, block }) => rows(block, { x, y: HEAD_HEIGHT })),
    rows(shared, { x: PADDING, y: HEAD_HEIGHT + columnsHeight }),
    ...(hasInside ? [inner(chart, layout, inside, width - 2 * PADDING)] : []),
    "</g>",
  ];
  return { state, width, height, svg: parts.filter((part) => part !== "").join("\n") };
}

function heading(state: State, width: number): string {
  const x = PADDING + widthOf(state.key, 15, true) + 12;
  const room = width - x - PADDING;
  const kind = state.type === "parallel" ? "regions run side by side" : "";
  const words = [state.description ?? "", kind].filter((word) => word !== "").join("  ·  ");
  return words === "" || widthOf(words, 10) > room ? "" : text("note", { x, y: 19.5 }, words);
}

/** The head's lines in columns that are about as long as each other. */
function headColumns(chart: Chart, plan: Plan, state: State, width: number): Column[] {
  const lines = ownRows(chart, plan, state);
  const columnWidth = (width - 2 * PADDING - (COLUMNS - 1) * COLUMN_GAP) / COLUMNS;
  const heights = lines.map((row) => blockOf([row], columnWidth).height);
  let limit = Math.max(0, ...heights);
  while (columnsWithin(heights, limit) > COLUMNS) limit += LINE_HEIGHT;
  const columns: Row[][] = [];
  let height = Infinity;
  lines.forEach((row, index) => {
    const next = heights[index] ?? 0;
    if (height + next > limit) {
      columns.push([]);
      height = 0;
    }
    columns.at(-1)?.push(row);
    height += next;
  });
  return columns.map((column, index) => ({
    x: PADDING + index * (columnWidth + COLUMN_GAP),
    block: blockOf(column, columnWidth),
  }));
}

/** How many columns of at most `limit` px the lines fill, in order. */
function columnsWithin(heights: readonly number[], limit: number): number {
  let columns = 1;
  let height = 0;
  for (const next of heights) {
    if (height + next > limit) {
      columns += 1;
      height = 0;
    }
    height += next;
  }
  return columns;
}

function inner(chart: Chart, layout: Layout, at: { x: number; y: number }, width: number): string {
  const x = at.x + PADDING / 2 + Math.max(0, (width - PADDING - layout.width) / 2);
  return [
    rect({ x: at.x, y: at.y }, { width, height: layout.height + 2 * PADDING - 8 }, 7, "inside"),
    `<g transform="translate(${px(x)} ${px(at.y + PADDING - 4)})">`,
    ...layout.boxes.map(boxGroup),
    ...layout.dots.map((dot) => `<circle class="dot" cx="${px(dot.x)}" cy="${px(dot.y)}" r="4.5"/>`),
    ...layout.edges.map((edge) => edgeGroups(chart, layout, edge)),
    "</g>",
  ].join("\n");
}

function boxGroup({ box, x, y, width, height, region }: PlacedBox): string {
  const { state, note, block, blockX, blockY } = box;
  const name = state.type === "history" ? `${state.key} (history)` : state.key;
  return [
    `<g class="state ${state.type}${region ? " region" : ""}" data-state="${escape(state.id)}">`,
    title(state.description),
    rect({ x, y }, { width, height }, 7),
    ...(state.type === "final"
      ? [rect({ x: x + 3, y: y + 3 }, { width: width - 6, height: height - 6 }, 5)]
      : []),
    text("name", { x: x + blockX, y: y + TITLE_SIZE + 4 }, name),
    notes(note, { x: x + blockX, y: y + 20 + NOTE_LINE }),
    rows(block, { x: x + blockX, y: y + blockY }),
    "</g>",
  ].join("\n");
}

function edgeGroups(chart: Chart, layout: Layout, { transitions, points, label }: PlacedEdge): string {
  const line = arrow(points);
  if (transitions.length === 0) return `<g class="initial">${line}</g>`;
  return transitions
    .map((transition, index) => {
      const twin = index === 0 ? "" : " twin";
      const knock =
        label && index === 0
          ? rect(label, areaOf(label), 3, isInBox(layout, label) ? "knock-box" : "knock")
          : "";
      const row = label?.block.rows.find(({ edge }) => edge === transition.key);
      const words =
        label && row
          ? rows(
              { ...label.block, rows: [{ ...row, edge: null }] },
              { x: label.x + LABEL_PADDING, y: label.y + 1 },
            )
          : "";
      return `<g class="edge${twin}" data-edge="${escape(transition.key)}">${title(describe(chart, transition))}${line}${knock}${words}</g>`;
    })
    .join("\n");
}

type Label = NonNullable<PlacedEdge["label"]>;

/** Whether a label lies on a box and not on the panel's own ground. */
function isInBox({ boxes }: Layout, { x, y }: Label): boolean {
  return boxes.some((box) => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height);
}
