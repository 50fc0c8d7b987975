/**
 * One connected part of a diagram by ELK's layered layout: boxes, initial dots, routed edges with labels.
 * Runs only when drawings are made: a layout blocks its thread for seconds.
 */
import ELK from "elkjs";
import type { ElkExtendedEdge, ElkNode, LayoutOptions } from "elkjs";
import { blockOf } from "./block.ts";
import type { Block } from "./block.ts";
import { MAX_TEXT_WIDTH, boxOf } from "./box.ts";
import type { Box } from "./box.ts";
import type { Point } from "./draw.ts";
import type { Chart, State, Transition } from "./graph.ts";
import { edgeRow } from "./labels.ts";
import { EMPTY_LAYOUT, LABEL_PADDING, joined, moved } from "./placed.ts";
import type { Layout, PlacedBox, PlacedEdge } from "./placed.ts";
import type { Plan } from "./plan.ts";

const DOT = 9;

/** A compound state that has its layout already. */
export interface Inside {
  readonly box: Box;
  readonly width: number;
  readonly height: number;
  readonly layout: Layout;
}

export interface Part {
  readonly chart: Chart;
  readonly plan: Plan;
  readonly parent: State;
  /** Those children of `parent` that are laid out together. */
  readonly states: readonly State[];
  /** The children that stand as finished boxes: the first of each is used. */
  readonly inside: ReadonlyMap<string, readonly Inside[]>;
}

export interface Shape {
  readonly direction: "RIGHT" | "DOWN";
  /** Widest text of a label and of a box. */
  readonly labelWidth: number;
  readonly boxWidth: number;
  /** A long chain goes on in a new row or column. */
  readonly wraps?: boolean;
}

export const SHAPES: readonly Shape[] = [
  { direction: "RIGHT", labelWidth: 96, boxWidth: MAX_TEXT_WIDTH },
  { direction: "RIGHT", labelWidth: 80, boxWidth: 146 },
  { direction: "DOWN", labelWidth: 124, boxWidth: MAX_TEXT_WIDTH },
  { direction: "DOWN", labelWidth: 124, boxWidth: MAX_TEXT_WIDTH, wraps: true },
  { direction: "DOWN", labelWidth: 96, boxWidth: 146 },
  { direction: "DOWN", labelWidth: 200, boxWidth: 280 },
  { direction: "DOWN", labelWidth: 92, boxWidth: 124 },
];

/** Lays out one part in one shape, from 0,0. */
export async function layer(part: Part, shape: Shape): Promise<Layout> {
  const graph = new PartGraph(part, shape);
  return graph.read(await engine().layout(graph.root()));
}

function engine(): InstanceType<typeof ELK> {
  // Without a worker, ELK installs a message handler on the global scope, which keeps a process from ending.
  const scope: { onmessage?: unknown } = globalThis;
  const before = scope.onmessage;
  const elk = new ELK();
  scope.onmessage = before ?? null;
  return elk;
}

class PartGraph {
  readonly #part: Part;
  readonly #shape: Shape;
  readonly #boxes = new Map<string, Box>();
  readonly #labels = new Map<string, { transitions: Transition[]; block: Block }>();
  readonly #edges: ElkExtendedEdge[] = [];

  constructor(part: Part, shape: Shape) {
    this.#part = part;
    this.#shape = shape;
  }

