/**
 * The resamplers of npm behind one interface. All take and give 16-bit samples, as telephony and the models
 * do, so those that work on floats pay for the conversion that their caller would pay for.
 */
import { join } from "node:path";

export interface PeerResampler {
  readonly name: string;
  /** What comes out for a frame; valid until the next one. */
  process(frame: Int16Array): Int16Array;
}

export interface Rates {
  readonly fromHz: number;
  readonly toHz: number;
  /** Samples of the frames that will come. */
  readonly frameSamples: number;
}

export type MakeResampler = (rates: Rates) => Promise<PeerResampler>;

/** Loaded by path: the types of bench/peers are not there when the repository is checked. */
const load = <Module>(path: string): Promise<Module> =>
  import(join(import.meta.dir, "node_modules", path)) as Promise<Module>;

export const PEER_RESAMPLERS: readonly MakeResampler[] = [
  (rates) => speex(rates, 3),
  (rates) => speex(rates, 5),
  (rates) => libsamplerate(rates, "SRC_SINC_FASTEST"),
  (rates) => libsamplerate(rates, "SRC_SINC_MEDIUM_QUALITY"),
  waveResampler,
];

interface SpeexModule {
  readonly HEAP16: Int16Array;
  readonly HEAP32: Int32Array;
  _malloc(bytes: number): number;
  _speex_resampler_init(channels: number, from: number, to: number, quality: number, error: number): number;
  _speex_resampler_process_int(
    state: number,
    channel: number,
    input: number,
    inputSamples: number,
    output: number,
    outputSamples: number,
  ): number;
}

/** Room for a frame and for what its filter gives back a little early or late. */
const outputRoom = ({ fromHz, toHz, frameSamples }: Rates): number =>
  Math.ceil((frameSamples * toHz) / fromHz) + 64;

/** speexdsp (https://github.com/xiph/speexdsp) as WASM with SIMD, on integers. */
async function speex(rates: Rates, quality: number): Promise<PeerResampler> {
  const path = "@echogarden/speex-resampler-wasm/wasm/speex-resampler-simd.js";
  const wasm = await (await load<{ readonly default: () => Promise<SpeexModule> }>(path)).default();
  const room = outputRoom(rates);
  const input = wasm._malloc(rates.frameSamples * 2);
  const output = wasm._malloc(room * 2);
  const inputCount = wasm._malloc(8);
  const outputCount = inputCount + 4;
  const state = wasm._speex_resampler_init(1, rates.fromHz, rates.toHz, quality, inputCount);
  return {
    name: `speex WASM, quality ${quality}`,
    process: (frame) => {
      wasm.HEAP16.set(frame, input >> 1);
      wasm.HEAP32[inputCount >> 2] = frame.length;
      wasm.HEAP32[outputCount >> 2] = room;
      wasm._speex_resampler_process_int(state, 0, input, inputCount, output, outputCount);
      const made = wasm.HEAP32[outputCount >> 2] as number;
      return wasm.HEAP16.subarray(output >> 1, (output >> 1) + made);
    },
  };
}

interface LibsamplerateModule {
  readonly ConverterType: Readonly<Record<string, number>>;
  readonly create: (
    channels: number,
    fromHz: number,
    toHz: number,
    options: { readonly converterType: number | undefined },
  ) => Promise<{
    full(input: Float32Array, output: Float32Array, made: { frames: number }): Float32Array;
  }>;
}

/** libsamplerate (http://www.mega-nerd.com/SRC/) as WASM, with its streaming interface. */
async function libsamplerate(rates: Rates, type: string): Promise<PeerResampler> {
  const path = "@alexanderolsen/libsamplerate-js/dist/libsamplerate.js";
  const { ConverterType, create } = await load<LibsamplerateModule>(path);
  const converter = await create(1, rates.fromHz, rates.toHz, { converterType: ConverterType[type] });
  const floats = new Float32Array(rates.frameSamples);
  // Its filter gives nothing for the first frames and then more than one frame's worth.
  const output = new Float32Array(outputRoom(rates) * 2);
  const samples = new Int16Array(output.length);
  const made = { frames: 0 };
  return {
    name: `libsamplerate-js, ${type.slice("SRC_SINC_".length).toLowerCase().replace("_", " ")}`,
    process: (frame) => {
      for (let i = 0; i < frame.length; i++) floats[i] = (frame[i] as number) / 32_768;
      converter.full(floats, output, made);
      for (let i = 0; i < made.frames; i++) samples[i] = toInt16((output[i] as number) * 32_768);
      return samples.subarray(0, made.frames);
    },
  };
}

interface WaveResamplerModule {
  readonly resample: (samples: Int16Array, fromHz: number, toHz: number) => Float64Array;
}

/** Keeps nothing from one frame to the next: there is a click at every seam. Its defaults: cubic, low-pass. */
async function waveResampler({ fromHz, toHz }: Rates): Promise<PeerResampler> {
  const { resample } = await load<WaveResamplerModule>("wave-resampler/index.js");
  return {
    name: "wave-resampler (stateless)",
    process: (frame) => {
      const floats = resample(frame, fromHz, toHz);
      const samples = new Int16Array(floats.length);
      for (let i = 0; i < floats.length; i++) samples[i] = toInt16(floats[i] as number);
      return samples;
    },
  };
}

function toInt16(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value)));
}
