import { expect, test } from "bun:test";
import { beep, ringback, waitMusic } from "../../../../adapters/sandbox/carrier/media/tones.ts";
import { ULAW_TO_PCM } from "../../../../engine/media/g711.ts";

function peak(ulaw: Uint8Array): number {
  return ulaw.reduce((max, code) => Math.max(max, Math.abs(ULAW_TO_PCM[code] as number)), 0);
}

test("wait music is soft, repeats after its loop and has no clicks", () => {
  const out = new Uint8Array(160);
  const pcm: number[] = [];
  for (let i = 0; i < 401; i++) {
    waitMusic(i, out);
    for (const code of out) pcm.push(ULAW_TO_PCM[code] as number);
  }
  const loudest = pcm.reduce((max, sample) => Math.max(max, Math.abs(sample)), 0);
  expect(loudest).toBeGreaterThan(500);
  expect(loudest).toBeLessThan(3_000);
  const steps = pcm.slice(1).map((sample, i) => Math.abs(sample - (pcm[i] as number)));
  expect(Math.max(...steps)).toBeLessThan(1_200);
  const first = new Uint8Array(160);
  waitMusic(0, first);
  waitMusic(400, out);
  expect(out).toEqual(first);
});

test("ringback is two seconds of tone and four of silence, the beep a short tone", () => {
  expect(ringback()).toHaveLength(48_000);
  expect(peak(ringback().subarray(0, 16_000))).toBeGreaterThan(3_000);
  expect(peak(ringback().subarray(16_000))).toBe(0);
  expect(beep()).toHaveLength(3_200);
  expect(peak(beep())).toBeGreaterThan(5_000);
});
