/** Tells speech from quiet on a line, by energy with a fixed threshold: what a test caller needs, no more. */
import { ULAW_TO_PCM } from "../../../engine/media/g711.ts";
import { FRAME_MS } from "../types.ts";

/** Root mean square of a 20 ms frame, about −40 dB below full scale. */
const SPEECH_RMS = 330;
/** Speech begins with this many loud frames in a row: a click is shorter. */
const ONSET_FRAMES = 3;

export class EarMonitor {
  #loudRun = 0;
  #quietFrames = 0;
  #speechFrames = 0;
  #heardFrames = 0;

  /** Takes one 160-byte frame of μ-law. */
  push(frame: Uint8Array): void {
    this.#heardFrames++;
    this.#loudRun = isLoud(frame) ? this.#loudRun + 1 : 0;
    if (this.#loudRun < ONSET_FRAMES) {
      this.#quietFrames++;
      return;
    }
    // The frames that made up the onset were speech too.
    this.#speechFrames += this.#loudRun === ONSET_FRAMES ? ONSET_FRAMES : 1;
    this.#quietFrames = 0;
  }

  /** Milliseconds of audio since the last frame of speech, or since the start. */
  get quietMs(): number {
    return this.#quietFrames * FRAME_MS;
  }

  /** Milliseconds of speech, pauses not counted, since {@link forget}. */
  get speechMs(): number {
    return this.#speechFrames * FRAME_MS;
  }

  /** There was speech since {@link forget}. */
  get heardSpeech(): boolean {
    return this.#speechFrames > 0;
  }

  /** Frames taken since the start. */
  get frames(): number {
    return this.#heardFrames;
  }

  /** Starts to wait for new speech; what is being said right now counts as new. */
  forget(): void {
    this.#speechFrames = 0;
  }
}

function isLoud(frame: Uint8Array): boolean {
  let energy = 0;
  for (let i = 0; i < frame.length; i++) {
    const sample = ULAW_TO_PCM[frame[i] as number] as number;
    energy += sample * sample;
  }
  return energy > SPEECH_RMS * SPEECH_RMS * frame.length;
}
