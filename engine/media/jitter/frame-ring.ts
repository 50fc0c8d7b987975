import { ULAW_SILENCE } from "../g711.ts";
import type { JitterCounters } from "./counters.ts";
import { DelayEstimator } from "./delay-estimator.ts";
import { sequenceDelta } from "./sequence.ts";

export const FRAME_BYTES = 160;
export const FRAME_MS = 20;
const SILENCE = new Uint8Array(FRAME_BYTES).fill(ULAW_SILENCE);
/** Frames that were taken stay readable for concealment, so many of them. */
const HISTORY_FRAMES = 3;
/** Further ahead, or further behind, is another stream (RFC 3550, A.1). */
const MAX_DROPOUT = 3_000;
const MAX_MISORDER = 100;
/** A timestamp that far from where the sequence number puts it is another stream too. */
const MAX_TIMESTAMP_JUMP_MS = 1_000;
/** So many frames whose turn has passed, and none between them, are a stream that began again a little behind. */
const BEHIND_RUN = 10;

/**
 * The frames of one stream between their arrival and their turn, in one slab: each has its place by its sequence
 * number, so that order costs nothing. Never allocates after the constructor.
 */
export class FrameRing {
  readonly delay = new DelayEstimator();
  /** What comes later than the fastest by more than this is dropped. */
  maxLateMs = Infinity;
  /** Set once something was taken: from then on the stream cannot begin earlier. */
  begun = false;
  readonly #counters: JitterCounters;
  readonly #capacity: number;
  readonly #bits: 16 | 32;
  readonly #mask: number;
  readonly #frames: readonly Uint8Array[];
  /** Sequence number of what a slot holds, or held; one that does not belong in the slot when it is empty. */
  readonly #tags: Int32Array;
  readonly #stamps: Float64Array;
  /**
   * Which of the frames a slot has; -1: none. The frame freed last is used next, so that a stream that holds
   * little stays within little memory, and hundreds of streams within the cache.
   */
  readonly #places: Int32Array;
  readonly #free: Int32Array;
  #freeCount: number;
  #seen = false;
  /** Sequence number that is due next, and how many there are from it to the newest, missing ones included. */
  #head = 0;
  #span = 0;
  /** Added to sequence numbers, so that a new stream goes on where the old one ended. */
  #offset = 0;
  #newestMs = 0;
  /** A frame that seems to be of another stream, until the next one tells. */
  readonly #stash = new Uint8Array(FRAME_BYTES);
  readonly #stashed = { held: false, sequence: 0, timestampMs: 0, arrivalMs: 0 };
  #behindSequence = 0;
  #behindRun = 0;

