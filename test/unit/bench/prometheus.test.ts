import { describe, expect, test } from "bun:test";
import { histogramQuantile, readHistograms, sampleCount } from "../../../bench/prometheus.ts";

const TEXT = `# HELP wait_seconds How long, in "seconds".
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.001"} 10
wait_seconds_bucket{le="0.01"} 90
wait_seconds_bucket{le="0.1"} 99
wait_seconds_bucket{le="+Inf"} 100
wait_seconds_sum 1.5e-1
wait_seconds_count 100
# TYPE calls_total counter
calls_total{reason="a \\"quoted\\", one",le="1"} 3 1700000000000
# any other comment

`;

function waiting(text = TEXT) {
  const histogram = readHistograms(text).get("wait_seconds");
  if (!histogram) throw new Error("no histogram");
  return histogram;
}

describe("histograms of Prometheus text", () => {
  test("are read with their buckets in order, and nothing else is taken for one", () => {
    expect([...readHistograms(TEXT).keys()]).toEqual(["wait_seconds"]);
    expect(waiting()).toEqual({
      bounds: [0.001, 0.01, 0.1, Number.POSITIVE_INFINITY],
      counts: [10, 90, 99, 100],
    });
    expect(sampleCount(waiting())).toBe(100);
  });

  test("are added up over other labels, and need not be in order", () => {
    const text = `# TYPE wait_seconds histogram
wait_seconds_bucket{hook="b",le="+Inf"} 5
wait_seconds_bucket{hook="a",le="1"} 2
wait_seconds_bucket{le="1",hook="b"} 4
wait_seconds_bucket{hook="a",le="+Inf"} 2`;
    expect(waiting(text)).toEqual({ bounds: [1, Number.POSITIVE_INFINITY], counts: [6, 7] });
  });

  test("that are only declared are left out", () => {
    expect(readHistograms("# TYPE wait_seconds histogram\n").size).toBe(0);
  });

  const quantiles: [number, number][] = [
    [0.05, 0.0005],
    [0.1, 0.001],
    [0.5, 0.001 + 0.009 * (40 / 80)],
    [0.9, 0.01],
    [0.945, 0.01 + 0.09 * (4.5 / 9)],
    [0.99, 0.1],
    [1, 0.1],
  ];
  for (const [q, seconds] of quantiles) {
    test(`quantile ${q} lies on a line within its bucket, and never above the last finite bound`, () => {
      expect(histogramQuantile(waiting(), q)).toBeCloseTo(seconds, 12);
    });
  }

  test("without samples have no quantile, and empty buckets hold none", () => {
    const empty = { bounds: [1, Number.POSITIVE_INFINITY], counts: [0, 0] };
    expect(histogramQuantile(empty, 0.5)).toBeNull();
    const late = { bounds: [1, 2, Number.POSITIVE_INFINITY], counts: [0, 4, 4] };
    expect(histogramQuantile(late, 0)).toBe(1);
    expect(histogramQuantile(late, 0.5)).toBe(1.5);
  });

  const refused: [string, string, RegExp][] = [
    ["a page", "<!doctype html>\n", /^line 1 is not Prometheus text: <!doctype html>$/],
    ["a line without a value", "# TYPE a counter\na\n", /^line 2 /],
    ["a value that is no number", "a 0x10\n", /^line 1 /],
    ["labels without quotes", "a{b=c} 1\n", /^line 1 /],
    ["a broken declaration", "# TYPE a\n", /^line 1 /],
    ["a bucket without its bound", '# TYPE a histogram\na_bucket{b="1"} 1\n', /^line 2 /],
    ["a bound that is no number", '# TYPE a histogram\na_bucket{le="x"} 1\n', /^line 2 /],
    ["buckets that never end", '# TYPE a histogram\na_bucket{le="1"} 1\n', /^a is no histogram/],
    [
      "buckets that fall",
      '# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\n',
      /^a is no histogram/,
    ],
  ];
  for (const [what, text, message] of refused) {
    test(`${what}: refused`, () => {
      expect(() => readHistograms(text)).toThrow(message);
    });
  }
});
