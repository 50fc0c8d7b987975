/** What the input of a request holds: who said what. */
import { z } from "zod";
import { SPEAKERS, type Speaker } from "../../../../engine/ports.ts";

export interface Line {
  /** As the input numbers it. */
  readonly entry: number;
  readonly speaker: Speaker;
  readonly text: string;
}

/** A place in a line, and the words there. */
export interface Quote {
  readonly entry: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const Lines = z.array(z.looseObject({ entry: z.int().min(0), speaker: z.enum(SPEAKERS), text: z.string() }));

/** A JSON array of entries, wherever it stands; or else each line of the text, as the caller's words. */
export function linesIn(input: string): readonly Line[] {
  const [start, end] = [input.indexOf("["), input.lastIndexOf("]")];
  if (start >= 0 && end > start) {
    try {
      const parsed = Lines.safeParse(JSON.parse(input.slice(start, end + 1)));
      if (parsed.success) return parsed.data.map(({ entry, speaker, text }) => ({ entry, speaker, text }));
    } catch {
      // It is text with brackets in it.
    }
  }
  return input
    .split("\n")
    .map((text, entry): Line => ({ entry, speaker: "caller", text }))
    .filter(({ text }) => text.trim() !== "");
}

export function quote({ entry, text }: Line, start: number, length: number): Quote {
  return { entry, start, end: start + length, text: text.slice(start, start + length) };
}

/** The sentences of a line, without the space around them. */
export function sentencesOf(line: Line): readonly Quote[] {
  return piecesOf(line, /[^.!?\s][^.!?]*[.!?]*/g);
}

/** What stands between punctuation of any kind. */
export function partsOf(line: Line): readonly Quote[] {
  return piecesOf(line, /[^.!?,;\s][^.!?,;]*/g);
}

function piecesOf(line: Line, pattern: RegExp): readonly Quote[] {
  return [...line.text.matchAll(pattern)].map((match) => quote(line, match.index, match[0].trimEnd().length));
}

/** The first place in these lines, or the last, that the pattern matches. */
export function placeOf(
  lines: readonly Line[],
  pattern: RegExp,
  which: "first" | "last" = "first",
): Quote | null {
  for (const line of which === "first" ? lines : lines.toReversed()) {
    const match = pattern.exec(line.text);
    if (match) return quote(line, match.index, match[0].length);
  }
  return null;
}
