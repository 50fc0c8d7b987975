/**
 * Sample-rate conversion of whole clips by a windowed sinc. Offline code: it allocates and is exact
 * about phase, and is used for files and synthesised speech, never for live frames.
 */
import { InvariantError } from "../../../engine/errors.ts";
import { kaiser, sinc } from "../../../engine/media/kaiser.ts";

/** Zero crossings of the sinc on each side, counted at the lower of the two rates. */
const ZERO_CROSSINGS = 32;
/** Kaiser window shape for about 80 dB of stop-band attenuation. */
const KAISER_BETA = 8;
/**
 * Cut-off as a share of the lower rate's Nyquist frequency. With 64 taps the transition band is about 16 % of
 * Nyquist wide: at 8 kHz it passes speech up to 3.4 kHz and has stopped at 4 kHz.
 */
const CUTOFF = 0.925;

/** Converts mono `samples` at `fromHz` to `toHz`; both are whole numbers of hertz. Rounds the length. */
export function resample(samples: Float32Array, fromHz: number, toHz: number): Float32Array {
  if (!isRate(fromHz) || !isRate(toHz)) throw new InvariantError(`sample rates ${fromHz} and ${toHz}`);
  if (fromHz === toHz) return samples;
  const common = gcd(fromHz, toHz);
  const up = toHz / common;
  const down = fromHz / common;
  const out = new Float32Array(Math.round((samples.length * up) / down));
  const kernels = new KernelBank(fromHz, toHz, up);
  for (let n = 0; n < out.length; n++) {
    const at = n * down;
    const centre = Math.floor(at / up);
    out[n] = convolve(samples, centre, kernels.phase(at % up), kernels.reach);
  }
  return out;
}

/** Taps run from `centre - reach + 1` to `centre + reach`; outside the clip is silence. */
function convolve(samples: Float32Array, centre: number, kernel: Float32Array, reach: number): number {
  const first = centre - reach + 1;
  const from = Math.max(0, -first);
  const to = Math.min(kernel.length, samples.length - first);
  let sum = 0;
  for (let k = from; k < to; k++) sum += (samples[first + k] as number) * (kernel[k] as number);
  return sum;
}

/** One kernel for each fractional position, made when first needed. */
export class KernelBank {
  /** Taps on each side of a position. */
  readonly reach: number;
  readonly #cutoff: number;
  readonly #up: number;
  readonly #phases = new Map<number, Float32Array>();

  constructor(fromHz: number, toHz: number, up: number) {
    const ratio = Math.min(1, toHz / fromHz);
    this.reach = Math.ceil(ZERO_CROSSINGS / ratio);
    this.#cutoff = CUTOFF * ratio;
    this.#up = up;
  }

  phase(index: number): Float32Array {
    let kernel = this.#phases.get(index);
    if (!kernel) {
      kernel = this.#make(index / this.#up);
      this.#phases.set(index, kernel);
    }
    return kernel;
  }

  #make(fraction: number): Float32Array {
    const kernel = new Float32Array(2 * this.reach);
    let sum = 0;
    for (let k = 0; k < kernel.length; k++) {
      const distance = k - (this.reach - 1) - fraction;
      const tap = sinc(this.#cutoff * distance) * kaiser(distance / this.reach, KAISER_BETA);
      kernel[k] = tap;
      sum += tap;
    }
    // Unit gain at 0 Hz in every phase, or a steady level would ripple at the output rate.
    for (let k = 0; k < kernel.length; k++) kernel[k] = (kernel[k] as number) / sum;
    return kernel;
  }
}

export function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function isRate(hz: number): boolean {
  return Number.isInteger(hz) && hz > 0;
}
