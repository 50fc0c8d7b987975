import { describe, expect, test } from "bun:test";
import { designFilter } from "../../../engine/media/fir-design.ts";
import { MAX_WINDOWS, portableKernel } from "../../../engine/media/fir-portable.ts";
import { wasmKernel } from "../../../engine/media/fir-wasm.ts";
import { type Resampler, StreamResampler, createResampler } from "../../../engine/media/resampler.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { fitTone } from "../sandbox/phone/signals.ts";

const HALF_SCALE = 16_384;

function tone(hz: number, rateHz: number, samples: number, peak = HALF_SCALE): Int16Array {
  return Int16Array.from({ length: samples }, (_, n) =>
    Math.round(peak * Math.sin((2 * Math.PI * hz * n) / rateHz)),
  );
}

function noise(seed: number, samples: number, peak = 65_536): Int16Array {
  const ids = seededIds(seed);
  return Int16Array.from({ length: samples }, () => Math.floor((ids.random() - 0.5) * peak));
}

/** All output for `input`, given in pieces of the lengths that `nextLength` says, and the tail. */
function through(
  resampler: Resampler,
  input: Int16Array,
  nextLength: () => number = () => input.length,
): number[] {
  const output = new Int16Array(3 * input.length + 96);
  const all: number[] = [];
  const take = (count: number): void => void all.push(...output.subarray(0, count));
  for (let at = 0; at < input.length;) {
    const length = nextLength();
    take(resampler.process(input.subarray(at, at + length), output));
    at += length;
  }
  take(resampler.flush(output));
  return all;
}

const fit = (samples: readonly number[], hz: number, rateHz: number) => {
  const { amplitude, snrDb } = fitTone(Float32Array.from(samples), hz, rateHz);
  return { gainDb: 20 * Math.log10(amplitude / HALF_SCALE), snrDb };
};

const UPS = [
  { fromHz: 8000, toHz: 24_000 },
  { fromHz: 8000, toHz: 16_000 },
] as const;
const DOWNS = [
  { fromHz: 24_000, toHz: 8000 },
  { fromHz: 16_000, toHz: 8000 },
] as const;
const ALL = [...UPS, ...DOWNS];

describe.each([2, 3])("the filter for a ratio of %d", (ratio) => {
  for (const direction of ["raise", "lower"] as const) {
    test(`gives the same by SIMD and by plain loops, to the bit: ${direction}`, () => {
      const filter = designFilter(ratio);
      const fast = wasmKernel(filter, direction);
      const plain = portableKernel(filter, direction);
      // The runtime that this is made for has it; elsewhere the plain loops are all there is.
      if (fast === null) throw new Error("no SIMD here: nothing to compare");
      const ids = seededIds(ratio);
      for (const windows of [1, 2, 7, 8, 9, 160, 333, MAX_WINDOWS]) {
        // Full-scale noise of two levels brings sums to their bounds and saturates.
        for (const sample of [() => (ids.random() < 0.5 ? -32_768 : 32_767), () => ids.random() * 65_536]) {
          plain.input.forEach((_, i) => (plain.input[i] = sample()));
          fast.input.set(plain.input);
          fast.run(windows);
          plain.run(windows);
          const made = direction === "raise" ? windows * ratio : windows;
          expect(fast.output.subarray(0, made)).toEqual(plain.output.subarray(0, made));
        }
      }
    });
  }

  test("survives the samples that make its sums largest, of either sign", () => {
    const { raise, lower } = designFilter(ratio);
    for (const sign of [1, -1]) {
      const worst = (taps: Int16Array): Int16Array =>
        Int16Array.from(taps, (tap) => (tap * sign > 0 ? 32_767 : -32_768));
      raise.forEach((taps, i) => {
        const kernel = wasmKernel(designFilter(ratio), "raise");
        kernel?.input.set(worst(taps));
        kernel?.run(1);
        expect(kernel?.output[i + 1]).toBe(sign > 0 ? 32_767 : -32_768);
      });
      const kernel = wasmKernel(designFilter(ratio), "lower");
      lower.forEach((taps, i) => {
        worst(taps).forEach((sample, k) => kernel && (kernel.input[k * ratio + i + 1] = sample));
      });
      if (kernel) kernel.input[16 * ratio] = sign > 0 ? 32_767 : -32_768;
      kernel?.run(1);
      expect(kernel?.output[0]).toBe(sign > 0 ? 32_767 : -32_768);
    }
  });
});

