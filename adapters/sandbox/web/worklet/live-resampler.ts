import { gcd, KernelBank } from "../../phone/resample.ts";

const PIECE = 1024;

/**
 * Converts a stream from one sample rate to another, piece by piece, with the kernels that clips are converted
 * with. It is behind by the reach of a kernel: 4 ms either way between 8 and 48 kHz.
 */
export class LiveResampler {
  /** One for each phase, made before the first sample: a callback of audio has no time for it. */
  readonly #kernels: readonly Float32Array[];
  /** Taps on each side of a position. */
  readonly #reach: number;
  readonly #up: number;
  readonly #down: number;
  /** The last samples, of which the first `#held` are there. */
  readonly #window: Float32Array;
  #held: number;
  /** Where the next output is in the window: between `#at` and the sample after it, so many `#up`ths along. */
  #at: number;
  #phase = 0;

  /** Both rates in whole hertz. */
  constructor(fromHz: number, toHz: number) {
    const common = gcd(fromHz, toHz);
    this.#up = toHz / common;
    this.#down = fromHz / common;
    const bank = new KernelBank(fromHz, toHz, this.#up);
    this.#kernels = Array.from({ length: this.#up }, (_, phase) => bank.phase(phase));
    const { reach } = bank;
    this.#reach = reach;
    this.#window = new Float32Array(2 * reach + PIECE + Math.ceil(fromHz / toHz) + 1);
    this.#held = reach - 1;
    this.#at = reach - 1;
  }

  /** Calls `take` for each sample that comes out. `input` may have any length. */
  process(input: Float32Array, take: (sample: number) => void): void {
    for (let from = 0; from < input.length; from += PIECE) {
      this.#piece(input.subarray(from, from + PIECE), take);
    }
  }

  reset(): void {
    this.#window.fill(0);
    this.#held = this.#reach - 1;
    this.#at = this.#held;
    this.#phase = 0;
  }

  #piece(input: Float32Array, take: (sample: number) => void): void {
    const reach = this.#reach;
    const window = this.#window;
    window.set(input, this.#held);
    this.#held += input.length;
    while (this.#at + reach < this.#held) {
      const kernel = this.#kernels[this.#phase] as Float32Array;
      const first = this.#at - reach + 1;
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) sum += (window[first + k] as number) * (kernel[k] as number);
      take(sum);
      this.#phase += this.#down;
      this.#at += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    const used = Math.min(this.#at - reach + 1, this.#held);
    window.copyWithin(0, used, this.#held);
    this.#held -= used;
    this.#at -= used;
  }
}
