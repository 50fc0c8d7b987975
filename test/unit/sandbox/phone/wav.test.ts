import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alaw, mulaw } from "alawmulaw";
import {
  encodeStereoWav,
  parseWav,
  readWavAsUlaw,
  toUlaw,
  writeStereoWav,
} from "../../../../adapters/sandbox/phone/wav.ts";
import { ConfigError } from "../../../../engine/errors.ts";
import { encodeSamples, fitTone, makeWav, sine, toneUlaw, ulawToFloat } from "./signals.ts";

// Not a divisor of the rate, or the noise of μ-law would repeat with the tone.
const TONE = sine(1003, 8000, 8000);
const s16 = (view: DataView, at: number, value: number) =>
  view.setInt16(at, Math.round(value * 32_767), true);
const f32 = (view: DataView, at: number, value: number) => view.setFloat32(at, value, true);
const MONO_16 = { format: 1, bits: 16, channels: 1, rateHz: 8000, data: encodeSamples([TONE], 2, s16) };

function expectTone(ulaw: Uint8Array, hz: number, amplitude: number): void {
  const fit = fitTone(ulawToFloat(ulaw), hz, 8000);
  expect(fit.amplitude).toBeGreaterThan(amplitude * 0.98);
  expect(fit.amplitude).toBeLessThan(amplitude * 1.02);
  // The noise of μ-law itself is about 37 dB down, that of 8-bit PCM or A-law before it adds to that.
  expect(fit.snrDb).toBeGreaterThan(33);
}

