import { describe, expect, test } from "bun:test";
import { EventQueue } from "../../../engine/call/event-queue.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { CallEvent, UnstampedCallEvent } from "../../../machines/events.ts";
import { keptLog, START_MS } from "./support.ts";

const gone = (reason: string): UnstampedCallEvent => ({ type: "caller.gone", reason });
const reasonOf = (event: CallEvent): string => (event.type === "caller.gone" ? event.reason : event.type);

function make(handle?: (event: CallEvent, queue: EventQueue) => void) {
  const clock = new VirtualClock(START_MS);
  const { log, lines } = keptLog(clock);
  const taken: CallEvent[] = [];
  const queue: EventQueue = new EventQueue({
    clock,
    log,
    handle: (event) => {
      taken.push(event);
      handle?.(event, queue);
    },
  });
  return { clock, lines, queue, taken };
}

describe("the queue of a call", () => {
  test("stamps an event with the time it came, and leaves a stamp that is there", () => {
    const { clock, queue, taken } = make();
    clock.advance(250);
    queue.push({ type: "model.ready" });
    queue.push({ type: "model.ready", at: 5 });
    expect(taken).toEqual([
      { type: "model.ready", at: START_MS + 250 },
      { type: "model.ready", at: 5 },
    ]);
  });

  test("refuses an event that is not in order by the names of its fields, and takes the next", () => {
    const { lines, queue, taken } = make();
    queue.push({ type: "participant.left", label: "caller", callSid: "", reason: "x".repeat(100) });
    queue.push({ type: "no.such.event" } as never);
    queue.push(gone("next"));
    expect(taken.map(reasonOf)).toEqual(["next"]);
    expect(queue.counters).toMatchObject({ taken: 1, refused: 2 });
    expect(lines[0]).toMatchObject({
      level: "error",
      event: "event.refused",
      type: "participant.left",
      issues: ["callSid", "reason"],
    });
    // What was in the fields may be about a person.
    expect(JSON.stringify(lines)).not.toContain("xxx");
  });

  test("passes on nothing that an event does not have", () => {
    const { queue, taken } = make();
    queue.push(Object.assign(gone("a"), { secret: "hidden" }));
    expect(taken).toEqual([{ type: "caller.gone", at: START_MS, reason: "a" }]);
  });

  test("takes one occurrence once", () => {
    const { queue, taken } = make();
    for (const key of ["1", "2", "1", undefined, undefined]) queue.push(gone(`key ${key}`), key);
    expect(taken.map(reasonOf)).toEqual(["key 1", "key 2", "key undefined", "key undefined"]);
    expect(queue.counters).toMatchObject({ taken: 4, repeated: 1 });
  });

  test("remembers a bounded number of occurrences, the latest", () => {
    const { queue } = make();
    for (let n = 0; n <= 1024; n++) queue.push(gone("n"), String(n));
    queue.push(gone("latest"), "1024");
    expect(queue.counters.repeated).toBe(1);
    queue.push(gone("forgotten"), "0");
    expect(queue.counters).toMatchObject({ taken: 1026, repeated: 1 });
  });

  test("drops the state that a newer one of the same thing has overtaken, and only that", () => {
    const { queue, taken } = make();
    const order = (of: string, number: number) =>
      queue.push(gone(`${of}${number}`), undefined, { of, number });
    order("a", 2);
    order("a", 1);
    order("b", 1);
    order("a", 2);
    order("a", 3);
    queue.push(gone("without"));
    expect(taken.map(reasonOf)).toEqual(["a2", "b1", "a2", "a3", "without"]);
    expect(queue.metrics()).toMatchObject({ events: 5, eventsOutdated: 1 });
  });

  test("remembers the newest state of a bounded number of things", () => {
    const { queue } = make();
    for (let n = 0; n <= 256; n++) queue.push(gone("n"), undefined, { of: String(n), number: 2 });
    queue.push(gone("known"), undefined, { of: "256", number: 1 });
    expect(queue.counters.outdated).toBe(1);
    queue.push(gone("forgotten"), undefined, { of: "0", number: 1 });
    expect(queue.counters).toMatchObject({ taken: 258, outdated: 1 });
  });

  test("ends the handling of one event before it begins the next", () => {
    const order: string[] = [];
    const { queue } = make((event, own) => {
      const name = reasonOf(event);
      order.push(`${name} begins`);
      if (name === "first") {
        own.push(gone("second"));
        own.push(gone("third"));
      }
      order.push(`${name} ends`);
    });
    queue.push(gone("first"));
    expect(order).toEqual([
      "first begins",
      "first ends",
      "second begins",
      "second ends",
      "third begins",
      "third ends",
    ]);
  });

  test("holds back what a piece of work causes until that is done, even if it throws", () => {
    const { queue, taken } = make();
    let during = -1;
    queue.hold(() => {
      queue.push(gone("caused"));
      during = taken.length;
    });
    expect(during).toBe(0);
    expect(taken.map(reasonOf)).toEqual(["caused"]);
    const broken = (): void => {
      throw new Error("broken");
    };
    expect(() => queue.hold(broken)).toThrow("broken");
    queue.push(gone("next"));
    expect(taken.map(reasonOf)).toEqual(["caused", "next"]);
  });

  test("drops the newest when a loop of its own fills it, and says so", () => {
    const { lines, queue, taken } = make((event, own) => {
      if (reasonOf(event) === "flood") for (let n = 0; n < 1500; n++) own.push(gone(String(n)));
    });
    queue.push(gone("flood"));
    expect(queue.counters).toMatchObject({ taken: 1001, overflowed: 500 });
    expect(reasonOf(taken.at(-1) as CallEvent)).toBe("999");
    expect(lines.filter((line) => line.event === "event.overflow")).toHaveLength(500);
    queue.push(gone("after"));
    expect(reasonOf(taken.at(-1) as CallEvent)).toBe("after");
  });

  test("that is closed takes nothing, not even what waits", () => {
    const { queue, taken } = make((_event, own) => {
      own.push(gone("waits"));
      own.close();
      own.push(gone("late"));
    });
    queue.push(gone("last"));
    queue.push(gone("later"));
    expect(taken.map(reasonOf)).toEqual(["last"]);
    expect(queue.counters).toMatchObject({ taken: 1, late: 2 });
  });

  test("keeps a handler that throws from whoever brought the event, and from the events behind it", () => {
    const { lines, queue, taken } = make((event, own) => {
      if (reasonOf(event) !== "bad") return;
      own.push(gone("behind"));
      throw new Error("broken");
    });
    queue.push(gone("bad"));
    expect(taken.map(reasonOf)).toEqual(["bad", "behind"]);
    expect(queue.counters).toMatchObject({ taken: 2, failed: 1 });
    expect(lines).toMatchObject([
      { level: "error", event: "event.failed", type: "caller.gone", error: "broken" },
    ]);
    queue.push(gone("next"));
    expect(taken.map(reasonOf)).toEqual(["bad", "behind", "next"]);
  });
});
