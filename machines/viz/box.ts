/** The inside of a state's box: its name, what it is for, what it does, and what it answers without a line. */
import { blockOf } from "./block.ts";
import type { Block, Row } from "./block.ts";
import type { Chart, State } from "./graph.ts";
import { behaviourRows, sharedRow, transitionRow } from "./labels.ts";
import type { Plan } from "./plan.ts";
import { widthOf, wrap } from "./text.ts";

export const TITLE_SIZE = 12.5;
export const NOTE_SIZE = 10;
export const NOTE_LINE = 13;
export const MAX_TEXT_WIDTH = 172;
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

/** What a state does, and its own transitions that are written instead of drawn. */
export function ownRows(chart: Chart, plan: Plan, state: State): Row[] {
  const written = state.transitions.filter(({ key }) => !plan.drawn.has(key) && !plan.hoisted.has(key));
  return [
    ...behaviourRows(state),
    ...written.map((transition) => transitionRow(chart, plan.panelOf(state.id), transition)),
  ];
}

/** The transitions that its children share. */
export const sharedRows = (chart: Chart, plan: Plan, state: State): Row[] =>
  (plan.shared.get(state.id) ?? []).map((group) => sharedRow(chart, plan.panelOf(state.id), group));

/** Measures the box of a state whose text may be `maxWidth` px wide. */
export function boxOf(chart: Chart, plan: Plan, state: State, maxWidth = MAX_TEXT_WIDTH): Box {
  const block = blockOf([...ownRows(chart, plan, state), ...sharedRows(chart, plan, state)], maxWidth);
  const title = widthOf(state.key, TITLE_SIZE, true);
  const described = state.description ?? "";
  const noteWidth = Math.min(widthOf(described, NOTE_SIZE), maxWidth - 10);
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
