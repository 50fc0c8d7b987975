/**
 * Positions for the states inside one panel, by ELK's layered layout: boxes, initial dots, routed edges with
 * their labels. Both directions are tried and the more compact one that fits the page is kept. Runs only
 * when drawings are made: a layout blocks its thread for up to a second.
 */
import ELK from "elkjs";
import type { ElkExtendedEdge, ElkNode, ElkPoint, LayoutOptions } from "elkjs";
import { blockOf } from "./block.ts";
import type { Block } from "./block.ts";
import { boxOf } from "./box.ts";
import type { Box } from "./box.ts";
import type { Chart, State, Transition } from "./graph.ts";
import { edgeRow } from "./labels.ts";
import type { Plan } from "./plan.ts";

const MAX_LABEL_WIDTH = 118;
const DOT = 9;

export interface PlacedBox {
  readonly box: Box;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** How deep below the panel: 1 for its children. */
  readonly depth: number;
  /** A region of a parallel state. */
  readonly region: boolean;
}

export interface PlacedEdge {
  /** Transitions with the same ends share one line. */
  readonly transitions: readonly Transition[];
  readonly points: readonly ElkPoint[];
  readonly label: { readonly x: number; readonly y: number; readonly block: Block } | null;
}

export interface PanelLayout {
  readonly width: number;
  readonly height: number;
  /** Containers before what they contain. */
  readonly boxes: readonly PlacedBox[];
  readonly edges: readonly PlacedEdge[];
  /** Centres of the initial dots. */
  readonly dots: readonly ElkPoint[];
}

const DIRECTIONS = ["RIGHT", "DOWN"] as const;

/** Lays out the children of `panel`, in at most `maxWidth` px where that can be done. */
export async function layoutOf(
  chart: Chart,
  plan: Plan,
  panel: State,
  maxWidth: number,
): Promise<PanelLayout> {
  if (panel.children.length === 0) return { width: 0, height: 0, boxes: [], edges: [], dots: [] };
  const elk = new ELK();
  const found: PanelLayout[] = [];
  for (const direction of DIRECTIONS) {
    const input = new PanelGraph(chart, plan, panel, direction);
    found.push(input.read(await elk.layout(input.graph())));
  }
  return found.reduce((best, next) => (cost(next, maxWidth) < cost(best, maxWidth) ? next : best));
}

/** Height on the page: one that is too wide is scaled down, and costs its legibility too. */
function cost({ width, height }: PanelLayout, maxWidth: number): number {
  const over = Math.max(1, width / maxWidth);
  return height * over ** 3;
}

class PanelGraph {
  readonly #chart: Chart;
  readonly #plan: Plan;
  readonly #panel: State;
  readonly #direction: string;
  readonly #boxes = new Map<string, Box>();
  readonly #edges = new Map<string, { transitions: Transition[]; block: Block }>();

  constructor(chart: Chart, plan: Plan, panel: State, direction: string) {
    this.#chart = chart;
    this.#plan = plan;
    this.#panel = panel;
    this.#direction = direction;
  }

  graph(): ElkNode {
    const edges: ElkExtendedEdge[] = [];
    const children = this.#children(this.#panel, edges);
    this.#addEdges(this.#panel, edges);
    return { id: this.#panel.id, children, edges, layoutOptions: rootOptions(this.#direction) };
  }

  #children(parent: State, edges: ElkExtendedEdge[]): ElkNode[] {
    const nodes = parent.children.map((state) => this.#node(state, edges));
    if (parent.initial === null) return nodes;
    const id = `${parent.id}#initial`;
    edges.push({ id: `${id}-edge`, sources: [id], targets: [parent.initial] });
    return [{ id, width: DOT, height: DOT }, ...nodes];
  }

  #node(state: State, edges: ElkExtendedEdge[]): ElkNode {
    const box = boxOf(this.#chart, this.#plan, state);
    this.#boxes.set(state.id, box);
    if (state.children.length === 0) return { id: state.id, width: box.width, height: box.height };
    return {
      id: state.id,
      children: this.#children(state, edges),
      layoutOptions: {
        "elk.padding": `[top=${box.height + 8},left=12,bottom=12,right=12]`,
        "elk.nodeSize.constraints": "MINIMUM_SIZE",
        "elk.nodeSize.minimum": `(${box.width},${box.height + 30})`,
      },
    };
  }

  #addEdges(parent: State, edges: ElkExtendedEdge[]): void {
    for (const state of parent.children) {
      const drawn = state.transitions.filter(({ key }) => this.#plan.drawn.has(key));
      for (const [targets, transitions] of Map.groupBy(drawn, (t) => t.targets.join(" "))) {
        const block = blockOf(
          transitions.map((transition) => edgeRow(this.#chart, transition)),
          MAX_LABEL_WIDTH,
        );
        for (const target of targets.split(" ")) {
          const id = `${state.id} ${target}`;
          this.#edges.set(id, { transitions, block });
          edges.push({
            id,
            sources: [state.id],
            targets: [target],
            labels: [{ text: id, width: block.width + 6, height: block.height + 2, layoutOptions: LABEL }],
          });
        }
      }
      this.#addEdges(state, edges);
    }
  }

  read(result: ElkNode): PanelLayout {
    const boxes: PlacedBox[] = [];
    const dots: ElkPoint[] = [];
    const visit = (node: ElkNode, depth: number): void => {
      const { x = 0, y = 0, width = 0, height = 0 } = node;
      const box = this.#boxes.get(node.id);
      if (box) boxes.push({ box, x, y, width, height, depth, region: this.#isRegion(node.id) });
      else if (depth > 0) dots.push({ x: x + DOT / 2, y: y + DOT / 2 });
      for (const child of node.children ?? []) visit(child, depth + 1);
    };
    visit(result, 0);
    const edges = (result.edges ?? []).map((edge) => this.#readEdge(edge));
    return { width: result.width ?? 0, height: result.height ?? 0, boxes, edges, dots };
  }

  #isRegion(id: string): boolean {
    const parent = this.#chart.parents.get(id);
    return parent !== undefined && this.#chart.states.get(parent)?.type === "parallel";
  }

  #readEdge(edge: ElkExtendedEdge): PlacedEdge {
    const known = this.#edges.get(edge.id);
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

const LABEL: LayoutOptions = { "elk.edgeLabels.inline": "true" };

const rootOptions = (direction: string): LayoutOptions => ({
  "elk.algorithm": "layered",
  "elk.direction": direction,
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.json.shapeCoords": "ROOT",
  "elk.json.edgeCoords": "ROOT",
  "elk.padding": "[top=0,left=0,bottom=0,right=0]",
  "elk.spacing.nodeNode": "18",
  "elk.spacing.edgeNode": "12",
  "elk.spacing.edgeEdge": "10",
  "elk.spacing.edgeLabel": "3",
  "elk.spacing.componentComponent": "18",
  "elk.layered.spacing.nodeNodeBetweenLayers": "22",
  "elk.layered.spacing.edgeNodeBetweenLayers": "12",
  "elk.layered.spacing.edgeEdgeBetweenLayers": "10",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.thoroughness": "20",
  "elk.randomSeed": "1",
});
