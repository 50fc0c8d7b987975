/**
 * What the model understands. There is no speech recognition that can be had offline, so frames of a turn are
 * looked up among the speech the sandbox itself put on the line (`Hearing`), and the text with most votes
 * is what was said. Real recordings and microphones get an empty transcript; the persona goes on without words.
 */
import { ULAW_SILENCE } from "../../../engine/media/g711.ts";
import { isAudible } from "../carrier/media/levels.ts";
import { FRAME_BYTES, FRAME_MS, type Hearing } from "../types.ts";

/** Fewer matching frames than this (100 ms) are a coincidence. */
const MIN_MATCHES = 5;
/** Two minutes of matching frames; older ones are dropped. */
const MAX_MATCHES = 6000;

interface Match {
  readonly atMs: number;
  readonly texts: readonly string[];
}

export class Recogniser {
  readonly #hearing: Hearing;
  readonly #carry = new Uint8Array(FRAME_BYTES);
  #carried = 0;
  /** The frame before, and after it the one that is being filled. */
  readonly #window = new Uint8Array(2 * FRAME_BYTES).fill(ULAW_SILENCE);
  #filled = FRAME_BYTES;
  #matches: Match[] = [];

  constructor(hearing: Hearing) {
    this.#hearing = hearing;
  }

  /** Takes appended μ-law; `startMs` is the buffer clock at its first byte. */
  push(ulaw: Uint8Array, startMs: number): void {
    // An append of whole frames is aligned by itself: an odd remainder before it must not shift it.
    if (ulaw.length % FRAME_BYTES === 0) this.#carried = 0;
    let at = 0;
    while (at < ulaw.length) {
      const take = Math.min(FRAME_BYTES - this.#carried, ulaw.length - at);
      if (take === FRAME_BYTES) {
        this.#look(ulaw.subarray(at, at + take), startMs + (at / FRAME_BYTES) * FRAME_MS);
      } else {
        this.#carry.set(ulaw.subarray(at, at + take), this.#carried);
        this.#carried += take;
        if (this.#carried === FRAME_BYTES) {
          this.#carried = 0;
          this.#look(this.#carry, startMs + ((at + take) / FRAME_BYTES - 1) * FRAME_MS);
        }
      }
      at += take;
    }
  }

  /**
   * Takes μ-law that some filter has delayed, so that its frames begin anywhere. An audible frame that is not
   * known is looked for at every byte since the frame before; where one is found the next is expected.
   */
  pushDelayed(ulaw: Uint8Array, startMs: number): void {
    const window = this.#window;
    let at = 0;
    while (at < ulaw.length) {
      const take = Math.min(window.length - this.#filled, ulaw.length - at);
      window.set(ulaw.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled < window.length) return;
      const windowMs = startMs + ((at - window.length) / FRAME_BYTES) * FRAME_MS;
      const shift = this.#find(windowMs);
      window.copyWithin(0, shift);
      this.#filled = window.length - shift;
    }
  }

  /** The text said between two points of the buffer clock, or `""`; matches up to `endMs` are forgotten. */
  take(startMs: number, endMs: number): string {
    const votes = new Map<string, { frames: number; weight: number }>();
    const later: Match[] = [];
    for (const match of this.#matches) {
      if (match.atMs >= endMs) {
        later.push(match);
        continue;
      }
      if (match.atMs + FRAME_MS <= startMs) continue;
      for (const text of match.texts) {
        const vote = votes.get(text) ?? { frames: 0, weight: 0 };
        vote.frames++;
        // A frame that several texts share says little about which of them it was.
        vote.weight += 1 / match.texts.length;
        votes.set(text, vote);
      }
    }
    this.#matches = later;
    let best = "";
    let bestWeight = 0;
    for (const [text, vote] of votes) {
      if (vote.frames < MIN_MATCHES || vote.weight <= bestWeight) continue;
      best = text;
      bestWeight = vote.weight;
    }
    return best;
  }

  clear(): void {
    this.#matches = [];
    this.#carried = 0;
    this.#window.fill(ULAW_SILENCE);
    this.#filled = FRAME_BYTES;
  }

  /** Where in the window a known frame begins, or its second half. */
  #find(windowMs: number): number {
    const window = this.#window;
    if (this.#look(window.subarray(FRAME_BYTES), windowMs + FRAME_MS) || !isAudible(window))
      return FRAME_BYTES;
    for (let shift = 1; shift < FRAME_BYTES; shift++) {
      const atMs = windowMs + (shift / FRAME_BYTES) * FRAME_MS;
      if (this.#look(window.subarray(shift, shift + FRAME_BYTES), atMs)) return shift;
    }
    return FRAME_BYTES;
  }

  #look(frame: Uint8Array, atMs: number): boolean {
    const texts = this.#hearing.lookup(frame);
    if (texts.length === 0) return false;
    this.#matches.push({ atMs, texts });
    if (this.#matches.length > MAX_MATCHES) this.#matches.shift();
    return true;
  }
}
