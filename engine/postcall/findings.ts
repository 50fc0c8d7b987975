/**
 * What the model says was found, checked: every place that it names is looked for in the transcript, and only
 * what is there is kept. Pure.
 */
import type {
  Evidence,
  Finding,
  Findings,
  SlotEvidence,
  SlotValue,
  SlotValues,
  Span,
} from "../postcall-port.ts";
import type { TranscriptEntry } from "../ports.ts";
import type { ClaimedSpan, Extraction } from "./schema.ts";
import { heardOf } from "./transcript.ts";

const MAX_SPANS = 20;
const MAX_VALUE_CHARS = 2000;

export interface Found {
  readonly findings: Findings;
  /** Names, numbers and words: protected. */
  readonly slots: SlotValues;
}

interface Claim {
  readonly confidence: number;
  readonly spans: readonly ClaimedSpan[];
}

class SpanCheck {
  readonly #transcript: readonly TranscriptEntry[];
  dropped = 0;
  realigned = 0;

  constructor(transcript: readonly TranscriptEntry[]) {
    this.#transcript = transcript;
  }

  evidence({ confidence, spans }: Claim): Evidence {
    this.dropped += Math.max(0, spans.length - MAX_SPANS);
    const known = spans.slice(0, MAX_SPANS).flatMap((each) => this.#locate(each) ?? []);
    return { confidence, spans: known, supported: known.length > 0 };
  }

  /**
   * A model quotes well and counts badly: words that stand elsewhere in the entry that it names are taken from
   * where they are nearest to where it says. Words that are not there at all are no evidence.
   */
  #locate({ entry, start, end, text }: ClaimedSpan): Span | null {
    const said = this.#transcript[entry];
    const whole = said && said.speaker !== "coach" ? heardOf(said) : "";
    if (text.trim() === "" || !whole.includes(text)) {
      this.dropped++;
      return null;
    }
    if (end === start + text.length && whole.startsWith(text, start)) return { entry, start, end };
    this.realigned++;
    const nearest = nearestTo(start, whole, text);
    return { entry, start: nearest, end: nearest + text.length };
  }
}

function nearestTo(start: number, whole: string, text: string): number {
  const before = whole.lastIndexOf(text, start);
  const after = whole.indexOf(text, start);
  if (before < 0 || after < 0) return Math.max(before, after);
  return start - before <= after - start ? before : after;
}

export function checked(extraction: Extraction, transcript: readonly TranscriptEntry[]): Found {
  const spans = new SpanCheck(transcript);
  const found = <T>(claim: Claim & { readonly value: T }): Finding<T> => ({
    value: claim.value,
    ...spans.evidence(claim),
  });
  const evidence: Record<string, SlotEvidence> = {};
  const slots: Record<string, SlotValue> = {};
  const claims = extraction.slots as Readonly<Record<string, Claim & { readonly value: SlotValue }>>;
  for (const [name, claim] of Object.entries(claims)) {
    const { value, confidence, spans: claimed } = claim;
    const filled = value !== null && value !== "";
    // Of nothing there is no evidence.
    evidence[name] = { filled, ...spans.evidence({ confidence, spans: filled ? claimed : [] }) };
    slots[name] = filled ? shortened(value) : null;
  }
  const { sentiment, intent, leadScore, escalate, outcome } = extraction;
  const findings = {
    sentiment: found(sentiment),
    intent: found(intent),
    leadScore: found(leadScore),
    escalate: found(escalate),
    outcome: found(outcome),
    slots: evidence,
  };
  const { dropped: spansDropped, realigned: spansRealigned } = spans;
  return { findings: { ...findings, spansDropped, spansRealigned }, slots };
}

function shortened(value: SlotValue): SlotValue {
  return typeof value === "string" ? value.slice(0, MAX_VALUE_CHARS) : value;
}
