/** What a phone is saying: clips one after the other, cut into frames, silence in between. */
import { ProviderError } from "../../../engine/errors.ts";
import { ULAW_SILENCE } from "../../../engine/media/g711.ts";
import { FRAME_BYTES } from "../types.ts";

/** Clips waiting to be said; more are refused. */
const MAX_CLIPS = 64;

/** `said`: to its last frame. `cut`: by {@link Mouth.stop}, or the call ended. */
export type SpeakOutcome = "said" | "cut";

interface Clip {
  readonly ulaw: Uint8Array;
  readonly text: string | undefined;
  readonly done: (outcome: SpeakOutcome) => void;
  at: number;
}

export class Mouth {
  readonly #clips: Clip[] = [];
  readonly #announce: (text: string, ulaw: Uint8Array) => void;

  /** `announce` is called right before the first frame of a clip whose text is known. */
  constructor(announce: (text: string, ulaw: Uint8Array) => void) {
    this.#announce = announce;
  }

  get speaking(): boolean {
    return this.#clips.length > 0;
  }

  /** Rejects with `overflow` when 64 clips already wait. */
  speak(ulaw: Uint8Array, text: string | undefined): Promise<SpeakOutcome> {
    if (this.#clips.length >= MAX_CLIPS) {
      return Promise.reject(
        new ProviderError("overflow", `${MAX_CLIPS} clips are already waiting to be said`, true),
      );
    }
    if (ulaw.length === 0) return Promise.resolve("said");
    return new Promise((done) => this.#clips.push({ ulaw: wholeFrames(ulaw), text, done, at: 0 }));
  }

  /** The next 20 ms: a view of the clip, or `null` for silence. */
  next(): Uint8Array | null {
    const clip = this.#clips[0];
    if (!clip) return null;
    if (clip.at === 0 && clip.text !== undefined) this.#announce(clip.text, clip.ulaw);
    const frame = clip.ulaw.subarray(clip.at, clip.at + FRAME_BYTES);
    clip.at += FRAME_BYTES;
    if (clip.at >= clip.ulaw.length) {
      this.#clips.shift();
      clip.done("said");
    }
    return frame;
  }

  /** Falls silent at once, also for what was waiting. */
  stop(): void {
    for (const clip of this.#clips.splice(0)) clip.done("cut");
  }
}

/** The last frame is filled with silence. */
export function wholeFrames(ulaw: Uint8Array): Uint8Array {
  if (ulaw.length % FRAME_BYTES === 0) return ulaw;
  const padded = new Uint8Array(Math.ceil(ulaw.length / FRAME_BYTES) * FRAME_BYTES).fill(ULAW_SILENCE);
  padded.set(ulaw);
  return padded;
}
