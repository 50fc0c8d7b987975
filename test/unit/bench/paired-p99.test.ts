import { describe, expect, test } from "bun:test";
import { type Pair, p99Ratio } from "../../../bench/paired-p99.ts";
import { stolenMs } from "../../../bench/run-delay.ts";
import { seededIds } from "../../../engine/platform/ids.ts";

/** Pairs of windows in which two in a hundred are slow, `slowness` times as slow with as without. */
function pairsOf(count: number, slowness: number): Pair[] {
  const ids = seededIds(1);
  const window = (slowMs: number) =>
    Array.from({ length: 400 }, () => (ids.random() < 0.02 ? slowMs : 1) * (0.5 + ids.random()));
  return Array.from({ length: count }, () => ({ without: window(4), having: window(4 * slowness) }));
}

describe("the ratio of two p99s", () => {
  test("of the same is one, and its bounds are around it", () => {
    const { ratio, low, high } = p99Ratio(pairsOf(60, 1), seededIds(2));
    expect(ratio).toBeCloseTo(1, 1);
    expect(low).toBeLessThan(1);
    expect(high).toBeGreaterThan(1);
  });

  test("of what is half as slow again is told from one", () => {
    const { ratio, low, high } = p99Ratio(pairsOf(60, 1.5), seededIds(2));
    expect(ratio).toBeCloseTo(1.5, 1);
    expect(low).toBeGreaterThan(1.1);
    expect(high).toBeLessThan(1.9);
  });

  test("is the better known the more pairs there are", () => {
    const width = (count: number): number => {
      const { low, high } = p99Ratio(pairsOf(count, 1), seededIds(2));
      return high - low;
    };
    expect(width(80)).toBeLessThan(width(10));
  });

  test("needs a pair", () => {
    expect(() => p99Ratio([], seededIds(2))).toThrow("no pairs");
  });
});

test.skipIf(process.platform !== "linux")("what a host takes is counted in whole milliseconds", () => {
  expect(stolenMs()).toBeGreaterThanOrEqual(0);
});
