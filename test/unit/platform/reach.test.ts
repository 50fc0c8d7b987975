import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { Reach } from "../../../engine/platform/reach.ts";

function start() {
  const clock = new VirtualClock();
  return { clock, reach: new Reach(clock) };
}

describe("whether something answers", () => {
  test("is not known before it was asked", () => {
    const { reach } = start();
    expect([reach.state, reach.problem]).toEqual(["untried", null]);
    reach.worked();
    expect([reach.state, reach.problem]).toEqual(["ok", null]);
  });

  test("is in doubt only after three failures in a row", () => {
    const { reach } = start();
    const states = ["a", "b", "ok", "c", "d", "e"].map((why) => {
      if (why === "ok") reach.worked();
      else reach.failed(why);
      return reach.state;
    });
    expect(states).toEqual(["ok", "ok", "ok", "ok", "ok", "failing"]);
    expect(reach.problem).toBe("the last 3 requests failed, 0 s ago: e");
  });

  test("is told by one failure that every other would repeat, until something works", () => {
    const { reach } = start();
    reach.failed("HTTP 401", true);
    expect([reach.state, reach.problem]).toEqual(["failing", "the last request failed, 0 s ago: HTTP 401"]);
    reach.worked();
    expect(reach.problem).toBeNull();
  });

  test("is forgotten after half a minute, so that a call is let in again", async () => {
    const { clock, reach } = start();
    reach.failed("timeout", true);
    await clock.advance(29_000);
    expect(reach.problem).toBe("the last request failed, 29 s ago: timeout");
    await clock.advance(1_000);
    expect([reach.state, reach.problem]).toEqual(["ok", null]);
    // That call finds it as it was.
    reach.failed("timeout");
    expect(reach.state).toBe("failing");
  });
});
