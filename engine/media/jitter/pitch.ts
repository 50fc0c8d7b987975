/** Periods of a voice at 8 kHz: 200 down to 66 Hz, the range of G.711 Appendix I. */
export const MIN_PERIOD = 40;
export const MAX_PERIOD = 120;
/** Samples that are compared with those one period earlier. */
const WINDOW = 160;
/** What {@link findPeriod} looks at. */
export const PITCH_SAMPLES: number = WINDOW + MAX_PERIOD;

/** Coarse first: a lag near the best one makes most of the others lose early. */
const LAG_STEP = 4;
/** How many samples are compared before it is asked whether a lag has lost. */
const BLOCK = 8;

/**
 * The period, in samples, after which the {@link PITCH_SAMPLES} samples from `start` repeat best: the lag with
 * the smallest sum of magnitude differences (AMDF) over their last 160. A lag is given up as soon as it has
 * lost; 40 when nothing repeats.
 */
export function findPeriod(pcm: Int16Array, start: number): number {
  const from = start + MAX_PERIOD;
  const to = from + WINDOW;
  let best = MIN_PERIOD;
  let least = Infinity;
  for (let first = 0; first < LAG_STEP; first++) {
    for (let lag = MIN_PERIOD + first; lag <= MAX_PERIOD; lag += LAG_STEP) {
      let sum = 0;
      for (let at = from; at < to && sum < least; at += BLOCK) {
        for (let i = at; i < at + BLOCK; i++) {
          sum += Math.abs((pcm[i] as number) - (pcm[i - lag] as number));
        }
      }
      if (sum < least) {
        least = sum;
        best = lag;
      }
    }
  }
  return best;
}
