import { describe, expect, test } from "bun:test";
import { IncidentCodes } from "../../../engine/call/incident-codes.ts";

describe("the codes of incidents", () => {
  test("are a letter and a digit, and stay the same for an incident", () => {
    const codes = new IncidentCodes();
    const code = codes.of("CA1", 1);
    expect(code).toMatch(/^[A-Z][2-9]$/);
    expect(codes.of("CA1", 1)).toBe(code);
    expect(codes.of("CA1", 2)).not.toBe(code);
  });

  test("are never alike while both incidents are open, however many there are", () => {
    const codes = new IncidentCodes();
    const given = Array.from({ length: 2000 }, (_, i) => codes.of(`CA${i}`, 1));
    expect(new Set(given).size).toBe(2000);
    expect(given.filter((code) => code.length === 2)).toHaveLength(152);
    for (const code of given) expect(code).toMatch(/^[A-Z][2-9]+$/);
  });

  test("may be given again when their incident is over, but not at once", () => {
    const codes = new IncidentCodes();
    const first = codes.of("CA1", 1);
    codes.release("CA1", 1);
    expect(codes.of("CA2", 1)).not.toBe(first);
    const later = Array.from({ length: 151 }, (_, i) => codes.of(`CB${i}`, 1));
    expect(later).toContain(first);
  });

  test("can be released by an incident that never had one", () => {
    expect(() => new IncidentCodes().release("CA1", 1)).not.toThrow();
  });
});
