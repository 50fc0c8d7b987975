import { expect, test } from "bun:test";
import { Microphone } from "../../../../adapters/sandbox/carrier/media/microphone.ts";
import { SILENT_FRAME } from "../../../../adapters/sandbox/carrier/media/tones.ts";
import { noise } from "./audio.ts";

const out = new Uint8Array(160);

function readAll(mic: Microphone): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let silent = 0; silent < 3;) {
    if (mic.read(out)) frames.push(out.slice());
    else silent++;
  }
  return frames;
}

test("frames come out as they went in, once two are there", () => {
  const mic = new Microphone();
  expect(mic.read(out)).toBe(false);
  mic.push(noise(1));
  expect(mic.read(out)).toBe(false);
  mic.push(noise(2));
  expect(readAll(mic)).toEqual([noise(1), noise(2)]);
});

test("a last frame on its own is let out after two reads", () => {
  const mic = new Microphone();
  mic.push(noise(1));
  expect(mic.read(out)).toBe(false);
  expect(mic.read(out)).toBe(false);
  expect(mic.read(out)).toBe(true);
  expect(out).toEqual(noise(1) as Uint8Array<ArrayBuffer>);
});

test("a frame that is a little late leaves no hole", () => {
  const mic = new Microphone();
  mic.push(noise(0));
  mic.push(noise(1));
  let next = 2;
  const heard: Uint8Array[] = [];
  for (let tick = 0; tick < 40; tick++) {
    // Every other tick none comes, then two: 20 ms of jitter.
    if (tick % 2 === 1) {
      mic.push(noise(next++));
      mic.push(noise(next++));
    }
    if (mic.read(out)) heard.push(out.slice());
  }
  expect(heard).toHaveLength(40);
  expect(heard).toEqual(Array.from({ length: 40 }, (_, i) => noise(i)));
});

test("at most ten frames are held: the oldest makes room and is counted", () => {
  const mic = new Microphone();
  for (let i = 0; i < 25; i++) mic.push(noise(i));
  expect(mic.depthFrames).toBe(10);
  expect(mic.dropped).toBe(15);
  expect(readAll(mic)).toEqual(Array.from({ length: 10 }, (_, i) => noise(i + 15)));
});

test("delay that a stall has piled up goes away in silence, and no speech with it", () => {
  const mic = new Microphone();
  const heard: Uint8Array[] = [];
  for (let i = 0; i < 8; i++) mic.push(noise(i));
  for (let tick = 0; tick < 200; tick++) {
    mic.push(tick < 100 ? noise(8 + tick) : SILENT_FRAME);
    if (mic.read(out)) heard.push(out.slice());
    if (tick === 99) expect(mic.trimmed).toBe(0);
  }
  expect(mic.depthFrames).toBeLessThanOrEqual(3);
  expect(mic.trimmed).toBeGreaterThanOrEqual(5);
  expect(mic.dropped).toBe(0);
  expect(heard.slice(0, 108)).toEqual(Array.from({ length: 108 }, (_, i) => noise(i)));
});
