/**
 * What the sandbox model reads out of a transcript. There is no understanding in it: keywords, number words, and
 * what follows words such as "my name is". What it claims it quotes.
 */
import { numbersIn } from "./numbers.ts";
import { type Line, partsOf, placeOf, quote, type Quote, sentencesOf } from "./transcript.ts";

export interface Claim {
  readonly value: unknown;
  readonly confidence: number;
  readonly spans: readonly Quote[];
}

export interface Said {
  readonly caller: readonly Line[];
  readonly agent: readonly Line[];
  readonly all: readonly Line[];
}

type Rule = (said: Said) => Claim;
type Keyed = readonly (readonly [value: unknown, pattern: RegExp])[];

const UNKNOWN: Claim = { value: null, confidence: 0, spans: [] };
const SURE = 0.9;
const LIKELY = 0.7;
const GUESSED = 0.4;

const NOT_URGENT =
  /\b(?:not|no|isn't|is not)(?: an?| really| very)? (?:emergency|urgent|hurry|rush)\b|\bwhenever\b/i;
const EMERGENCY =
  /\b(?:emergency|ambulance|can(?:not|'t| not) breathe|unconscious|bleeding(?: badly)?|chest pains?|overdose|stroke)\b/i;
const URGENT = /\b(?:urgent(?:ly)?|right now|immediately|as soon as possible|severe|high fever|very bad)\b/i;

/** The first that matches anything the caller said, in this order. */
function keyed(said: readonly Line[], table: Keyed, otherwise: Claim): Claim {
  for (const [value, pattern] of table) {
    const place = placeOf(said, pattern);
    if (place) return { value, confidence: LIKELY, spans: [place] };
  }
  return otherwise;
}

const urgency: Rule = ({ caller }) =>
  keyed(
    caller,
    [
      ["low", NOT_URGENT],
      ["emergency", EMERGENCY],
      ["high", URGENT],
      ["normal", /\b(?:soon|today|tomorrow|appointment|question|refill|call me back)\b/i],
    ],
    UNKNOWN,
  );

const sentiment: Rule = ({ caller }) =>
  keyed(
    caller,
    [
      [
        "distressed",
        /\b(?:scared|afraid|terrified|panick?ing|desperate|please help|help me|chest pains?)\b/i,
      ],
      ["negative", /\b(?:angry|upset|terrible|awful|annoyed|frustrated|disappointed|complain\w*)\b/i],
      ["positive", /\b(?:thank(?:s| you)|great|wonderful|happy|perfect|lovely)\b/i],
    ],
    { value: "neutral", confidence: GUESSED, spans: [] },
  );

const intent: Rule = ({ caller }) =>
  keyed(
    caller,
    [
      ["emergency", EMERGENCY],
      ["prescription", /\b(?:prescription|refill|medication|medicine)\b/i],
      ["appointment", /\b(?:appointment|schedule|reschedule|book)\b/i],
      ["billing", /\b(?:bill|invoice|charge|payment|insurance)\b/i],
      ["complaint", /\b(?:complain\w*|unacceptable)\b/i],
      ["health_question", /\b(?:pain|hurts?|fever|rash|sick|symptoms?|dizzy|swollen|nurse|doctor)\b/i],
      ["sales", /\b(?:price|quote|buy|offer|sign up)\b/i],
      ["message", /\b(?:message|call me back)\b/i],
      ["information", /\b(?:opening hours|address|when are you open|where are you)\b/i],
    ],
    { value: "other", confidence: GUESSED, spans: [] },
  );

const LEAD: readonly (readonly [points: number, pattern: RegExp])[] = [
  [50, /\b(?:new patient|sign up|become a (?:patient|customer|client))\b/i],
  [30, /\b(?:interested in|price|quote|buy)\b/i],
  [20, /\b(?:appointment|book)\b/i],
  [-50, /\b(?:cancel|not interested)\b/i],
];
const LEAD_BASE = 10;

const leadScore: Rule = ({ caller }) => {
  const found = LEAD.flatMap(([points, pattern]) => {
    const place = placeOf(caller, pattern);
    return place ? [{ points, place }] : [];
  });
  const sum = found.reduce((total, { points }) => total + points, LEAD_BASE);
  const spans = found.map(({ place }) => place);
  return { value: Math.max(0, Math.min(100, sum)), confidence: spans.length > 0 ? LIKELY : GUESSED, spans };
};

const escalate: Rule = (said) => {
  const urgent = urgency(said);
  if (urgent.value === "emergency" || urgent.value === "high") return { ...urgent, value: true };
  const asked = placeOf(said.caller, /\b(?:nurse|doctor|human|real person|operator|representative)\b/i);
  return { value: asked !== null, confidence: asked ? LIKELY : GUESSED, spans: asked ? [asked] : [] };
};

const outcome: Rule = ({ caller, agent }) => {
  const told = keyed(
    agent,
    [
      ["handed_over", /\b(?:is on the line|has joined|putting you through|I will leave you)\b/i],
      ["callback_promised", /\bcall(?:s|ed)? you (?:right )?back\b|\bwill call you\b/i],
      ["message_taken", /\b(?:take a message|noted|pass (?:it|this|that) on|your message)\b/i],
    ],
    UNKNOWN,
  );
  if (told.value !== null) return told;
  const thanks = placeOf(caller, /\b(?:that is all|that's all|thank(?:s| you)|bye)\b/i, "last");
  if (thanks) return { value: "resolved", confidence: GUESSED, spans: [thanks] };
  return { value: agent.length === 0 ? "abandoned" : "unresolved", confidence: GUESSED, spans: [] };
};

const NAME = /\b(?:my name is|my name's|the name is|this is|I'm called|I am called)\s+/gi;
const NO_NAME =
  /^(?:and|an?|the|about|i|i'm|my|it|it's|is|calling|speaking|from|with|here|at|on|urgent|not|very|really|for|because|please)$/i;
const MAX_NAME_WORDS = 3;

const name: Rule = ({ caller }) => {
  for (const line of caller.toReversed()) {
    for (const match of [...line.text.matchAll(NAME)].toReversed()) {
      const start = match.index + match[0].length;
      const length = nameLength(line.text.slice(start));
      if (length === 0) continue;
      const said = quote(line, start, length);
      return { value: said.text, confidence: SURE, spans: [said] };
    }
  }
  return UNKNOWN;
};

/** How much of what follows is a name: up to three words, until punctuation or a word that is none. */
function nameLength(after: string): number {
  let length = 0;
  let words = 0;
  for (const match of after.matchAll(/\s*([\p{L}][\p{L}'’-]*)([.,;!?]?)/gu)) {
    const [whole, word = "", stop = ""] = match;
    if (match.index !== length || NO_NAME.test(word) || words === MAX_NAME_WORDS) break;
    words++;
    if (stop !== "") return length + whole.length - stop.length;
    length += whole.length;
  }
  return length;
}

const MIN_PHONE_DIGITS = 7;
const MAX_PHONE_DIGITS = 15;

const callbackNumber: Rule = ({ caller }) => {
  for (const line of caller.toReversed()) {
    const said = numbersIn(line).findLast(({ digits }) => {
      const count = digits.replace("+", "").length;
      return count >= MIN_PHONE_DIGITS && count <= MAX_PHONE_DIGITS;
    });
    if (said) return { value: said.digits, confidence: SURE, spans: [said.quote] };
  }
  return UNKNOWN;
};

const SYMPTOM =
  /\b(?:pains?|hurts?|ache|fever|rash|bleeding|breathe|dizzy|sick|swollen|unconscious|allergic)\b/i;
const MATTER =
  /\b(?:because|about|calling (?:for|to)|emergency|urgent|need|want|would like|prescription|refill|appointment|bill|problem|question)\b/i;
const ABOUT_ME = /\b(?:my name is|this is|my number|call me (?:back )?(?:on|at)|reach me)\b/i;

/** A symptom goes before everything else, and a sentence that is about nothing else before part of one. */
const reason: Rule = ({ caller }) => {
  const sentences = caller.flatMap(sentencesOf);
  const parts = caller.flatMap(partsOf);
  const which = (pattern: RegExp): Quote | undefined =>
    sentences.find(({ text }) => pattern.test(text) && !ABOUT_ME.test(text)) ??
    parts.find(({ text }) => pattern.test(text) && !ABOUT_ME.test(text)) ??
    sentences.find(({ text }) => pattern.test(text));
  const found = which(SYMPTOM) ?? which(MATTER);
  return found ? { value: found.text, confidence: LIKELY, spans: [found] } : UNKNOWN;
};

const RULES: Readonly<Record<string, Rule>> = {
  sentiment,
  intent,
  leadScore,
  escalate,
  outcome,
  name,
  callbackNumber,
  reason,
  urgency,
};

/** Says nothing about what is sought. */
const COMMON =
  /^(?:the|caller|callers?'?s?|their|they|whether|which|what|when|that|this|with|have|has|from|given?|said)$/i;
const NEGATION = /\b(?:no|not|never|without|don't|doesn't|isn't|haven't|hasn't)\b/i;

/** A thing that somebody else asks for: its own words are looked for. */
function bySubject(subject: string, type: string, said: Said): Claim {
  const words = subject
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .match(/\p{L}{4,}/gu)
    ?.filter((word) => !COMMON.test(word));
  if (!words || words.length === 0) return UNKNOWN;
  const pattern = new RegExp(`\\b(?:${[...new Set(words)].join("|")})\\b`, "i");
  const answer = answerAbout(pattern, said);
  if (answer === null) return UNKNOWN;
  if (type === "boolean") {
    return { value: !NEGATION.test(answer.text), confidence: LIKELY, spans: [answer] };
  }
  if (type === "number" || type === "integer") {
    const [number] = numbersIn({ entry: answer.entry, speaker: "caller", text: answer.text });
    if (!number) return UNKNOWN;
    const { start, end, text } = number.quote;
    const spans = [{ entry: answer.entry, start: answer.start + start, end: answer.start + end, text }];
    return { value: Number(number.digits), confidence: LIKELY, spans };
  }
  const after = /\b(?:is|are|was|it's|called)\s+(.+?)[.,;!?]*$/i.exec(answer.text);
  const value = after?.[1] ?? answer.text;
  const start = answer.start + answer.text.lastIndexOf(value);
  const spans = [{ entry: answer.entry, start, end: start + value.length, text: value }];
  return { value, confidence: LIKELY, spans };
}

/** The caller's sentence about it, or what they said after they were asked about it. */
function answerAbout(pattern: RegExp, { caller, all }: Said): Quote | null {
  const said = caller.flatMap(sentencesOf).findLast(({ text }) => pattern.test(text));
  if (said) return said;
  const asked = all.findLastIndex(({ speaker, text }) => speaker === "agent" && pattern.test(text));
  const next = asked < 0 ? undefined : all.slice(asked + 1).find(({ speaker }) => speaker === "caller");
  return next ? (sentencesOf(next)[0] ?? null) : null;
}

/** What is claimed of `subject`, a name of the form; `description` and `type` help with what is not known by name. */
export function claimOf(
  subject: string,
  { description, type }: { readonly description: string; readonly type: string },
  said: Said,
): Claim {
  const rule = Object.hasOwn(RULES, subject) ? RULES[subject] : undefined;
  return rule ? rule(said) : bySubject(`${subject} ${description}`, type, said);
}
