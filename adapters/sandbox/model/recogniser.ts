/**
 * What the model understands. There is no speech recognition that can be had offline, so frames of a turn are
 * looked up among the speech the sandbox itself put on the line (`Hearing`), and the text with most votes
 * is what was said. Real recordings and microphones get an empty transcript; the persona goes on without words.
 */
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
  }

  #look(frame: Uint8Array, atMs: number): void {
    const texts = this.#hearing.lookup(frame);
    if (texts.length === 0) return;
    this.#matches.push({ atMs, texts });
    if (this.#matches.length > MAX_MATCHES) this.#matches.shift();
  }
}
