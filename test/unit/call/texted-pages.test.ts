import { describe, expect, test } from "bun:test";
import { TextedPages } from "../../../engine/call/texted-pages.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { START_MS } from "./support.ts";

const HOUR_MS = 3_600_000;
const NUMBER = "+15550100";

function make() {
  const clock = new VirtualClock(START_MS);
  let forgotten = 0;
  const texted = new TextedPages(clock, () => void forgotten++);
  const add = (number: string, n: number): void =>
    texted.add(number, { callSid: `CA${n}`, label: `sms-${n}`, incident: 1, code: "A2", atMs: clock.now() });
  const calls = (number: string): string[] => texted.to(number).map(({ callSid }) => callSid);
  return { clock, add, calls, forgotten: () => forgotten };
}

describe("the pages that were texted", () => {
  test("are found by number, newest first", () => {
    const { clock, add, calls } = make();
    add(NUMBER, 1);
    clock.advance(1000);
    add(NUMBER, 2);
    add("+15550101", 3);
    expect(calls(NUMBER)).toEqual(["CA2", "CA1"]);
    expect(calls("+15550102")).toEqual([]);
  });

  test("are as new as the last attempt to send them, and each stands there once", () => {
    const { clock, add, calls } = make();
    for (const n of [1, 2, 1]) {
      add(NUMBER, n);
      clock.advance(1000);
    }
    expect(calls(NUMBER)).toEqual(["CA1", "CA2"]);
  });

  test("are forgotten after a day", () => {
    const { clock, add, calls, forgotten } = make();
    add(NUMBER, 1);
    clock.advance(23 * HOUR_MS);
    expect(calls(NUMBER)).toEqual(["CA1"]);
    clock.advance(HOUR_MS);
    expect(calls(NUMBER)).toEqual([]);
    expect(forgotten()).toBe(0);
  });

  test("are the last fifty of a number; what is left out is counted", () => {
    const { add, calls, forgotten } = make();
    for (let n = 1; n <= 52; n++) add(NUMBER, n);
    expect(calls(NUMBER)).toHaveLength(50);
    expect(calls(NUMBER)[0]).toBe("CA52");
    expect(calls(NUMBER).at(-1)).toBe("CA3");
    expect(forgotten()).toBe(2);
  });

  test("are kept of ten thousand numbers, those texted last", () => {
    const { add, calls, forgotten } = make();
    const number = (n: number): string => `+1555${String(n).padStart(7, "0")}`;
    for (let n = 0; n < 10_000; n++) add(number(n), n);
    add(number(0), 1);
    add("+15550100", 2);
    expect(calls(number(0))).toEqual(["CA1", "CA0"]);
    expect(calls(number(1))).toEqual([]);
    expect(calls(number(2))).toEqual(["CA2"]);
    expect(forgotten()).toBe(1);
  });
});
