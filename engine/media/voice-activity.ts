/**
 * Who speaks, from the power of frames of 20 ms alone: no model of speech. A loud radio is a voice to it, and so is a
 * key that is pressed. Good enough to tell apart two people on two lines, which is all that it is for.
 */
import { FRAME_MS } from "./jitter/frame-ring.ts";
import { dbov, SILENCE_DBOV, ulawPower } from "./level.ts";

/** So many loud frames begin a span: a click is shorter. One that is not loud takes one of them back. */
const ONSET_FRAMES = 3;
/** A pause between words is shorter than this; the span ends with the last loud frame, not with the pause. */
export const HANGOVER_MS = 300;
/** Loud is this much above the noise of the line, and never below the least level: breath, or a quiet room. */
const ABOVE_NOISE_DB = 10;
const LEAST_DBOV = -45;
/** Noise is not louder than this: steady speech must not become its own noise. */
const MAX_NOISE_DBOV = -40;
const FIRST_NOISE_DBOV = -60;
/**
 * The noise of a line follows what is quieter within half a second, and what is louder at 1 dB a second. Digital silence
 * is no line's noise: it stands where nothing came.
 */
const NOISE_FALL = 0.04;
const NOISE_RISE_DB = FRAME_MS / 1000;

/** A span of speech, while it lasts and when it is over. */
export interface SpanSink {
  /** Begun at the first loud frame. */
  began(startMs: number): void;
  /** Heard to last up to here. */
  lasts(endMs: number): void;
  ended(): void;
}

/** Finds the spans of speech in one stream. Allocates nothing after it is made. */
export class VoiceActivity {
  readonly #sink: SpanSink;
  #noiseDbov = FIRST_NOISE_DBOV;
  #score = 0;
  #onsetMs = 0;
  #speaking = false;
  #lastLoudMs = 0;

  constructor(sink: SpanSink) {
    this.#sink = sink;
  }

  get speaking(): boolean {
    return this.#speaking;
  }

  /** Takes the next frame: 160 bytes of μ-law whose first sample was said at `atMs`, on any clock. */
  push(frame: Uint8Array, atMs: number): void {
    const levelDbov = dbov(ulawPower(frame, frame.length));
    const isLoud = levelDbov >= Math.max(LEAST_DBOV, this.#noiseDbov + ABOVE_NOISE_DB);
    this.#follow(levelDbov);
    if (this.#speaking) this.#goOn(isLoud, atMs);
    else this.#waitForOnset(isLoud, atMs);
  }

  /** What comes next has nothing to do with what came. */
  stop(): void {
    if (this.#speaking) this.#sink.ended();
    this.#speaking = false;
    this.#score = 0;
  }

  #follow(levelDbov: number): void {
    if (levelDbov === SILENCE_DBOV) return;
    const noise = this.#noiseDbov;
    const next = levelDbov < noise ? noise + (levelDbov - noise) * NOISE_FALL : noise + NOISE_RISE_DB;
    this.#noiseDbov = Math.min(next, MAX_NOISE_DBOV);
  }

  #waitForOnset(isLoud: boolean, atMs: number): void {
    if (isLoud && this.#score === 0) this.#onsetMs = atMs;
    this.#score = isLoud ? this.#score + 1 : Math.max(0, this.#score - 1);
    if (this.#score < ONSET_FRAMES) return;
    this.#speaking = true;
    this.#score = 0;
    this.#lastLoudMs = atMs + FRAME_MS;
    this.#sink.began(this.#onsetMs);
    this.#sink.lasts(this.#lastLoudMs);
  }

  #goOn(isLoud: boolean, atMs: number): void {
    if (isLoud) {
      this.#lastLoudMs = atMs + FRAME_MS;
      this.#sink.lasts(this.#lastLoudMs);
    } else if (atMs + FRAME_MS - this.#lastLoudMs >= HANGOVER_MS) {
      this.stop();
    }
  }
}