describe.each(ALL)("from $fromHz to $toHz Hz", ({ fromHz, toHz }) => {
  const make = (): Resampler => createResampler({ fromHz, toHz });

  test("the output does not depend on how the signal is cut into pieces", () => {
    const signal = noise(1, 7001);
    const whole = through(make(), signal);
    for (const length of [1, 2, 5, 160, 480, 1000, 2881]) {
      expect(through(make(), signal, () => length)).toEqual(whole);
    }
    const ids = seededIds(2);
    expect(through(make(), signal, () => Math.floor(ids.random() * 700))).toEqual(whole);
  });

  test("plain loops in the place of SIMD give the same signal", () => {
    const ratio = Math.max(fromHz, toHz) / 8000;
    const direction = fromHz < toHz ? "raise" : "lower";
    const kernel = portableKernel(designFilter(ratio), direction);
    const [stepIn, stepOut] = direction === "raise" ? [1, ratio] : [ratio, 1];
    const signal = noise(3, 3000);
    expect(through(new StreamResampler(kernel, stepIn, stepOut), signal, () => 160)).toEqual(
      through(make(), signal),
    );
  });

  test("two at the same time do not hear each other", () => {
    const [one, other] = [noise(4, 3200), noise(5, 3200)];
    const [a, b] = [make(), make()];
    const output = new Int16Array(960);
    const heard: number[] = [];
    for (let at = 0; at < one.length; at += 160) {
      heard.push(...output.subarray(0, a.process(one.subarray(at, at + 160), output)));
      b.process(other.subarray(at, at + 160), output);
    }
    heard.push(...output.subarray(0, a.flush(output)));
    expect(heard).toEqual(through(make(), one));
  });

  test("after a flush or a reset a new signal begins", () => {
    const signal = noise(6, 1001);
    const fresh = through(make(), signal);
    const used = make();
    expect(through(used, signal)).toEqual(fresh);
    expect(through(used, signal)).toEqual(fresh);
    used.process(signal, new Int16Array(3003));
    used.reset();
    expect(through(used, signal)).toEqual(fresh);
  });

  test("a frame gives a frame, the tail the delay, and nothing gives nothing", () => {
    const resampler = make();
    const output = new Int16Array(480);
    const frame = fromHz / 50;
    for (let i = 0; i < 3; i++) expect(resampler.process(noise(i, frame), output)).toBe(toHz / 50);
    expect(resampler.process(new Int16Array(0), output)).toBe(0);
    expect(resampler.flush(output)).toBe(resampler.delaySamples);
    expect((resampler.delaySamples / toHz) * 1000).toBeLessThanOrEqual(2);
  });

  test("the delay is what it says", () => {
    const impulse = new Int16Array(4 * 48);
    impulse[48] = 20_000;
    const resampler = make();
    const out = through(resampler, impulse);
    const at = out.indexOf(Math.max(...out));
    expect(at).toBe((48 * toHz) / fromHz + resampler.delaySamples);
  });

  test("a steady level stays steady, and full scale does not wrap", () => {
    const steady = through(make(), new Int16Array(4000).fill(-9000));
    for (const sample of steady.slice(150, 1100)) expect(Math.abs(sample + 9000)).toBeLessThanOrEqual(1);
    // Behind each edge the filter overshoots, beyond what 16 bits hold.
    const square = Int16Array.from({ length: 4000 }, (_, n) => (n % 240 < 120 ? 32_767 : -32_768));
    const resampler = make();
    const out = through(resampler, square);
    for (let n = 3; n + 3 < square.length; n++) {
      const sign = Math.sign(square[n] as number);
      const place = (n * toHz) / fromHz + resampler.delaySamples;
      const edge = Math.sign(square[n - 3] as number) !== sign || Math.sign(square[n + 3] as number) !== sign;
      if (Number.isInteger(place) && !edge) expect((out[place] as number) * sign).toBeGreaterThan(25_000);
    }
  });
});

