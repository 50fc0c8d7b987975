/** Numbers that lead to somebody, in figures or spoken as words: of phones, cards, records, codes. Pure. */
import { isOfBirth } from "./dates.ts";
import type { Span } from "./redact.ts";

interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const ONES: ReadonlySet<string> = new Set([
  "zero",
  "oh",
  "o",
  "nought",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
]);
const TEENS = /^(?:ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)$/;
const TENS = /^(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)$/;
const TIMES: ReadonlyMap<string, number> = new Map([
  ["double", 2],
  ["triple", 3],
  ["treble", 3],
]);
/** What may stand between digits that belong together. */
const JOINS = /^(?:[-–.,()/#]|\.\.\.|…|dash|hyphen|dot|space|uh|um|er|then)$/;

/** Figures, words, and marks one by one. What is of both letters and figures is an id: no number is said so. */
function tokensOf(text: string): readonly Token[] {
  return [
    ...text.matchAll(/(?:[a-z_]+(?!\d{7,15}\b)\d|\d+[a-z_])\w*|\d+|[a-z]+(?:'[a-z]+)?|\.{3}|[^\s\w]/gi),
  ].map(({ 0: found, index }) => ({
    text: found.toLowerCase(),
    start: index,
    end: index + found.length,
  }));
}

interface Run {
  readonly start: number;
  readonly end: number;
  /** How many digits it stands for. */
  readonly digits: number;
  /** Its digits, when all of them are known. */
  readonly value: string | null;
}

interface Reading {
  digits: number;
  value: string | null;
}

const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/** Reads one number at `at`; the place behind it, or `null` when there is none. */
function readNumber(tokens: readonly Token[], at: number, into: Reading): number | null {
  const token = tokens[at]?.text ?? "";
  const add = (digits: number, value: string | null): void => {
    into.digits += digits;
    into.value = into.value === null || value === null ? null : into.value + value;
  };
  if (/^\d+$/.test(token)) {
    add(token.length, token);
    return at + 1;
  }
  const next = tokens[at + 1]?.text ?? "";
  const times = TIMES.get(token);
  if (times !== undefined) {
    if (!ONES.has(next) && !/^\d$/.test(next)) return null;
    const digit = /^\d$/.test(next) ? next : digitOf(next);
    add(times, digit.repeat(times));
    return at + 2;
  }
  if (ONES.has(token)) {
    if (next === "hundred") {
      add(3, `${digitOf(token)}00`);
      return at + 2;
    }
    add(1, digitOf(token));
    return at + 1;
  }
  if (TEENS.test(token)) {
    add(2, null);
    return at + 1;
  }
  if (!TENS.test(token)) return null;
  add(2, null);
  const joined = next === "-" ? 2 : 1;
  const one = tokens[at + joined]?.text ?? "";
  return ONES.has(one) && digitOf(one) !== "0" ? at + joined + 1 : at + 1;
}

function digitOf(word: string): string {
  const digit = WORDS.indexOf(word);
  return digit < 0 ? "0" : String(digit);
}

/** Of a decimal fraction and of thousands the mark stands between figures, without a space. */
function joins(text: string, token: Token): boolean {
  if (!JOINS.test(token.text)) return false;
  const [before, after] = [text[token.start - 1] ?? "", text[token.end] ?? ""];
  if (token.text === ".") return /\d/.test(before) && /\d/.test(after);
  if (token.text === ",") return !(/\d/.test(before) && /^\d{3}(?!\d)/.test(text.slice(token.end)));
  return true;
}

function runsOf(text: string, tokens: readonly Token[]): readonly Run[] {
  const runs: Run[] = [];
  for (let at = 0; at < tokens.length;) {
    const reading: Reading = { digits: 0, value: "" };
    let next = readNumber(tokens, at, reading);
    if (next === null) {
      at++;
      continue;
    }
    let last = next;
    while (next !== null) {
      last = next;
      let gap = next;
      while (gap < tokens.length && gap - next < 3 && joins(text, tokens[gap] as Token)) gap++;
      next = readNumber(tokens, gap, reading);
    }
    const [first, end] = [tokens[at] as Token, tokens[last - 1] as Token];
    const opened = /[+(]\s?$/.exec(text.slice(0, first.start))?.[0].length ?? 0;
    runs.push({ start: first.start - opened, end: end.end, digits: reading.digits, value: reading.value });
    at = last;
  }
  return runs;
}

/** Luhn's check, of ISO/IEC 7812. */
function isCard(value: string): boolean {
  if (value.length < 13 || value.length > 19) return false;
  const sum = [...value].toReversed().reduce((total, digit, index) => {
    const doubled = Number(digit) * (index % 2 === 1 ? 2 : 1);
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return sum % 10 === 0;
}

const IP_ADDRESS = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const CARD_BEFORE = /\b(?:card|visa|mastercard|amex|american express)\b[^.?!]{0,40}$/i;
/** Whoever says these few digits means a part of a longer number, or lets somebody in. */
const CODE_BEFORE =
  /\b(?:last (?:four|three|two)(?: digits)?|ends? (?:in|with)|ending (?:in|with)|extension|ext\.?|(?:pin|pass|gate|door|zip|post|postal|access|security)(?: ?code| number)?)\b(?:[^.?!\d]{0,24})$/i;
const MONEY_BEFORE = /[$€£]\s?$/;
const MEASURE_AFTER =
  /^[\s-]*(?:milligrams?|mg|micrograms?|grams?|kilos?|kg|pounds?|lbs?|milliliters?|ml|percent|%|degrees?|dollars?|euros?|cents?|minutes?|hours?|days?|weeks?|months?|years?|steps|miles|people|times|units?|calories)\b/i;

const RECORD =
  "(?:member(?:ship)?|subscriber|polic(?:y|ies)|insurance|group|claim|case|medical record|health record|record|patient|" +
  "chart|account|medicare|medicaid|health plan|n\\.?h\\.?s\\.?|social security|social|passport|driver'?s? licen[cs]e|" +
  "licen[cs]e|prescription|confirmation|reference|booking)";
const LABEL = "(?:number|id|i\\.d\\.|code|no\\.?|#|identifier|card)";
const RECORD_BEFORE = new RegExp(
  `\\b(?:${RECORD}(?:[ ']s?)?(?: ?${LABEL})*|mrn|ssn)(?:[ ,:]+(?:that |which )?(?:is|was|are|would be|should be|it's|says|reads|ends in|ending in|the|my|number|id))*[ ,:]*$`,
  "i",
);
/** One word of a code: with a figure in it, a letter, a digit's word, or a way to say a letter. */
const CODE_WORD =
  /^(?:[a-z]{0,5}\d[a-z\d]*|[a-z]|zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|double|triple|dash|hyphen|slash)$/i;
const AS_IN = /^ as in [a-z]+(?:-[a-z]+)?/i;

/** Numbers that follow what they are the number of, with their letters. */
function findRecords(text: string): Span[] {
  const spans: Span[] = [];
  for (const { 0: first, index } of text.matchAll(/[a-z\d]+/gi)) {
    const last = spans.at(-1);
    if (last && index < last.end) continue;
    if (!CODE_WORD.test(first) || !RECORD_BEFORE.test(text.slice(Math.max(0, index - 60), index))) continue;
    const end = codeEnd(text, index);
    const code = text.slice(index, end);
    const count = /\d/.test(code)
      ? code.replaceAll(/[^a-z\d]/gi, "").length
      : code.split(/[ ,-]+/).filter((word) => word.length > 1).length;
    if (count >= 3 && /\d|zero|oh|one|two|three|four|five|six|seven|eight|nine/i.test(code)) {
      spans.push({ kind: "record", start: index, end });
    }
  }
  return spans;
}

/** Where the code ends that begins at `start`. */
function codeEnd(text: string, start: number): number {
  let end = start;
  for (const { 0: word, index } of text.slice(start).matchAll(/[a-z\d]+/gi)) {
    const at = start + index;
    if (at < end) continue;
    const gap = text.slice(end, at);
    if (at > start && !/^(?:[ -]|, |-+|\/)$/.test(gap)) break;
    if (!CODE_WORD.test(word) || /^[ai]$/.test(word) || (word === "I" && gap !== "")) break;
    end = at + word.length;
    end += AS_IN.exec(text.slice(end))?.[0].length ?? 0;
  }
  return end;
}

function kindOf(text: string, run: Run): Span["kind"] | null {
  const { start, end, digits, value } = run;
  const before = text.slice(Math.max(0, start - 60), start);
  if (value !== null && isCard(value)) return "card";
  if (IP_ADDRESS.test(text.slice(start, end))) return null;
  if (digits >= 3 && RECORD_BEFORE.test(before)) return "record";
  if (digits >= 4 && CARD_BEFORE.test(before)) return "card";
  if (digits >= 4 && digits <= 8 && isOfBirth(text, start)) return "date";
  if (digits >= 7) return "number";
  if (digits >= 3 && CODE_BEFORE.test(before)) return "number";
  if (digits < 5 || MONEY_BEFORE.test(before) || MEASURE_AFTER.test(text.slice(end))) return null;
  return "number";
}

export function findNumbers(text: string): Span[] {
  const spans = findRecords(text);
  for (const run of runsOf(text, tokensOf(text))) {
    const kind = kindOf(text, run);
    if (kind !== null) spans.push({ kind, start: run.start, end: run.end });
  }
  return spans;
}
