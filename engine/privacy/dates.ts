/** Dates that may be somebody's birthday: those with a year, and others where birth is spoken of. Pure. */
import type { Span } from "./redact.ts";

const MONTH =
  "(?:january|february|march|april|may|june|july|august|september|october|november|december|" +
  "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\\.?";
const ONES = "one|two|three|four|five|six|seven|eight|nine";
const TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen";
const TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety";
const ORDINAL =
  "(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|" +
  "fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth|" +
  "(?:twenty|thirty)[ -](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth))";
const UP_TO_99 = `(?:(?:${TENS})(?:[ -](?:${ONES}))?|${TEENS}|(?:oh|zero|o)[ -](?:${ONES})|${ONES})`;
const DAY = `(?:\\d{1,2}(?:st|nd|rd|th)?|${ORDINAL}|${UP_TO_99})`;
/** In figures or words: `1982`, `nineteen eighty two`, `two thousand and four`, `twenty ten`. */
const YEAR =
  `(?:(?:1[89]|20)\\d{2}|'\\d{2}|(?:eighteen|nineteen|twenty)[ -](?:hundred(?: and)? )?${UP_TO_99}|` +
  `two thousand(?:(?: and)? ${UP_TO_99})?)`;

const DAY_OF_MONTH = `(?:the )?${DAY}(?: (?:day )?of)?,? ${MONTH}`;
const MONTH_DAY = `${MONTH},? (?:the )?${DAY}`;
const NUMBERED = `(?:the )?${ORDINAL} of the ${ORDINAL}`;

const WITH_YEAR = new RegExp(
  `\\b(?:${DAY_OF_MONTH}|${MONTH_DAY}|${NUMBERED}),? (?:(?:of|in) )?${YEAR}(?!\\w)`,
  "gi",
);
const FIGURES =
  /(?<![\d/.-])(?:\d{1,2}([/.-])\d{1,2}\1(?:\d{4}|\d{2})|(?:1[89]|20)\d{2}([/.-])\d{1,2}\2\d{1,2})(?![\d/-])/g;

/** What comes before a date of birth, and what is part of one then. */
const BIRTH = /\b(?:born|birth(?:day|date)?s?|dob|d\.o\.b\.?)\b/gi;
const OF_BIRTH = new RegExp(`\\b(?:${DAY_OF_MONTH}|${MONTH_DAY}|${NUMBERED}|${YEAR})(?!\\w)`, "gi");
/** How far from the word. */
const NEAR = 40;

export function findDates(text: string): Span[] {
  const spans: Span[] = [];
  const add = (pattern: RegExp, from = 0, to = text.length): void => {
    for (const { 0: found, index } of text.slice(from, to).matchAll(pattern)) {
      spans.push({ kind: "date", start: from + index, end: from + index + found.length });
    }
  };
  add(WITH_YEAR);
  add(FIGURES);
  for (const { 0: word, index } of text.matchAll(BIRTH)) {
    const from = index + word.length;
    const stop = text.slice(from).search(/[!?;]|\.\s/);
    add(OF_BIRTH, from, Math.min(from + NEAR, stop < 0 ? text.length : from + stop));
  }
  return spans;
}

/** Whether what stands at `at` comes soon after a word of birth, with no date between the two. */
export function isOfBirth(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - NEAR), at);
  const word = [...before.matchAll(BIRTH)].at(-1);
  if (!word) return false;
  const between = before.slice(word.index + word[0].length);
  return !/[!?;\d]|\.\s/.test(between) && between.search(OF_BIRTH) < 0;
}
