/**
 * The resampler's filter as generated JavaScript, every product written out over 64-bit floats: what the kernels
 * in WebAssembly were chosen against.
 */
import { CENTRE, KEPT, TAPS, designFilter } from "../engine/media/fir-design.ts";

type Convert = (input: Int16Array, output: Int16Array) => number;
type Kernel = (history: Float64Array, output: Int16Array, windows: number) => void;

const MAX_WINDOWS = 960;

/** Text of a function, made once. */
function kernel(body: string): Kernel {
  // oxlint-disable-next-line typescript/no-implied-eval -- The text is made here, of numbers alone.
  return new Function("x", "out", "windows", body) as Kernel;
}

const clamp = (sum: string): string => `Math.max(-32768, Math.min(32767, Math.round((${sum}) / 32768)))`;

export function unrolledRaise(ratio: number): Convert {
  const phases = designFilter(ratio).raise.map((taps, i) => {
    const sum = Array.from(taps, (tap, k) => `x[n + ${k}] * ${tap}`).join(" + ");
    return `out[${ratio} * n + ${i + 1}] = ${clamp(sum)};`;
  });
  const copy = `out[${ratio} * n] = x[n + ${KEPT}];`;
  const run = kernel(`for (let n = 0; n < windows; n++) { ${copy} ${phases.join(" ")} }`);
  return streaming(run, 1, ratio);
}

export function unrolledLower(ratio: number): Convert {
  const { lower, centre } = designFilter(ratio);
  const products = lower.flatMap((taps, i) =>
    Array.from(taps, (tap, k) => `x[at + ${k * ratio + i + 1}] * ${tap}`),
  );
  const sum = [`x[at + ${CENTRE * ratio}] * ${centre}`, ...products].join(" + ");
  const run = kernel(
    `for (let n = 0; n < windows; n++) { const at = ${ratio} * n; out[n] = ${clamp(sum)}; }`,
  );
  return streaming(run, ratio, 1);
}

/** Whole windows only, as frames of 20 ms are. */
function streaming(run: Kernel, stepIn: number, stepOut: number): Convert {
  const history = (TAPS - 1) * stepIn;
  const samples = new Float64Array(history + MAX_WINDOWS * stepIn);
  return (input, output) => {
    for (let i = 0; i < input.length; i++) samples[history + i] = input[i] as number;
    const windows = input.length / stepIn;
    run(samples, output, windows);
    samples.copyWithin(0, input.length, input.length + history);
    return windows * stepOut;
  };
}
