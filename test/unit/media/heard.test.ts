import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PlayoutClock } from "../../../engine/media/playout-clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { chunk, setUp, speech } from "./leg-setup.ts";

const MAX_ERROR_MS = 60;

/** What the caller heard in all, once the clear has reached the carrier. */
function heardInAll(carrier: { playedBytes(): number }, clock: { advance(ms: number): void }): number {
  clock.advance(500);
  return carrier.playedBytes() / 8;
}

describe("what was heard, against what the carrier really played", () => {
  for (const oneWayMs of [0, 40, 100]) {
    for (const lossRate of [0, 1 / 3, 1]) {
      const loss = lossRate === 0 ? "no" : lossRate === 1 ? "all" : "a third of";
      test(`10 s in a burst cut at about 3 s: ${oneWayMs} ms one way, ${loss} marks lost`, () => {
        fc.assert(
          fc.property(fc.integer(), fc.integer({ min: 0, max: 500 }), (seed, extraMs) => {
            const ids = seededIds(seed);
            const { clock, carrier, leg } = setUp({
              oneWayMs,
              losesMark: () => ids.random() < lossRate,
              jitterMs: () => ids.random() * 15,
            });
            for (let i = 0; i < 100; i++) leg.play(chunk("i1", speech(800, i)));
            leg.endItem("i1");
            clock.advance(3000 + oneWayMs + extraMs);
            const truthNow = carrier.playedBytes() / 8;
            const now = leg.heard("i1");
            const items = leg.cut();
            const truthInAll = heardInAll(carrier, clock);
            expect(items).toHaveLength(1);
            expect(items[0]?.receivedMs).toBe(10_000);
            expect(Math.abs((items[0]?.heardMs ?? -1) - truthInAll)).toBeLessThanOrEqual(MAX_ERROR_MS);
            // With no mark ever, the delay on the wire cannot be known.
            const unknowable = lossRate === 1 ? oneWayMs : 0;
            expect(Math.abs((now?.heardMs ?? -1) - truthNow)).toBeLessThanOrEqual(MAX_ERROR_MS + unknowable);
          }),
          { numRuns: 12 },
        );
      });
    }
  }

  test("over many turns, with pauses, short items, cuts and lost marks, the error stays small", () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom(0, 40, 100), (seed, oneWayMs) => {
        const ids = seededIds(seed);
        const { clock, carrier, leg } = setUp({
          oneWayMs,
          losesMark: () => ids.random() < 1 / 3,
          jitterMs: () => ids.random() * 10,
        });
        for (let turn = 0; turn < 8; turn++) {
          const before = carrier.playedBytes() / 8;
          const bytes = 800 + Math.floor(ids.random() * 24_000);
          leg.play(chunk(`i${turn}`, speech(bytes, turn)));
          if (ids.random() < 0.8) leg.endItem(`i${turn}`);
          clock.advance(Math.floor(ids.random() * 4000));
          const items = leg.cut();
          const truth = heardInAll(carrier, clock) - before;
          const heardMs = items.length === 0 ? bytes / 8 : (items[0]?.heardMs ?? -1);
          expect(Math.abs(heardMs - truth)).toBeLessThanOrEqual(MAX_ERROR_MS);
        }
      }),
      { numRuns: 25 },
    );
  });

  test("a carrier that fell behind is noticed from its marks", () => {
    const { clock, carrier, leg } = setUp({ oneWayMs: 20, jitterMs: () => stallMs });
    let stallMs = 0;
    leg.play(chunk("i1", speech(80_000)));
    clock.advance(2000);
    // The network holds everything back once, for longer than the lead.
    stallMs = 600;
    clock.advance(20);
    stallMs = 0;
    clock.advance(3000);
    const items = leg.cut();
    const truth = heardInAll(carrier, clock);
    expect(truth).toBeLessThan(4700);
    expect(Math.abs((items[0]?.heardMs ?? -1) - truth)).toBeLessThanOrEqual(MAX_ERROR_MS);
  });

  test("single marks that come very late change nothing", () => {
    const { clock, carrier, leg } = setUp({ oneWayMs: 40 });
    leg.play(chunk("i1", speech(80_000)));
    clock.advance(1000);
    leg.onText('{"event":"mark","streamSid":"MZ1","mark":{"name":"g0:1"}}');
    clock.advance(2000);
    const items = leg.cut();
    expect(Math.abs((items[0]?.heardMs ?? -1) - heardInAll(carrier, clock))).toBeLessThanOrEqual(
      MAX_ERROR_MS,
    );
  });

  test("heard lies between what marks confirm and what was sent, whatever comes back", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ op: fc.constant("send" as const), bytes: fc.integer({ min: 1, max: 4000 }) }),
            fc.record({ op: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 3000 }) }),
            fc.record({ op: fc.constant("mark" as const), seq: fc.integer({ min: 0, max: 12 }) }),
            fc.record({ op: fc.constant("cut" as const) }),
          ),
          { maxLength: 60 },
        ),
        (steps) => {
          const playout = new PlayoutClock();
          let nowMs = 0;
          let cutAt = 0;
          for (const step of steps) {
            if (step.op === "send") {
              playout.send(nowMs, step.bytes);
              playout.markSent();
            } else if (step.op === "wait") nowMs += step.ms;
            else if (step.op === "mark") playout.markHeard(`g${playout.generation}:${step.seq}`, nowMs);
            else {
              playout.cut();
              cutAt = playout.sent;
            }
            for (const bytes of [
              playout.heard(nowMs),
              playout.heardWhenCleared(nowMs),
              playout.settled(nowMs),
            ]) {
              expect(bytes).toBeGreaterThanOrEqual(Math.max(cutAt, playout.confirmed));
              expect(bytes).toBeLessThanOrEqual(playout.sent);
            }
            expect(playout.settled(nowMs)).toBeLessThanOrEqual(playout.heard(nowMs));
            expect(playout.heard(nowMs)).toBeLessThanOrEqual(playout.heardWhenCleared(nowMs));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe("cutting", () => {
  test("names the partly heard item first and the unheard ones after it, in order of playout", () => {
    const { clock, carrier, leg, heard } = setUp();
    leg.play(chunk("a", speech(8000)));
    leg.endItem("a");
    leg.play(chunk("b", speech(8000)));
    leg.endItem("b");
    leg.play(chunk("c", speech(4000)));
    clock.advance(1500);
    const items = leg.cut();
    expect(items.map((i) => i.itemId)).toEqual(["b", "c"]);
    expect(items[0]?.heardMs).toBeGreaterThan(450);
    expect(items[0]?.heardMs).toBeLessThan(550);
    expect(items[1]).toEqual({
      responseId: "r1",
      itemId: "c",
      contentIndex: 0,
      heardMs: 0,
      heardErrorMs: 0,
      receivedMs: 500,
    });
    expect(heard.map((h) => h.itemId)).toEqual(["a"]);
    expect(heardInAll(carrier, clock)).toBeLessThan(1600);
  });

  test("marks that a clear sends back prove nothing about the next words", () => {
    const { clock, carrier, leg } = setUp({ oneWayMs: 50 });
    leg.play(chunk("a", speech(40_000)));
    clock.advance(1000);
    leg.cut();
    leg.play(chunk("b", speech(40_000)));
    // The marks of "a" come back now, all at once.
    clock.advance(100);
    expect(leg.counters().marksStale).toBeGreaterThan(0);
    expect(leg.heard("b")?.heardMs).toBeLessThanOrEqual(100);
    clock.advance(1000);
    expect(leg.heard("b")?.heardMs).toBeGreaterThan(900);
    // The generation in the name is what sets them apart.
    const generations = carrier.marks.map((name) => name.split(":")[0]);
    expect(new Set(generations)).toEqual(new Set(["g0", "g1"]));
    expect(generations.lastIndexOf("g0")).toBeLessThan(generations.indexOf("g1"));
  });

  test("the clear is written in the same moment, whatever the socket still holds", () => {
    for (const buffered of [0, 20_000, 5_000_000]) {
      const { clock, carrier, leg } = setUp();
      leg.play(chunk("a", speech(40_000)));
      clock.advance(1000);
      carrier.buffered = buffered;
      // Queued under backpressure, as Bun's sockets tell it.
      carrier.sendResult = () => (buffered > 0 ? -1 : 1);
      clock.advance(13);
      leg.cut();
      expect(carrier.events.at(-1)).toBe("clear");
      const then = carrier.events.length;
      clock.advance(1000);
      expect(carrier.events.length).toBe(then);
    }
  });

  test("a clear that the socket refuses goes out before anything else, as soon as it can", () => {
    for (const by of ["the drain of the socket", "the next slot"] as const) {
      const { clock, carrier, leg } = setUp();
      leg.play(chunk("a", speech(40_000)));
      clock.advance(1000);
      carrier.sendResult = () => 0;
      leg.cut();
      leg.play(chunk("b", speech(8000, 2)));
      clock.advance(100);
      const then = carrier.events.length;
      expect(carrier.events.at(-1)).not.toBe("clear");
      carrier.sendResult = (text) => text.length;
      if (by === "the next slot") clock.advance(20);
      else leg.onWritable();
      expect(carrier.events.slice(then, then + 2)).toEqual(["clear", "media"]);
    }
  });

  test("with nothing unheard, nothing is sent", () => {
    const { clock, carrier, leg } = setUp({ oneWayMs: 20 });
    expect(leg.cut()).toEqual([]);
    leg.play(chunk("a", speech(1600)));
    leg.endItem("a");
    clock.advance(3000);
    expect(leg.cut()).toEqual([]);
    expect(carrier.events).not.toContain("clear");
  });

  test("nothing of what was cut is played after the clear", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1200 }), fc.integer({ min: 0, max: 120 }), (atMs, oneWayMs) => {
        const { clock, carrier, leg } = setUp({ oneWayMs });
        leg.play(chunk("a", new Uint8Array(8000).fill(1)));
        clock.advance(atMs);
        leg.cut();
        leg.play(chunk("b", new Uint8Array(2000).fill(2)));
        leg.endItem("b");
        clock.advance(5000);
        const ear = carrier.heard();
        const firstB = ear.indexOf(2);
        expect(ear.subarray(firstB).every((byte) => byte === 2)).toBe(true);
        expect(ear.length - firstB).toBe(2000);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
