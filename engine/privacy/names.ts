/** Names of people: as they are introduced, behind a title, spelled, or written large where no other word is. Pure. */
import { GIVEN_NAMES } from "./given-names.ts";
import type { Span } from "./redact.ts";

/** A word written large: `Jane`, `O'Connor`, `McBride`, `Al-Hassan`. */
const LARGE = String.raw`(?<!\p{L})\p{Lu}\p{L}{0,30}(?:['’-]\p{Lu}\p{L}{1,30}){0,3}(?:['’](?!s\b)\p{L}{1,30})?`;
const WORD = String.raw`\p{L}[\p{L}'’-]{0,40}`;
const LARGE_NAME = String.raw`${LARGE}(?:\s+(?:(?:de|la|van|von|der|bin|al|el|di|da)\s+){0,2}${LARGE}){0,3}`;

/** After these a name comes, large or small. */
const SURE = String.raw`(?:\bname(?:['’]s| is| was| on the (?:file|form|card|account) is|:)|\b(?:first|last|given|family|middle) name(?:['’]s| is|,)?|\bsurname(?: is|,)?|\b(?:is|was|are) called|\bnamed)`;
const AFTER_SURE = new RegExp(String.raw`${SURE}[\s,]+(${WORD}(?:\s+${WORD}){0,3})`, "giu");

const KIN =
  "son|daughter|wife|husband|mother|mom|mum|father|dad|brother|sister|partner|boyfriend|girlfriend|baby|boy|girl|" +
  "grandmother|grandma|grandfather|grandpa|aunt|uncle|cousin|friend|neighbo(?:u)?r|boss|child|niece|nephew|client|colleague";
/** After these a name comes if it is written large. */
const LIKELY = String.raw`(?:\bthis is|\b(?:i|he|she)['’]m|\bi am|\b(?:he|she|it)['’]s|\b(?:he|she|it) is|\b(?:on )?behalf of|\b(?:speak|speaking|spoke|talk|talking) (?:with|to)|\bask(?:ing)? for|\blooking for|\bcaller,?(?: is)?|\bpatient,?(?: is)?|\bresident,?(?: is)?|\bguardian of|\bcalls? (?:me|him|her)|\bput me through to|\bmessage for|\b(?:${KIN}),?(?: is)?)`;
const AFTER_LIKELY = new RegExp(String.raw`${LIKELY}\s+(?:with |for )?(${LARGE_NAME})`, "giu");
const TITLED = new RegExp(
  String.raw`\b(?:Mr|Mrs|Ms|Miss|Mister|Dr|Doctor|Prof|Professor|Nurse|Sister|Reverend|Rev|Pastor|Officer|Captain)\b\.?\s+${LARGE}(?:\s+${LARGE})?`,
  "gu",
);
/** Letters one by one. */
const SPELLED = /\b[A-Z](?:[ .-]{1,3}[A-Z]\b){2,}/g;
const BEFORE_SPEAKING = new RegExp(
  String.raw`(${LARGE_NAME})(?= (?:speaking|here\b|is my name|calling))`,
  "gu",
);
const WRITTEN_LARGE = new RegExp(LARGE_NAME, "gu");

/** Words written large that are nobody's name, in small letters. */
const NO_NAMES: ReadonlySet<string> = new Set(
  (
    "i i'm i've i'll i'd monday tuesday wednesday thursday friday saturday sunday january february march april may june july " +
    "august september october november december christmas easter thanksgiving english spanish french german chinese american " +
    "british irish canadian mexican indian african european catholic muslim jewish christian medicare medicaid tylenol " +
    "ibuprofen aspirin advil insulin penicillin covid ai tv ok okay er icu mri ct ekg ecg usa us uk nhs dob ssn mrn id god " +
    "the a an and or but so if when what where who why how is are was were will would can could do does did please thank " +
    "thanks hello hi hey yes no not my your his her our their this that it he she we they you there here one two three " +
    "doctor nurse mr mrs ms miss dr emergency urgent caller patient tandem mom mum dad grandma grandpa"
  ).split(" "),
);
/** What makes of words before it a place or a thing. */
const OF_PLACES =
  /^(?:hospital|clinic|center|centre|street|road|avenue|lane|drive|pharmacy|university|insurance|shield|cross|health|medical|city|county|park|zoo|state|states|york|care|college|school|church|river|lake|beach|island|airport|station|day|eve|house|hall|court|way|place|square)$/i;
