import { describe, expect, test } from "bun:test";
import { BOUNDS_MS, Histogram } from "../../../engine/platform/histogram.ts";
import { seededIds } from "../../../engine/platform/ids.ts";

const of = (...values: number[]): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
};

describe("a histogram", () => {
  test("tells quantiles to a few percent from a microsecond to a minute", () => {
    const { random } = seededIds(1);
    const values = Array.from({ length: 20_000 }, () => 0.001 * 6e7 ** random());
    const histogram = of(...values);
    values.sort((a, b) => a - b);
    for (const q of [0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = values[Math.ceil(q * values.length) - 1] as number;
      expect(Math.abs(histogram.quantile(q) / exact - 1)).toBeLessThan(0.033);
    }
  });

  test("counts, sums and keeps the longest", () => {
    const histogram = of(1, 2, 3.5);
    expect([histogram.count, histogram.sumMs, histogram.maxMs]).toEqual([3, 6.5, 3.5]);
    expect(histogram.quantile(1)).toBe(3.5);
  });

  test("is empty at first and after a reset", () => {
    const histogram = of(5);
    histogram.reset();
    for (const empty of [new Histogram(), histogram]) {
      expect([empty.count, empty.sumMs, empty.maxMs, empty.quantile(0.5)]).toEqual([0, 0, 0, 0]);
      expect(empty.cumulative().every((count) => count === 0)).toBe(true);
    }
  });

  test("takes what is negative for 0, and what is out of range for its end", () => {
    const histogram = of(-3, 0, 1e9);
    expect([histogram.count, histogram.sumMs, histogram.maxMs]).toEqual([3, 1e9, 1e9]);
    expect(histogram.quantile(0.5)).toBe(0);
    expect(histogram.quantile(1)).toBeGreaterThan(60_000);
  });

  test("adds up with another as if it had recorded both", () => {
    const both = of(0.02, 7);
    both.mergeFrom(of(7, 900));
    const one = of(0.02, 7, 7, 900);
    expect([both.count, both.sumMs, both.maxMs]).toEqual([one.count, one.sumMs, one.maxMs]);
    expect(both.cumulative()).toEqual(one.cumulative());
  });

  test("counts exactly what is shorter than each bound", () => {
    const { random } = seededIds(2);
    const values = Array.from({ length: 5000 }, () => 0.001 * 1e7 ** random());
    for (const bound of BOUNDS_MS) values.push(bound * (1 - 1e-6), bound * (1 + 1e-6));
    const expected = BOUNDS_MS.map((bound) => values.filter((value) => value < bound).length);
    expect(of(...values).cumulative()).toEqual(expected);
  });

  test("tells its buckets by what their values are below, which is at most a sixteenth more", () => {
    const { random } = seededIds(3);
    for (let i = 0; i < 1000; i++) {
      const ms = 0.001 * 1e7 ** random();
      const [[belowMs, count] = [0, 0], ...others] = of(ms, ms).buckets();
      expect([count, others.length]).toEqual([2, 0]);
      expect(belowMs).toBeGreaterThan(ms);
      expect(belowMs).toBeLessThanOrEqual(ms * (17 / 16));
    }
    expect(of(0, 5).buckets()).toEqual([
      [2 ** -10, 1],
      [5.25, 1],
    ]);
  });
});
