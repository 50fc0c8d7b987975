/**
 * Traces whose audio reaches whose ear: what a media stream plays is marked by its bytes, and the mark goes
 * with the frames through mixers and bridges to the phones that hear them.
 */

/** Mask of each μ-law byte. */
export type TaintTable = Int32Array;

/** `taintOf` gives a 32-bit mask for each μ-law byte; the byte of digital silence must have 0. */
export function taintTable(taintOf: (ulawByte: number) => number): TaintTable {
  return Int32Array.from({ length: 256 }, (_, byte) => taintOf(byte));
}

/** What the first `bytes` of `ulaw` carry. */
export function taintOfFrame(table: TaintTable, ulaw: Uint8Array, bytes: number): number {
  let mask = 0;
  for (let i = 0; i < bytes; i++) mask |= table[ulaw[i] as number] as number;
  return mask;
}

/** What a phone has heard in conferences and bridges. */
export interface HeardTaint {
  /** Frames heard, marked or not. */
  readonly frames: number;
  /** All masks of these frames, ORed. */
  readonly mask: number;
  /** `framesWith[n]`: frames whose mask had bit `n`. */
  readonly framesWith: readonly number[];
}

interface Heard {
  frames: number;
  mask: number;
  readonly framesWith: number[];
}

const MASK_BITS = 32;
/** The number that was longest without a call goes first. */
const MAX_NUMBERS = 10_000;
const NOTHING: HeardTaint = newHeard();

/** A running tally of what reached the ear of each phone. */
export class TaintBook {
  readonly table: TaintTable;
  readonly #heard = new Map<string, Heard>();
  /** Told of each frame that a phone hears; must not throw. */
  onHeard: ((number: string, mask: number) => void) | null = null;

  constructor(taintOf: (ulawByte: number) => number) {
    this.table = taintTable(taintOf);
  }

  /** Since the carrier's start. */
  heardBy(number: string): HeardTaint {
    return this.#heard.get(number) ?? NOTHING;
  }

  /** Where a phone's line reports what it hears. */
  ear(number: string): (mask: number) => void {
    const heard = this.#entry(number);
    return (mask) => {
      heard.frames++;
      heard.mask |= mask;
      for (let rest = mask; rest !== 0; rest &= rest - 1) {
        const bit = 31 - Math.clz32(rest & -rest);
        heard.framesWith[bit] = (heard.framesWith[bit] as number) + 1;
      }
      this.onHeard?.(number, mask);
    };
  }

  #entry(number: string): Heard {
    const heard = this.#heard.get(number) ?? newHeard();
    this.#heard.delete(number);
    this.#heard.set(number, heard);
    const oldest = this.#heard.keys().next();
    if (this.#heard.size > MAX_NUMBERS && !oldest.done) this.#heard.delete(oldest.value);
    return heard;
  }
}

function newHeard(): Heard {
  return { frames: 0, mask: 0, framesWith: Array.from({ length: MASK_BITS }, () => 0) };
}