describe("reading a WAV", () => {
  test.each<[string, number, number, number, (view: DataView, at: number, value: number) => void]>([
    ["8-bit PCM", 1, 8, 1, (view, at, value) => view.setUint8(at, Math.round(value * 127) + 128)],
    ["16-bit PCM", 1, 16, 2, s16],
    [
      "24-bit PCM",
      1,
      24,
      3,
      (view, at, value) => {
        const sample = Math.round(value * 8_388_607);
        view.setUint16(at, sample & 0xffff, true);
        view.setInt8(at + 2, sample >> 16);
      },
    ],
    ["32-bit PCM", 1, 32, 4, (view, at, value) => view.setInt32(at, Math.round(value * 2_147_483_647), true)],
    ["32-bit float", 3, 32, 4, f32],
    ["64-bit float", 3, 64, 8, (view, at, value) => view.setFloat64(at, value, true)],
    ["A-law", 6, 8, 1, (view, at, value) => view.setUint8(at, alaw.encodeSample(Math.round(value * 32_767)))],
    [
      "μ-law",
      7,
      8,
      1,
      (view, at, value) => view.setUint8(at, mulaw.encodeSample(Math.round(value * 32_767))),
    ],
  ])("understands %s, plain and extensible", (_name, format, bits, bytes, put) => {
    const data = encodeSamples([TONE], bytes, put);
    for (const extensible of [false, true]) {
      const wav = parseWav(
        makeWav({ format, bits, channels: 1, rateHz: 8000, data, extensible }),
        "tone.wav",
      );
      expect(wav.sampleRateHz).toBe(8000);
      expect(wav.samples.length).toBe(8000);
      expectTone(toUlaw(wav), 1003, 0.5);
    }
  });

  test("mixes and resamples a 44.1 kHz stereo float file", () => {
    const left = sine(1000, 44_100, 44_100, 0.6);
    const right = sine(1000, 44_100, 44_100, 0.2);
    const bytes = makeWav({
      format: 3,
      bits: 32,
      channels: 2,
      rateHz: 44_100,
      data: encodeSamples([left, right], 4, f32),
    });
    const ulaw = toUlaw(parseWav(bytes, "stereo.wav"));
    expect(ulaw.length).toBe(8000);
    expectTone(ulaw, 1000, 0.4);
  });

  test("passes μ-law at 8 kHz through bit by bit", () => {
    const data = toneUlaw(700, 500);
    const wav = parseWav(makeWav({ format: 7, bits: 8, channels: 1, rateHz: 8000, data }), "x.wav");
    expect(toUlaw(wav)).toEqual(data);
  });

  test("clips what is too loud, and takes NaN for silence", () => {
    const data = encodeSamples([Float32Array.of(9, -9, Number.NaN, Number.POSITIVE_INFINITY)], 4, f32);
    const wav = parseWav(makeWav({ format: 3, bits: 32, channels: 1, rateHz: 8000, data }), "x.wav");
    expect(Array.from(toUlaw(wav))).toEqual([0x80, 0x00, 0xff, 0xff]);
  });

  test("skips other chunks, also those of odd length", () => {
    const extra = [
      ["LIST", new Uint8Array(7)],
      ["fact", new Uint8Array(4)],
    ] as const;
    expectTone(toUlaw(parseWav(makeWav({ ...MONO_16, extra }), "x.wav")), 1003, 0.5);
  });

  test.each([0, 0xffff_ffff, 999_999])(
    "reads to the end of the file when the data says %d bytes",
    (bytes) => {
      const wav = parseWav(makeWav({ ...MONO_16, declaredBytes: bytes }), "x.wav");
      expect(wav.samples.length).toBe(8000);
    },
  );

  test("works on a view into a larger buffer", () => {
    const wav = makeWav(MONO_16);
    const padded = new Uint8Array(wav.length + 6);
    padded.set(wav, 3);
    expect(parseWav(padded.subarray(3, 3 + wav.length), "x.wav").samples.length).toBe(8000);
  });

  test.each<[string, Uint8Array, string]>([
    ["an MP3", Buffer.from("ID3\u0004rest of it"), "clip.wav: is not a WAV file: it looks like an MP3 file"],
    ["an Ogg file", Buffer.from("OggS............"), "it looks like an Ogg file"],
    ["text", Buffer.from("hello world, hello"), "it begins with bytes 68 65 6c 6c 6f 20 77 6f"],
    ["an empty file", new Uint8Array(0), "it is empty"],
    ["a RIFF of another kind", Buffer.from("RIFF....AVI LIST"), "a RIFF file of another kind"],
    ["a header alone", makeWav(MONO_16).subarray(0, 36), "has no data chunk"],
    ["no samples", makeWav({ ...MONO_16, data: new Uint8Array(1) }), "has no samples"],
    ["ADPCM", makeWav({ ...MONO_16, format: 17, bits: 4 }), "holds IMA ADPCM of 4 bits"],
    ["an unknown codec", makeWav({ ...MONO_16, format: 0x1234 }), "holds format 4660 of 16 bits"],
    ["no channels", makeWav({ ...MONO_16, channels: 0 }), "has 0 channels"],
    ["an absurd rate", makeWav({ ...MONO_16, rateHz: 7 }), "has a sample rate of 7 Hz"],
  ])("refuses %s and says what it found", (_name, bytes, problem) => {
    expect(() => parseWav(bytes, "clip.wav")).toThrow(problem);
    expect(() => parseWav(bytes, "clip.wav")).toThrow(ConfigError);
    expect(() => parseWav(bytes, "clip.wav")).toThrow("clip.wav");
  });

  test("refuses every truncation of a file without a crash", () => {
    const wav = makeWav({ ...MONO_16, extensible: true });
    for (let length = 0; length < 80; length++) {
      try {
        parseWav(wav.subarray(0, length), "cut.wav");
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
      }
    }
  });
});

describe("WAV files on disk", () => {
  test("are written in stereo, left and right apart, and read again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "wav-"));
    try {
      const path = join(folder, "call.wav");
      const left = toneUlaw(500, 1000);
      await writeStereoWav(path, left, toneUlaw(1500, 900));
      expect(Bun.file(path).size).toBe(44 + 8000 * 4);
      const mixed = ulawToFloat(await readWavAsUlaw(path));
      expect(fitTone(mixed.subarray(0, 7200), 500, 8000).amplitude).toBeCloseTo(0.2, 2);
      expect(fitTone(mixed.subarray(0, 7200), 1500, 8000).amplitude).toBeCloseTo(0.2, 2);
      const view = new DataView(encodeStereoWav(left, new Uint8Array(0)).buffer);
      expect(view.getInt16(44 + 4 * 10, true)).not.toBe(0);
      expect(view.getInt16(46 + 4 * 10, true)).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("that are missing, or a folder, are refused by name", async () => {
    expect(readWavAsUlaw("/nowhere/at-all.wav")).rejects.toThrow("/nowhere/at-all.wav: cannot be read");
    expect(readWavAsUlaw(tmpdir())).rejects.toThrow("is not a file");
    expect(writeStereoWav(tmpdir(), new Uint8Array(1), new Uint8Array(1))).rejects.toThrow(
      "cannot be written",
    );
  });
});
