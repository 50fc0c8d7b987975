/**
 * Sample-rate conversion of live speech between 8 kHz and 16 or 24 kHz, piece by piece: however the signal is
 * cut into pieces, the output is the same to the bit. Filter and kernels are shared by the whole process; a
 * resampler itself is a few samples of history.
 */
import { invariant } from "../errors.ts";
import { CENTRE, KEPT, TAPS, designFilter } from "./fir-design.ts";
import { type FirKernel, MAX_WINDOWS, portableKernel } from "./fir-portable.ts";
import { wasmKernel } from "./fir-wasm.ts";

export type SampleRateHz = 8_000 | 16_000 | 24_000;

export interface ResamplerOptions {
  readonly fromHz: SampleRateHz;
  readonly toHz: SampleRateHz;
}

export interface Resampler {
  /** How much later a sample comes out than it went in, in samples of the output: 2 ms raising, 1.9 lowering. */
  readonly delaySamples: number;
  /**
   * Takes `input`, of any length, writes what can be said by now to the start of `output` and returns how many
   * samples that was. Raising, that is `ratio` times the input; lowering, at most `ceil(input.length / ratio)`.
   */
  process(input: Int16Array, output: Int16Array): number;
  /** Writes the tail that is still held, at most 48 samples, and begins anew. */
  flush(output: Int16Array): number;
  /** Forgets what was heard: the next sample begins a new signal. */
  reset(): void;
}

/** @throws InvariantError unless exactly one of the rates is 8 kHz. */
export function createResampler({ fromHz, toHz }: ResamplerOptions): Resampler {
  invariant((fromHz === 8000) !== (toHz === 8000), `no resampling from ${fromHz} Hz to ${toHz} Hz`);
  return fromHz === 8000
    ? new StreamResampler(kernelFor(toHz / fromHz, "raise"), 1, toHz / fromHz)
    : new StreamResampler(kernelFor(fromHz / toHz, "lower"), fromHz / toHz, 1);
}

const kernels = new Map<string, FirKernel>();

function kernelFor(ratio: number, direction: "raise" | "lower"): FirKernel {
  const key = `${direction} ${ratio}`;
  let kernel = kernels.get(key);
  if (!kernel) {
    const filter = designFilter(ratio);
    kernel = wasmKernel(filter, direction) ?? portableKernel(filter, direction);
    kernels.set(key, kernel);
  }
  return kernel;
}

/** Zeros to push out a tail with: more than any filter here holds. */
const ZEROS = new Int16Array(3 * TAPS);

/** A resampler on a kernel, which others may use between two calls. */
export class StreamResampler implements Resampler {
  readonly delaySamples: number;
  readonly #kernel: FirKernel;
  /** Samples that a window moves on by, in the input and in the output. */
  readonly #stepIn: number;
  readonly #stepOut: number;
  /** What the next window begins with: its first `#held` samples. */
  readonly #history: Int16Array;
  #held: number;
  /** Views of the last piece, kept because pieces are mostly of one length. */
  #made: Int16Array;
  #kept: Int16Array;

  constructor(kernel: FirKernel, stepIn: number, stepOut: number) {
    this.#kernel = kernel;
    this.#stepIn = stepIn;
    this.#stepOut = stepOut;
    this.#held = (TAPS - 1) * stepIn;
    this.#history = new Int16Array(this.#held + stepIn - 1);
    this.delaySamples = stepIn === 1 ? (TAPS - 1 - KEPT) * stepOut : TAPS - 1 - CENTRE;
    this.#made = kernel.output.subarray(0, 0);
    this.#kept = kernel.input.subarray(0, this.#history.length);
  }

  process(input: Int16Array, output: Int16Array): number {
    const most = MAX_WINDOWS * this.#stepIn;
    if (input.length <= most) return this.#piece(input, output, 0);
    let written = 0;
    for (let at = 0; at < input.length; at += most) {
      written += this.#piece(input.subarray(at, at + most), output, written);
    }
    return written;
  }

  flush(output: Int16Array): number {
    const begun = this.#held - (TAPS - 1) * this.#stepIn;
    const missing = begun === 0 ? 0 : this.#stepIn - begun;
    const tail = (this.delaySamples / this.#stepOut) * this.#stepIn;
    const written = this.#piece(ZEROS.subarray(0, missing + tail), output, 0);
    this.reset();
    return written;
  }

  reset(): void {
    this.#history.fill(0);
    this.#held = (TAPS - 1) * this.#stepIn;
  }

  #piece(input: Int16Array, output: Int16Array, at: number): number {
    const kernel = this.#kernel;
    kernel.input.set(this.#history);
    kernel.input.set(input, this.#held);
    const held = this.#held + input.length;
    const windows = Math.floor(held / this.#stepIn) - (TAPS - 1);
    const used = windows * this.#stepIn;
    const written = windows * this.#stepOut;
    if (windows > 0) {
      kernel.run(windows);
      if (this.#made.length !== written) this.#made = kernel.output.subarray(0, written);
      output.set(this.#made, at);
    }
    const keepAt = kernel.input.byteOffset + 2 * used;
    if (this.#kept.byteOffset !== keepAt) {
      this.#kept = kernel.input.subarray(used, used + this.#history.length);
    }
    this.#history.set(this.#kept);
    this.#held = held - used;
    return written;
  }
}
