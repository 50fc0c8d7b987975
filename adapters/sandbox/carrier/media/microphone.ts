import { FRAME_BYTES } from "../../types.ts";
import { isAudible } from "./levels.ts";

/** Frames held at most; the oldest is dropped for a newer one. */
const CAPACITY_FRAMES = 10;
/** Held before playing begins, so that frames that come unevenly do not leave holes. */
const TARGET_FRAMES = 2;
/** A lone frame that had to wait this many reads is the end of something: it is let out. */
const MAX_WAIT_READS = 2;
/** The smallest depth in this many reads is delay that buys nothing. */
const WINDOW_READS = 50;

/**
 * The small jitter queue of a phone's microphone: at most 200 ms, usually 40. What a stall has piled up is
 * taken out again in the next pause, a silent frame at a time; speech is only ever dropped when the queue is
 * full.
 */
export class Microphone {
  readonly #slots = new Uint8Array(CAPACITY_FRAMES * FRAME_BYTES);
  readonly #frames: readonly Uint8Array[];
  #head = 0;
  #depth = 0;
  #filling = true;
  #waitedReads = 0;
  #windowReads = 0;
  #windowMin = CAPACITY_FRAMES;
  #surplus = 0;
  #dropped = 0;
  #trimmed = 0;

  constructor() {
    this.#frames = Array.from({ length: CAPACITY_FRAMES }, (_, i) =>
      this.#slots.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES),
    );
  }

  get depthFrames(): number {
    return this.#depth;
  }
  /** Frames lost because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }
  /** Silent frames taken out to bring the delay down. */
  get trimmed(): number {
    return this.#trimmed;
  }

  push(frame: Uint8Array): void {
    if (this.#depth === CAPACITY_FRAMES) {
      this.#advance();
      this.#dropped++;
    }
    this.#slot(this.#depth).set(frame);
    this.#depth++;
  }

  /** Fills `out` with the next frame; `false` leaves it and means silence. */
  read(out: Uint8Array): boolean {
    this.#watchDepth();
    this.#trim();
    if (!this.#ready()) return false;
    out.set(this.#slot(0));
    this.#advance();
    return true;
  }

  #ready(): boolean {
    if (this.#depth === 0) {
      this.#filling = true;
      this.#waitedReads = 0;
      return false;
    }
    if (this.#filling && this.#depth < TARGET_FRAMES && this.#waitedReads < MAX_WAIT_READS) {
      this.#waitedReads++;
      return false;
    }
    this.#filling = false;
    return true;
  }

  #watchDepth(): void {
    this.#windowMin = Math.min(this.#windowMin, this.#depth);
    if (++this.#windowReads < WINDOW_READS) return;
    this.#surplus = Math.max(0, this.#windowMin - TARGET_FRAMES);
    this.#windowReads = 0;
    this.#windowMin = CAPACITY_FRAMES;
  }

  #trim(): void {
    while (this.#surplus > 0 && this.#depth > TARGET_FRAMES && !isAudible(this.#slot(0))) {
      this.#advance();
      this.#surplus--;
      this.#trimmed++;
    }
  }

  #slot(index: number): Uint8Array {
    return this.#frames[(this.#head + index) % CAPACITY_FRAMES] as Uint8Array;
  }

  #advance(): void {
    this.#head = (this.#head + 1) % CAPACITY_FRAMES;
    this.#depth--;
  }
}
