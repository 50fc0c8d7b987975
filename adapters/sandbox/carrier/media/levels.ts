import { ULAW_TO_PCM } from "../../../../engine/media/g711.ts";

/** Peak of a 16-bit sample up to which audio counts as silence: the first five steps of the μ-law scale. */
const SILENCE_PEAK = 32;
const AUDIBLE: Uint8Array = Uint8Array.from(ULAW_TO_PCM, (pcm) => (Math.abs(pcm) > SILENCE_PEAK ? 1 : 0));

/** Whether any sample of `ulaw` is more than silence. */
export function isAudible(ulaw: Uint8Array): boolean {
  for (let i = 0; i < ulaw.length; i++) {
    if (AUDIBLE[ulaw[i] as number] === 1) return true;
  }
  return false;
}
