/** Cuts the silence that a synthesiser leaves around speech. */

/** 10 ms at 8 kHz. */
const BLOCK_SAMPLES = 80;
/** About −46 dB below full scale: quieter than any speech, louder than a synthesiser's noise. */
const AUDIBLE_PEAK = 164;
/** Kept on each side, so that soft first and last sounds are not clipped. */
const KEEP_BEFORE_SAMPLES = 320;
const KEEP_AFTER_SAMPLES = 640;

/** The part of `pcm` (8 kHz) that is audible, with a little around it; all of it when nothing is. */
export function trimSilence(pcm: Int16Array): Int16Array {
  let first = -1;
  let last = -1;
  for (let at = 0; at < pcm.length; at += BLOCK_SAMPLES) {
    if (peak(pcm, at) < AUDIBLE_PEAK) continue;
    if (first < 0) first = at;
    last = at + BLOCK_SAMPLES;
  }
  if (first < 0) return pcm;
  return pcm.subarray(
    Math.max(0, first - KEEP_BEFORE_SAMPLES),
    Math.min(pcm.length, last + KEEP_AFTER_SAMPLES),
  );
}

function peak(pcm: Int16Array, at: number): number {
  let max = 0;
  const end = Math.min(pcm.length, at + BLOCK_SAMPLES);
  for (let i = at; i < end; i++) max = Math.max(max, Math.abs(pcm[i] as number));
  return max;
}
