/**
 * WAV files in and out: any common WAV becomes phone audio (mono μ-law at 8 kHz), and what a phone heard and
 * said becomes a stereo WAV. Format: Multimedia Programming Interface and Data Specifications 1.0, and
 * Microsoft's WAVE_FORMAT_EXTENSIBLE.
 */
import { ConfigError, errorText } from "../../../engine/errors.ts";
import { PCM_TO_ULAW, ULAW_TO_PCM } from "../../../engine/media/g711.ts";
import { resample } from "./resample.ts";
import { decodeMono, type WavCodec } from "./wav-samples.ts";

export const PHONE_RATE_HZ = 8000;
/** Larger files are refused: a call has no use for them and they are held in memory. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;
const MIN_RATE_HZ = 1000;
const MAX_RATE_HZ = 768_000;
const MAX_CHANNELS = 32;

export interface WavAudio {
  readonly sampleRateHz: number;
  /** Channels of the file; `samples` is their mean. */
  readonly channels: number;
  readonly codec: WavCodec;
  /** Mono, -1..1. */
  readonly samples: Float32Array;
}

interface Format {
  readonly codec: WavCodec;
  readonly channels: number;
  readonly sampleRateHz: number;
}

/** Reads a WAV file as μ-law at 8 kHz. Throws {@link ConfigError} that names the file and what was found. */
export async function readWavAsUlaw(path: string): Promise<Uint8Array> {
  return toUlaw(parseWav(await readFile(path), path));
}

/** Parses the bytes of a WAV; `name` is what errors call it. */
export function parseWav(bytes: Uint8Array, name: string): WavAudio {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = tag(bytes, 0);
  if ((magic !== "RIFF" && magic !== "RF64") || tag(bytes, 8) !== "WAVE") {
    throw wavError(name, `is not a WAV file: ${describeContent(bytes)}`, CONVERT);
  }
  const { fmt, data } = findChunks(bytes, view, name);
  const format = parseFormat(fmt, name);
  const samples = decodeMono(data, format.codec, format.channels);
  if (samples.length === 0) throw wavError(name, "has no samples", "record something into it");
  return { ...format, samples };
}

/** Resampled with anti-aliasing if need be; clips what is out of range. */
export function toUlaw(wav: WavAudio): Uint8Array {
  const samples = resample(wav.samples, wav.sampleRateHz, PHONE_RATE_HZ);
  const ulaw = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    const value = Math.round((samples[i] as number) * 32_768);
    const pcm = value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value;
    ulaw[i] = PCM_TO_ULAW[pcm & 0xffff] as number;
  }
  return ulaw;
}

/** A stereo 16-bit WAV at 8 kHz of two μ-law tracks; the shorter one ends in silence. */
export function encodeStereoWav(left: Uint8Array, right: Uint8Array): Uint8Array {
  const frames = Math.max(left.length, right.length);
  const out = new Uint8Array(44 + frames * 4);
  const view = new DataView(out.buffer);
  const put = (at: number, text: string): void => {
    for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  };
  put(0, "RIFF");
  view.setUint32(4, 36 + frames * 4, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, PHONE_RATE_HZ, true);
  view.setUint32(28, PHONE_RATE_HZ * 4, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 16, true);
  put(36, "data");
  view.setUint32(40, frames * 4, true);
  for (let i = 0; i < frames; i++) {
    view.setInt16(44 + i * 4, i < left.length ? (ULAW_TO_PCM[left[i] as number] as number) : 0, true);
    view.setInt16(46 + i * 4, i < right.length ? (ULAW_TO_PCM[right[i] as number] as number) : 0, true);
  }
  return out;
}

/** Writes {@link encodeStereoWav} to `path`. Throws {@link ConfigError} when it cannot be written. */
export async function writeStereoWav(path: string, left: Uint8Array, right: Uint8Array): Promise<void> {
  try {
    await Bun.write(path, encodeStereoWav(left, right));
  } catch (error) {
    throw wavError(
      path,
      `cannot be written: ${errorText(error)}`,
      "name a path in a folder you may write to",
    );
  }
}

const CONVERT = "convert it first, for example with `ffmpeg -i FILE -ar 8000 -ac 1 OUT.wav`";

async function readFile(path: string): Promise<Uint8Array> {
  const file = Bun.file(path);
  const found = await file.stat().catch((error: unknown) => {
    throw wavError(path, `cannot be read: ${errorText(error)}`, "check the path");
  });
  if (!found.isFile()) throw wavError(path, "is not a file", "name a WAV file");
  if (found.size > MAX_FILE_BYTES) {
    throw wavError(
      path,
      `has ${found.size} bytes, more than ${MAX_FILE_BYTES}`,
      "cut it into shorter pieces",
    );
  }
  try {
    return await file.bytes();
  } catch (error) {
    throw wavError(path, `cannot be read: ${errorText(error)}`, "check its permissions");
  }
}

