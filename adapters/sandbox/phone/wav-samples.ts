/** Decoding of a WAV's data chunk to mono samples of -1..1. */
import { alaw } from "alawmulaw";
import { ULAW_TO_PCM } from "../../../engine/media/g711.ts";

export type WavCodec = "u8" | "s16" | "s24" | "s32" | "f32" | "f64" | "alaw" | "ulaw";

type Reader = (data: DataView, at: number) => number;

const ALAW_TO_PCM = Int16Array.from(alaw.decode(Uint8Array.from({ length: 256 }, (_, code) => code)));

const READERS: Readonly<Record<WavCodec, { readonly bytes: number; readonly read: Reader }>> = {
  u8: { bytes: 1, read: (data, at) => (data.getUint8(at) - 128) / 128 },
  s16: { bytes: 2, read: (data, at) => data.getInt16(at, true) / 32_768 },
  s24: {
    bytes: 3,
    read: (data, at) => (data.getUint16(at, true) + data.getInt8(at + 2) * 65_536) / 8_388_608,
  },
  s32: { bytes: 4, read: (data, at) => data.getInt32(at, true) / 2_147_483_648 },
  f32: { bytes: 4, read: (data, at) => finite(data.getFloat32(at, true)) },
  f64: { bytes: 8, read: (data, at) => finite(data.getFloat64(at, true)) },
  alaw: { bytes: 1, read: (data, at) => (ALAW_TO_PCM[data.getUint8(at)] as number) / 32_768 },
  ulaw: { bytes: 1, read: (data, at) => (ULAW_TO_PCM[data.getUint8(at)] as number) / 32_768 },
};

/** The mean of the channels; an incomplete last frame is dropped. */
export function decodeMono(data: DataView, codec: WavCodec, channels: number): Float32Array {
  const { bytes, read } = READERS[codec];
  const frames = Math.floor(data.byteLength / (bytes * channels));
  const out = new Float32Array(frames);
  for (let frame = 0, at = 0; frame < frames; frame++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, at += bytes) sum += read(data, at);
    out[frame] = sum / channels;
  }
  return out;
}

/** A float file may hold NaN or infinity, which would spread over every sample the resampler touches. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}