/** Places and firms whose names are no person's. */
const NO_PAIRS =
  /^(?:new|los|san|santa|saint|st|north|south|east|west|blue|red|united|mount|fort|great|port|lake|el|las)$/i;
/** In small letters a name ends before these. */
const STOP = new Set(
  "and i i'm im but so is was the my his her with from who that he she it calling speaking here need needs have has had because or in on at for of a an to not now please also we they this then about again as by you your are am can could would will do does did just really very back when later again tomorrow tonight soon if once after before any".split(
    " ",
  ),
);

const isName = (word: string): boolean => !NO_NAMES.has(word.toLowerCase().replaceAll("’", "'"));

function spanOf(start: number, text: string): Span {
  return { kind: "name", start, end: start + text.length };
}

/** As many words from the beginning as belong to the name; empty when none does. */
function head(text: string, ends: (word: string) => boolean): string {
  let end = 0;
  for (const { 0: word, index } of text.matchAll(/\S+/g)) {
    if (ends(word)) break;
    end = index + word.length;
  }
  return text.slice(0, end);
}

const endsSure = (word: string): boolean => STOP.has(word.toLowerCase()) || !isName(word);

function afterSure(text: string): Span[] {
  return [...text.matchAll(AFTER_SURE)].flatMap(({ 0: whole, 1: words = "", index }) => {
    // Written large it goes on for as long as it is large.
    const isLarge = /^\p{Lu}/u.test(words);
    const name = head(
      words,
      (word) => endsSure(word) || (isLarge && !/^(?:\p{Lu}|de$|la$|van$|von$|der$|bin$|al$|el$)/u.test(word)),
    );
    return name === "" ? [] : [spanOf(index + whole.length - words.length, name.replace(/['’]s$/, ""))];
  });
}

/** The caller's words may begin with any case; the name may not. */
function afterLikely(text: string): Span[] {
  return [...text.matchAll(AFTER_LIKELY)].flatMap(({ 0: whole, 1: words = "", index }) => {
    const name = head(
      words,
      (word) => !/^(?:\p{Lu}|de$|la$|van$|von$|der$|bin$|al$|el$|di$|da$)/u.test(word) || !isName(word),
    );
    const parts = name.split(/\s+/);
    if (name === "" || parts.some((part) => OF_PLACES.test(part)) || NO_PAIRS.test(parts[0] ?? "")) return [];
    return [spanOf(index + whole.length - words.length, name)];
  });
}

/** Words written large that begin with a given name, or are two or more in the middle of a sentence. */
function writtenLarge(text: string): Span[] {
  return [...text.matchAll(WRITTEN_LARGE)].flatMap(({ 0: words, index }) => {
    const parts = [...words.matchAll(/\S+/g)].map(({ 0: word, index: at }) => ({ word, at }));
    while (parts.length > 0 && !isName(parts[0]?.word ?? "")) parts.shift();
    const first = parts[0];
    if (!first) return [];
    const name = head(words.slice(first.at), (word) => !isName(word) && /^\p{L}/u.test(word));
    const from = index + first.at;
    const count = name.split(/\s+/).length;
    if (GIVEN_NAMES.has(first.word)) return [spanOf(from, name)];
    const begins = from === 0 || /[.?!]\s+$/.test(text.slice(0, from));
    const isPlace = name.split(/\s+/).some((word) => OF_PLACES.test(word)) || NO_PAIRS.test(first.word);
    return count < 2 || begins || isPlace ? [] : [spanOf(from, name)];
  });
}

export function findNames(text: string): Span[] {
  const whole = (pattern: RegExp): Span[] =>
    [...text.matchAll(pattern)].map(({ 0: found, index }) => spanOf(index, found));
  const spans = [
    ...whole(SPELLED),
    ...whole(TITLED),
    ...afterSure(text),
    ...afterLikely(text),
    ...whole(BEFORE_SPEAKING).filter(({ start, end }) => isName(text.slice(start, end).split(/\s/)[0] ?? "")),
    ...writtenLarge(text),
  ];
  return merged(spans);
}

/** Those that overlap become one: a title and an introduction may lead to the same name. */
function merged(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    const last = out.at(-1);
    if (last && span.start < last.end) {
      out[out.length - 1] = { ...last, end: Math.max(last.end, span.end) };
    } else out.push(span);
  }
  return out;
}
