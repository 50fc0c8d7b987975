import { expect, test } from "bun:test";
import { createHearing } from "../../../adapters/sandbox/hearing.ts";
import { frameOf, noise } from "./media/audio.ts";

function frames(ulaw: Uint8Array): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let at = 0; at < ulaw.length; at += 160) {
    const frame = frameOf(0xff);
    frame.set(ulaw.subarray(at, at + 160));
    all.push(frame);
  }
  return all;
}

test("every frame of noted speech is known by its text, the padded last one too, and nothing else is", () => {
  const hearing = createHearing();
  const hello = noise(1, 20, 33);
  hearing.note("hello", hello);
  for (const frame of frames(hello)) expect(hearing.lookup(frame)).toEqual(["hello"]);
  expect(hearing.lookup(noise(2))).toEqual([]);
  const harmed = hello.slice(0, 160);
  harmed[77] = (harmed[77] as number) ^ 1;
  expect(hearing.lookup(harmed)).toEqual([]);
  expect(hearing.lookup(hello.subarray(80, 240))).toEqual([]);
  expect(hearing.lookup(hello.subarray(0, 159))).toEqual([]);
});

test("silence is part of no text, also within speech", () => {
  const hearing = createHearing();
  const speech = Buffer.concat([noise(1), frameOf(0xff), frameOf(0x7f), frameOf(0xfb), noise(2)]);
  hearing.note("hm", speech);
  expect(frames(speech).map((frame) => hearing.lookup(frame))).toEqual([["hm"], [], [], [], ["hm"]]);
});

test("the two codes of zero sound alike", () => {
  const hearing = createHearing();
  const speech = noise(1);
  speech.set([0x7f, 0xff, 0x7f], 20);
  hearing.note("hello", speech);
  speech.set([0xff, 0xff, 0x7f], 20);
  expect(hearing.lookup(speech)).toEqual(["hello"]);
});

test("a frame of several texts names each once", () => {
  const hearing = createHearing();
  const shared = noise(1);
  hearing.note("one", Buffer.concat([shared, noise(2)]));
  hearing.note("two", Buffer.concat([noise(3), shared]));
  hearing.note("two", Buffer.concat([noise(3), shared, noise(4)]));
  expect(hearing.lookup(shared)).toEqual(["one", "two"]);
  expect(hearing.lookup(noise(2))).toEqual(["one"]);
  expect(hearing.lookup(noise(4))).toEqual(["two"]);
});

test("memory is bounded: the speech longest not in use is forgotten, frames it shared stay", () => {
  const hearing = createHearing({ maxFrames: 30 });
  const clip = (seed: number) => Buffer.concat([noise(1_000), noise(seed, 9)]);
  hearing.note("a", clip(1));
  hearing.note("b", clip(2));
  hearing.note("c", clip(3));
  expect(hearing.lookup(noise(1, 9).subarray(0, 160))).toEqual(["a"]);
  hearing.note("d", clip(4));
  expect(hearing.lookup(noise(2, 9).subarray(0, 160))).toEqual([]);
  expect(hearing.lookup(noise(1, 9).subarray(0, 160))).toEqual(["a"]);
  expect(hearing.lookup(noise(4, 9).subarray(0, 160))).toEqual(["d"]);
  expect(hearing.lookup(noise(1_000))).toEqual(["a", "c", "d"]);
  // More than fits at all: its beginning is kept.
  hearing.note("long", noise(50, 100));
  expect(hearing.lookup(noise(50, 100).subarray(0, 160))).toEqual(["long"]);
  expect(hearing.lookup(noise(50, 100).subarray(99 * 160))).toEqual([]);
});

test("noting the same speech again and again keeps one copy", () => {
  const hearing = createHearing({ maxFrames: 12 });
  hearing.note("kept", noise(9, 5));
  for (let i = 0; i < 100; i++) hearing.note("same", noise(1, 5));
  expect(hearing.lookup(noise(9, 5).subarray(0, 160))).toEqual(["kept"]);
});

test("empty text and empty audio are not noted", () => {
  const hearing = createHearing();
  hearing.note("", noise(1));
  hearing.note("nothing", new Uint8Array(0));
  expect(hearing.lookup(noise(1))).toEqual([]);
});
