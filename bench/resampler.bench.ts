/** The resampler against the cheapest ways to change the rate, and how good what it makes is. */
import { designFilter } from "../engine/media/fir-design.ts";
import { portableKernel } from "../engine/media/fir-portable.ts";
import { StreamResampler, createResampler, type SampleRateHz } from "../engine/media/resampler.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { fitTone } from "../test/unit/sandbox/phone/signals.ts";
import {
  type Bench,
  type BenchOptions,
  type Row,
  type Rows,
  type Target,
  type Variant,
  compare,
  comparedRow,
  fold,
} from "./runner.ts";
import { unrolledLower, unrolledRaise } from "./unrolled-fir.ts";

const FRAME_MS = 20;
const PHONE_FRAME = 8 * FRAME_MS;
const HALF_SCALE = 16_384;
/** Tones lie beside whole numbers of hertz, so that no period of theirs fits the signal's rate. */
const OFF_HZ = 0.3;
const FRAMES = 64;

export const bench: Bench = {
  name: "resampler",
  claim:
    "Changing the rate of live speech by a filter that keeps 3.4 kHz costs a few times an interpolation that does not.",
  run: async (options) => {
    const raised = await cost(raisers(options.smoke), options, 10);
    const lowered = await cost(lowerers(options.smoke), options, 15);
    const raised16 = await cost(raisers16(options.smoke), options, 10);
    const lowered16 = await cost(lowerers16(options.smoke), options, 15);
    const seconds = options.smoke ? 0.25 : 2;
    const quality = [
      ...raiseQuality(24_000, seconds),
      ...lowerQuality(24_000, seconds),
      ...raiseQuality(16_000, seconds),
      ...lowerQuality(16_000, seconds),
    ];
    const parts = [raised, lowered, raised16, lowered16];
    return {
      rows: [...parts.flatMap(({ rows }) => rows), ...quality],
      hash: parts.reduce((hash, part) => fold(hash, part.hash), qualityHash(quality)),
      notes: [
        "One operation is one frame of 20 ms. Variants that sound different cannot give one result: what is compared of them is how many samples they made. The tests hold SIMD and plain loops to the same output, to the bit, and piecewise output to that of the whole signal.",
        `Linear interpolation to 24 kHz for comparison: SNR ${linearSnr(1000, seconds)} dB at 1 kHz, ${linearSnr(3000, seconds)} dB at 3 kHz, ${linearSnr(3400, seconds)} dB at 3.4 kHz.`,
        "Tried and not kept: the same filter as generated JavaScript with every product written out. It is in the table.",
      ],
    };
  },
};

// ------------------------------------------------------------------ cost

async function cost(
  variants: readonly Variant[],
  { smoke, clock }: BenchOptions,
  atMost: number,
): Promise<Rows> {
  const operations = smoke ? 4 : FRAMES;
  const repetitions = smoke ? 3 : 301;
  const compared = await compare({ clock, variants, operations, repetitions, warmUps: smoke ? 1 : 200 });
  // The second variant is the product; the others are what it was chosen from.
  const rows = compared.map((each, index) => comparedRow(each, index === 1 ? { of: "ratio", atMost } : null));
  return { rows, hash: compared[0]?.hash ?? 0 };
}

function noise(samples: number, smoke: boolean): readonly Int16Array[] {
  const ids = seededIds(1);
  return Array.from({ length: smoke ? 2 : FRAMES }, () =>
    Int16Array.from({ length: samples }, () => Math.floor((ids.random() - 0.5) * 40_000)),
  );
}

/** A conversion of frames. What the call through `convert` costs is little beside some hundred nanoseconds. */
function converter(
  name: string,
  frames: readonly Int16Array[],
  outputSamples: number,
  convert: (input: Int16Array, output: Int16Array) => number,
): Variant {
  const output = new Int16Array(outputSamples);
  return {
    name,
    run: (operations) => {
      let made = 0;
      for (let i = 0; i < operations; i++) made += convert(frames[i % frames.length] as Int16Array, output);
      return made;
    },
  };
}

