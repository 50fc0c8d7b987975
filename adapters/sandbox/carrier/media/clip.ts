import { ULAW_SILENCE } from "../../../../engine/media/g711.ts";
import { FRAME_BYTES } from "../../types.ts";

/** μ-law of any length, handed out in frames of 160 bytes; the last one is filled up with silence. */
export class Clip {
  readonly #ulaw: Uint8Array;
  #at = 0;

  constructor(ulaw: Uint8Array) {
    this.#ulaw = ulaw;
  }

  get done(): boolean {
    return this.#at >= this.#ulaw.length;
  }

  rewind(): void {
    this.#at = 0;
  }

  /** Fills `out` (160 bytes) with the next frame; `false` when there is none left. */
  next(out: Uint8Array): boolean {
    if (this.done) return false;
    const end = Math.min(this.#at + FRAME_BYTES, this.#ulaw.length);
    const bytes = end - this.#at;
    for (let i = 0; i < bytes; i++) out[i] = this.#ulaw[this.#at + i] as number;
    if (bytes < FRAME_BYTES) out.fill(ULAW_SILENCE, bytes);
    this.#at = end;
    return true;
  }
}

/** At most this many announcements wait for one listener. */
const MAX_CLIPS = 8;

/** Clips played one after the other. Holds at most {@link MAX_CLIPS}; more are refused. */
export class ClipQueue {
  readonly #clips: Clip[] = [];

  /** `false` when the queue is full and the clip was refused. */
  push(ulaw: Uint8Array): boolean {
    if (this.#clips.length >= MAX_CLIPS) return false;
    this.#clips.push(new Clip(ulaw));
    return true;
  }

  /** Fills `out` (160 bytes); `false` when nothing is left to play. */
  next(out: Uint8Array): boolean {
    for (let clip = this.#clips[0]; clip; clip = this.#clips[0]) {
      if (clip.next(out)) return true;
      this.#clips.shift();
    }
    return false;
  }
}
