/**
 * Levels straight from μ-law bytes. They are in dBov (ITU-T G.100.1, as in RFC 6464): 0 is the power of a square
 * wave at full scale, here the 16-bit one (±32,768), so a sine as loud as μ-law goes has -3.2 and speech on the
 * telephone is around -26; digital silence is given as -127.
 */
import { ULAW_TO_PCM } from "./g711.ts";

/** Power of each code word, as a share of full scale. */
const POWER: Float64Array = Float64Array.from(ULAW_TO_PCM, (sample) => (sample / 32_768) ** 2);
export const SILENCE_DBOV = -127;
/** A piece counts as active from this level on: below speech and its pauses, above the noise of a line. */
const ACTIVE_POWER = 10 ** (-45 / 10);
/** Every fourth sample tells the level of speech well enough, at a quarter of the cost. */
const STEP = 4;

/** Mean power of the first `bytes` of `ulaw`; 0 when there are none. */
export function ulawPower(ulaw: Uint8Array, bytes: number): number {
  if (bytes === 0) return 0;
  // Four sums, so that no addition waits for the one before.
  let [a, b, c, d] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 3 < bytes; i += 4) {
    a += POWER[ulaw[i] as number] as number;
    b += POWER[ulaw[i + 1] as number] as number;
    c += POWER[ulaw[i + 2] as number] as number;
    d += POWER[ulaw[i + 3] as number] as number;
  }
  for (; i < bytes; i++) a += POWER[ulaw[i] as number] as number;
  return (a + b + c + d) / bytes;
}

/** The same from every fourth byte, `first` being the first of them: 0 to 3. */
export function sampledPower(ulaw: Uint8Array, bytes: number, first: number): number {
  if (bytes <= first) return 0;
  let [a, b] = [0, 0];
  let i = first;
  for (; i + STEP < bytes; i += 2 * STEP) {
    a += POWER[ulaw[i] as number] as number;
    b += POWER[ulaw[i + STEP] as number] as number;
  }
  if (i < bytes) a += POWER[ulaw[i] as number] as number;
  return (a + b) / Math.ceil((bytes - first) / STEP);
}

/** A share of full scale power as a level, -127 at least. */
export function dbov(power: number): number {
  return power > 0 ? Math.max(SILENCE_DBOV, 10 * Math.log10(power)) : SILENCE_DBOV;
}

/** Mean level of the active parts of a stream, of any length: it keeps two sums. Nothing here allocates. */
export class LevelMeter {
  #first = 0;
  #bytes = 0;
  #power = 0;
  #peak = 0;

  /** Takes the next piece, some 20 ms of it; a piece is active or not as a whole. Hot path. */
  add(ulaw: Uint8Array, bytes: number): void {
    // Which samples are looked at turns with the pieces, or a tone at a quarter of the rate might hide.
    this.#first = (this.#first + 1) & (STEP - 1);
    const power = sampledPower(ulaw, bytes, this.#first);
    if (power > this.#peak) this.#peak = power;
    if (power < ACTIVE_POWER) return;
    this.#bytes += bytes;
    this.#power += power * bytes;
  }

  /** Adds what `other` has measured, and empties it. */
  take(other: LevelMeter): void {
    this.#bytes += other.#bytes;
    this.#power += other.#power;
    other.#bytes = 0;
    other.#power = 0;
  }

  /** Level of the loudest piece since this was asked last, in whole dBov; -127 when there was none. */
  takePeakDbov(): number {
    const peak = this.#peak;
    this.#peak = 0;
    return Math.round(dbov(peak));
  }

  /** In dBov; -127 when nothing was active. */
  get activeDbov(): number {
    return this.#bytes === 0 ? SILENCE_DBOV : dbov(this.#power / this.#bytes);
  }
}

/** The meters of one leg. */
export interface LegLevels {
  readonly caller: LevelMeter;
  readonly agent: LevelMeter;
}

/** The levels of a call over all its legs, one at a time. */
export class CallLevels {
  readonly #total: LegLevels = { caller: new LevelMeter(), agent: new LevelMeter() };
  #leg: LegLevels | null = null;

  /** From now on the call's audio is this leg's. */
  follow(leg: LegLevels): void {
    this.#collect();
    this.#leg = leg;
  }

  /** Nothing counts from this leg any more; one that a later leg has replaced already does not matter. */
  leave(leg: LegLevels): void {
    if (leg !== this.#leg) return;
    this.#collect();
    this.#leg = null;
  }

  /** How loud it was since this was asked last, in whole dBov: for somebody who watches. */
  peaks(): readonly [caller: number, agent: number] {
    if (!this.#leg) return [SILENCE_DBOV, SILENCE_DBOV];
    return [this.#leg.caller.takePeakDbov(), this.#leg.agent.takePeakDbov()];
  }

  /** To a tenth of a decibel. */
  metrics(): { readonly callerLevelDbov: number; readonly agentLevelDbov: number } {
    this.#collect();
    const rounded = (meter: LevelMeter): number => Math.round(meter.activeDbov * 10) / 10;
    return { callerLevelDbov: rounded(this.#total.caller), agentLevelDbov: rounded(this.#total.agent) };
  }

  #collect(): void {
    if (!this.#leg) return;
    this.#total.caller.take(this.#leg.caller);
    this.#total.agent.take(this.#leg.agent);
  }
}
