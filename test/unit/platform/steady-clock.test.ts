import { describe, expect, test } from "bun:test";
import { SteadyClock } from "../../../engine/platform/steady-clock.ts";
import { keptLog, START_MS } from "../call/support.ts";
import { SetClock } from "./set-clock.ts";

const HOUR_MS = 3_600_000;
const WINDOW_MS = 120_000;

function setUp() {
  const machine = new SetClock(START_MS);
  return { machine, clock: new SteadyClock(machine), ...keptLog(machine) };
}

describe("a clock that does not jump", () => {
  for (const byMs of [HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS]) {
    test(`takes a window of 120 s for 120 s, within 1 %, when the machine's is set by ${byMs / HOUR_MS} h`, () => {
      const { machine, clock } = setUp();
      machine.advance(5000);
      const beforeMs = clock.now();
      machine.set(byMs);
      expect(clock.now()).toBe(beforeMs);
      let lastMs = beforeMs;
      for (let passed = 0; passed < WINDOW_MS; passed += 20) {
        machine.advance(20);
        expect(clock.now()).toBeGreaterThanOrEqual(lastMs);
        lastMs = clock.now();
      }
      expect(lastMs - beforeMs).toBeWithin(WINDOW_MS * 0.99 - 1, WINDOW_MS * 1.01 + 1);
      expect(Math.sign(clock.machineAheadMs)).toBe(Math.sign(byMs));
    });
  }

  test("agrees with the machine's again in a hundred times as long, and then runs with it", () => {
    const { machine, clock } = setUp();
    machine.set(6000);
    machine.advance(599_000);
    expect(clock.machineAheadMs).toBeGreaterThan(0);
    machine.advance(2000);
    expect(clock.machineAheadMs).toBe(0);
    machine.advance(50_000);
    expect(clock.now()).toBe(machine.now());
  });

  test("is set right when nothing waits for a time, and otherwise says once that it does not agree", () => {
    const { machine, clock, log, lines } = setUp();
    clock.tick(false, log);
    machine.set(HOUR_MS);
    for (let n = 0; n < 3; n++) clock.tick(false, log);
    expect(lines).toMatchObject([{ level: "warn", event: "clock.jumped", machineAheadMs: HOUR_MS }]);
    clock.tick(true, log);
    expect(clock.now()).toBe(machine.now());
    expect(lines[1]).toMatchObject({ level: "info", event: "clock.set", byMs: HOUR_MS });
    machine.set(-HOUR_MS);
    for (let n = 0; n < 3; n++) clock.tick(false, log);
    expect(lines.slice(2)).toMatchObject([{ event: "clock.jumped", machineAheadMs: -HOUR_MS }]);
  });

  test("goes on from the time that another has shown, and not from before it", () => {
    const { machine, clock } = setUp();
    const wasMs = clock.now() + HOUR_MS;
    clock.notBefore(wasMs);
    expect(clock.now()).toBe(wasMs);
    clock.notBefore(wasMs - HOUR_MS);
    machine.advance(1000);
    expect(clock.now()).toBe(wasMs + 990);
  });
});
