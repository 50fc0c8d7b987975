/** Two tracks of μ-law kept sample-aligned: what a phone said, and what it heard meanwhile. */
import { ULAW_SILENCE } from "../../../engine/media/g711.ts";
import { FRAME_BYTES, FRAME_MS } from "../types.ts";

/** Two hours; what comes later is counted and not kept. */
const DEFAULT_MAX_MS = 2 * 60 * 60 * 1000;
/**
 * The two tracks are driven by two clocks and one socket. A difference below this is jitter; a larger one means
 * that frames were lost, and is made up for with silence.
 */
const MAX_DRIFT_FRAMES = 25;

export interface Recording {
  readonly said: Uint8Array;
  readonly heard: Uint8Array;
  /** Frames of either track that came after the recording was full. */
  readonly droppedFrames: number;
}

export class Recorder {
  readonly #said: Track;
  readonly #heard: Track;
  #hearing = false;

  constructor(maxMs = DEFAULT_MAX_MS) {
    const maxFrames = Math.ceil(maxMs / FRAME_MS);
    this.#said = new Track(maxFrames);
    this.#heard = new Track(maxFrames);
  }

  /** One frame went out of the mouth: this track is the time line. */
  say(frame: Uint8Array): void {
    this.#said.append(frame);
  }

  /** The mouth missed `frames` of its beats. */
  skip(frames: number): void {
    this.#said.pad(frames);
  }

  /** One frame came in at the ear. */
  hear(frame: Uint8Array): void {
    const behind = this.#said.frames - this.#heard.frames;
    if (!this.#hearing || behind > MAX_DRIFT_FRAMES) this.#heard.pad(Math.max(0, behind));
    this.#hearing = true;
    this.#heard.append(frame);
  }

  /** Copies, of equal length. */
  take(): Recording {
    const frames = Math.max(this.#said.frames, this.#heard.frames);
    return {
      said: this.#said.copy(frames),
      heard: this.#heard.copy(frames),
      droppedFrames: this.#said.dropped + this.#heard.dropped,
    };
  }
}

class Track {
  frames = 0;
  dropped = 0;
  readonly #maxFrames: number;
  #bytes = new Uint8Array(50 * FRAME_BYTES);

  constructor(maxFrames: number) {
    this.#maxFrames = maxFrames;
  }

  append(frame: Uint8Array): void {
    if (!this.#grow(1)) return;
    this.#bytes.set(frame, this.frames * FRAME_BYTES);
    this.frames++;
  }

  pad(frames: number): void {
    const wanted = Math.min(frames, this.#maxFrames - this.frames);
    this.dropped += frames - wanted;
    if (wanted <= 0 || !this.#grow(wanted)) return;
    this.#bytes.fill(ULAW_SILENCE, this.frames * FRAME_BYTES, (this.frames + wanted) * FRAME_BYTES);
    this.frames += wanted;
  }

  copy(frames: number): Uint8Array {
    const out = new Uint8Array(frames * FRAME_BYTES).fill(ULAW_SILENCE);
    out.set(this.#bytes.subarray(0, this.frames * FRAME_BYTES));
    return out;
  }

  #grow(frames: number): boolean {
    if (this.frames + frames > this.#maxFrames) {
      this.dropped += frames;
      return false;
    }
    const needed = (this.frames + frames) * FRAME_BYTES;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.frames * FRAME_BYTES));
      this.#bytes = larger;
    }
    return true;
  }
}
