import { ULAW_BYTES_PER_MS, ULAW_SILENCE } from "../../../../engine/media/g711.ts";
import { ByteQueue } from "./byte-queue.ts";

/** Twilio keeps ten minutes of outbound audio and discards the rest (warning 31931). */
export const MAX_HELD_BYTES = 10 * 60_000 * ULAW_BYTES_PER_MS;
/** Outstanding marks; Twilio names no limit. */
const MAX_MARKS = 20_000;

interface Mark {
  readonly name: string;
  /** Comes back when this many bytes have been played or cleared since the start of the stream. */
  readonly atBytes: number;
}

/**
 * What a server sends to a bidirectional stream: audio of any size, played in order, and marks in between. A
 * mark comes back when the audio before it has been played, at once when nothing is held, and on `clear`
 * (Twilio, Media Streams).
 */
export class Playout {
  readonly #onMark: (name: string) => void;
  readonly #held: ByteQueue;
  readonly #marks: Mark[] = [];
  #acceptedBytes = 0;
  #playedBytes = 0;
  #clearedBytes = 0;
  #overflowBytes = 0;
  #refusedMarks = 0;

  constructor(onMark: (name: string) => void, maxHeldBytes: number = MAX_HELD_BYTES) {
    this.#onMark = onMark;
    this.#held = new ByteQueue(maxHeldBytes);
  }

  get acceptedBytes(): number {
    return this.#acceptedBytes;
  }
  get playedBytes(): number {
    return this.#playedBytes;
  }
  get clearedBytes(): number {
    return this.#clearedBytes;
  }
  get heldBytes(): number {
    return this.#held.length;
  }
  get overflowBytes(): number {
    return this.#overflowBytes;
  }
  get outstandingMarks(): number {
    return this.#marks.length;
  }
  /** Marks that were never taken because too many were outstanding; they do not come back. */
  get refusedMarks(): number {
    return this.#refusedMarks;
  }

  /** `false` when part of it did not fit and was discarded. */
  media(ulaw: Uint8Array): boolean {
    const taken = this.#held.push(ulaw);
    this.#acceptedBytes += taken;
    this.#overflowBytes += ulaw.length - taken;
    return taken === ulaw.length;
  }

  mark(name: string): void {
    if (this.#held.length === 0) this.#onMark(name);
    else if (this.#marks.length < MAX_MARKS) this.#marks.push({ name, atBytes: this.#acceptedBytes });
    else this.#refusedMarks++;
  }

  /** Empties the buffer; every outstanding mark comes back. */
  clear(): void {
    this.#clearedBytes += this.#held.length;
    this.#held.clear();
    this.#returnMarks();
  }

  /**
   * Plays one frame: fills `out` and returns how many of its bytes are audio (the rest is silence). 0 leaves
   * `out` as it is. Marks that the frame passed come back before it returns.
   */
  play(out: Uint8Array): number {
    const played = this.#held.shift(out);
    if (played === 0) return 0;
    out.fill(ULAW_SILENCE, played);
    this.#playedBytes += played;
    this.#returnMarks();
    return played;
  }

  #returnMarks(): void {
    const passedBytes = this.#playedBytes + this.#clearedBytes;
    while (this.#marks.length > 0 && (this.#marks[0] as Mark).atBytes <= passedBytes) {
      this.#onMark((this.#marks.shift() as Mark).name);
    }
  }
}
