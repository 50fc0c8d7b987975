import { describe, expect, test } from "bun:test";
import { noise } from "../support/world.ts";
import { ulawToFloat } from "../unit/sandbox/phone/signals.ts";
import { find, shareHeard } from "./likeness.ts";

const CLIP = ulawToFloat(noise("clip", 2000));
const joined = (...parts: readonly Float32Array[]): Float32Array =>
  Float32Array.from(parts.flatMap((part) => [...part]));
const silence = (samples: number): Float32Array => new Float32Array(samples);

describe("what is found of a clip", () => {
  test("is all of it after silence, and nothing of it in other noise", () => {
    const heard = joined(silence(1234), CLIP, silence(5000));
    expect(find(CLIP, heard)).toEqual({ share: 1, place: { beginsAt: 1234, endsAt: 1234 + CLIP.length } });
    expect(find(CLIP, ulawToFloat(noise("another", 3000)))).toEqual({ share: 0, place: null });
  });

  test("goes on after a pause in the middle of it", () => {
    for (const pause of [300, 2400, 6000]) {
      const heard = joined(CLIP.subarray(0, 8000), silence(pause), CLIP.subarray(8000));
      expect(shareHeard(CLIP, heard)).toBeGreaterThan(0.7);
    }
  });

  test("has the order of the clip", () => {
    const heard = joined(CLIP.subarray(8000), CLIP.subarray(0, 8000));
    expect(shareHeard(CLIP, heard)).toBeLessThan(0.6);
  });
});
