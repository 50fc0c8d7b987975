import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { redactText } from "../../../engine/privacy/redact.ts";
import { type Figures, measure, readMarked } from "./measured.ts";

const made = readMarked("sentences.txt");
const unseen = readMarked("unseen.txt");
const measured = measure(unseen).figures;

/** Least recall and precision on sentences that the redactor was not made with. */
const FLOORS: Readonly<Record<Figures["kind"], readonly [recall: number, precision: number]>> = {
  email: [1, 1],
  card: [1, 1],
  record: [0.85, 0.95],
  date: [0.95, 0.95],
  address: [1, 1],
  number: [0.95, 0.9],
  name: [0.95, 0.95],
  all: [0.97, 0.97],
};

describe("on sentences that it was not made with", () => {
  test.each(measured.map((each) => [each.kind, each] as const))(
    "%s: no less is found, and no more taken out, than is promised",
    (kind, { recall, precision, marked }) => {
      const [leastRecall, leastPrecision] = FLOORS[kind];
      expect(marked).toBeGreaterThan(3);
      expect(recall).toBeGreaterThanOrEqual(leastRecall);
      expect(precision).toBeGreaterThanOrEqual(leastPrecision);
    },
  );

  test("the table of docs/privacy.md is what was measured", () => {
    const doc = readFileSync(join(import.meta.dir, "../../../docs/privacy.md"), "utf8");
    const cells = doc
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .map((line) => line.split("|").map((cell) => cell.trim()));
    for (const { kind, marked, recall, precision } of measured) {
      const shown = [kind, String(marked), recall.toFixed(2), precision.toFixed(2)];
      expect(cells).toContainEqual(["", ...shown, ""]);
    }
  });
});

test("at least 200 sentences are measured, and those it was made with are right but for one", () => {
  expect(made.length + unseen.length).toBeGreaterThanOrEqual(200);
  expect(measure(made).wrong).toEqual([
    "Her name is Beatrice but everybody says Bea. → Her name is [name] but everybody says Bea.",
  ]);
});

test("what was taken out is told by its kind, and the rest stays as it was", () => {
  const { text, spans } = redactText("I am Nadia Petrov, born May 3, 1982: call 555-0142, ok?");
  expect(text).toBe("I am [name], born [date]: call [number], ok?");
  expect(spans).toEqual([
    { kind: "name", start: 5, end: 17 },
    { kind: "date", start: 24, end: 35 },
    { kind: "number", start: 42, end: 50 },
  ]);
});

test.each([
  "status 503 from 127.0.0.1:8080",
  "the model failed after 3 attempts",
  "connect ECONNREFUSED 10.0.0.1:443",
  "Twilio answered 400 after 12.5 ms",
  "",
  "[name] said [number]",
])("what an engine says of itself stays: %p", (text) => {
  expect(redactText(text)).toEqual({ text, spans: [] });
});

test("of sentences as they are said nothing more is taken out the second time", () => {
  for (const { text } of [...made, ...unseen]) {
    const once = redactText(text).text;
    expect(redactText(once).text).toBe(once);
  }
});

test("the spans of any text are in order and apart", () => {
  const lines = [...made, ...unseen].map(({ text }) => text);
  const pieces = fc.array(fc.oneof(fc.constantFrom(...lines), fc.string(), fc.string({ unit: "grapheme" })), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(pieces, (some) => {
      const text = some.join(" ");
      const { spans } = redactText(text);
      spans.forEach(({ start, end }, index) => {
        expect(start).toBeLessThan(end);
        expect(start).toBeGreaterThanOrEqual(spans[index - 1]?.end ?? 0);
      });
    }),
    { numRuns: 300 },
  );
});

test("no seven figures that belong together are left, however they are said", () => {
  const digit = fc.constantFrom(
    "zero",
    "oh",
    "one",
    "two",
    "five",
    "nine",
    "0",
    "1",
    "5",
    "double two",
    "triple 5",
  );
  const numbers = fc.array(digit, { minLength: 7, maxLength: 16 });
  fc.assert(
    fc.property(numbers, fc.constantFrom(" ", ", ", " - ", " dash "), (digits, between) => {
      const { text } = redactText(`You can reach me under ${digits.join(between)} from now on.`);
      expect(text).toMatch(/^You can reach me under \[(number|card)\] from now on\.$/);
    }),
  );
});

test("a word that every object has a property of is no digit", () => {
  const said = Array.from({ length: 8 }, () => "constructor").join(" ");
  expect(redactText(said)).toEqual({ text: said, spans: [] });
});
