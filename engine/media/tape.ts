import type { RecordedAudio } from "../recordings-port.ts";
import { ULAW_BYTES_PER_MS, ULAW_SILENCE } from "./g711.ts";

/** Eight seconds. A piece without a sound takes no memory. */
const PIECE_BYTES = 64 * 1024;
/** Two hours from the beginning of the call; what comes later is dropped and counted. */
const MAX_BYTES = 2 * 3_600_000 * ULAW_BYTES_PER_MS;
/** Chunks of one run of speech follow each other exactly; less than this between them is rounding. */
const MIN_GAP_MS = 1;

/** Memory that tapes have between them: a piece that does not fit is not kept. */
export class TapeBudget {
  readonly #maxPieces: number;
  #pieces = 0;

  constructor(maxBytes: number) {
    this.#maxPieces = Math.floor(maxBytes / PIECE_BYTES);
  }

  get usedBytes(): number {
    return this.#pieces * PIECE_BYTES;
  }

  /** False: there is none left. */
  take(): boolean {
    if (this.#pieces >= this.#maxPieces) return false;
    this.#pieces++;
    return true;
  }

  give(pieces: number): void {
    this.#pieces -= pieces;
  }
}

export interface TapeOptions {
  readonly maxBytes?: number;
  /** Left out: it has what it needs. */
  readonly budget?: TapeBudget;
  /** How far from where it belongs audio may follow what came before, rather than leave a gap. Default 1. */
  readonly minGapMs?: number;
}

/**
 * Certain audio of a call as it was heard: byte `n` belongs to `n / 8` ms after the beginning, with silence in between.
 * What is sent to the carrier is placed as if that got it at once. What does not fit is dropped and counted.
 */
export class Tape implements RecordedAudio {
  readonly counters = { tapeDroppedBytes: 0 };
  readonly #startMs: number;
  readonly #maxBytes: number;
  readonly #minGapBytes: number;
  readonly #budget: TapeBudget | null;
  /** A piece without a sound is not there. */
  readonly #pieces: (Uint8Array | undefined)[] = [];
  #bytes = 0;

  /** @param startMs when the call began, on the monotonic clock. */
  constructor(startMs: number, options: TapeOptions = {}) {
    this.#startMs = startMs;
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    this.#minGapBytes = (options.minGapMs ?? MIN_GAP_MS) * ULAW_BYTES_PER_MS;
    this.#budget = options.budget ?? null;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The first `count` of `bytes` begin to play at `atMs`. Hot path. */
  add(bytes: Uint8Array, count: number, atMs: number): void {
    const due = this.#at(atMs);
    const from = due - this.#bytes < this.#minGapBytes ? this.#bytes : due;
    const fits = Math.max(0, Math.min(count, this.#maxBytes - from));
    this.counters.tapeDroppedBytes += count - fits;
    for (let done = 0; done < fits;) {
      const index = Math.floor((from + done) / PIECE_BYTES);
      const offset = (from + done) % PIECE_BYTES;
      const piece = (this.#pieces[index] ??= this.#newPiece());
      const part = Math.min(fits - done, PIECE_BYTES - offset);
      if (!piece) this.counters.tapeDroppedBytes += part;
      else for (let i = 0; i < part; i++) piece[offset + i] = bytes[done + i] as number;
      done += part;
    }
    if (fits > 0) this.#bytes = from + fits;
  }

  /** By how much what was added last ends after `atMs`; negative: before. */
  aheadMs(atMs: number): number {
    return (this.#bytes - this.#at(atMs)) / ULAW_BYTES_PER_MS;
  }

  /** It is kept elsewhere by now, or nowhere. */
  release(): void {
    this.#budget?.give(this.#pieces.reduce((count, piece) => (piece ? count + 1 : count), 0));
    this.#pieces.length = 0;
    this.#bytes = 0;
  }

  /** Nothing is played from `atMs` on of what was added so far. */
  cut(atMs: number): void {
    const end = Math.max(0, this.#at(atMs));
    if (end >= this.#bytes) return;
    this.#bytes = end;
    const last = Math.floor(end / PIECE_BYTES);
    this.#pieces.length = Math.min(this.#pieces.length, last + 1);
    this.#pieces[last]?.fill(ULAW_SILENCE, end % PIECE_BYTES);
  }

  *pieces(): Iterable<Uint8Array> {
    const silence = new Uint8Array(PIECE_BYTES).fill(ULAW_SILENCE);
    for (let at = 0; at < this.#bytes; at += PIECE_BYTES) {
      const piece = this.#pieces[at / PIECE_BYTES] ?? silence;
      yield piece.subarray(0, this.#bytes - at);
    }
  }

  #newPiece(): Uint8Array | undefined {
    const fits = this.#budget?.take() ?? true;
    return fits ? new Uint8Array(PIECE_BYTES).fill(ULAW_SILENCE) : undefined;
  }

  #at(ms: number): number {
    return Math.floor((ms - this.#startMs) * ULAW_BYTES_PER_MS);
  }
}
