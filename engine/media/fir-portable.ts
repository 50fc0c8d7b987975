/**
 * The resampler's kernels in plain loops: for machines without SIMD in WebAssembly, and as the other opinion
 * that the tests hold the fast ones to.
 */
import { CENTRE, type Filter, KEPT, TAPS } from "./fir-design.ts";

/** Windows that one run makes at most: 120 ms of telephone audio. */
export const MAX_WINDOWS = 960;

/**
 * One conversion, and the memory that it works in. A window is `TAPS` groups of samples of the higher rate,
 * or as many samples of the lower one; the next begins one further on.
 */
export interface FirKernel {
  /** The history (`TAPS` - 1), then what is new. */
  readonly input: Int16Array;
  readonly output: Int16Array;
  /** Makes `output` for that many windows, 1 to {@link MAX_WINDOWS}. What follows in it means nothing. */
  readonly run: (windows: number) => void;
}

export function portableKernel(filter: Filter, direction: "raise" | "lower"): FirKernel {
  const { ratio } = filter;
  const low = new Int16Array(MAX_WINDOWS + TAPS);
  const high = new Int16Array(ratio * (MAX_WINDOWS + TAPS));
  return direction === "raise"
    ? { input: low, output: high, run: (windows) => raise(filter, low, high, windows) }
    : { input: high, output: low, run: (windows) => lower(filter, high, low, windows) };
}

function raise(
  { ratio, raise: phases }: Filter,
  input: Int16Array,
  output: Int16Array,
  windows: number,
): void {
  for (let n = 0; n < windows; n++) {
    output[n * ratio] = input[n + KEPT] as number;
    for (let phase = 1; phase < ratio; phase++) {
      const taps = phases[phase - 1] as Int16Array;
      // In two halves, or the sum might not fit 32 bits; see the filter's design.
      let first = 0;
      let second = 1 << 14;
      for (let k = 0; k < CENTRE; k++) {
        first += (input[n + k] as number) * (taps[k] as number);
        second += (input[n + CENTRE + k] as number) * (taps[CENTRE + k] as number);
      }
      output[n * ratio + phase] = saturated(((first >> 1) + (second >> 1)) >> 14);
    }
  }
}

function lower(
  { ratio, lower: places, centre }: Filter,
  input: Int16Array,
  output: Int16Array,
  windows: number,
): void {
  for (let n = 0; n < windows; n++) {
    let sum = (1 << 14) + (input[(n + CENTRE) * ratio] as number) * centre;
    for (let place = 1; place < ratio; place++) {
      const taps = places[place - 1] as Int16Array;
      for (let k = 0; k < TAPS; k++) sum += (input[(n + k) * ratio + place] as number) * (taps[k] as number);
    }
    output[n] = saturated(sum >> 15);
  }
}

function saturated(sample: number): number {
  return sample > 32_767 ? 32_767 : sample < -32_768 ? -32_768 : sample;
}