function product(fromHz: SampleRateHz, toHz: SampleRateHz, frames: readonly Int16Array[]): Variant {
  const resampler = createResampler({ fromHz, toHz });
  return converter(
    "FIR of 32 taps a phase, WebAssembly SIMD",
    frames,
    (toHz / 1000) * FRAME_MS,
    (input, output) => resampler.process(input, output),
  );
}

function plainLoops(ratio: number, direction: "raise" | "lower", frames: readonly Int16Array[]): Variant {
  const kernel = portableKernel(designFilter(ratio), direction);
  const raises = direction === "raise";
  const resampler = new StreamResampler(kernel, raises ? 1 : ratio, raises ? ratio : 1);
  const samples = raises ? PHONE_FRAME * ratio : PHONE_FRAME;
  return converter("the same in plain loops", frames, samples, (input, output) =>
    resampler.process(input, output),
  );
}

function raisers(smoke: boolean): readonly Variant[] {
  const frames = noise(PHONE_FRAME, smoke);
  return [
    converter("8 → 24 kHz: linear interpolation", frames, 3 * PHONE_FRAME, linearTo24()),
    product(8000, 24_000, frames),
    converter("the same, generated JavaScript", frames, 3 * PHONE_FRAME, unrolledRaise(3)),
    plainLoops(3, "raise", frames),
  ];
}

function lowerers(smoke: boolean): readonly Variant[] {
  const frames = noise(3 * PHONE_FRAME, smoke);
  return [
    converter("24 → 8 kHz: mean of three", frames, PHONE_FRAME, meanOfThree),
    product(24_000, 8000, frames),
    converter("the same, generated JavaScript", frames, PHONE_FRAME, unrolledLower(3)),
    plainLoops(3, "lower", frames),
  ];
}

function raisers16(smoke: boolean): readonly Variant[] {
  const frames = noise(PHONE_FRAME, smoke);
  return [
    converter("8 → 16 kHz: linear interpolation", frames, 2 * PHONE_FRAME, linearTo16()),
    product(8000, 16_000, frames),
  ];
}

function lowerers16(smoke: boolean): readonly Variant[] {
  const frames = noise(2 * PHONE_FRAME, smoke);
  return [
    converter("16 → 8 kHz: mean of two", frames, PHONE_FRAME, meanOfTwo),
    product(16_000, 8000, frames),
  ];
}

function linearTo24(): (input: Int16Array, output: Int16Array) => number {
  let last = 0;
  return (input, output) => {
    for (let i = 0; i < input.length; i++) {
      const sample = input[i] as number;
      const third = (sample - last) / 3;
      output[3 * i] = last;
      output[3 * i + 1] = last + third;
      output[3 * i + 2] = sample - third;
      last = sample;
    }
    return input.length * 3;
  };
}

function linearTo16(): (input: Int16Array, output: Int16Array) => number {
  let last = 0;
  return (input, output) => {
    for (let i = 0; i < input.length; i++) {
      const sample = input[i] as number;
      output[2 * i] = last;
      output[2 * i + 1] = (last + sample) / 2;
      last = sample;
    }
    return input.length * 2;
  };
}

function meanOfThree(input: Int16Array, output: Int16Array): number {
  const samples = input.length / 3;
  for (let i = 0; i < samples; i++) {
    output[i] = ((input[3 * i] as number) + (input[3 * i + 1] as number) + (input[3 * i + 2] as number)) / 3;
  }
  return samples;
}

function meanOfTwo(input: Int16Array, output: Int16Array): number {
  const samples = input.length / 2;
  for (let i = 0; i < samples; i++) {
    output[i] = ((input[2 * i] as number) + (input[2 * i + 1] as number)) / 2;
  }
  return samples;
}

// ------------------------------------------------------------------ quality

interface Fit {
  readonly snrDb: number;
  readonly gainDb: number;
}

