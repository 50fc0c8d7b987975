/**
 * The filter of the resampler. A Nyquist filter at the higher rate: each `ratio`-th tap but the middle one is 0,
 * so that raising the rate keeps every sample exactly and only makes those between, and lowering it needs a
 * third (or half) fewer products. It passes up to 3.4 kHz and has stopped at 4.6 kHz.
 */
import { invariant } from "../errors.ts";
import { kaiser, sinc } from "./kaiser.ts";

/** Samples at the lower rate that one output sample is made of. */
export const TAPS = 32;
/** Of a window of {@link TAPS} samples, the one that a raised signal keeps. */
export const KEPT = TAPS / 2 - 1;
/** Of a window of {@link TAPS} groups, the one whose first sample a lowered signal is centred on. */
export const CENTRE = TAPS / 2;
/** Shape of the window: about 60 dB by theory. What it comes to is measured by the tests and a bench. */
const BETA = 5.5;
/** Taps are fractions of 2^15 (Q15). */
const ONE = 32_768;
/** The largest 16-bit sample times this sum of taps just fits 32 bits. */
const MAX_TAP_SUM = 2 * ONE - 1;

export interface Filter {
  /** How many samples of the higher rate there are for one of the lower: 2 or 3. */
  readonly ratio: number;
  /** Raising: for each new sample between two kept ones, the taps of its window, oldest first. */
  readonly raise: readonly Int16Array[];
  /** Lowering: for each sample of a group but the first, its taps over a window of groups, oldest first. */
  readonly lower: readonly Int16Array[];
  /** Lowering: the tap of the first sample of the group {@link CENTRE}; those of the others are 0. */
  readonly centre: number;
}

export function designFilter(ratio: number): Filter {
  const between = Array.from({ length: ratio - 1 }, (_, i) => i + 1);
  const raise = between.map((phase) => taps(ratio, phase, ONE));
  const lower = between.map((place) => taps(ratio, ratio - place, ONE / ratio));
  const centre = Math.round(ONE / ratio);
  // The kernels add up in 32 bits: one half of a window when raising, all of them when lowering.
  for (const each of raise) {
    invariant(magnitude(each.subarray(0, CENTRE)) < MAX_TAP_SUM, "the first half may overflow");
    invariant(magnitude(each.subarray(CENTRE)) < MAX_TAP_SUM, "the second half may overflow");
  }
  const all = lower.reduce((sum, each) => sum + magnitude(each), centre);
  invariant(all < MAX_TAP_SUM, "lowering may overflow");
  return { ratio, raise, lower, centre };
}

/** Taps of the sample that lies `phase / ratio` after the kept one of its window, adding up to `gain`. */
function taps(ratio: number, phase: number, gain: number): Int16Array {
  const exact = Float64Array.from({ length: TAPS }, (_, k) => {
    const position = (KEPT - k) * ratio + phase;
    return sinc(position / ratio) * kaiser(position / (CENTRE * ratio), BETA);
  });
  const sum = exact.reduce((total, tap) => total + tap, 0);
  const rounded = Int16Array.from(exact, (tap) => Math.round((tap / sum) * gain));
  // The largest tap takes what rounding left over: unit gain at 0 Hz in every phase, or a steady level ripples.
  const rest = Math.round(gain) - rounded.reduce((total, tap) => total + tap, 0);
  const largest = rounded.indexOf(Math.max(...rounded));
  rounded[largest] = (rounded[largest] as number) + rest;
  return rounded;
}

function magnitude(values: Int16Array): number {
  return values.reduce((sum, tap) => sum + Math.abs(tap), 0);
}
