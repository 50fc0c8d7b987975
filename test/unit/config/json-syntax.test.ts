import { expect, test } from "bun:test";
import fc from "fast-check";
import { findJsonMistake } from "../../../engine/config/json-syntax.ts";

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("every JSON text is free of mistakes, however it is laid out", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("", " ", "\t", "  "), (value, indent) => {
      expect(findJsonMistake(JSON.stringify(value, null, indent))).toBeNull();
    }),
    { numRuns: 300 },
  );
});

test("a mistake is found exactly where JSON.parse refuses", () => {
  const pieces = fc.constantFrom(..."{}[],:\"'\\ \n019-+.eEtrufalsn\u0001".split(""));
  const cut = fc.record({
    value: fc.jsonValue(),
    at: fc.nat(40),
    drop: fc.nat(2),
    put: fc.string({ unit: pieces, maxLength: 2 }),
  });
  fc.assert(
    fc.property(cut, ({ value, at, drop, put }) => {
      const text = JSON.stringify(value);
      const broken = text.slice(0, at) + put + text.slice(at + drop);
      expect(findJsonMistake(broken) === null).toBe(parses(broken));
    }),
    { numRuns: 3000 },
  );
});
