/** A call whose audio comes straight back: every frame is timed on its way through the system. */
import type { CarrierStream } from "./carrier-stream.ts";
import type { Histogram } from "../../engine/platform/histogram.ts";
import type { AudioFormat } from "./model-line.ts";
import { TAG_BYTES, readTag } from "./tags.ts";

const FRAME_BYTES = 160;
/** Frames whose time of sending is kept: 20 s. */
const KEPT = 1024;
const MAX_TAG = 0xffffff;
/** Where samples no longer can be told from what was sent, every so many frames one is loud. */
const TONE_EVERY = 8;
const TONES = 64;
const MIDDLE = 81;

/** What all calls of one measurement share. */
export interface EchoWindow {
  readonly latency: Histogram;
  /** Whether tones are sent: not while what is on its way is let run out. */
  timed: boolean;
}

export class EchoAudio {
  framesOut = 0;
  framesIn = 0;
  garbled = 0;
  readonly #number: number;
  readonly #format: AudioFormat;
  readonly #window: EchoWindow;
  readonly #sentAtMs = new Float64Array(KEPT);
  readonly #toneAtMs = new Float64Array(TONES);
  #tonesOut = 0;
  #tonesIn = 0;
  /** Frames before this one are of an earlier measurement. */
  #since = 0;

  constructor(options: {
    readonly number: number;
    readonly format: AudioFormat;
    readonly window: EchoWindow;
  }) {
    this.#number = options.number;
    this.#format = options.format;
    this.#window = options.window;
  }

  /** What was sent until now does not count when it comes back. */
  forgetSent(): void {
    this.#since = this.framesOut;
    this.#tonesIn = this.#tonesOut;
  }

  send(stream: CarrierStream, nowMs: number): void {
    const n = this.framesOut++ & MAX_TAG;
    if (this.#format === "pcmu") {
      this.#sentAtMs[n % KEPT] = nowMs;
      stream.sendTagged(n);
      return;
    }
    const loud = this.#window.timed && n % TONE_EVERY === 0;
    if (loud) this.#toneAtMs[this.#tonesOut++ % TONES] = nowMs;
    stream.sendTone(loud);
  }

  /** `length` is how many bytes the base64 text from `at` stands for. */
  media(bytes: Buffer, at: number, length: number, nowMs: number): void {
    // A last piece that is not whole counts with the one that it was cut from.
    const frames = Math.max(1, Math.floor(length / FRAME_BYTES));
    for (let i = 0; i < frames; i++) {
      this.framesIn++;
      if (this.#format === "pcmu") this.#onTagged(bytes, at, i * FRAME_BYTES, nowMs);
      else if (isLoud(readTag(bytes, at, i * FRAME_BYTES + MIDDLE))) this.#onTone(nowMs);
    }
  }

  #onTagged(bytes: Buffer, at: number, offset: number, nowMs: number): void {
    const n = readTag(bytes, at, offset);
    if (readTag(bytes, at, offset + TAG_BYTES) !== this.#number || this.framesOut - n > KEPT) {
      this.garbled++;
    } else if (n >= this.#since) {
      this.#window.latency.record(nowMs - (this.#sentAtMs[n % KEPT] as number));
    }
  }

  /** Tones come back in the order in which they were sent. */
  #onTone(nowMs: number): void {
    if (this.#tonesIn >= this.#tonesOut) {
      this.garbled++;
      return;
    }
    this.#window.latency.record(nowMs - (this.#toneAtMs[this.#tonesIn++ % TONES] as number));
  }
}

/** Whether any of three μ-law bytes is in the upper half of the scale. */
function isLoud(bytes: number): boolean {
  return (~bytes & 0x7f7f7f & 0x404040) !== 0;
}
