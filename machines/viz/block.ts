/** Rows of mixed text (an event, its guard, an arrow to a target's chip), wrapped into a block of known size. */
import { pieces, widthOf } from "./text.ts";
import type { Piece } from "./text.ts";

export type Tone = "event" | "guard" | "action" | "word" | "chip" | "arrow" | "loop" | "source";

export interface Span {
  readonly text: string;
  readonly tone: Tone;
  /** Colour of a chip: the index of its top-level state. */
  readonly hue?: number;
  /** Key of the transition that this part of a row stands for, and its tooltip. */
  readonly edge?: string;
  readonly title?: string;
}

export interface Row {
  readonly spans: readonly Span[];
  /** Key of the transition that the row stands for. */
  readonly edge?: string;
  /** The whole of it, for the tooltip. */
  readonly title?: string;
}

export interface PlacedSpan extends Span {
  /** From the block's left side to the span's. */
  readonly x: number;
  readonly width: number;
  /** From the block's top to the text's baseline. */
  readonly baseline: number;
}

export interface PlacedRow {
  readonly edge: string | null;
  readonly title: string | null;
  readonly spans: readonly PlacedSpan[];
}

export interface Block {
  readonly width: number;
  readonly height: number;
  readonly rows: readonly PlacedRow[];
}

export const TEXT_SIZE = 10.5;
export const LINE_HEIGHT = 15;
export const CHIP_PADDING = 5;
const GLYPH_WIDTH = 13;
const SPACE = 3.6;
const INDENT = 8;

/** Lays rows out under each other, none wider than `maxWidth` unless a single piece is. */
export function blockOf(rows: readonly Row[], maxWidth: number): Block {
  let line = 0;
  let width = 0;
  const placed = rows.map((row) => {
    const { spans, lines } = placeRow(row, maxWidth, line);
    line += lines;
    width = Math.max(width, ...spans.map((span) => span.x + span.width));
    return { edge: row.edge ?? null, title: row.title ?? null, spans };
  });
  return { width, height: line * LINE_HEIGHT, rows: placed };
}

interface Atom extends Span {
  readonly glued: boolean;
}

function placeRow(row: Row, maxWidth: number, firstLine: number): { spans: PlacedSpan[]; lines: number } {
  const spans: PlacedSpan[] = [];
  const all = row.spans.flatMap((span) => atoms(span, maxWidth));
  let x = 0;
  let line = firstLine;
  all.forEach((atom, index) => {
    const width = spanWidth(atom);
    const gap = x === 0 || atom.glued ? 0 : SPACE;
    const next = all[index + 1];
    const kept = next ? keptWith(atom, next) : 0;
    if (x > 0 && x + gap + width + kept > maxWidth) {
      line += 1;
      x = INDENT;
    } else x += gap;
    const { glued: _glued, ...span } = atom;
    append(spans, { ...span, x, width, baseline: line * LINE_HEIGHT + LINE_HEIGHT - 4 });
    x += width;
  });
  return { spans, lines: line - firstLine + 1 };
}

/** An arrow stays with the chip that it points at, and a broken name does not leave a mere beginning behind. */
function keptWith(atom: Atom, next: Atom): number {
  if (atom.tone === "arrow") return SPACE + spanWidth(next);
  return next.glued && !atom.glued ? spanWidth(next) : 0;
}

/** Neighbours of one tone on one line become one run of text, so that the font sets its own spaces. */
function append(spans: PlacedSpan[], next: PlacedSpan): void {
  const last = spans.at(-1);
  const joins =
    last &&
    last.tone === next.tone &&
    last.edge === next.edge &&
    last.baseline === next.baseline &&
    isText(next.tone);
  if (!joins) {
    spans.push(next);
    return;
  }
  const glue = next.x - (last.x + last.width) > 1 ? " " : "";
  spans[spans.length - 1] = {
    ...last,
    text: last.text + glue + next.text,
    width: next.x + next.width - last.x,
  };
}

const isText = (tone: Tone): boolean => tone !== "chip" && tone !== "arrow" && tone !== "loop";

function atoms(span: Span, maxWidth: number): Atom[] {
  if (!isText(span.tone)) return [{ ...span, glued: false }];
  return span.text
    .split(" ")
    .flatMap((word): Piece[] => pieces(word, TEXT_SIZE, maxWidth - INDENT, span.tone === "event"))
    .map((piece) => ({ ...span, ...piece }));
}

function spanWidth(span: Span): number {
  if (span.tone === "arrow" || span.tone === "loop") return GLYPH_WIDTH;
  const text = widthOf(span.text, TEXT_SIZE, span.tone === "event");
  return span.tone === "chip" ? text + 2 * CHIP_PADDING : text;
}