describe.each(UPS)("raising to $toHz Hz", ({ fromHz, toHz }) => {
  test("every sample is kept exactly", () => {
    const signal = noise(7, 2000);
    const resampler = createResampler({ fromHz, toHz });
    const out = through(resampler, signal);
    const ratio = toHz / fromHz;
    const kept = Array.from(signal, (_, n) => out[n * ratio + resampler.delaySamples]);
    expect(kept).toEqual([...signal]);
  });

  test.each([
    [1000, 80, 0.02],
    [3000, 74, 0.02],
    [3400, 60, 0.05],
  ])("a tone of %d Hz has an SNR of at least %d dB and keeps its level", (hz, snrDb, gainDb) => {
    const out = fit(through(createResampler({ fromHz, toHz }), tone(hz + 0.3, fromHz, 8000)), hz + 0.3, toHz);
    expect(out.snrDb).toBeGreaterThanOrEqual(snrDb);
    expect(Math.abs(out.gainDb)).toBeLessThanOrEqual(gainDb);
  });

  test.each([1000, 3000, 3400])("the image of %d Hz is at most -60 dB", (hz) => {
    const out = through(createResampler({ fromHz, toHz }), tone(hz + 0.3, fromHz, 8000));
    expect(fit(out, fromHz - hz - 0.3, toHz).gainDb).toBeLessThanOrEqual(-60);
  });
});

describe.each(DOWNS)("lowering from $fromHz Hz", ({ fromHz, toHz }) => {
  test.each([
    [1000, 80],
    [3000, 80],
    [3400, 80],
  ])("a tone of %d Hz has an SNR of at least %d dB and keeps its level", (hz, snrDb) => {
    const out = fit(
      through(createResampler({ fromHz, toHz }), tone(hz + 0.3, fromHz, 24_000)),
      hz + 0.3,
      toHz,
    );
    expect(out.snrDb).toBeGreaterThanOrEqual(snrDb);
    expect(Math.abs(out.gainDb)).toBeLessThanOrEqual(0.05);
  });

  test.each([4600, 5000, 6000, 7000])("the alias of %d Hz is at most -65 dB", (hz) => {
    const out = through(createResampler({ fromHz, toHz }), tone(hz + 0.3, fromHz, 24_000));
    expect(fit(out, toHz - hz - 0.3, toHz).gainDb).toBeLessThanOrEqual(-65);
  });
});

test("what is in the telephone band comes back from 24 kHz to a thousandth", () => {
  const high = tone(3000, 8000, 8000, 5000);
  const signal = Int16Array.from(tone(700, 8000, 8000, 9000), (sample, n) => sample + (high[n] as number));
  const up = createResampler({ fromHz: 8000, toHz: 24_000 });
  const down = createResampler({ fromHz: 24_000, toHz: 8000 });
  const back = through(down, Int16Array.from(through(up, signal)));
  const delay = up.delaySamples / 3 + down.delaySamples;
  for (let n = 100; n < 7900; n++) {
    expect(Math.abs((back[n + delay] as number) - (signal[n] as number))).toBeLessThanOrEqual(14);
  }
});

test("only conversions from or to 8 kHz are offered", () => {
  expect(() => createResampler({ fromHz: 16_000, toHz: 24_000 })).toThrow("no resampling");
  expect(() => createResampler({ fromHz: 8000, toHz: 8000 })).toThrow("no resampling");
});
