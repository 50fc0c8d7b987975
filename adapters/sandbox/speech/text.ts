/** Preparation of text for a synthesiser that knows only ASCII. */

const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u201b\u2032]/g, "'"],
  [/[\u201c\u201d\u201e\u2033\u00ab\u00bb]/g, '"'],
  [/[\u2010-\u2012]/g, "-"],
  [/[\u2013\u2014\u2026]/g, ", "],
  [/\u00b0/g, " degrees "],
  [/\u20ac/g, " euros "],
  [/\u00a3/g, " pounds "],
  [/\u00df/g, "ss"],
  [/[\u00e6\u00c6]/g, "ae"],
  [/[\u00f8\u00d8]/g, "o"],
];

/** Accents are taken off, typographic signs written plainly, and what is left outside ASCII dropped. */
export function toSpeakableAscii(text: string): string {
  let plain = text;
  for (const [pattern, replacement] of REPLACEMENTS) plain = plain.replaceAll(pattern, replacement);
  return plain
    .normalize("NFKD")
    .replaceAll(/[^\x20-\x7e]+/g, (other) => (/^\p{M}+$/u.test(other) ? "" : " "))
    .replaceAll(/ +/g, " ")
    .trim();
}
