/** What a model claims is held against the transcript. */
import { describe, expect, test } from "bun:test";
import type { TranscriptEntry } from "../../../engine/ports.ts";
import { checked } from "../../../engine/postcall/findings.ts";
import {
  type ClaimedSpan,
  type Extraction,
  extractionSchema,
  formatOf,
} from "../../../engine/postcall/schema.ts";
import { inputOf, isSpoken, linesOf } from "../../../engine/postcall/transcript.ts";

const TRANSCRIPT: readonly TranscriptEntry[] = [
  { atMs: 0, speaker: "agent", text: "How can I help you today?", heardText: "How can I help" },
  { atMs: 1, speaker: "caller", text: "I am Ann. Ann Lee, it hurts 💥 badly." },
  { atMs: 2, speaker: "coach", text: "Ask for Ann's age." },
];

const claim = <T>(value: T, ...spans: ClaimedSpan[]) => ({ value, confidence: 0.5, spans });
const span = (entry: number, start: number, text: string, end = start + text.length): ClaimedSpan => ({
  entry,
  start,
  end,
  text,
});

function extraction(name: ReturnType<typeof claim<string | null>>): Extraction {
  return {
    sentiment: claim("neutral"),
    intent: claim("other"),
    leadScore: claim(10),
    escalate: claim(false),
    outcome: claim("unresolved"),
    slots: {
      name,
      callbackNumber: claim(null),
      reason: claim(null),
      urgency: claim(null),
    },
  };
}

const nameOf = (...spans: ClaimedSpan[]) => {
  const { findings, slots } = checked(extraction(claim("Ann Lee", ...spans)), TRANSCRIPT);
  const { spansDropped, spansRealigned } = findings;
  return { ...findings.slots["name"], value: slots["name"], spansDropped, spansRealigned };
};

describe("a place that a model names", () => {
  test("is kept when the words are there", () => {
    expect(nameOf(span(1, 10, "Ann Lee"))).toEqual({
      value: "Ann Lee",
      filled: true,
      confidence: 0.5,
      supported: true,
      spans: [{ entry: 1, start: 10, end: 17 }],
      spansDropped: 0,
      spansRealigned: 0,
    });
  });

  test.each([
    ["words that nobody said", span(1, 10, "Ann Leo")],
    ["words of another entry", span(0, 10, "Ann Lee")],
    ["an entry that is not there", span(9, 0, "Ann Lee")],
    ["what the caller did not hear", span(0, 15, "you today")],
    ["a whisper", span(2, 8, "Ann")],
    ["no words", span(1, 3, "")],
    ["a blank", span(1, 1, " ")],
  ])("is dropped and counted when it is %s, and the value is marked", (_, wrong) => {
    expect(nameOf(wrong)).toMatchObject({
      value: "Ann Lee",
      filled: true,
      supported: false,
      spans: [],
      spansDropped: 1,
    });
  });

  test.each([
    ["counted wrong", span(1, 11, "Ann Lee"), 10],
    ["beyond the end", span(1, 500, "Ann Lee"), 10],
    ["of another length", span(1, 10, "Ann Lee", 12), 10],
    ["nearer to its first occurrence", span(1, 4, "Ann"), 5],
    ["nearer to its second occurrence", span(1, 9, "Ann"), 10],
    ["after a character of two units", span(1, 30, "badly"), 31],
  ])("is corrected and counted when it is %s", (_, wrong, start) => {
    expect(nameOf(wrong)).toMatchObject({
      supported: true,
      spans: [{ entry: 1, start, end: start + wrong.text.length }],
      spansDropped: 0,
      spansRealigned: 1,
    });
  });

  test("is one of twenty at most", () => {
    const many = Array.from({ length: 25 }, () => span(1, 10, "Ann"));
    const { spans, spansDropped } = nameOf(...many);
    expect([spans?.length, spansDropped]).toEqual([20, 5]);
  });
});

test("of a slot without a value there is no evidence", () => {
  const { findings, slots } = checked(extraction(claim(null, span(1, 10, "Ann Lee"))), TRANSCRIPT);
  expect(findings.slots["name"]).toMatchObject({ filled: false, supported: false, spans: [] });
  expect(slots["name"]).toBeNull();
  expect(checked(extraction(claim("")), TRANSCRIPT).slots["name"]).toBeNull();
});

test("nothing that is found quotes anybody, but the values of slots", () => {
  const { findings } = checked(extraction(claim("Ann Lee", span(1, 10, "Ann Lee"))), TRANSCRIPT);
  expect(JSON.stringify(findings)).not.toContain("Ann");
});

describe("what is read", () => {
  test("is what was said and heard, under its number in the row, and no whisper", () => {
    expect(JSON.parse(inputOf(linesOf(TRANSCRIPT)))).toEqual([
      { entry: 0, speaker: "agent", text: "How can I help" },
      { entry: 1, speaker: "caller", text: "I am Ann. Ann Lee, it hurts 💥 badly." },
    ]);
    expect(isSpoken(TRANSCRIPT)).toBe(true);
    expect(isSpoken(TRANSCRIPT.slice(0, 1))).toBe(false);
  });

  test("of a call of many hours is its beginning and its end", () => {
    const long = Array.from({ length: 400 }, (_, index): TranscriptEntry => ({
      atMs: index,
      speaker: "caller",
      text: "x".repeat(1000),
    }));
    const entries = linesOf(long).map(({ entry }) => entry);
    expect([entries.length, entries[0], entries[149], entries[150], entries.at(-1)]).toEqual([
      300, 0, 149, 250, 399,
    ]);
  });
});

describe("the form", () => {
  const { name, schema } = formatOf(
    extractionSchema([{ name: "weightKg", description: "Weight.", type: "number" }]),
  );

  test("has its version in its name, and the slots of the deployment", () => {
    expect(name).toBe("call_extraction_v1");
    const text = JSON.stringify(schema);
    for (const word of ["callbackNumber", "weightKg", "Weight."]) expect(text).toContain(word);
  });

  test("has closed objects only, all of whose members are required, and no keyword that strict output refuses", () => {
    const objects: Record<string, unknown>[] = [];
    const visit = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      if ((node as { type?: unknown }).type === "object") objects.push(node as Record<string, unknown>);
      for (const inner of Object.values(node)) visit(inner);
    };
    visit(schema);
    expect(objects.length).toBeGreaterThan(10);
    for (const { additionalProperties, properties, required } of objects) {
      expect(additionalProperties).toBe(false);
      expect(required).toEqual(Object.keys(properties as object));
    }
    const text = JSON.stringify(schema);
    for (const word of ["$schema", "$ref", "oneOf", "allOf", "minLength", "default"])
      expect(text).not.toContain(`"${word}"`);
  });
});
