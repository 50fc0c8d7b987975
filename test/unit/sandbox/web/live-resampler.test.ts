import { describe, expect, test } from "bun:test";
import { resample } from "../../../../adapters/sandbox/phone/resample.ts";
import { LiveResampler } from "../../../../adapters/sandbox/web/worklet/live-resampler.ts";

function voiceLike(samples: number, rateHz: number): Float32Array {
  return Float32Array.from(
    { length: samples },
    (_, i) =>
      0.4 * Math.sin((2 * Math.PI * 440 * i) / rateHz) + 0.2 * Math.sin((2 * Math.PI * 1900 * i) / rateHz),
  );
}

function live(input: Float32Array, fromHz: number, toHz: number, piece: number): Float32Array {
  const resampler = new LiveResampler(fromHz, toHz);
  const out: number[] = [];
  for (let at = 0; at < input.length; at += piece) {
    resampler.process(input.subarray(at, at + piece), (sample) => out.push(sample));
  }
  return Float32Array.from(out);
}

describe("the live resampler", () => {
  test.each([
    [48_000, 8000, 128],
    [44_100, 8000, 128],
    [96_000, 8000, 128],
    [8000, 48_000, 160],
    [8000, 44_100, 160],
  ])("gives from %i Hz to %i Hz in pieces of %i what a whole clip gives", (fromHz, toHz, piece) => {
    const input = voiceLike(fromHz / 2, fromHz);
    const whole = resample(input, fromHz, toHz);
    const pieces = live(input, fromHz, toHz, piece);
    // It holds back the reach of a kernel, which the clip has taken for silence.
    expect(pieces.length).toBeGreaterThan(whole.length - 0.006 * toHz - 1);
    expect(pieces.length).toBeLessThanOrEqual(whole.length);
    const end = pieces.length - Math.ceil(0.005 * toHz);
    for (let i = 0; i < end; i++) expect(pieces[i]).toBeCloseTo(whole[i] as number, 5);
  });

  test("does not depend on how the signal is cut", () => {
    const input = voiceLike(9000, 44_100);
    expect(live(input, 44_100, 8000, 5000)).toEqual(live(input, 44_100, 8000, 7));
  });

  test("begins anew when it is reset", () => {
    const input = voiceLike(4800, 48_000);
    const resampler = new LiveResampler(48_000, 8000);
    const rounds = [0, 1].map(() => {
      const out: number[] = [];
      resampler.reset();
      resampler.process(input, (sample) => out.push(sample));
      return out;
    });
    expect(rounds[1]).toEqual(rounds[0] as number[]);
  });
});
