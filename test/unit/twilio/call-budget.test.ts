import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CallBudget } from "../../../adapters/twilio/call-budget.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

interface Asked {
  readonly outcome: ReturnType<CallBudget["acquire"]>;
  settledMs: number | null;
}

function world(callsPerSecond: number, maxQueue = 200) {
  const clock = new VirtualClock();
  const budget = new CallBudget({ callsPerSecond, maxQueue, clock });
  const order: string[] = [];
  const ask = (name: string, priority?: number, repeated?: boolean): Asked => {
    const asked: Asked = { outcome: budget.acquire(priority, repeated), settledMs: null };
    void asked.outcome.then((outcome) => {
      asked.settledMs = clock.monotonicMs();
      if (outcome === "granted") order.push(name);
    });
    return asked;
  };
  /** Small steps with a turn of the event loop between, so that grants are seen at their own time. */
  const pass = async (ms: number): Promise<void> => {
    await Promise.resolve();
    for (let step = 0; step < ms; step += 10) {
      clock.advance(10);
      await Promise.resolve();
    }
  };
  return { clock, budget, order, ask, pass };
}

describe("CallBudget", () => {
  test("lets the first request through at once and spaces the rest, first come first served", async () => {
    const { order, ask, pass, budget } = world(1);
    const asked = ["a", "b", "c"].map((name) => ask(name));
    await pass(3000);
    expect(order).toEqual(["a", "b", "c"]);
    const times = asked.map((each) => each.settledMs ?? -1);
    expect(times[0]).toBe(0);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1000);
    expect((times[2] ?? 0) - (times[1] ?? 0)).toBeGreaterThanOrEqual(1000);
    expect(times[2]).toBeLessThan(2100);
    expect(budget.counters()).toMatchObject({ budget_granted: 3, budget_delayed: 2, budget_queue_depth: 0 });
  });

  test("never grants more than the rate in any window, whatever the arrivals", async () => {
    const arrivals = fc.array(fc.nat({ max: 800 }), { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0.5, 1, 2, 3.5, 5), arrivals, async (rate, gaps) => {
        const { ask, pass, clock } = world(rate);
        const all: Asked[] = [];
        for (const gap of gaps) {
          await pass(gap);
          all.push(ask("x"));
        }
        await pass((gaps.length / rate) * 1100 + 3000);
        const times = all.map((each) => each.settledMs ?? Number.NaN).toSorted((a, b) => a - b);
        const burst = Math.max(1, Math.floor(rate));
        for (let i = burst; i < times.length; i++) {
          expect((times[i] ?? 0) - (times[i - burst] ?? 0)).toBeGreaterThanOrEqual((burst / rate) * 1000);
        }
        expect(times.every((time) => !Number.isNaN(time))).toBe(true);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  test("uses a burst up to the rate after idleness", async () => {
    const { order, ask, pass } = world(5);
    for (let i = 0; i < 7; i++) ask(String(i));
    await pass(10);
    expect(order).toHaveLength(5);
    await pass(1100);
    expect(order).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
  });

  test("a higher priority goes first and keeps its order; a repeated request goes before its equals", async () => {
    const { order, ask, pass } = world(1);
    ask("now");
    ask("page 1");
    ask("page 2");
    ask("agent 1", 1);
    ask("agent 2", 1);
    ask("page again", 0, true);
    await pass(8000);
    expect(order).toEqual(["now", "agent 1", "agent 2", "page again", "page 1", "page 2"]);
  });

  test("refuses the newcomer when the queue is full, and serves those who wait", async () => {
    const { order, ask, pass, budget } = world(1, 2);
    ask("a");
    ask("b");
    ask("c");
    const refused = ask("d");
    expect(await refused.outcome).toBe("full");
    await pass(3000);
    expect(order).toEqual(["a", "b", "c"]);
    expect(budget.counters()).toMatchObject({ budget_refused: 1 });
  });

  test("close settles who waits and leaves no timer", async () => {
    const { ask, budget, clock } = world(1);
    ask("a");
    const waiting = ask("b");
    budget.close();
    expect(await waiting.outcome).toBe("closed");
    expect(await ask("c").outcome).toBe("closed");
    expect(clock.pendingTimers).toBe(0);
  });
});

test("what is withdrawn while it waits takes no turn, and the next one gets it", async () => {
  const clock = new VirtualClock();
  const budget = new CallBudget({ callsPerSecond: 1, maxQueue: 10, clock });
  expect(await budget.acquire()).toBe("granted");
  const unwanted = new AbortController();
  const withdrawn = budget.acquire(0, false, unwanted.signal);
  const next = budget.acquire();
  unwanted.abort();
  expect(await withdrawn).toBe("withdrawn");
  clock.advance(1100);
  expect(await next).toBe("granted");
  expect(budget.counters()).toMatchObject({ budget_granted: 2, budget_queue_depth: 0 });
  budget.close();
  expect(clock.pendingTimers).toBe(0);
});
