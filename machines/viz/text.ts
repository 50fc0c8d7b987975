/** Text without a browser: widths that hold for the widest usual sans font, wrapping, escaping. */

/** Advance widths in em, by DejaVu Sans, which is wider than what most readers have. */
const ADVANCE: readonly [chars: string, em: number][] = [
  ["iljI'|!", 0.29],
  [" \u00a0.,;", 0.32],
  ["ft()[]:/r", 0.4],
  ['-"^`', 0.42],
  ["scz_*", 0.54],
  ["mwMWOQ", 0.86],
  ["ABCDEFGHJKLNPRSTUVXYZ", 0.7],
  ["@%…→+=<>", 0.95],
];
const EM = new Map(ADVANCE.flatMap(([chars, em]) => [...chars].map((char) => [char, em] as const)));
const OTHER_EM = 0.63;
const BOLD = 1.14;

/** Width in px of one line at `size` px. */
export function widthOf(text: string, size: number, bold = false): number {
  let em = 0;
  for (const char of text) em += EM.get(char) ?? OTHER_EM;
  return em * size * (bold ? BOLD : 1);
}

/** Greedy wrapping at spaces; a word wider than the line is broken where an identifier has a joint. */
export function wrap(text: string, size: number, maxWidth: number, bold = false): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((part) => pieces(part, size, maxWidth, bold))) {
    const glue = word.glued || line === "" ? "" : " ";
    const longer = line + glue + word.text;
    if (line !== "" && widthOf(longer, size, bold) > maxWidth) {
      lines.push(line);
      line = word.text;
    } else line = longer;
  }
  return line === "" ? lines : [...lines, line];
}

export interface Piece {
  readonly text: string;
  /** It continues the piece before it: no space between. */
  readonly glued: boolean;
}

/** A word as pieces that each fit: split after `.`, `/` or `_` and before a capital, only when too wide. */
export function pieces(word: string, size: number, maxWidth: number, bold = false): Piece[] {
  if (widthOf(word, size, bold) <= maxWidth) return [{ text: word, glued: false }];
  const joints = word.split(/(?<=[._,]|\/(?!\u00a0))|(?=[A-Z][a-z])/);
  return joints.map((text, index) => ({ text, glued: index > 0 }));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** For XML text and attributes. Control characters, which XML does not allow, become spaces. */
export const escape = (text: string): string =>
  text
    // oxlint-disable-next-line no-control-regex -- these are the characters that XML 1.0 has no form for
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, " ")
    .replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);

/** A coordinate with one decimal at most, so that files do not change by rounding noise. */
export const px = (value: number): string => String(Math.round(value * 10) / 10);
