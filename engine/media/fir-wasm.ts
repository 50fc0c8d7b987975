/**
 * The resampler's kernels in WebAssembly SIMD, eight windows at a time. A load at sample `k` holds the pairs
 * (k, k+1), (k+2, k+3), …: multiplied by one pair of taps and added within the pairs, it gives that pair's part
 * in every second window. So no sum ever crosses lanes, and each pair of taps is loaded once for eight windows.
 * All arithmetic is on integers: the same as that of `fir-portable.ts`, to the bit.
 */
import { invariant } from "../errors.ts";
import { CENTRE, type Filter, KEPT, TAPS } from "./fir-design.ts";
import { type FirKernel, MAX_WINDOWS } from "./fir-portable.ts";
import { FunctionWriter, type Local, wasmModule } from "./wasm-writer.ts";

const VECTOR = 16;
/** Windows that one round makes: of the last, more than asked may be made and are not looked at. */
const ROUND = 8;
const PAIRS = TAPS / 2;
/** Windows and the history before them. */
const GROUPS = MAX_WINDOWS + TAPS + ROUND;

/** Where what is in memory, in bytes; taps come first. */
const INPUT = 2048;
const OUTPUT = INPUT + 3 * 2 * GROUPS;
/** The input sorted by place in the group, for lowering. */
const STREAM_BYTES = 2 * GROUPS;
const STREAMS = OUTPUT + 3 * 2 * GROUPS;

/** `null` on a machine whose processor or runtime has no SIMD for WebAssembly. */
export function wasmKernel(filter: Filter, direction: "raise" | "lower"): FirKernel | null {
  const binary = wasmModule(direction === "raise" ? writeRaise(filter) : writeLower(filter));
  if (!WebAssembly.validate(binary)) return null;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary));
  const { memory, run } = exports;
  invariant(memory instanceof WebAssembly.Memory && typeof run === "function", "the kernel's exports");
  const taps = new Int16Array(memory.buffer, 0, INPUT / 2);
  filter[direction].forEach((values, phase) => spreadTaps(values, taps, (phase * PAIRS * VECTOR) / 2));
  return {
    input: new Int16Array(memory.buffer, INPUT, 3 * GROUPS),
    output: new Int16Array(memory.buffer, OUTPUT, 3 * GROUPS),
    run: run as (windows: number) => void,
  };
}

/** Each pair of taps four times over, to be multiplied with four pairs of samples. */
function spreadTaps(values: Int16Array, target: Int16Array, at: number): void {
  for (let pair = 0; pair < PAIRS; pair++) {
    for (let lane = 0; lane < 8; lane++)
      target[at + pair * 8 + lane] = values[2 * pair + (lane & 1)] as number;
  }
}

/** Sums of eight windows that begin at successive samples: of the even and of the odd ones. */
interface Sums {
  readonly even: Local;
  readonly odd: Local;
}

function newSums(code: FunctionWriter): Sums {
  return { even: code.v128(), odd: code.v128() };
}

/** Adds the products of a few pairs of taps to the sums, for each phase. */
class Products {
  readonly #code: FunctionWriter;
  readonly #even: Local;
  readonly #odd: Local;
  readonly #taps: Local;

  constructor(code: FunctionWriter) {
    this.#code = code;
    this.#even = code.v128();
    this.#odd = code.v128();
    this.#taps = code.v128();
  }

