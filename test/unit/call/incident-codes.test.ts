import { describe, expect, test } from "bun:test";
import { IncidentCodes } from "../../../engine/call/incident-codes.ts";
import { START_MS } from "./support.ts";

describe("the codes of incidents", () => {
  test("are a letter and a digit, and stay the same for an incident", () => {
    const codes = new IncidentCodes(START_MS);
    const code = codes.of("CA1", 1);
    expect(code).toMatch(/^[A-Z][2-9]$/);
    expect(codes.of("CA1", 1)).toBe(code);
    expect(codes.of("CA1", 2)).not.toBe(code);
  });

  test("are never alike while both incidents are open, however many there are", () => {
    const codes = new IncidentCodes(START_MS);
    const given = Array.from({ length: 2000 }, (_, i) => codes.of(`CA${i}`, 1));
    expect(new Set(given).size).toBe(2000);
    expect(given.filter((code) => code.length === 2)).toHaveLength(152);
    for (const code of given) expect(code).toMatch(/^[A-Z][2-9]+$/);
  });

  test("may be given again when their incident is over, but not at once", () => {
    const codes = new IncidentCodes(START_MS);
    const first = codes.of("CA1", 1);
    codes.release("CA1", 1);
    expect(codes.of("CA2", 1)).not.toBe(first);
    const later = Array.from({ length: 151 }, (_, i) => codes.of(`CB${i}`, 1));
    expect(later).toContain(first);
  });

  test("are others with an engine that begins a little later", () => {
    const codesFrom = (atMs: number): readonly string[] => {
      const codes = new IncidentCodes(atMs);
      return Array.from({ length: 10 }, (_, i) => codes.of(`CA${i}`, 1));
    };
    expect(new Set([...codesFrom(START_MS), ...codesFrom(START_MS + 60_000)]).size).toBe(20);
  });

  test("can be released by an incident that never had one", () => {
    expect(() => new IncidentCodes(START_MS).release("CA1", 1)).not.toThrow();
  });
});
