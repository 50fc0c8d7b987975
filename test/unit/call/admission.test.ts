import { describe, expect, test } from "bun:test";
import { Admission } from "../../../engine/call/admission.ts";

const LIMITS = { maxLiveCalls: 100, loopLatenessMs: 5, minLiveCalls: 20 };

/** A minute's worth of seconds, each with its lateness, and what a caller would have been told in each. */
function play(admission: Admission, latenessMs: readonly number[], live = 40, fromMs = 0) {
  return latenessMs.map((p99Ms, second) => {
    admission.observe(fromMs + second * 1000, p99Ms, live);
    return admission.refusal(live, true);
  });
}

describe("admission", () => {
  test("refuses by number and while it drains, draining first", () => {
    const admission = new Admission(LIMITS);
    expect([admission.refusal(99, true), admission.refusal(100, true)]).toEqual([null, "full"]);
    admission.drain();
    expect([admission.refusal(0, true), admission.refusal(100, true)]).toEqual(["draining", "draining"]);
  });

  test("refuses as soon as the loop is later than the limit, not at the limit", () => {
    expect(play(new Admission(LIMITS), [1, 5, 5.1])).toEqual([null, null, "overloaded"]);
  });

  test("takes calls again only after five seconds below half of the limit", () => {
    const seconds = [6, 4, 2.5, 2.4, 1, 1, 1, 1, 1];
    const o = "overloaded" as const;
    expect(play(new Admission(LIMITS), seconds)).toEqual([o, o, o, o, o, o, o, o, null]);
  });

  test("counts the five seconds anew when the loop was late in between", () => {
    const told = play(new Admission(LIMITS), [6, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1]);
    expect(told.indexOf(null)).toBe(10);
  });

  test("does not swing while the lateness swings around the limit", () => {
    const told = play(new Admission(LIMITS), [6, 4, 6, 4, 6, 4, 6, 4]);
    expect(new Set(told)).toEqual(new Set(["overloaded"]));
  });

  test("does not take somebody else's load for its own", () => {
    const admission = new Admission(LIMITS);
    expect(play(admission, [500, 500], 19)).toEqual([null, null]);
    expect(play(admission, [500], 20, 2000)).toEqual(["overloaded"]);
    expect(admission.refusal(19, true)).toBeNull();
  });

  test("never refuses for lateness when the limit is 0", () => {
    expect(play(new Admission({ ...LIMITS, loopLatenessMs: 0 }), [500, 500])).toEqual([null, null]);
  });
});
