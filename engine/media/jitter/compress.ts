import { PCM_TO_ULAW, ULAW_TO_PCM } from "../g711.ts";
import { findPeriod, MAX_PERIOD, PITCH_SAMPLES } from "./pitch.ts";

const pcm = new Int16Array(PITCH_SAMPLES);

/**
 * Takes whole pitch periods, up to 15 ms, out of the speech at the beginning of `ulaw` and returns how many
 * bytes shorter it is: the first samples are cross-faded into those as much later (pitch-synchronous
 * overlap-add), the rest is moved up byte for byte. `length` is how much of `ulaw` is speech, at least
 * {@link PITCH_SAMPLES}.
 */
export function compress(ulaw: Uint8Array, length: number): number {
  for (let i = 0; i < PITCH_SAMPLES; i++) pcm[i] = ULAW_TO_PCM[ulaw[i] as number] as number;
  const period = findPeriod(pcm, 0);
  const cut = period * Math.floor(MAX_PERIOD / period);
  for (let i = 0; i < cut; i++) {
    const sample = ((pcm[i] as number) * (cut - i) + (pcm[i + cut] as number) * i) / cut;
    ulaw[i] = PCM_TO_ULAW[Math.round(sample) & 0xffff] as number;
  }
  ulaw.copyWithin(cut, 2 * cut, length);
  return cut;
}
