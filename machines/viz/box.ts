/** The inside of a state's box: its name, what it is for, what it does, and what it answers without an edge. */
import { blockOf } from "./block.ts";
import type { Block } from "./block.ts";
import type { Chart, State } from "./graph.ts";
import { behaviourRows, transitionRow } from "./labels.ts";
import type { Plan } from "./plan.ts";
import { widthOf, wrap } from "./text.ts";

export const TITLE_SIZE = 12.5;
export const NOTE_SIZE = 10;
export const NOTE_LINE = 13;
const MAX_TEXT_WIDTH = 178;
const MIN_TEXT_WIDTH = 54;
const PADDING_X = 9;
const TITLE_HEIGHT = 23;
const PADDING_BOTTOM = 6;

export interface Box {
  readonly state: State;
  readonly width: number;
  readonly height: number;
  /** Wrapped description. */
  readonly note: readonly string[];
  readonly block: Block;
  /** Where the rows begin, from the box's corner. */
  readonly blockX: number;
  readonly blockY: number;
}

/** Measures the box of a state inside a panel; for a compound state it is the head above its children. */
export function boxOf(chart: Chart, plan: Plan, state: State): Box {
  const panel = plan.panelOf(state.id);
  const block = blockOf(
    [
      ...behaviourRows(state),
      ...state.transitions
        .filter(({ key }) => !plan.drawn.has(key))
        .map((transition) => transitionRow(chart, panel, transition)),
    ],
    MAX_TEXT_WIDTH,
  );
  const title = widthOf(state.key, TITLE_SIZE, true);
  const described = state.description ?? "";
  const noteWidth = Math.min(widthOf(described, NOTE_SIZE), MAX_TEXT_WIDTH - 20);
  const inner = Math.max(MIN_TEXT_WIDTH, title, block.width, noteWidth);
  const note = wrap(described, NOTE_SIZE, inner);
  const blockY = TITLE_HEIGHT + note.length * NOTE_LINE + (note.length > 0 ? 2 : 0);
  return {
    state,
    width: Math.ceil(inner + 2 * PADDING_X),
    height: Math.ceil(blockY + block.height + PADDING_BOTTOM),
    note,
    block,
    blockX: PADDING_X,
    blockY,
  };
}
