import { PCM_TO_ULAW, ULAW_SILENCE, ULAW_TO_PCM } from "../g711.ts";
import { findPeriod, MAX_PERIOD, PITCH_SAMPLES } from "./pitch.ts";

const FRAME_SAMPLES = 160;
/** 10 ms at full level, then down in a straight line: 20 % of the level each 10 ms. */
const HOLD_SAMPLES = 80;
/** 60 ms: from here on there is silence. */
const MAX_SAMPLES = 480;
/** What came before a loss, as much as is looked at. */
export const HISTORY_BYTES: number = 480;

/**
 * Fills short losses with what the voice was doing, after ITU-T G.711 Appendix I: the last pitch period is
 * repeated, attenuated after 10 ms and silent at 60 ms, and faded into the speech that follows.
 *
 * It departs from the recommendation in this: nothing is delayed by 3.75 ms to smooth the start of a loss (the
 * repetition begins with the mirror image of the last samples instead, as spandsp does); the period is found by
 * magnitude differences instead of normalised correlation; one period is repeated throughout, not two and three
 * in longer losses; and the fade into speech takes a quarter period plus 4 ms for each 10 ms lost, at most 10
 * ms.
 */
export class Concealer {
  readonly #history = new Int16Array(HISTORY_BYTES);
  readonly #cycle = new Float64Array(MAX_PERIOD);
  #period = 0;
  #phase = 0;
  /** Samples made in this loss. */
  #made = 0;

  /** Takes over the speech before a loss: frames of 160 bytes, oldest first, 480 in all. */
  begin(first: Uint8Array, second: Uint8Array, last: Uint8Array): void {
    this.#decode(first, 0);
    this.#decode(second, FRAME_SAMPLES);
    this.#decode(last, 2 * FRAME_SAMPLES);
    const history = this.#history;
    const period = findPeriod(history, HISTORY_BYTES - PITCH_SAMPLES);
    const start = HISTORY_BYTES - period;
    for (let i = 0; i < period; i++) this.#cycle[i] = history[start + i] as number;
    // The end of the cycle is faded into what came before its beginning, so that it goes round without a step.
    const quarter = period >> 2;
    for (let i = 0; i < quarter; i++) {
      const at = period - quarter + i;
      const weight = (i + 1) / (quarter + 1);
      const before = history[start - quarter + i] as number;
      this.#cycle[at] = (this.#cycle[at] as number) * (1 - weight) + before * weight;
    }
    this.#period = period;
    this.#phase = 0;
    this.#made = 0;
  }

  /** Fills `out` (160 bytes); `false` when the loss has lasted 60 ms and `out` is silence. */
  next(out: Uint8Array): boolean {
    if (this.#made >= MAX_SAMPLES) {
      out.fill(ULAW_SILENCE);
      return false;
    }
    const quarter = this.#made === 0 ? this.#period >> 2 : 0;
    for (let i = 0; i < FRAME_SAMPLES; i++) {
      let sample = this.#sample();
      if (i < quarter) {
        const weight = (i + 1) / (quarter + 1);
        sample = sample * weight + (this.#history[HISTORY_BYTES - 1 - i] as number) * (1 - weight);
      }
      out[i] = PCM_TO_ULAW[Math.round(sample) & 0xffff] as number;
    }
    return true;
  }

  /** The loss is over: fades from where it was into `frame` (160 bytes), the first that follows. */
  end(frame: Uint8Array): void {
    const lost10ms = Math.floor(this.#made / HOLD_SAMPLES);
    const length = Math.min(HOLD_SAMPLES, (this.#period >> 2) + 32 * lost10ms);
    // After silence there is nothing to fade from.
    if (this.#made < MAX_SAMPLES) {
      for (let i = 0; i < length; i++) {
        const weight = (i + 1) / (length + 1);
        const real = ULAW_TO_PCM[frame[i] as number] as number;
        const sample = this.#sample() * (1 - weight) + real * weight;
        frame[i] = PCM_TO_ULAW[Math.round(sample) & 0xffff] as number;
      }
    }
    this.#made = 0;
  }

  #sample(): number {
    const made = this.#made++;
    const gain =
      made < HOLD_SAMPLES ? 1 : Math.max(0, 1 - (made - HOLD_SAMPLES) / (MAX_SAMPLES - HOLD_SAMPLES));
    const sample = (this.#cycle[this.#phase] as number) * gain;
    if (++this.#phase === this.#period) this.#phase = 0;
    return sample;
  }

  #decode(ulaw: Uint8Array, at: number): void {
    for (let i = 0; i < FRAME_SAMPLES; i++) this.#history[at + i] = ULAW_TO_PCM[ulaw[i] as number] as number;
  }
}
