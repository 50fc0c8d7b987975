import { describe, expect, test } from "bun:test";
import { LegTotals } from "../../../engine/media/leg-totals.ts";

const leg = (marksSent: number, more: Readonly<Record<string, number>> = {}) => ({
  counters: () => ({ marksSent, roundTripMs: 40, queuedBytes: 160, ...more }),
});

describe("what all streams counted", () => {
  test("is kept when a stream ends, and counts those that run once", () => {
    const totals = new LegTotals();
    const first = leg(3);
    expect(totals.with([first, leg(4, { underruns: 1 })])).toEqual({ marksSent: 7, underruns: 1 });
    totals.end(first);
    expect(totals.with([leg(4, { underruns: 1 })])).toEqual({ marksSent: 7, underruns: 1 });
    expect(totals.with([])).toEqual({ marksSent: 3 });
  });
});
