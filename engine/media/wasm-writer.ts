/**
 * Writes WebAssembly from TypeScript: as much of the binary format (https://webassembly.github.io/spec/core/binary)
 * as small kernels with 128-bit SIMD need. No compiler when building, and no binary that nobody can read.
 */

const I32 = 0x7f;
const V128 = 0x7b;
const VOID = 0x40;
const SIMD = 0xfd;

/** Unsigned LEB128. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** Signed LEB128. */
function signedLeb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    if (rest >= -64 && rest < 64) return [...bytes, rest & 0x7f];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** A local variable, by its index. */
export type Local = number;

/**
 * The body of one function. It takes one `i32`, returns nothing, and works on the module's memory; addresses
 * are a base on the stack and a constant offset.
 */
export class FunctionWriter {
  readonly parameter: Local = 0;
  readonly #locals: number[] = [];
  readonly #code: number[] = [];

  i32(): Local {
    return this.#locals.push(I32);
  }

  v128(): Local {
    return this.#locals.push(V128);
  }

  get(local: Local): this {
    return this.#emit(0x20, ...leb(local));
  }

  set(local: Local): this {
    return this.#emit(0x21, ...leb(local));
  }

  constant(value: number): this {
    return this.#emit(0x41, ...signedLeb(value));
  }

  /** Adds a constant to a local. */
  advance(local: Local, by: number): this {
    return this.get(local).constant(by).#emit(0x6a).set(local);
  }

  /** Repeats `body` while `counter`, which it must make smaller, is positive; runs it at least once. */
  doWhilePositive(counter: Local, body: () => void): this {
    this.#emit(0x03, VOID);
    body();
    // i32.gt_s, br_if to the loop's start, end.
    return this.get(counter).constant(0).#emit(0x4a, 0x0d, 0, 0x0b);
  }

  /** Any address will do: alignment is only a hint, and it is given as that of one 16-bit sample. */
  load(offset: number): this {
    return this.#simd(0).#emit(1, ...leb(offset));
  }

  store(offset: number): this {
    return this.#simd(11).#emit(1, ...leb(offset));
  }

  /** Four times the same 32-bit number. */
  splat(value: number): this {
    return this.constant(value).#simd(17);
  }

  /** Sixteen-bit lanes of two vectors: 0 to 7 of the lower, 8 to 15 of the upper one of the stack. */
  shuffle(lanes: readonly number[]): this {
    return this.#simd(13).#emit(...lanes.flatMap((lane) => [2 * lane, 2 * lane + 1]));
  }

  /** Two vectors of four 32-bit lanes become one of eight 16-bit lanes, saturated. */
  narrow(): this {
    return this.#simd(133);
  }

  shiftRight(bits: number): this {
    return this.constant(bits).#simd(172);
  }

  add(): this {
    return this.#simd(174);
  }

  /** Products of the 16-bit lanes, those of each pair added. */
  dot(): this {
    return this.#simd(186);
  }

  /** As it stands in a code section. */
  bytes(): readonly number[] {
    const locals = this.#locals.flatMap((type) => [1, type]);
    const body = [...leb(this.#locals.length), ...locals, ...this.#code, 0x0b];
    return [...leb(body.length), ...body];
  }

  #simd(code: number): this {
    return this.#emit(SIMD, ...leb(code));
  }

  #emit(...bytes: readonly number[]): this {
    this.#code.push(...bytes);
    return this;
  }
}

/** A module of one page (64 KiB) of memory, exported as `memory`, and one function, exported as `run`. */
export function wasmModule(run: FunctionWriter): Uint8Array<ArrayBuffer> {
  const name = (text: string): number[] => [...leb(text.length), ...new TextEncoder().encode(text)];
  const section = (id: number, content: readonly number[]): number[] => [
    id,
    ...leb(content.length),
    ...content,
  ];
  const head = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  return Uint8Array.from([
    ...head,
    // One type, (i32) → (); one function of it; one memory of exactly one page.
    ...section(1, [1, 0x60, 1, I32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 1, 1, 1]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("run"), 0, 0]),
    ...section(10, [1, ...run.bytes()]),
  ]);
}
