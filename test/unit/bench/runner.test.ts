import { describe, expect, test } from "bun:test";
import {
  compare,
  comparedRow,
  fold,
  foldText,
  isMet,
  pairedRatio,
  sampledRow,
  summarise,
} from "../../../bench/runner.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

/** A variant that takes a known time on a virtual clock. */
function taking(clock: VirtualClock, name: string, msPerOperation: () => number, result = 1) {
  return {
    name,
    run: (operations: number) => {
      clock.advance(operations * msPerOperation());
      return result;
    },
  };
}

describe("statistics", () => {
  test("the median of an odd number of values is the middle one, of an even number the mean of two", () => {
    expect(summarise([9, 1, 5]).median).toBe(5);
    expect(summarise([4, 1, 3, 2]).median).toBe(2.5);
    expect(summarise([7])).toEqual({ median: 7, p99: 7, samples: 1 });
  });

  test("p99 is the value that 99 % of the samples do not exceed", () => {
    const thousand = Array.from({ length: 1000 }, (_, i) => 1000 - i);
    expect(summarise(thousand).p99).toBe(990);
    expect(summarise(thousand.slice(0, 100)).p99).toBe(999);
    expect(summarise(thousand.slice(0, 10)).p99).toBe(1000);
  });

  test("values are ordered as numbers and left as they were given", () => {
    const values = [100, 20, 3];
    expect(summarise(values).median).toBe(20);
    expect(values).toEqual([100, 20, 3]);
  });

  test("no values have no summary", () => {
    expect(() => summarise([])).toThrow("no values");
  });

  test("the ratio is the median of the pairs' ratios, not the ratio of the medians", () => {
    // The machine was ten times slower in the last two pairs.
    expect(pairedRatio([2, 2, 20, 20, 22], [1, 1, 10, 10, 11])).toBe(2);
    expect(pairedRatio([3, 9, 2], [1, 1, 1])).toBe(3);
  });

  test("a baseline that took no time is left out", () => {
    expect(pairedRatio([5, 6], [0, 2])).toBe(3);
    expect(pairedRatio([5], [0])).toBeNull();
  });

  test("a fold depends on values and on their order", () => {
    expect(fold(fold(0, 1), 2)).not.toBe(fold(fold(0, 2), 1));
    expect(foldText(0, "ab", 1)).not.toBe(foldText(0, "ac", 1));
    expect(foldText(0, "ab", 0)).not.toBe(foldText(0, "abc", 0));
  });
});

describe("comparing variants", () => {
  test("each gets its time per operation, and its ratio to the first", async () => {
    const clock = new VirtualClock();
    const [baseline, other] = await compare({
      clock,
      variants: [taking(clock, "a", () => 2), taking(clock, "b", () => 3)],
      repetitions: 5,
      warmUps: 0,
      operations: 10,
    });
    expect(baseline).toMatchObject({ name: "a", ratio: null });
    expect(baseline?.ns.median).toBeCloseTo(2e6, 0);
    expect(other?.ns).toMatchObject({ samples: 5 });
    expect(other?.ratio).toBeCloseTo(1.5, 9);
  });

  test("warm-ups run but do not count", async () => {
    const clock = new VirtualClock();
    let runs = 0;
    const slowAtFirst = taking(clock, "a", () => (++runs <= 3 ? 1000 : 1));
    const [only] = await compare({
      clock,
      variants: [slowAtFirst],
      repetitions: 2,
      warmUps: 3,
      operations: 1,
    });
    expect(runs).toBe(5);
    expect(only?.ns).toMatchObject({ samples: 2, p99: expect.closeTo(1e6, 0) });
  });

  test("the variants take turns in going first", async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    const noted = (name: string) => ({
      name,
      run: () => {
        order.push(name);
        return 0;
      },
    });
    await compare({
      clock,
      variants: [noted("a"), noted("b"), noted("c")],
      repetitions: 3,
      warmUps: 0,
      operations: 1,
    });
    expect(order.join("")).toBe("abcbcacab");
  });

  test("a drift of the machine does not change the ratio", async () => {
    const clock = new VirtualClock();
    let slowness = 1;
    const baseline = taking(clock, "a", () => (slowness *= 1.01));
    const [, other] = await compare({
      clock,
      variants: [baseline, taking(clock, "b", () => 2 * slowness)],
      repetitions: 101,
      warmUps: 0,
      operations: 1,
    });
    expect(other?.ratio).toBeGreaterThan(1.95);
    expect(other?.ratio).toBeLessThan(2.05);
  });

  test("an asynchronous variant is timed until it is done", async () => {
    const clock = new VirtualClock();
    const later = {
      name: "later",
      run: async () => {
        await Promise.resolve();
        clock.advance(7);
        return 1;
      },
    };
    const [only] = await compare({ clock, variants: [later], repetitions: 1, warmUps: 0, operations: 1 });
    expect(only?.ns.median).toBeCloseTo(7e6, 0);
  });

  test("variants that give different results are refused", async () => {
    const clock = new VirtualClock();
    const variants = [taking(clock, "a", () => 1, 1), taking(clock, "b", () => 1, 2)];
    const running = compare({ clock, variants, repetitions: 1, warmUps: 0, operations: 1 });
    await expect(running).rejects.toThrow('"b" and "a" gave different results');
  });
});

describe("rows", () => {
  const values = [1, 2, 3];

  test("a target is held against the figure that it names", () => {
    const row = (atMost: number, of: "median" | "p99") =>
      sampledRow({ what: "x", unit: "ms", values, target: { of, atMost } });
    expect(isMet(row(2, "median"))).toBe(true);
    expect(isMet(row(2, "p99"))).toBe(false);
    expect(isMet(sampledRow({ what: "x", unit: "ms", values }))).toBeNull();
  });

  test("a ratio that could not be had is not judged", () => {
    const target = { of: "ratio", atMost: 1 } as const;
    expect(isMet(sampledRow({ what: "x", unit: "ms", values, target }))).toBeNull();
    expect(isMet(sampledRow({ what: "x", unit: "ms", values, against: [2, 4, 6], target }))).toBe(true);
  });

  test("long times are shown in microseconds, with the same ratio", () => {
    const ns = { median: 25_000, p99: 50_000, samples: 3 };
    const row = comparedRow({ name: "x", ns, ratio: 2, hash: 1 });
    expect(row).toMatchObject({ unit: "µs", ratio: 2, baseline: false });
    expect(row.median).toBeCloseTo(25);
    expect(row.p99).toBeCloseTo(50);
  });
});
