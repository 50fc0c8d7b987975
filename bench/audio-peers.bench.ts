/**
 * The resamplers that npm has for telephone audio against Tandem's, one frame at a time as in a call. Its codec is
 * held against `alawmulaw` in the `codec` benchmark.
 */
import { type SampleRateHz, createResampler } from "../engine/media/resampler.ts";
import { fitTone } from "../test/unit/sandbox/phone/signals.ts";
import { installPeers } from "./peers/install.ts";
import { type MakeResampler, PEER_RESAMPLERS, type Rates } from "./peers/resamplers.ts";
import {
  type Bench,
  type BenchOptions,
  type Rows,
  type Variant,
  compare,
  comparedRow,
  fold,
} from "./runner.ts";

const FRAME_MS = 20;
const TONES_HZ = [1_000, 3_000, 3_400];
/** Tones lie beside whole numbers of hertz, so that no period of theirs fits the signal's rate. */
const OFF_HZ = 0.3;
const HALF_SCALE = 16_384;
const TANDEM = "Tandem";

export const bench: Bench = {
  name: "audio-peers",
  claim:
    "A telephone frame costs less to resample here than with any package of npm, with a noise far below that of μ-law itself.",
  run: async (options) => {
    await installPeers();
    const up = await runDirection(options, 8_000, 24_000);
    const down = await runDirection(options, 24_000, 8_000);
    return {
      rows: [...up.rows, ...down.rows],
      hash: fold(up.hash, down.hash),
      notes: [
        ...(up.notes ?? []),
        ...(down.notes ?? []),
        "The packages take and give 16-bit samples as calls have them: for libsamplerate and wave-resampler that includes the conversion to floats and back.",
        "Of what is not the tone, μ-law itself adds more: it has about 38 dB of signal to noise.",
        "wave-resampler keeps nothing from one frame to the next: its noise is the clicks at the seams.",
      ],
    };
  },
};

async function runDirection(
  { clock, smoke }: BenchOptions,
  fromHz: SampleRateHz,
  toHz: SampleRateHz,
): Promise<Rows> {
  const rates = { fromHz, toHz, frameSamples: (fromHz / 1000) * FRAME_MS };
  const makers = [...PEER_RESAMPLERS, makeOurs(fromHz, toHz)];
  const direction = `${fromHz / 1000} → ${toHz / 1000} kHz`;
  const frame = tone(TONES_HZ[0] ?? 0, rates, 0);
  let hash = 0;
  const variants: Variant[] = [];
  for (const make of makers) {
    const resampler = await make(rates);
    const run = (operations: number): number => {
      for (let i = 0; i < operations; i++) hash = fold(hash, resampler.process(frame)[i % FRAME_MS] ?? 0);
      // They sound different by design; what they were given is the same.
      return operations;
    };
    variants.push({ name: `${direction}: ${resampler.name}`, run });
  }
  const repetitions = smoke ? 2 : 101;
  const operations = smoke ? 2 : 50;
  const compared = await compare({ clock, variants, repetitions, operations, warmUps: smoke ? 1 : 10 });
  const rows = compared.map((each) =>
    comparedRow(each, each.name.endsWith(TANDEM) ? { of: "ratio", atMost: 1 } : null),
  );
  const notes: string[] = [];
  for (const make of makers) notes.push(`${direction}, ${await quality(make, rates, smoke ? 20 : 100)}`);
  return { rows, hash, notes };
}

function makeOurs(fromHz: SampleRateHz, toHz: SampleRateHz): MakeResampler {
  return async ({ frameSamples }) => {
    const resampler = createResampler({ fromHz, toHz });
    const output = new Int16Array(Math.ceil((frameSamples * toHz) / fromHz));
    return {
      name: TANDEM,
      process: (frame) => output.subarray(0, resampler.process(frame, output)),
    };
  };
}

/** In words: signal to noise at each tone. Each gets a resampler of its own, with nothing in its filter. */
async function quality(make: MakeResampler, rates: Rates, frames: number): Promise<string> {
  const figures: string[] = [];
  let name = "";
  for (const hz of TONES_HZ) {
    const resampler = await make(rates);
    ({ name } = resampler);
    const made: number[] = [];
    for (let at = 0; at < frames; at++) made.push(...resampler.process(tone(hz, rates, at)));
    const { snrDb } = fitTone(Float32Array.from(made), hz + OFF_HZ, rates.toHz);
    figures.push(`${snrDb.toFixed(0)} dB at ${hz / 1000} kHz`);
  }
  return `${name}: signal to noise ${figures.join(", ")}`;
}

/** Frame number `at` of a tone at half of full scale. */
function tone(hz: number, { fromHz, frameSamples }: Rates, at: number): Int16Array {
  const step = (2 * Math.PI * (hz + OFF_HZ)) / fromHz;
  const wave = (n: number): number => Math.round(HALF_SCALE * Math.sin(step * (at * frameSamples + n)));
  return Int16Array.from({ length: frameSamples }, (_, n) => wave(n));
}
