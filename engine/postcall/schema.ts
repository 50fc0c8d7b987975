/**
 * What a transcript is made into: the shape that the model is asked for. Of version {@link SCHEMA_VERSION}: a row
 * says by which version it was made, and a change of meaning takes another number.
 */
import { z } from "zod";
import { URGENCIES } from "../../machines/events.ts";
import { INTENTS, OUTCOMES, SENTIMENTS } from "../postcall-port.ts";

export const SCHEMA_VERSION = 1;

export const SLOT_TYPES = ["text", "number", "boolean"] as const;

/** A slot that a deployment adds. */
export interface SlotSpec {
  readonly name: string;
  readonly description: string;
  readonly type: (typeof SLOT_TYPES)[number];
}

/** Names of the slots that every deployment has. */
export const BUILT_IN_SLOTS = ["name", "callbackNumber", "reason", "urgency"] as const;

const span = z
  .strictObject({
    entry: z.int().min(0).describe("Number of the transcript's entry."),
    start: z.int().min(0).describe("Index of the quotation's first character in the entry's text, from 0."),
    end: z.int().min(0).describe("Index after its last character."),
    text: z.string().describe("The quotation, character for character as it stands in the entry."),
  })
  .describe("A place in the transcript that shows it.");

export type ClaimedSpan = z.output<typeof span>;

function finding<T extends z.ZodType>(value: T, description: string) {
  return z
    .strictObject({
      value,
      confidence: z.number().min(0).max(1),
      spans: z.array(span),
    })
    .describe(description);
}

const VALUES = { text: z.string(), number: z.number(), boolean: z.boolean() } as const;

function slotsSchema(added: readonly SlotSpec[]) {
  const builtIn = {
    name: finding(z.string().nullable(), "The caller's name, as they gave it; null when they did not."),
    callbackNumber: finding(
      z.string().nullable(),
      "The number on which the caller wants to be called back: digits, with + before a country code; null when none was given.",
    ),
    reason: finding(z.string().nullable(), "Why they called, in one sentence in their own words."),
    urgency: finding(
      z.enum(URGENCIES).nullable(),
      "How soon somebody must act; null when it cannot be told.",
    ),
  };
  const own = added.map(
    ({ name, description, type }) => [name, finding(VALUES[type].nullable(), description)] as const,
  );
  return z.strictObject({ ...builtIn, ...Object.fromEntries(own) });
}

/** The shape of an answer, for a deployment with these slots of its own. */
export function extractionSchema(added: readonly SlotSpec[]) {
  return z.strictObject({
    sentiment: finding(z.enum(SENTIMENTS), "How the caller felt, towards the end."),
    intent: finding(z.enum(INTENTS), "What the caller wanted most."),
    leadScore: finding(
      z.int().min(0).max(100),
      "How much the caller wants to become, or to remain, a customer: 0 not at all, 100 they have said so.",
    ),
    escalate: finding(z.boolean(), "Whether a person should look at this call soon."),
    outcome: finding(z.enum(OUTCOMES), "What became of what the caller wanted."),
    slots: slotsSchema(added),
  });
}

export type ExtractionSchema = ReturnType<typeof extractionSchema>;
export type Extraction = z.output<ExtractionSchema>;

/** The same as JSON Schema, in the subset that strict structured output takes. */
export function formatOf(schema: ExtractionSchema) {
  const { $schema: _draft, ...body } = z.toJSONSchema(schema, { target: "draft-7", reused: "inline" });
  return { name: `call_extraction_v${SCHEMA_VERSION}`, schema: body as Readonly<Record<string, unknown>> };
}

/** Version of what a row tells of its cost. */
export const COST_VERSION = 1;

/**
 * What the carrier bills by the minute: the caller's leg, legs to people, the AI's leg, media streams, everybody's time
 * in the conference, and recordings.
 */
export const CARRIER_KINDS = ["inbound", "outbound", "app", "stream", "conference", "recording"] as const;
export type CarrierKind = (typeof CARRIER_KINDS)[number];

const COST_PARTS = ["model", "extraction", ...CARRIER_KINDS, "messages"] as const;
export type CostPart = (typeof COST_PARTS)[number];

/**
 * Why something that was used may not be counted.
 * - `in_progress`: the call is not over; - `restart`: an engine died, and what it had counted last with it;
 * - `follow_up`: people are, or were, paged on after the call; - `transcription`: writing down what the caller says is
 *   billed apart, by another model; - `answers`: the model did not say what some of its answers took, as when its
 *   connection was lost or its session ended meanwhile; - `extraction_retried`: attempts to read the transcript that
 *   failed may be billed.
 */
const COST_GAPS = [
  "in_progress",
  "restart",
  "follow_up",
  "transcription",
  "answers",
  "extraction_retried",
] as const;
export type CostGap = (typeof COST_GAPS)[number];

const count = z.int().min(0);
/** Millionths of the currency; `null`: it has no price. */
const micros = z.int().min(0).nullable();
const line = z.strictObject({ minutes: count, micros });

/** What a call cost, as its row tells it. */
export const costSchema = z
  .strictObject({
    schemaVersion: z.literal(COST_VERSION),
    currency: z.string(),
    /** Day on which the prices were so, as the deployment says. */
    pricesAsOf: z.string().nullable(),
    /** Of all that has a price. */
    totalMicros: z.int().min(0),
    /** All that was used is counted, and has a price. */
    complete: z.boolean(),
    unpriced: z.array(z.enum(COST_PARTS)).readonly(),
    gaps: z.array(z.enum(COST_GAPS)).readonly(),
    model: z.strictObject({
      name: z.string().nullable(),
      tokens: z.strictObject({
        textInput: count,
        cachedTextInput: count,
        textOutput: count,
        audioInput: count,
        cachedAudioInput: count,
        audioOutput: count,
      }),
      micros,
    }),
    extraction: z
      .strictObject({ model: z.string().nullable(), inputTokens: count, outputTokens: count, micros })
      .nullable(),
    carrier: z.strictObject({
      inbound: line,
      outbound: line,
      app: line,
      stream: line,
      conference: line,
      recording: line,
    }),
    messages: z.strictObject({ count, micros }),
  })
  .readonly();

export type CallCost = z.output<typeof costSchema>;
