/** What follows a call, as a machine: one thing after the other, each as often as is allowed. */
import { describe, expect, test } from "bun:test";
import { createActor } from "xstate";
import type { CallEvent } from "../../../machines/events.ts";
import type { PostCallEffect, PostCallInput, RetryPolicy } from "../../../machines/postcall.facts.ts";
import { postCallMachine } from "../../../machines/postcall.machine.ts";

const START_MS = 1_700_000_000_000;
const POLICY: RetryPolicy = { attempts: 3, retryAfterMs: 1000, retryAfterMaxMs: 3000 };

function run(input: Partial<PostCallInput> = {}) {
  const effects: PostCallEffect[] = [];
  const actor = createActor(postCallMachine, {
    input: { callSid: "CA1", atMs: START_MS, extract: POLICY, deliver: POLICY, ...input },
  });
  actor.on("effect", (effect) => void effects.push(effect));
  actor.start();
  let at = START_MS;
  const send = (event: object): void => actor.send({ at, ...event } as CallEvent);
  const { id: first = "" } = effects[0] ?? {};
  return {
    effects,
    first,
    state: () => actor.getSnapshot().value,
    context: () => actor.getSnapshot().context,
    done: () => send({ type: "effect.done", id: effects.at(-1)?.id, name: "", label: null }),
    fail: (message = "timeout", id = effects.at(-1)?.id) =>
      send({ type: "effect.failed", id, name: "", label: null, code: 0, status: 0, message }),
    pass: (ms: number) => {
      at += ms;
      send({ type: "deadline", name: "again", of: "postcall" });
    },
  };
}

describe("what follows a call", () => {
  test("reads first, then hands on, and is done", () => {
    const machine = run();
    expect(machine.state()).toBe("extracting");
    machine.done();
    expect(machine.state()).toBe("delivering");
    machine.done();
    expect(machine.state()).toBe("done");
    expect(machine.effects.map(({ id, input }) => [id, input])).toEqual([
      ["CA1/postcall/1/postcall.extract", { attempt: 1 }],
      ["CA1/postcall/2/postcall.deliver", { attempt: 1 }],
    ]);
    expect(machine.context()).toMatchObject({
      extraction: { done: true, reason: null, endedAtMs: START_MS },
      delivery: { done: true, reason: null, endedAtMs: START_MS },
    });
  });

  test("tries again after pauses that grow up to a limit, and hands on what is known when it gives up", () => {
    const machine = run();
    machine.fail("refused");
    expect(machine.state()).toBe("extractionPaused");
    expect(machine.context().extraction).toMatchObject({ reason: "refused", nextAtMs: START_MS + 1000 });
    machine.pass(1000);
    expect(machine.state()).toBe("extracting");
    expect(machine.context().extraction.nextAtMs).toBeNull();
    machine.fail("timeout");
    expect(machine.context().extraction.nextAtMs).toBe(START_MS + 1000 + 3000);
    machine.pass(3000);
    machine.fail("timeout");
    expect(machine.state()).toBe("delivering");
    expect(machine.context().extraction).toMatchObject({
      done: false,
      attempts: 3,
      nextAtMs: null,
      endedAtMs: START_MS + 4000,
    });
    machine.fail("http_500");
    machine.pass(1000);
    machine.done();
    expect(machine.state()).toBe("done");
    expect(machine.context().delivery).toMatchObject({ done: true, attempts: 2, reason: null });
  });

  test("a delivery that is refused every time is over, and says why", () => {
    const machine = run({ extract: null, deliver: { ...POLICY, attempts: 2 } });
    expect(machine.state()).toBe("delivering");
    machine.fail("http_500");
    machine.pass(1000);
    machine.fail("unreachable");
    expect(machine.state()).toBe("done");
    expect(machine.context().delivery).toMatchObject({ done: false, attempts: 2, reason: "unreachable" });
    expect(machine.context().delivery.endedAtMs).not.toBeNull();
  });

  test("with nothing to do it is done at once", () => {
    expect(run({ extract: null, deliver: null }).state()).toBe("done");
  });

  test("late answers, and deadlines that are not its own or not due, change nothing", () => {
    const machine = run();
    machine.fail();
    machine.pass(0);
    expect(machine.state()).toBe("extractionPaused");
    machine.fail("late", machine.first);
    expect(machine.context().extraction.reason).toBe("timeout");
    machine.pass(1000);
    expect(machine.state()).toBe("extracting");
    machine.fail("late", machine.first);
    expect(machine.state()).toBe("extracting");
    expect(machine.effects).toHaveLength(2);
  });
});