/** Finds `fmt ` and `data`; a data chunk with a size that is unknown or too large runs to the end of the file. */
function findChunks(
  bytes: Uint8Array,
  view: DataView,
  name: string,
): { readonly fmt: DataView; readonly data: DataView } {
  let fmt: DataView | null = null;
  let at = 12;
  while (at + 8 <= bytes.length) {
    const id = tag(bytes, at);
    const declared = view.getUint32(at + 4, true);
    const left = bytes.length - at - 8;
    // Streaming writers leave 0 or 0xffffffff here; a cut-off recording declares more than there is.
    const streamed = id === "data" && declared === 0;
    const size = streamed ? left : Math.min(declared, left);
    const body = new DataView(bytes.buffer, bytes.byteOffset + at + 8, size);
    if (id === "fmt ") fmt = body;
    if (id === "data") {
      if (!fmt) throw wavError(name, "has its data before its format", CONVERT);
      return { fmt, data: body };
    }
    at += 8 + size + (size % 2);
  }
  throw wavError(name, `has no ${fmt ? "data" : "format"} chunk (${bytes.length} bytes)`, CONVERT);
}

function parseFormat(fmt: DataView, name: string): Format {
  if (fmt.byteLength < 16) throw wavError(name, `has a format chunk of ${fmt.byteLength} bytes`, CONVERT);
  const declared = fmt.getUint16(0, true);
  const channels = fmt.getUint16(2, true);
  const sampleRateHz = fmt.getUint32(4, true);
  const bits = fmt.getUint16(14, true);
  // WAVE_FORMAT_EXTENSIBLE: the true format is the first two bytes of the sub-format's GUID.
  const format = declared === 0xfffe && fmt.byteLength >= 26 ? fmt.getUint16(24, true) : declared;
  const codec = CODECS[`${format}/${bits}`];
  if (!codec) {
    throw wavError(name, `holds ${FORMAT_NAMES[format] ?? `format ${format}`} of ${bits} bits`, CONVERT);
  }
  if (channels < 1 || channels > MAX_CHANNELS) throw wavError(name, `has ${channels} channels`, CONVERT);
  if (sampleRateHz < MIN_RATE_HZ || sampleRateHz > MAX_RATE_HZ) {
    throw wavError(name, `has a sample rate of ${sampleRateHz} Hz`, CONVERT);
  }
  return { codec, channels, sampleRateHz };
}

/** Format tag and bits per sample, as registered in RFC 2361. */
const CODECS: Readonly<Record<string, WavCodec>> = {
  "1/8": "u8",
  "1/16": "s16",
  "1/24": "s24",
  "1/32": "s32",
  "3/32": "f32",
  "3/64": "f64",
  "6/8": "alaw",
  "7/8": "ulaw",
};

const FORMAT_NAMES: Readonly<Record<number, string>> = {
  1: "PCM",
  2: "MS ADPCM",
  3: "floating point",
  6: "A-law",
  7: "μ-law",
  17: "IMA ADPCM",
  49: "GSM 6.10",
  80: "MPEG",
  85: "MP3",
};

const SIGNATURES: readonly (readonly [string, string])[] = [
  ["RIFX", "a big-endian RIFX file"],
  ["RIFF", "a RIFF file of another kind"],
  ["OggS", "an Ogg file"],
  ["fLaC", "a FLAC file"],
  ["FORM", "an AIFF file"],
  ["ID3", "an MP3 file"],
  [".snd", "an AU file"],
  ["caff", "a CAF file"],
  ["#!AMR", "an AMR file"],
];

function describeContent(bytes: Uint8Array): string {
  if (bytes.length === 0) return "it is empty";
  const head = String.fromCharCode(...bytes.subarray(0, 8));
  for (const [start, name] of SIGNATURES) if (head.startsWith(start)) return `it looks like ${name}`;
  if (head.startsWith("ftyp", 4)) return "it looks like an MP4 or M4A file";
  if (bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0) return "it looks like an MP3 file";
  const hex = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `it begins with bytes ${hex}`;
}

function tag(bytes: Uint8Array, at: number): string {
  return at + 4 > bytes.length ? "" : String.fromCharCode(...bytes.subarray(at, at + 4));
}

function wavError(name: string, problem: string, fix: string): ConfigError {
  return new ConfigError([{ name, problem, fix }]);
}
