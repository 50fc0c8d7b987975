import { expect, test } from "bun:test";
import { Recogniser } from "../../../../adapters/sandbox/model/recogniser.ts";
import { TestHearing } from "./helpers.ts";

/** Speech whose every frame is different: `seed` tells two of them apart. */
function speech(ms: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: ms * 8 }, (_, i) => ((Math.floor(i / 160) * 7 + i * seed) % 120) + 4);
}

const hello = speech(600, 3);
const nurse = speech(600, 5);

function recogniser(): Recogniser {
  const hearing = new TestHearing();
  hearing.note("Hello.", hello);
  hearing.note("I need a nurse.", nurse);
  return new Recogniser(hearing);
}

/** Pushes in appends of `size` bytes from `atMs` on. */
function push(target: Recogniser, audio: Uint8Array, atMs: number, size: number): void {
  for (let at = 0; at < audio.length; at += size) target.push(audio.subarray(at, at + size), atMs + at / 8);
}

test.each([160, 800, 4800, 100])("finds the text in appends of %d bytes", (size) => {
  const target = recogniser();
  push(target, nurse, 0, size);
  expect(target.take(0, 600)).toBe("I need a nurse.");
});

test("the text with most frames in the segment wins, and frames outside do not count", () => {
  const target = recogniser();
  push(target, hello, 0, 160);
  push(target, nurse.subarray(0, 4000), 600, 160);
  expect(target.take(600, 1200)).toBe("I need a nurse.");
  push(target, hello, 1200, 160);
  push(target, nurse.subarray(0, 1600), 1800, 160);
  expect(target.take(1200, 2400)).toBe("Hello.");
});

test("a handful of frames is a coincidence", () => {
  const target = recogniser();
  push(target, hello.subarray(0, 160 * 4), 0, 160);
  expect(target.take(0, 1000)).toBe("");
  push(target, hello.subarray(0, 160 * 5), 1000, 160);
  expect(target.take(1000, 2000)).toBe("Hello.");
});

test("an odd append does not shift the frames that follow", () => {
  const target = recogniser();
  target.push(new Uint8Array(77), 0);
  push(target, hello, 10, 160);
  expect(target.take(0, 1000)).toBe("Hello.");
});

test("harmed speech is not understood", () => {
  const target = recogniser();
  push(
    target,
    hello.map((byte) => byte ^ 1),
    0,
    160,
  );
  expect(target.take(0, 1000)).toBe("");
});

test.each([1, 48, 159])(
  "speech that a filter delayed by %d samples is found, and its pauses lose nothing",
  (delay) => {
    const target = recogniser();
    const silence = new Uint8Array(delay + 320).fill(0xff);
    const line = Buffer.concat([silence, nurse.subarray(0, 3200), silence, nurse.subarray(3200)]);
    for (let at = 0; at < line.length; at += 160) target.pushDelayed(line.subarray(at, at + 160), at / 8);
    expect(target.take(0, line.length / 8)).toBe("I need a nurse.");
  },
);

test("delayed speech is placed where it was: the segment before it is empty", () => {
  const target = recogniser();
  const line = Buffer.concat([new Uint8Array(4848).fill(0xff), hello, new Uint8Array(160).fill(0xff)]);
  target.pushDelayed(line, 0);
  expect(target.take(0, 600)).toBe("");
  expect(target.take(600, 1300)).toBe("Hello.");
});

test("harmed speech is not understood, delayed or not", () => {
  const target = recogniser();
  target.pushDelayed(
    hello.map((byte) => byte ^ 1),
    0,
  );
  expect(target.take(0, 1000)).toBe("");
});