/** What becomes of a tone of half scale, taken frame by frame; measured at `heardHz`, where it or its alias is. */
function measure(
  tone: { readonly hz: number; readonly heardHz: number },
  rates: { readonly fromHz: number; readonly toHz: number },
  seconds: number,
  convert: (input: Int16Array, output: Int16Array) => number,
): Fit {
  const { fromHz, toHz } = rates;
  const frame = (fromHz / 1000) * FRAME_MS;
  const output = new Int16Array((toHz / 1000) * FRAME_MS);
  const heard: number[] = [];
  for (let at = 0; at < seconds * fromHz; at += frame) {
    const wave = (n: number): number => Math.sin((2 * Math.PI * tone.hz * (at + n)) / fromHz);
    const input = Int16Array.from({ length: frame }, (_, n) => Math.round(HALF_SCALE * wave(n)));
    heard.push(...output.subarray(0, convert(input, output)));
  }
  const { amplitude, snrDb } = fitTone(Float32Array.from(heard), tone.heardHz, toHz);
  return { snrDb, gainDb: 20 * Math.log10(amplitude / HALF_SCALE) };
}

/** How a tone comes out, or with `heardAsHz` what it leaves at another frequency. */
function fitThrough(
  fromHz: SampleRateHz,
  toHz: SampleRateHz,
  seconds: number,
  hz: number,
  heardAsHz = hz + OFF_HZ,
): Fit {
  const resampler = createResampler({ fromHz, toHz });
  return measure({ hz: hz + OFF_HZ, heardHz: heardAsHz }, { fromHz, toHz }, seconds, (input, output) =>
    resampler.process(input, output),
  );
}

function raiseQuality(toHz: 16_000 | 24_000, seconds: number): readonly Row[] {
  const name = `8 → ${toHz / 1000} kHz`;
  const fit = (hz: number): Fit => fitThrough(8000, toHz, seconds, hz);
  const image = (hz: number): number => -fitThrough(8000, toHz, seconds, hz, 8000 - hz - OFF_HZ).gainDb;
  return [
    decibels(`${name}: SNR at 1 kHz`, fit(1000).snrDb, { atLeast: 80 }),
    decibels(`${name}: SNR at 3 kHz`, fit(3000).snrDb, { atLeast: 74 }),
    decibels(`${name}: SNR at 3.4 kHz`, fit(3400).snrDb, { atLeast: 39 }),
    decibels(`${name}: level off at 3 kHz by`, Math.abs(fit(3000).gainDb), { atMost: 0.5 }),
    decibels(`${name}: level off at 3.4 kHz by`, Math.abs(fit(3400).gainDb), { atMost: 0.5 }),
    decibels(`${name}: image of 3.4 kHz suppressed by`, image(3400), { atLeast: 39 }),
  ];
}

function lowerQuality(fromHz: 16_000 | 24_000, seconds: number): readonly Row[] {
  const name = `${fromHz / 1000} → 8 kHz`;
  const fit = (hz: number): Fit => fitThrough(fromHz, 8000, seconds, hz);
  const alias = (hz: number): number => -fitThrough(fromHz, 8000, seconds, hz, 8000 - hz - OFF_HZ).gainDb;
  return [
    decibels(`${name}: SNR at 1 kHz`, fit(1000).snrDb, { atLeast: 80 }),
    decibels(`${name}: SNR at 3 kHz`, fit(3000).snrDb, { atLeast: 74 }),
    decibels(`${name}: level off at 3.4 kHz by`, Math.abs(fit(3400).gainDb), { atMost: 0.5 }),
    decibels(`${name}: alias of 4.6 kHz suppressed by`, alias(4600), null),
    decibels(`${name}: alias of 5 kHz suppressed by`, alias(5000), { atLeast: 65 }),
  ];
}

function decibels(
  what: string,
  value: number,
  bound: { readonly atLeast: number } | { readonly atMost: number } | null,
): Row {
  const target: Target | null = bound === null ? null : { of: "median", ...bound };
  return { what, unit: "dB", median: value, p99: null, samples: 1, ratio: null, baseline: false, target };
}

function qualityHash(rows: readonly Row[]): number {
  return rows.reduce((hash, { median }) => fold(hash, Math.round(median * 100)), 0);
}

function linearSnr(hz: number, seconds: number): string {
  const tone = { hz: hz + OFF_HZ, heardHz: hz + OFF_HZ };
  return measure(tone, { fromHz: 8000, toHz: 24_000 }, seconds, linearTo24()).snrDb.toFixed(1);
}