  root(): ElkNode {
    const { parent, states } = this.#part;
    const children = this.#nodes(parent, states);
    return { id: "root", children, edges: this.#edges, layoutOptions: rootOptions(this.#shape) };
  }

  #nodes(parent: State, states: readonly State[]): ElkNode[] {
    const nodes = states.map((state) => this.#node(state));
    for (const state of states) this.#addEdges(state);
    const { initial } = parent;
    if (initial === null || !states.some(({ id }) => initial === id || initial.startsWith(`${id}.`))) {
      return nodes;
    }
    const id = `${parent.id}#initial`;
    this.#edges.push({ id: `${id} edge`, sources: [id], targets: [initial] });
    return [{ id, width: DOT, height: DOT }, ...nodes];
  }

  #node(state: State): ElkNode {
    const done = this.#part.inside.get(state.id)?.[0];
    if (done) return { id: state.id, width: done.width, height: done.height };
    const box = boxOf(this.#part.chart, this.#part.plan, state, this.#shape.boxWidth);
    this.#boxes.set(state.id, box);
    if (state.children.length === 0) return { id: state.id, width: box.width, height: box.height };
    return {
      id: state.id,
      children: this.#nodes(state, state.children),
      layoutOptions: {
        "elk.padding": `[top=${box.height + 8},left=12,bottom=12,right=12]`,
        "elk.nodeSize.constraints": "MINIMUM_SIZE",
        "elk.nodeSize.minimum": `(${box.width},${box.height + 30})`,
      },
    };
  }

  /** Transitions between the same two boxes share one edge. */
  #addEdges(state: State): void {
    const { chart, plan } = this.#part;
    const drawn = state.transitions.filter(({ key }) => plan.drawn.has(key));
    for (const [targets, transitions] of Map.groupBy(drawn, (transition) => transition.targets.join(" "))) {
      const rows = transitions.map((transition) => edgeRow(chart, transition));
      const block = blockOf(rows, this.#shape.labelWidth);
      const label = {
        text: targets,
        width: block.width + 2 * LABEL_PADDING,
        height: block.height + 2,
        layoutOptions: INLINE,
      };
      for (const target of targets.split(" ")) {
        const id = `${state.id} ${target}`;
        this.#labels.set(id, { transitions, block });
        this.#edges.push({ id, sources: [state.id], targets: [target], labels: [label] });
      }
    }
  }

  read(result: ElkNode): Layout {
    const boxes: PlacedBox[] = [];
    const dots: Point[] = [];
    let finished = EMPTY_LAYOUT;
    const visit = (node: ElkNode): void => {
      const { x = 0, y = 0, width = 0, height = 0 } = node;
      const done = this.#part.inside.get(node.id)?.[0];
      const box = done?.box ?? this.#boxes.get(node.id);
      if (box) boxes.push({ box, x, y, width, height, region: this.#isRegion(node.id) });
      else if (node !== result) dots.push({ x: x + DOT / 2, y: y + DOT / 2 });
      if (done) finished = joined(finished, moved(done.layout, x, y));
      for (const child of node.children ?? []) visit(child);
    };
    visit(result);
    const edges = (result.edges ?? []).map((edge) => this.#readEdge(edge));
    const own = { width: result.width ?? 0, height: result.height ?? 0, boxes, dots, edges };
    return joined(own, finished);
  }

  #isRegion(id: string): boolean {
    const { chart } = this.#part;
    return chart.states.get(chart.parents.get(id) ?? "")?.type === "parallel";
  }

  #readEdge(edge: ElkExtendedEdge): PlacedEdge {
    const known = this.#labels.get(edge.id);
    const points = (edge.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) => [
      startPoint,
      ...bendPoints,
      endPoint,
    ]);
    const label = edge.labels?.[0];
    return {
      transitions: known?.transitions ?? [],
      points,
      label: known && label ? { x: label.x ?? 0, y: label.y ?? 0, block: known.block } : null,
    };
  }
}

const INLINE: LayoutOptions = { "elk.edgeLabels.inline": "true" };

const WRAPPING: LayoutOptions = {
  "elk.aspectRatio": "2.2",
  "elk.layered.wrapping.strategy": "MULTI_EDGE",
  "elk.layered.wrapping.additionalEdgeSpacing": "4",
};

const rootOptions = ({ direction, wraps }: Shape): LayoutOptions => ({
  "elk.algorithm": "layered",
  "elk.direction": direction,
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.json.shapeCoords": "ROOT",
  "elk.json.edgeCoords": "ROOT",
  "elk.padding": "[top=0,left=0,bottom=0,right=0]",
  "elk.spacing.nodeNode": "16",
  "elk.spacing.edgeNode": "10",
  "elk.spacing.edgeEdge": "9",
  "elk.spacing.edgeLabel": "2",
  "elk.layered.spacing.nodeNodeBetweenLayers": "14",
  "elk.layered.spacing.edgeNodeBetweenLayers": "10",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "9",
  "elk.layered.considerModelOrder.strategy": "PREFER_NODES",
  "elk.layered.cycleBreaking.strategy": "MODEL_ORDER",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.thoroughness": "25",
  "elk.randomSeed": "1",
  ...(wraps ? WRAPPING : {}),
});