  constructor(capacityFrames: number, sequenceBits: 16 | 32, counters: JitterCounters) {
    let slots = 1;
    while (slots < capacityFrames + HISTORY_FRAMES) slots *= 2;
    const slab = new Uint8Array(slots * FRAME_BYTES);
    this.#frames = Array.from({ length: slots }, (_, i) =>
      slab.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES),
    );
    this.#tags = Int32Array.from({ length: slots }, (_, i) => ~i);
    this.#stamps = new Float64Array(slots);
    this.#places = new Int32Array(slots).fill(-1);
    this.#free = Int32Array.from({ length: slots }, (_, i) => slots - 1 - i);
    this.#freeCount = slots;
    this.#mask = slots - 1;
    this.#capacity = capacityFrames;
    this.#bits = sequenceBits;
    this.#counters = counters;
  }

  /** From the frame that is due to the newest one, missing ones included. */
  get span(): number {
    return this.#span;
  }

  /** Whether the frame that is due, or the one after it, is there. */
  get isHere(): boolean {
    return this.#tags[this.#head & this.#mask] === this.#head;
  }
  get nextIsHere(): boolean {
    const next = (this.#head + 1) | 0;
    return this.#tags[next & this.#mask] === next;
  }

  /** The frame that is due, when it is there. */
  get frame(): Uint8Array {
    return this.#frames[this.#places[this.#head & this.#mask] as number] as Uint8Array;
  }
  get timestampMs(): number {
    return this.#stamps[this.#head & this.#mask] as number;
  }

  /** The frame that was due so many turns ago: 1, 2 or 3. */
  before(turns: number): Uint8Array {
    const place = this.#places[(this.#head - turns) & this.#mask] as number;
    return place < 0 ? SILENCE : (this.#frames[place] as Uint8Array);
  }

  /** On to the next frame. */
  skip(): void {
    const old = (this.#head - HISTORY_FRAMES) & this.#mask;
    const place = this.#places[old] as number;
    if (place >= 0) {
      this.#free[this.#freeCount++] = place;
      this.#places[old] = -1;
    }
    this.#head = (this.#head + 1) | 0;
    if (this.#span > 0) this.#span--;
  }

  /** On to the next frame without the one that is missing; `standIn` is what was, or might have been, heard. */
  skipMissing(standIn: Uint8Array = this.before(1)): void {
    this.#counters.lost++;
    this.#put(this.#head & this.#mask, standIn);
    this.skip();
  }

  /** Takes a frame (160 bytes, copied) that belongs at `timestampMs` and came at `arrivalMs`. */
  push(sequence: number, timestampMs: number, arrivalMs: number, frame: Uint8Array): void {
    if (!this.#seen) {
      this.#seen = true;
      this.#head = sequence | 0;
      this.#newestMs = timestampMs - FRAME_MS;
    }
    const ahead = sequenceDelta(sequence + this.#offset, this.#head, this.#bits);
    const jumpMs = timestampMs - this.#newestMs - (ahead - this.#span + 1) * FRAME_MS;
    if (
      ahead >= MAX_DROPOUT ||
      ahead < -MAX_MISORDER ||
      jumpMs >= MAX_TIMESTAMP_JUMP_MS ||
      jumpMs <= -MAX_TIMESTAMP_JUMP_MS
    ) {
      this.#suspect(sequence, timestampMs, arrivalMs, frame);
    } else this.#insert(ahead, sequence, timestampMs, arrivalMs, frame);
  }

  #insert(at: number, sequence: number, timestampMs: number, arrivalMs: number, frame: Uint8Array): void {
    let ahead = at;
    const tag = (this.#head + ahead) | 0;
    const slot = tag & this.#mask;
    const isHere = this.#tags[slot] === tag;
    if (ahead < 0 && this.begun) {
      this.#behind(isHere, sequence, timestampMs, arrivalMs, frame);
      return;
    }
    if (isHere) {
      this.#counters.duplicates++;
      return;
    }
    this.#behindRun = 0;
    const lateMs = this.delay.note(arrivalMs, timestampMs);
    if (lateMs > this.maxLateMs) {
      this.#counters.late++;
      return;
    }
    if (ahead < 0) {
      if (this.#span - ahead > this.#capacity) {
        this.#counters.late++;
        return;
      }
      // Nothing has been played yet: the stream begins a little earlier than it seemed.
      this.#counters.outOfOrder++;
      this.#head = tag;
      this.#span -= ahead;
      ahead = 0;
    } else if (ahead < this.#span) this.#counters.outOfOrder++;
    else {
      if (ahead >= this.#capacity) ahead -= this.#makeRoom(ahead - this.#capacity + 1);
      this.#span = ahead + 1;
      this.#newestMs = timestampMs;
    }
    this.#tags[slot] = tag;
    this.#stamps[slot] = timestampMs;
    this.#put(slot, frame);
  }

  #put(slot: number, frame: Uint8Array): void {
    let place = this.#places[slot] as number;
    if (place < 0) {
      place = this.#free[--this.#freeCount] as number;
      this.#places[slot] = place;
    }
    (this.#frames[place] as Uint8Array).set(frame);
  }

  /** Lets so many frames go, oldest first, and returns how many. */
  #makeRoom(frames: number): number {
    for (let i = 0; i < frames; i++) {
      if (this.isHere) {
        this.#counters.overflow++;
        this.skip();
      } else {
        this.#counters.skipped++;
        this.skipMissing();
      }
    }
    return frames;
  }

  /** A frame whose turn has passed: it was played, or comes too late. Many in a row are another stream. */
  #behind(
    played: boolean,
    sequence: number,
    timestampMs: number,
    arrivalMs: number,
    frame: Uint8Array,
  ): void {
    const follows = sequenceDelta(sequence, this.#behindSequence, this.#bits) === 1;
    this.#behindRun = follows ? this.#behindRun + 1 : 1;
    this.#behindSequence = sequence;
    if (this.#behindRun >= BEHIND_RUN) {
      this.#reset(sequence, timestampMs);
      this.#insert(this.#span, sequence, timestampMs, arrivalMs, frame);
    } else if (played) this.#counters.duplicates++;
    else {
      this.delay.note(arrivalMs, timestampMs);
      this.#counters.late++;
    }
  }

  #suspect(sequence: number, timestampMs: number, arrivalMs: number, frame: Uint8Array): void {
    const stashed = this.#stashed;
    if (stashed.held && sequenceDelta(sequence, stashed.sequence, this.#bits) === 1) {
      stashed.held = false;
      this.#reset(stashed.sequence, stashed.timestampMs);
      this.#insert(this.#span, stashed.sequence, stashed.timestampMs, stashed.arrivalMs, this.#stash);
      this.#insert(this.#span, sequence, timestampMs, arrivalMs, frame);
      return;
    }
    if (stashed.held) this.#counters.strays++;
    stashed.held = true;
    stashed.sequence = sequence;
    stashed.timestampMs = timestampMs;
    stashed.arrivalMs = arrivalMs;
    this.#stash.set(frame);
  }

  /** A new stream begins with `sequence`; it is played right after what is held of the old one. */
  #reset(sequence: number, timestampMs: number): void {
    this.#counters.resets++;
    this.delay.restart();
    this.#offset = (this.#head + this.#span - sequence) | 0;
    this.#newestMs = timestampMs - FRAME_MS;
    this.#behindRun = 0;
  }
}
