import { expect, test } from "bun:test";
import fc from "fast-check";
import { ByteQueue } from "../../../../adapters/sandbox/carrier/media/byte-queue.ts";
import { Playout } from "../../../../adapters/sandbox/carrier/media/playout.ts";
import { isSilent, noise } from "./audio.ts";

function playout(maxHeldBytes?: number) {
  const marks: string[] = [];
  const out = new Uint8Array(160);
  const line = new Playout((name) => marks.push(name), maxHeldBytes);
  return { line, marks, out };
}

test("payloads of any size are played in order, 160 bytes at a time, the last one filled up with silence", () => {
  const { line, out } = playout();
  const audio = noise(1, 3, 77);
  for (const [from, to] of [
    [0, 1],
    [1, 200],
    [200, 201],
    [201, audio.length],
  ]) {
    expect(line.media(audio.subarray(from, to))).toBe(true);
  }
  const played: number[] = [];
  for (let bytes = line.play(out); bytes > 0; bytes = line.play(out)) {
    played.push(...out.subarray(0, bytes));
    expect(isSilent(out.subarray(bytes))).toBe(true);
  }
  expect(Buffer.from(played).equals(audio)).toBe(true);
  expect(line.playedBytes).toBe(audio.length);
});

test("a mark comes back when the audio before it has been played, at once when nothing is held", () => {
  const { line, marks, out } = playout();
  line.mark("at once");
  expect(marks).toEqual(["at once"]);
  line.media(noise(1, 1));
  line.mark("one");
  line.media(noise(2, 0, 80));
  line.mark("one and a half");
  line.media(noise(3, 1));
  line.mark("end");
  line.mark("end again");
  expect(marks).toHaveLength(1);
  line.play(out);
  expect(marks.slice(1)).toEqual(["one"]);
  line.play(out);
  expect(marks.slice(2)).toEqual(["one and a half"]);
  line.play(out);
  expect(marks.slice(3)).toEqual(["end", "end again"]);
  expect(line.outstandingMarks).toBe(0);
});

test("clear empties the buffer and brings back every outstanding mark in order", () => {
  const { line, marks, out } = playout();
  line.media(noise(1, 4));
  line.mark("a");
  line.media(noise(2, 4));
  line.mark("b");
  line.play(out);
  line.clear();
  expect(marks).toEqual(["a", "b"]);
  expect(line.play(out)).toBe(0);
  expect([line.acceptedBytes, line.playedBytes, line.clearedBytes, line.heldBytes]).toEqual([
    1_280, 160, 1_120, 0,
  ]);
  line.media(noise(3));
  line.mark("c");
  expect(marks).toHaveLength(2);
  line.play(out);
  expect(out as Uint8Array).toEqual(noise(3));
  expect(marks).toEqual(["a", "b", "c"]);
});

test("more than ten minutes is cut off, and a mark after it comes back with what was kept", () => {
  const { line, marks, out } = playout();
  const minute = new Uint8Array(60 * 8_000).fill(0x23);
  for (let i = 0; i < 10; i++) expect(line.media(minute)).toBe(true);
  expect(line.media(new Uint8Array(100))).toBe(false);
  expect(line.overflowBytes).toBe(100);
  line.mark("end");
  for (let i = 0; i < 29_999; i++) line.play(out);
  expect(marks).toEqual([]);
  line.play(out);
  expect(marks).toEqual(["end"]);
});

test("marks that never end are refused beyond a limit", () => {
  const { line } = playout();
  line.media(noise(1));
  for (let i = 0; i < 20_005; i++) line.mark(`m${i}`);
  expect(line.outstandingMarks).toBe(20_000);
  expect(line.refusedMarks).toBe(5);
});

test("a byte queue gives out what went in, through growth and around its end, and never more than it may hold", () => {
  const step = fc.oneof(
    fc.record({ push: fc.nat(60_000) }),
    fc.record({ shift: fc.nat(40_000) }),
    fc.constant({ clear: true as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const queue = new ByteQueue(100_000);
      let model: number[] = [];
      let next = 0;
      for (const each of steps) {
        if ("push" in each) {
          const bytes = Uint8Array.from({ length: each.push }, () => next++ & 0xff);
          const taken = queue.push(bytes);
          expect(taken).toBe(Math.min(each.push, 100_000 - model.length));
          model = model.concat([...bytes.subarray(0, taken)]);
        } else if ("shift" in each) {
          const out = new Uint8Array(each.shift);
          const taken = queue.shift(out);
          expect(Buffer.from(out.subarray(0, taken)).equals(Buffer.from(model.slice(0, each.shift)))).toBe(
            true,
          );
          model = model.slice(taken);
        } else {
          queue.clear();
          model = [];
        }
        expect(queue.length).toBe(model.length);
      }
    }),
    { numRuns: 40 },
  );
});
