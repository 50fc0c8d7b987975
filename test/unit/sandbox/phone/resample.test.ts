import { describe, expect, test } from "bun:test";
import { resample } from "../../../../adapters/sandbox/phone/resample.ts";
import { fitTone, rms, sine } from "./signals.ts";

describe("the resampler", () => {
  test.each([
    [44_100, 1000],
    [48_000, 3000],
    [16_000, 300],
    [22_050, 3300],
    [11_025, 440],
    [96_000, 2000],
    [44_099, 1000],
  ])("brings a tone from %d Hz to 8 kHz unchanged (%d Hz)", (fromHz, toneHz) => {
    const out = resample(sine(toneHz, fromHz, fromHz), fromHz, 8000);
    expect(out.length).toBe(8000);
    const fit = fitTone(out, toneHz, 8000);
    expect(fit.amplitude).toBeGreaterThan(0.495);
    expect(fit.amplitude).toBeLessThan(0.505);
    expect(fit.snrDb).toBeGreaterThan(65);
  });

  test.each([4100, 5000, 6000, 7000, 11_000, 20_000])("does not let %d Hz alias into 8 kHz", (toneHz) => {
    expect(rms(resample(sine(toneHz, 44_100, 44_100), 44_100, 8000))).toBeLessThan(0.5 * 10 ** (-65 / 20));
  });

  test("makes no images when it raises the rate", () => {
    const out = resample(sine(2500, 6000, 6000), 6000, 8000);
    expect(fitTone(out, 2500, 8000).snrDb).toBeGreaterThan(65);
  });

  test("keeps a steady level steady", () => {
    const out = resample(new Float32Array(44_100).fill(0.25), 44_100, 8000);
    for (const value of out.subarray(100, 7900)) expect(value).toBeCloseTo(0.25, 5);
  });

  test("leaves a clip that has the right rate as it is", () => {
    const clip = sine(440, 8000, 100);
    expect(resample(clip, 8000, 8000)).toBe(clip);
  });

  test("takes clips shorter than its kernel", () => {
    expect(resample(new Float32Array(0), 44_100, 8000).length).toBe(0);
    expect(resample(new Float32Array([0.5]), 4000, 8000).length).toBe(2);
  });

  test("refuses rates that are none", () => {
    expect(() => resample(new Float32Array(1), 0, 8000)).toThrow("sample rates");
    expect(() => resample(new Float32Array(1), 44_100.5, 8000)).toThrow("sample rates");
  });
});
