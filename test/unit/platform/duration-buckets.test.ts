import { describe, expect, test } from "bun:test";
import { DurationBuckets } from "../../../engine/platform/duration-buckets.ts";

describe("durations in few buckets", () => {
  test("are counted up to each bound, and those beyond the last in the total alone", () => {
    const durations = new DurationBuckets([1000, 60_000]);
    for (const ms of [0, 1000, 1001, 60_000, 60_001, 3_600_000]) durations.record(ms);
    expect(durations.cumulative()).toEqual([2, 4]);
    expect(durations.count).toBe(6);
    expect(durations.sumMs).toBe(0 + 1000 + 1001 + 60_000 + 60_001 + 3_600_000);
  });

  test("of a clock that stepped back are none", () => {
    const durations = new DurationBuckets([1000]);
    durations.record(-5);
    expect([durations.cumulative(), durations.sumMs]).toEqual([[1], 0]);
  });

  test("need bounds that rise", () => {
    expect(() => new DurationBuckets([2, 1])).toThrow("bounds rise");
  });
});
