import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ResponseGate } from "../../../engine/media/response-gate.ts";
import { setUpCall } from "./bridge-setup.ts";
import { speech } from "./leg-setup.ts";

const fill = (bytes: number, value: number) => new Uint8Array(bytes).fill(value);

describe("the gate of the model's speech", () => {
  test("closing clears the carrier, tells the model what was not heard, and is no barge-in", () => {
    const { bridge, say, clock, order, session } = setUpCall();
    say("i1", speech(8000));
    clock.advance(300);
    order.length = 0;
    bridge.setGate("closed");
    expect(order).toEqual(["clear", "interrupt", "transcript"]);
    expect(session.interrupts[0]?.map((i) => i.itemId)).toEqual(["i1"]);
    bridge.setGate("closed");
    expect(order).toHaveLength(3);
  });

  test("closing with nothing unheard sends nothing", () => {
    const { bridge, order, session } = setUpCall();
    bridge.setGate("closed");
    bridge.setGate("open");
    expect(order).toEqual([]);
    expect(session.interrupts).toEqual([]);
  });

  test("closing clears what may still be on a line that stalls, though its time is over", () => {
    const stallMs = (): number => Math.max(0, 1500 - clock.monotonicMs());
    const { bridge, say, clock, order, carrier } = setUpCall({ jitterMs: () => stallMs() });
    say("i1", speech(1600));
    clock.advance(600);
    expect(carrier.playedBytes()).toBe(0);
    order.length = 0;
    bridge.setGate("closed");
    expect(order).toEqual(["clear"]);
    bridge.setGate("open");
    clock.advance(3000);
    expect(carrier.playedBytes()).toBe(0);
  });

  test("what is said behind it is dropped, counted, and told to the model when its response is over", () => {
    const { bridge, say, clock, carrier, session, transcript } = setUpCall();
    bridge.setGate("closed");
    say("i1", fill(1600, 1), "r1", false);
    expect(session.interrupts).toEqual([]);
    bridge.responseDone({ responseId: "r1", status: "completed", usage: null });
    clock.advance(1000);
    expect(carrier.frames).toHaveLength(0);
    expect(bridge.counters().gatedBytes).toBe(1600);
    expect(session.interrupts).toEqual([
      [{ responseId: "r1", itemId: "i1", contentIndex: 0, heardMs: 0, heardErrorMs: 0, receivedMs: 200 }],
    ]);
    expect(transcript).toHaveLength(1);
    expect(transcript[0]).toMatchObject({ text: "text of i1", heardText: "", heardMs: 0 });
  });

  test("a response that runs when it opens is called off and never heard", () => {
    const { bridge, say, clock, carrier, session } = setUpCall();
    bridge.setGate("closed");
    say("i1", fill(800, 1), "r1", false);
    bridge.setGate("open");
    expect(session.interrupts).toEqual([
      [{ responseId: "r1", itemId: "i1", contentIndex: 0, heardMs: 0, heardErrorMs: 0, receivedMs: 100 }],
    ]);
    say("i1", fill(800, 1), "r1", false);
    say("i2", fill(800, 1), "r1");
    say("i3", fill(800, 3), "r2");
    clock.advance(1000);
    expect([...new Set(carrier.heard())]).toEqual([3]);
  });

  test("one that began before it closed is not heard after it opened again", () => {
    const { bridge, say, clock, carrier } = setUpCall();
    bridge.responseStarted("r1");
    bridge.setGate("closed");
    bridge.setGate("open");
    say("i1", fill(800, 1), "r1");
    clock.advance(1000);
    expect(carrier.playedBytes()).toBe(0);
  });

  test("once it was closed, audio of a response that was never announced is not heard", () => {
    const { bridge, clock, carrier } = setUpCall();
    const audio = (responseId: string) =>
      bridge.audio({
        responseId,
        itemId: `i-${responseId}`,
        contentIndex: 0,
        base64: fill(80, 1).toBase64(),
      });
    audio("before");
    bridge.setGate("closed");
    bridge.setGate("open");
    const heard = carrier.playedBytes();
    audio("after");
    clock.advance(1000);
    expect(carrier.playedBytes()).toBe(heard);
  });

  test("in any order of events, no byte is heard of a response from before the last opening", () => {
    const step = fc.oneof(
      fc.record({
        op: fc.constantFrom("open", "closed", "speech", "interrupted", "newLeg", "early" as const),
      }),
      fc.record({ op: fc.constant("start" as const) }),
      fc.record({
        op: fc.constant("audio" as const),
        of: fc.nat({ max: 8 }),
        bytes: fc.integer({ min: 1, max: 3000 }),
      }),
      fc.record({ op: fc.constant("done" as const), of: fc.nat({ max: 8 }) }),
      fc.record({ op: fc.constant("wait" as const), ms: fc.nat({ max: 400 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 80 }), (steps) => {
        const { bridge, clock, newLeg, ...call } = setUpCall();
        let { leg, carrier } = call;
        let open = true;
        let epoch = 0;
        let checked = 0;
        /** Opening in which each response began; -1 behind the closed gate. The byte value is the index. */
        const began: number[] = [-1];
        const check = () => {
          clock.advance(0);
          const ear = carrier.heard();
          for (const value of ear.subarray(checked)) {
            if (!open || began[value] !== epoch)
              throw new Error(`heard response ${value} (${open}, ${epoch})`);
          }
          checked = ear.length;
        };
        for (const s of steps) {
          if (s.op === "open" || s.op === "closed") {
            if (s.op === "open" && !open) epoch++;
            check();
            bridge.setGate(s.op);
            open = s.op === "open";
          } else if (s.op === "speech") bridge.speechStarted();
          else if (s.op === "interrupted") bridge.interrupted();
          else if (s.op === "newLeg") {
            leg.dispose();
            bridge.detachLeg(leg);
            ({ leg, carrier } = newLeg());
            checked = 0;
            bridge.attachLeg(leg);
          } else if (s.op === "start" && began.length < 250) {
            bridge.responseStarted(`r${began.length}`);
            began.push(open ? epoch : -1);
          } else if (s.op === "audio") {
            const n = Math.max(0, began.length - 1 - s.of);
            if (n === 0) continue;
            const base64 = fill(s.bytes, n).toBase64();
            bridge.audio({ responseId: `r${n}`, itemId: `i${n}`, contentIndex: 0, base64 });
          } else if (s.op === "done") {
            const n = Math.max(0, began.length - 1 - s.of);
            bridge.responseDone({ responseId: `r${n}`, status: "completed", usage: null });
          } else if (s.op === "wait") clock.advance(s.ms);
          check();
        }
        clock.advance(10_000);
        check();
      }),
      { numRuns: 400 },
    );
  });

  test("forgetting old responses only ever closes", () => {
    const gate = new ResponseGate();
    gate.close();
    gate.started("old");
    gate.open();
    for (let i = 0; i < 1000; i++) gate.started(`r${i}`);
    expect(gate.admits("old")).toBe(false);
    expect(gate.admits("r999")).toBe(true);
    expect(gate.admits("r0")).toBe(false);
  });
});
