import { FRAME_BYTES, type AudioEndpoint } from "../../types.ts";
import { Clip } from "./clip.ts";
import { SILENT_FRAME } from "./tones.ts";

/**
 * A leg outside a conference: it hears what is played to it, else silence, and nobody hears it. One frame per
 * tick.
 */
export class DirectPlayer {
  readonly #endpoint: AudioEndpoint;
  readonly #out = new Uint8Array(FRAME_BYTES);
  readonly #unheard = new Uint8Array(FRAME_BYTES);
  #clip: Clip | null = null;
  #onDone: () => void = () => undefined;

  constructor(endpoint: AudioEndpoint) {
    this.#endpoint = endpoint;
  }

  /**
   * Plays `ulaw` (any length) from the next tick on and calls `onDone` once after its last frame, from inside
   * that tick; `onDone` may play again without a gap. What was still playing is cut off, and its `onDone`
   * never called.
   */
  play(ulaw: Uint8Array, onDone: () => void): void {
    this.#clip = new Clip(ulaw);
    this.#onDone = onDone;
  }

  /** Silence from now on; the `onDone` of what was playing is not called. */
  stop(): void {
    this.#clip = null;
  }

  tick(): void {
    // The microphone runs on; what it holds now must not be heard later in a conference.
    this.#endpoint.read(this.#unheard);
    const clip = this.#clip;
    this.#endpoint.write(clip?.next(this.#out) ? this.#out : SILENT_FRAME);
    // `write` may have stopped or replaced the clip: then its end is no longer news.
    if (clip === null || !clip.done || clip !== this.#clip) return;
    this.#clip = null;
    this.#onDone();
  }
}
