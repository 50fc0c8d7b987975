import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fitsMessage, gsmLength, oneLine, withGsmTwins } from "../../../engine/call/short-text.ts";

describe("a text made one line", () => {
  test("has no control characters, no double spaces and no links", () => {
    expect(oneLine(" a\u0000b\r\n\tc \u202Ed\u200B  e ")).toBe("a b c d e");
    expect(oneLine("see https://evil.example/?a=1 or www.evil.example now")).toBe("see or now");
    expect(oneLine("chest pain.")).toBe("chest pain");
  });

  test("is cut between words, or within one that is too long, and never within a character", () => {
    expect(oneLine("one two three", 13)).toBe("one two three");
    expect(oneLine("one two three", 12)).toBe("one two...");
    expect(oneLine("x".repeat(50), 10)).toBe(`${"x".repeat(7)}...`);
    expect(oneLine("😀".repeat(50), 10)).toBe(`${"😀".repeat(3)}...`);
  });

  test("is never longer than it may be, whatever comes", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 400 }),
        fc.integer({ min: 3, max: 250 }),
        (text, max) => {
          const line = oneLine(text, max);
          expect(line.length).toBeLessThanOrEqual(max);
          expect(line).not.toMatch(/\p{Cc}|\p{Cs}/u);
          expect(line).toBe(line.trim());
        },
      ),
    );
  });
});

describe("the length of a text", () => {
  test("counts what the telephone's alphabet has to escape twice, and is none outside of it", () => {
    expect(gsmLength("abc @£é")).toBe(7);
    expect(gsmLength("[€]")).toBe(6);
    expect(gsmLength("naïve")).toBeNull();
    expect(gsmLength(withGsmTwins("“it’s” – so…\u00A0`"))).toBe(16);
  });

  test("decides how many messages it takes", () => {
    expect(fitsMessage("a".repeat(160))).toBe(true);
    expect(fitsMessage("a".repeat(161))).toBe(false);
    expect(fitsMessage("я".repeat(201))).toBe(true);
    expect(fitsMessage("я".repeat(202))).toBe(false);
  });
});
