/** Energy voice-activity detection on windows of 20 ms. */

const WINDOW_MS = 20;
/** Active windows that make speech: 60 ms, so that a click does not start a turn. */
const ONSET_WINDOWS = 3;
/** Level of the thresholds 0 and 1 in dB of full scale: line noise is near −60, telephone speech near −20. */
const FLOOR_DBFS = -60;
const RANGE_DB = 40;

export interface VadSettings {
  /** 0..1 as in `turn_detection.threshold`. */
  readonly threshold: number;
  readonly silenceMs: number;
}

export type VadEvent =
  /** Speech began at `atMs` of the buffer clock (without prefix padding). */
  | { readonly type: "started"; readonly atMs: number }
  /** `silenceMs` of silence ended the speech at `atMs`, the silence included. */
  | { readonly type: "stopped"; readonly atMs: number };

export class EnergyVad {
  readonly #minPower: number;
  readonly #silenceMs: number;
  readonly #window: Int16Array;
  #filled = 0;
  #nowMs: number;
  #onsetMs = 0;
  #score = 0;
  #silentMs = 0;
  #speaking = false;

  /** `startMs` is the buffer clock at the first sample that will be pushed. */
  constructor(settings: VadSettings, rate: number, startMs: number) {
    const amplitude = 32_768 * 10 ** ((FLOOR_DBFS + RANGE_DB * settings.threshold) / 20);
    this.#minPower = amplitude * amplitude;
    this.#silenceMs = settings.silenceMs;
    this.#window = new Int16Array((rate / 1000) * WINDOW_MS);
    this.#nowMs = startMs;
  }

  get speaking(): boolean {
    return this.#speaking;
  }

  /** Forgets speech in progress, as a commit or clear by the client does; the clock goes on. */
  reset(): void {
    this.#score = 0;
    this.#silentMs = 0;
    this.#speaking = false;
  }

  push(samples: Int16Array): VadEvent[] {
    const events: VadEvent[] = [];
    let at = 0;
    while (at < samples.length) {
      const take = Math.min(this.#window.length - this.#filled, samples.length - at);
      this.#window.set(samples.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled < this.#window.length) break;
      this.#filled = 0;
      const event = this.#step(power(this.#window) >= this.#minPower);
      if (event) events.push(event);
    }
    return events;
  }

  #step(active: boolean): VadEvent | null {
    const startMs = this.#nowMs;
    this.#nowMs += WINDOW_MS;
    if (this.#speaking) {
      this.#silentMs = active ? 0 : this.#silentMs + WINDOW_MS;
      if (this.#silentMs < this.#silenceMs) return null;
      this.reset();
      return { type: "stopped", atMs: this.#nowMs };
    }
    if (active && this.#score === 0) this.#onsetMs = startMs;
    this.#score = active ? this.#score + 1 : Math.max(0, this.#score - 1);
    if (this.#score < ONSET_WINDOWS) return null;
    this.#speaking = true;
    this.#silentMs = 0;
    return { type: "started", atMs: this.#onsetMs };
  }
}

function power(samples: Int16Array): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += (samples[i] as number) ** 2;
  return sum / samples.length;
}
