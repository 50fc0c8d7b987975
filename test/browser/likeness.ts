/** How much of a known clip is in a recording that went through resampling, and so has other bytes. */

/** 100 ms at 8 kHz. */
const WINDOW = 800;
/** From one window to the next the clip may have slipped by this much: a frame made up, or left out. */
const SLIP = 400;
/** A busy machine pauses in what it plays: after a window that is not there, it is looked for further on. */
const MAX_SLIPS = 32;
const SEEK_STEP = 2;
/** Loud enough to be compared. */
const MIN_RMS = 0.01;
const MIN_FOUND_RMS = 0.002;
const ALIKE = 0.9;

export interface Found {
  /** Of the clip's loud windows. */
  readonly share: number;
  /** Where in `heard` the clip begins, and what was found of it ends; `null`: there is nothing of it. */
  readonly place: { readonly beginsAt: number; readonly endsAt: number } | null;
}

/** {@link find}, of a clip that is said once. */
export function shareHeard(clip: Float32Array, heard: Float32Array): number {
  return find(clip, heard).share;
}

/**
 * The share of the clip's loud windows of 100 ms that are in `heard`, in their order: each must correlate with a
 * place of it by 0.9, near where the one before has put it, or after a pause. Both at 8 kHz, -1..1. Of a clip that is said more than
 * once this is the first time.
 */
export function find(clip: Float32Array, heard: Float32Array): Found {
  let [alike, all] = [0, 0];
  let lag: number | null = null;
  let slips = 1;
  let place = null as Found["place"];
  const energy = new Float64Array(heard.length + 1);
  for (let i = 0; i < heard.length; i++) energy[i + 1] = (energy[i] as number) + (heard[i] as number) ** 2;
  for (let at = 0; at + WINDOW <= clip.length; at += WINDOW) {
    const window = clip.subarray(at, at + WINDOW);
    if (rms(window) < MIN_RMS) continue;
    all++;
    const near: readonly [number, number, number] =
      lag === null ? [0, heard.length - WINDOW, SEEK_STEP] : [at + lag - SLIP, at + lag + SLIP * slips, 1];
    let best = seek(window, heard, energy, near);
    // The coarse search falls between two samples: a finer one around it.
    if (lag === null) best = seek(window, heard, energy, [best.at - SEEK_STEP, best.at + SEEK_STEP, 1]);
    if (best.likeness < ALIKE) {
      slips = Math.min(MAX_SLIPS, 2 * slips);
      continue;
    }
    alike++;
    slips = 1;
    place = { beginsAt: place?.beginsAt ?? best.at - at, endsAt: best.at + WINDOW };
    lag = best.at - at;
  }
  return { share: all === 0 ? 0 : alike / all, place };
}

interface Place {
  readonly at: number;
  readonly likeness: number;
}

/** `energy`: what all before each sample of `heard` add up to. */
function seek(
  window: Float32Array,
  heard: Float32Array,
  energy: Float64Array,
  [from, to, step]: readonly [from: number, to: number, step: number],
): Place {
  let best = { at: 0, likeness: 0 };
  const last = Math.min(to, heard.length - window.length);
  for (let at = Math.max(0, from); at <= last; at += step) {
    // Most of what is heard is silence, in which there is nothing to be found.
    const loud = (energy[at + window.length] as number) - (energy[at] as number);
    if (loud < MIN_FOUND_RMS ** 2 * window.length) continue;
    const likeness = correlation(window, heard, at);
    if (likeness > best.likeness) best = { at, likeness };
  }
  return best;
}

function correlation(window: Float32Array, heard: Float32Array, at: number): number {
  let [product, own, other] = [0, 0, 0];
  for (let i = 0; i < window.length; i++) {
    const a = window[i] as number;
    const b = heard[at + i] as number;
    product += a * b;
    own += a * a;
    other += b * b;
  }
  return other === 0 ? 0 : product / Math.sqrt(own * other);
}

export function rms(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

/** Root mean square of each piece of `samples`, in order. */
export function envelope(samples: Float32Array, piece: number): Float32Array {
  return Float32Array.from({ length: Math.floor(samples.length / piece) }, (_, i) =>
    rms(samples.subarray(i * piece, (i + 1) * piece)),
  );
}

/** The highest correlation coefficient of `part` with any stretch of `whole`, which is repeated without end. */
export function bestFit(part: Float32Array, whole: Float32Array): number {
  let best = -1;
  for (let shift = 0; shift < whole.length; shift++) {
    const stretch = part.map((_, i) => whole[(shift + i) % whole.length] as number);
    best = Math.max(best, pearson(part, stretch));
  }
  return best;
}

function pearson(a: Float32Array, b: Float32Array): number {
  const mean = (values: Float32Array): number => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [product, squareA, squareB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const x = (a[i] as number) - meanA;
    const y = (b[i] as number) - meanB;
    product += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  return squareA === 0 || squareB === 0 ? 0 : product / Math.sqrt(squareA * squareB);
}