  /** Samples are at `base` + `offset`; `sums` are those of the phases `firstPhase` and on. */
  add(base: Local, offset: number, pair: number, firstPhase: number, sums: readonly Sums[]): void {
    const code = this.#code;
    code
      .get(base)
      .load(offset + 4 * pair)
      .set(this.#even);
    code
      .get(base)
      .load(offset + 4 * pair + 2)
      .set(this.#odd);
    sums.forEach(({ even, odd }, i) => {
      code
        .constant(0)
        .load(((firstPhase + i) * PAIRS + pair) * VECTOR)
        .set(this.#taps);
      code.get(even).get(this.#even).get(this.#taps).dot().add().set(even);
      code.get(odd).get(this.#odd).get(this.#taps).dot().add().set(odd);
    });
  }
}

/** A window's lane after the sums of even and odd windows were narrowed into one vector. */
const laneOf = (window: number): number => (window >> 1) + (window & 1) * 4;

function writeRaise({ ratio, raise }: Filter): FunctionWriter {
  const code = new FunctionWriter();
  const windows = code.parameter;
  const [from, to] = [code.i32(), code.i32()];
  const products = new Products(code);
  const halves = [raise.map(() => newSums(code)), raise.map(() => newSums(code))] as const;
  const kept = code.v128();
  code.doWhilePositive(windows, () => {
    halves.forEach((sums, half) => {
      // The second half brings the rounding.
      const start = half === 0 ? 0 : 1 << 14;
      for (const { even, odd } of sums) code.splat(start).set(even).splat(start).set(odd);
      for (let pair = 0; pair < PAIRS / 2; pair++) {
        products.add(from, INPUT, (half * PAIRS) / 2 + pair, 0, sums);
      }
    });
    const made = halves[0].map((first, phase) => {
      const second = halves[1][phase] as Sums;
      for (const parity of ["even", "odd"] as const) {
        code.get(first[parity]).shiftRight(1).get(second[parity]).shiftRight(1).add().shiftRight(14);
      }
      code.narrow().set(first.even);
      return first.even;
    });
    code
      .get(from)
      .load(INPUT + 2 * KEPT)
      .set(kept);
    storeInterleaved(code, to, kept, made);
    code
      .advance(from, 2 * ROUND)
      .advance(to, 2 * ROUND * ratio)
      .advance(windows, -ROUND);
  });
  return code;
}

/** Writes the kept samples with those made between them, in order. */
function storeInterleaved(code: FunctionWriter, to: Local, kept: Local, made: readonly Local[]): void {
  const ratio = made.length + 1;
  for (let vector = 0; vector < ratio; vector++) {
    const places = Array.from({ length: 8 }, (_, lane) => vector * 8 + lane);
    code.get(to).get(kept);
    made.forEach((samples, i) => {
      const lanes = places.map((place, lane) => {
        const window = Math.floor(place / ratio);
        const phase = place % ratio;
        if (phase === i + 1) return 8 + laneOf(window);
        // What an earlier shuffle has put there stays there; in the first one the lower vector is `kept`.
        return i === 0 ? window : lane;
      });
      code.get(samples).shuffle(lanes);
    });
    code.store(OUTPUT + vector * VECTOR);
  }
}

function writeLower({ ratio, lower, centre }: Filter): FunctionWriter {
  const code = new FunctionWriter();
  const windows = code.parameter;
  sortIntoStreams(code, ratio);
  const from = code.i32();
  const products = new Products(code);
  const sums = newSums(code);
  const first = code.v128();
  code.doWhilePositive(windows, () => {
    code
      .get(from)
      .load(STREAMS + 2 * CENTRE)
      .set(first);
    // Even windows take the first of each pair, odd ones the second.
    code
      .get(first)
      .splat(centre)
      .dot()
      .splat(1 << 14)
      .add()
      .set(sums.even);
    code
      .get(first)
      .splat(centre << 16)
      .dot()
      .splat(1 << 14)
      .add()
      .set(sums.odd);
    lower.forEach((_, i) => {
      for (let pair = 0; pair < PAIRS; pair++) {
        products.add(from, STREAMS + (i + 1) * STREAM_BYTES, pair, i, [sums]);
      }
    });
    code.get(from).get(sums.even).shiftRight(15).get(sums.odd).shiftRight(15).narrow().set(first);
    code
      .get(first)
      .get(first)
      .shuffle(Array.from({ length: 8 }, (__, window) => laneOf(window)));
    code.store(OUTPUT);
    code.advance(from, 2 * ROUND).advance(windows, -ROUND);
  });
  return code;
}

/** Takes the groups of the input apart: one stream for each place in a group. */
function sortIntoStreams(code: FunctionWriter, ratio: number): void {
  const [groups, from, to] = [code.i32(), code.i32(), code.i32()];
  const loaded = Array.from({ length: ratio }, () => code.v128());
  code
    .get(code.parameter)
    .set(groups)
    .advance(groups, TAPS - 1);
  code.doWhilePositive(groups, () => {
    loaded.forEach((vector, i) =>
      code
        .get(from)
        .load(INPUT + i * VECTOR)
        .set(vector),
    );
    for (let place = 0; place < ratio; place++) {
      const samples = Array.from({ length: 8 }, (_, group) => group * ratio + place);
      code.get(to).get(loaded[0] as Local);
      for (let i = 1; i < ratio; i++) {
        const lanes = samples.map((sample, lane) => {
          if (sample >> 3 === i) return 8 + (sample & 7);
          return i === 1 ? sample & 7 : lane;
        });
        code.get(loaded[i] as Local).shuffle(lanes);
      }
      code.store(STREAMS + place * STREAM_BYTES);
    }
    code
      .advance(from, 2 * ROUND * ratio)
      .advance(to, 2 * ROUND)
      .advance(groups, -ROUND);
  });
}
