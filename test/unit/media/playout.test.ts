import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chunk, setUp, speech } from "./leg-setup.ts";

describe("what is sent", () => {
  test("speech of any chunk and item sizes reaches the ear byte for byte, in order", () => {
    const items = fc.array(
      fc.record({ sizes: fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 6 }) }),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(items, fc.integer({ min: 0, max: 300 }), (plan, pauseMs) => {
        const { clock, wheel, carrier, leg, heard } = setUp({ oneWayMs: 30 });
        const all: number[] = [];
        plan.forEach((item, i) => {
          item.sizes.forEach((size, j) => {
            const bytes = speech(size, i * 10 + j + 1);
            all.push(...bytes);
            leg.play(chunk(`i${i}`, bytes));
            clock.advance(pauseMs);
          });
          leg.endItem(`i${i}`);
        });
        clock.advance(all.length / 8 + 5000);
        expect(Buffer.from(carrier.heard()).equals(Buffer.from(all))).toBe(true);
        expect(heard.map((h) => h.itemId)).toEqual(plan.map((_, i) => `i${i}`));
        expect(heard.every((h) => h.heardMs === h.receivedMs)).toBe(true);
        expect(wheel.size).toBe(0);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("a burst is sent in frames of 160 bytes, at most 160 ms ahead and never late", () => {
    const { clock, carrier, leg } = setUp();
    leg.play(chunk("i1", speech(80_000)));
    leg.endItem("i1");
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 450; i++) {
      clock.advance(20);
      expect(carrier.bufferedMs()).toBeLessThanOrEqual(160);
      least = Math.min(least, carrier.bufferedMs());
    }
    expect(least).toBeGreaterThanOrEqual(120);
    expect(carrier.frames.every((f) => f.length === 160)).toBe(true);
    expect(leg.counters().underruns).toBe(0);
  });

  test("a frame never holds bytes of two items, and each item ends with a mark", () => {
    const { clock, carrier, leg } = setUp();
    leg.play(chunk("a", new Uint8Array(250).fill(1)));
    leg.play(chunk("b", new Uint8Array(250).fill(2)));
    leg.endItem("b");
    clock.advance(1000);
    expect(carrier.frames.map((f) => [f[0], f.length])).toEqual([
      [1, 160],
      [1, 90],
      [2, 160],
      [2, 90],
    ]);
    expect(carrier.events).toEqual(["media", "media", "mark", "media", "media", "mark"]);
    expect(carrier.marks).toEqual(["g0:1", "g0:2"]);
  });

  for (const chunkMs of [40, 100, 200]) {
    test(`speech in chunks of ${chunkMs} ms: fewer messages, at once at first, never dry`, () => {
      const { clock, carrier, leg, heard } = setUp({}, { chunkMs, leadMs: 400 });
      leg.play(chunk("a", speech(80_000)));
      leg.endItem("a");
      clock.advance(0);
      // All the lead at once, its first chunk first.
      expect(carrier.frames.length).toBe(Math.floor(400 / chunkMs));
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 470; i++) {
        clock.advance(20);
        expect(carrier.bufferedMs()).toBeLessThanOrEqual(400);
        least = Math.min(least, carrier.bufferedMs());
      }
      expect(least).toBeGreaterThan(400 - chunkMs - 40);
      expect(carrier.frames.every(({ length }) => length === chunkMs * 8)).toBe(true);
      clock.advance(3000);
      expect(Buffer.from(carrier.heard()).equals(Buffer.from(speech(80_000)))).toBe(true);
      expect(heard.map((item) => item.heardMs)).toEqual([10_000]);
      expect(leg.counters().underruns).toBe(0);
    });
  }

  test("a model that only just keeps up is heard without gaps, in the chunks that time allows", () => {
    for (const [chunkMs, pieceMs] of [
      [100, 60],
      [200, 50],
      [40, 30],
    ] as const) {
      const { clock, carrier, leg } = setUp({}, { chunkMs, leadMs: 400 });
      const all: Uint8Array[] = [];
      // 100 ms in advance, then in real time.
      leg.play(chunk("a", speech(800, 99)));
      all.push(speech(800, 99));
      expect(carrier.events[0]).toBe("media");
      for (let i = 0; i < 100; i++) {
        const piece = speech(pieceMs * 8, i);
        all.push(piece);
        leg.play(chunk("a", piece));
        clock.advance(pieceMs);
      }
      leg.endItem("a");
      clock.advance(1000);
      expect(leg.counters().underruns).toBe(0);
      expect(Buffer.from(carrier.heard()).equals(Buffer.concat(all))).toBe(true);
    }
  });

  test("chunks end with their item, and the lead may be one chunk", () => {
    const { clock, carrier, leg } = setUp({}, { chunkMs: 200, leadMs: 200 });
    leg.play(chunk("a", new Uint8Array(2000).fill(1)));
    leg.play(chunk("b", new Uint8Array(2000).fill(2)));
    leg.endItem("b");
    for (let i = 0; i < 100; i++) {
      clock.advance(20);
      expect(carrier.bufferedMs()).toBeLessThanOrEqual(220);
    }
    expect(carrier.frames.map((f) => [f[0], f.at(-1), f.length])).toEqual([
      [1, 1, 1600],
      [1, 1, 400],
      [2, 2, 1600],
      [2, 2, 400],
    ]);
    expect(leg.counters().underruns).toBe(0);
  });

  test("the rest of an item whose end is never announced is not held back for ever", () => {
    const { clock, carrier, leg } = setUp();
    leg.play(chunk("a", speech(1000)));
    clock.advance(2000);
    expect(carrier.playedBytes()).toBe(1000);
  });

  test("a stall of the event loop is made up for within the lead, not beyond", () => {
    const { clock, carrier, leg, wheel } = setUp();
    leg.play(chunk("a", speech(40_000)));
    clock.advance(1000);
    const before = carrier.frames.length;
    clock.stall(100);
    clock.advance(20);
    // 100 ms were covered by the lead: no silence, and the lead is full again.
    expect(leg.counters().underruns).toBe(0);
    expect(carrier.frames.length - before).toBeLessThanOrEqual(7);
    clock.stall(700);
    clock.advance(20);
    expect(leg.counters().underruns).toBe(1);
    expect(carrier.bufferedMs()).toBeLessThanOrEqual(160);
    expect(wheel.counters().skippedTicks).toBeGreaterThan(0);
    clock.advance(10_000);
    expect(Buffer.from(carrier.heard()).equals(Buffer.from(speech(40_000)))).toBe(true);
  });

  test("frames, marks and clears that the socket drops are sent again", () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.integer({ min: 0, max: 3 })), (dice) => {
        const { clock, carrier, leg } = setUp();
        carrier.sendResult = (text) => (dice.next().value === 0 ? 0 : text.length);
        leg.play(chunk("a", speech(8000)));
        clock.advance(300);
        leg.cut();
        clock.advance(200);
        const heardOfA = carrier.playedBytes();
        leg.play(chunk("b", speech(3000, 7)));
        leg.endItem("b");
        clock.advance(6000);
        expect(carrier.events.filter((e) => e === "clear")).toHaveLength(1);
        expect(Buffer.from(carrier.heard().slice(heardOfA)).equals(Buffer.from(speech(3000, 7)))).toBe(true);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("nothing more is given to a socket that cannot get rid of what it has", () => {
    const { clock, carrier, leg } = setUp();
    carrier.buffered = 1_000_000;
    // What a socket says that keeps a message for later.
    carrier.sendResult = () => -1;
    leg.play(chunk("a", speech(160)));
    leg.play(chunk("a", speech(640, 2)));
    clock.advance(200);
    expect(carrier.frames).toHaveLength(1);
    expect(leg.counters().outHeldBack).toBeGreaterThan(0);
    carrier.buffered = 0;
    carrier.sendResult = (text) => text.length;
    leg.onWritable();
    clock.advance(500);
    expect(carrier.playedBytes()).toBe(800);
  });
});

describe("bounds", () => {
  test("audio beyond the bound is refused with the rest of its item, and counted", () => {
    const { clock, carrier, leg, heard } = setUp({}, { maxQueuedMs: 1000 });
    leg.play(chunk("a", speech(8000)));
    leg.play(chunk("a", speech(4000, 2)));
    clock.advance(500);
    // There is room again, but it would leave a hole in the item.
    leg.play(chunk("a", speech(100, 3)));
    leg.endItem("a");
    leg.play(chunk("b", speech(1000, 4)));
    leg.endItem("b");
    clock.advance(5000);
    const expected = Buffer.concat([speech(8000), speech(1000, 4)]);
    expect(Buffer.from(carrier.heard()).equals(expected)).toBe(true);
    expect(leg.counters().refusedBytes).toBe(4100);
    expect(heard.map((h) => [h.itemId, h.heardMs, h.receivedMs])).toEqual([
      ["a", 1000, 1512],
      ["b", 125, 125],
    ]);
  });

  test("audio that is not base64 is counted and dropped", () => {
    const { clock, carrier, leg } = setUp();
    leg.play({ responseId: "r", itemId: "a", contentIndex: 0, base64: "not base64!" });
    leg.play({ responseId: "r", itemId: "a", contentIndex: 0, base64: "" });
    leg.play(chunk("a", speech(160)));
    clock.advance(500);
    expect(leg.counters().badAudio).toBe(1);
    expect(carrier.playedBytes()).toBe(160);
  });

  test("a closed leg sends nothing and leaves no timer", () => {
    const { clock, carrier, leg, wheel } = setUp();
    leg.play(chunk("a", speech(8000)));
    leg.close(1000, "bye");
    const frames = carrier.events.length;
    leg.play(chunk("a", speech(8000)));
    leg.endItem("a");
    leg.cut();
    clock.advance(2000);
    expect(carrier.events.length).toBe(frames);
    expect(carrier.closed).toEqual({ code: 1000, reason: "bye" });
    expect(wheel.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("draining", () => {
  test("is told when the last mark is back, and by the clock when marks are lost", () => {
    for (const losesMark of [() => false, () => true]) {
      const { clock, carrier, leg } = setUp({ oneWayMs: 40, losesMark });
      leg.play(chunk("a", speech(8000)));
      leg.endItem("a");
      let playedThen = -1;
      leg.onDrained(() => (playedThen = carrier.playedBytes()));
      clock.advance(900);
      expect(playedThen).toBe(-1);
      clock.advance(1000);
      expect(playedThen).toBe(8000);
      expect(clock.pendingTimers).toBe(0);
    }
  });

  test("is told at once when nothing is pending, and after a cut", () => {
    const { clock, leg } = setUp();
    let drained = 0;
    leg.onDrained(() => drained++);
    expect(drained).toBe(1);
    leg.play(chunk("a", speech(8000)));
    leg.onDrained(() => drained++);
    clock.advance(100);
    expect(drained).toBe(1);
    leg.cut();
    expect(drained).toBe(2);
  });
});
