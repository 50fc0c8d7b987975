/**
 * Positions for all that is inside one panel. A compound state whose edges do not cross its border is laid
 * out by itself and then stands in its parent as a box; parts of a diagram that no edge connects are laid
 * out apart and packed in rows. Several shapes are tried for each part, and the most compact page is kept.
 */
import { MAX_TEXT_WIDTH, boxOf } from "./box.ts";
import type { Box } from "./box.ts";
import { SHAPES, layer } from "./elk.ts";
import type { Inside } from "./elk.ts";
import { lineage } from "./graph.ts";
import type { Chart, State } from "./graph.ts";
import type { Plan } from "./plan.ts";
import { EMPTY_LAYOUT, isLegible, joined, moved } from "./placed.ts";
import type { Layout } from "./placed.ts";

const SPACING = 18;
const PADDING = 12;
const HEAD_GAP = 8;
/** Beyond this many parts, the shapes are chosen for each part alone. */
const MAX_PARTS = 5;

/** Lays out what is inside `parent`, in at most `maxWidth` px where that can be done. */
export async function layoutOf(chart: Chart, plan: Plan, parent: State, maxWidth: number): Promise<Layout> {
  const [whole = EMPTY_LAYOUT] = await layoutsOf(chart, plan, parent, maxWidth);
  return whole;
}

/** The best layout for the whole width and, for a state that may stand beside another, narrower ones. */
async function layoutsOf(chart: Chart, plan: Plan, parent: State, maxWidth: number): Promise<Layout[]> {
  const inside = new Map<string, readonly Inside[]>();
  for (const child of parent.children) {
    if (child.children.length === 0 || !isClosed(chart, plan, child)) continue;
    const layouts = await layoutsOf(chart, plan, child, maxWidth - 2 * PADDING);
    inside.set(
      child.id,
      layouts.map((layout) =>
        framed(boxOf(chart, plan, child, Math.max(MAX_TEXT_WIDTH, layout.width)), layout),
      ),
    );
  }
  const parts: Layout[][] = [];
  for (const states of partsOf(chart, plan, parent)) {
    const [only] = states;
    const alone = states.length === 1 && only !== undefined && only.id !== parent.initial;
    const finished = alone ? inside.get(only.id) : undefined;
    if (finished) {
      const region = parent.type === "parallel";
      parts.push(finished.map((done) => standing(done, region)));
      continue;
    }
    const shapes: Layout[] = [];
    for (const shape of SHAPES) shapes.push(await layer({ chart, plan, parent, states, inside }, shape));
    // ELK loses the place of a label now and then when it wraps a chain.
    const legible = shapes.filter((shape) => isLegible(shape));
    parts.push(legible.length > 0 ? legible : shapes);
  }
  const widths = [maxWidth, (maxWidth - SPACING) / 2 - PADDING, 0];
  return parts.length === 0 ? [] : widths.map((width) => best(parts, width));
}

/** A finished container by itself. */
function standing({ box, width, height, layout }: Inside, region: boolean): Layout {
  return joined(
    { ...EMPTY_LAYOUT, width, height, boxes: [{ box, x: 0, y: 0, width, height, region }] },
    layout,
  );
}

/** A container's own box around its layout. */
function framed(box: Box, layout: Layout): Inside {
  const width = Math.max(box.width, layout.width + 2 * PADDING);
  const y = box.height + HEAD_GAP;
  const x = (width - layout.width) / 2;
  return { box, width, height: y + layout.height + PADDING, layout: moved(layout, x, y) };
}

/** Whether no edge runs between a descendant of `state` and anything outside it. */
function isClosed(chart: Chart, plan: Plan, state: State): boolean {
  const within = (id: string): boolean => id !== state.id && lineage(chart, id).includes(state.id);
  const drawn = chart.transitions.filter(({ key }) => plan.drawn.has(key));
  const crosses = drawn.some(({ source, targets }) => targets.some((to) => within(to) !== within(source)));
  const parent = chart.states.get(chart.parents.get(state.id) ?? "");
  return !crosses && (parent?.initial == null || !within(parent.initial));
}

/** The children of `parent` in groups that edges connect, each in document order. */
function partsOf(chart: Chart, plan: Plan, parent: State): State[][] {
  const group = new Map(parent.children.map(({ id }) => [id, id]));
  const child = (id: string): string | undefined => lineage(chart, id).find((above) => group.has(above));
  for (const { key, source, targets } of chart.transitions) {
    if (!plan.drawn.has(key)) continue;
    for (const target of targets) {
      const [a, b] = [group.get(child(source) ?? ""), group.get(child(target) ?? "")];
      if (a === undefined || b === undefined || a === b) continue;
      for (const [id, at] of group) if (at === b) group.set(id, a);
    }
  }
  return [...Map.groupBy(parent.children, ({ id }) => group.get(id)).values()];
}

/** The combination of shapes whose packing costs least. */
function best(parts: readonly (readonly Layout[])[], maxWidth: number): Layout {
  const cheapest = (layouts: readonly Layout[]): Layout =>
    layouts.reduce((low, next) => (cost(next, maxWidth) < cost(low, maxWidth) ? next : low));
  if (parts.length > MAX_PARTS) return pack(parts.map(cheapest), maxWidth);
  let combinations: Layout[][] = [[]];
  for (const shapes of parts) {
    combinations = combinations.flatMap((chosen) => shapes.map((shape) => [...chosen, shape]));
  }
  return cheapest(combinations.map((chosen) => pack(chosen, maxWidth)));
}

/** Height on the page: what is too wide is scaled down, and costs its legibility too. */
function cost({ width, height }: Layout, maxWidth: number): number {
  if (maxWidth <= 0) return width;
  const over = Math.max(1, width / maxWidth);
  return height * (over > 1 ? 1.5 * over ** 8 : 1) + width / 1000;
}

/** Side by side while there is room, then a new row. */
function pack(layouts: readonly Layout[], maxWidth: number): Layout {
  let packed = EMPTY_LAYOUT;
  let row = { x: 0, y: 0, height: 0 };
  for (const layout of layouts) {
    if (row.x > 0 && row.x + layout.width > maxWidth) {
      row = { x: 0, y: row.y + row.height + SPACING, height: 0 };
    }
    packed = joined(packed, moved(layout, row.x, row.y));
    row = { x: row.x + layout.width + SPACING, y: row.y, height: Math.max(row.height, layout.height) };
  }
  return packed;
}
