/**
 * Takes out of a text what names a person or leads to one: names, numbers (also spoken as words), dates of birth,
 * cards, record numbers, addresses. Pure, by rules alone: no model sees the text. What it finds and what it misses is
 * measured in test/unit/privacy/redact.test.ts, and told in docs/privacy.md.
 */
import { findDates } from "./dates.ts";
import { findNames } from "./names.ts";
import { findNumbers } from "./numbers.ts";

export const REDACTED_KINDS = ["email", "card", "record", "date", "address", "number", "name"] as const;
export type RedactedKind = (typeof REDACTED_KINDS)[number];

/** A part of the text, by UTF-16 units. */
export interface Span {
  readonly kind: RedactedKind;
  readonly start: number;
  /** Behind the last. */
  readonly end: number;
}

export interface Redaction {
  /** With `[name]`, `[number]` and the like in place of the spans. */
  readonly text: string;
  /** Of the text as it was given, in order; none overlaps another. */
  readonly spans: readonly Span[];
}

const WRITTEN_EMAIL = /[\w.+%-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+/g;
const PART = String.raw`(?: (?:dot|underscore|dash|hyphen|plus) [\w-]{1,64})`;
const SPOKEN_EMAIL = new RegExp(
  String.raw`\b[\w+-]{1,64}${PART}{0,8} at [\w-]{1,64}(?: (?:dash|hyphen) \w{1,64}){0,8}(?: dot [\w-]{1,64}){1,8}\b`,
  "gi",
);

const STREET =
  "street|st|road|rd|avenue|ave|lane|ln|drive|court|ct|boulevard|blvd|way|place|terrace|close|square|highway|crescent";
const HOUSE = String.raw`(?:\d{1,5}[a-z]?|(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[ -])?(?:one|two|three|four|five|six|seven|eight|nine)|ten|eleven|twelve|\w{3,6}teen)`;
const ADDRESS = new RegExp(
  String.raw`\b${HOUSE}(?: (?!and\b|or\b|of\b|at\b|in\b|on\b|to\b)[\w'.]{1,30}){1,4}? (?:${STREET})\b(?:,? (?:apartment|apt|unit|suite|flat|number) \w+)?`,
  "gi",
);

function all(text: string, pattern: RegExp, kind: RedactedKind): Span[] {
  return [...text.matchAll(pattern)].map(({ 0: found, index }) => ({
    kind,
    start: index,
    end: index + found.length,
  }));
}

/** Whatever comes first in {@link REDACTED_KINDS} goes before: a date is no number. */
function withoutOverlaps(found: readonly Span[]): readonly Span[] {
  const rank = (span: Span): number => REDACTED_KINDS.indexOf(span.kind);
  const kept: Span[] = [];
  for (const span of found.toSorted((a, b) => rank(a) - rank(b) || a.start - b.start)) {
    if (kept.every((other) => span.end <= other.start || other.end <= span.start)) kept.push(span);
  }
  return kept.toSorted((a, b) => a.start - b.start);
}

/** What follows a word may decide whether it is a name: a second time may take out a little more. */
export function redactText(text: string): Redaction {
  const spans = withoutOverlaps([
    ...all(text, WRITTEN_EMAIL, "email"),
    ...all(text, SPOKEN_EMAIL, "email"),
    ...all(text, ADDRESS, "address"),
    ...findDates(text),
    ...findNumbers(text),
    ...findNames(text),
  ]);
  let out = "";
  let from = 0;
  for (const { kind, start, end } of spans) {
    out += `${text.slice(from, start)}[${kind}]`;
    from = end;
  }
  return { text: out + text.slice(from), spans };
}
