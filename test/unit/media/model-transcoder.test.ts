import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeUlaw, ULAW_TO_PCM } from "../../../engine/media/g711.ts";
import { ModelTranscoder } from "../../../engine/media/model-transcoder.ts";
import { createResampler } from "../../../engine/media/resampler.ts";
import type { ModelAudio } from "../../../engine/ports.ts";
import { fitTone, toneUlaw, ulawToFloat } from "../sandbox/phone/signals.ts";
import { speech } from "./leg-setup.ts";

const TONE_HZ = 1010;

/** A transcoder that writes down what it delivers. */
function setUp() {
  const delivered: ModelAudio[] = [];
  const transcoder = new ModelTranscoder((chunk) => void delivered.push(chunk));
  const of = (itemId: string): Uint8Array =>
    new Uint8Array(
      Buffer.concat(
        delivered.filter((chunk) => chunk.itemId === itemId).map((c) => Buffer.from(c.base64, "base64")),
      ),
    );
  const say = (itemId: string, bytes: Uint8Array): boolean =>
    transcoder.fromModel({ responseId: `r-${itemId}`, itemId, contentIndex: 0, base64: bytes.toBase64() });
  return { transcoder, delivered, of, say };
}

function bytesOf(samples: Int16Array): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
}

function samplesOf(base64: string): Int16Array {
  return new Int16Array(Uint8Array.fromBase64(base64).buffer);
}

/** PCM16 at 24 kHz. */
function tone(hz: number, samples: number, amplitude = 0.4): Int16Array {
  return Int16Array.from({ length: samples }, (_, n) =>
    Math.round(32_767 * amplitude * Math.sin((2 * Math.PI * hz * n) / 24_000)),
  );
}

function cutUp(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] as number;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

describe("the caller's audio on its way to the model", () => {
  test("has its level and its pitch, and is clean", () => {
    const { transcoder } = setUp();
    const ulaw = toneUlaw(TONE_HZ, 1000);
    const out: number[] = [];
    for (let at = 0; at < ulaw.length; at += 160) {
      out.push(...samplesOf(transcoder.toModel(ulaw.subarray(at, at + 160).toBase64())));
    }
    expect(out).toHaveLength(24_000);
    const fit = fitTone(
      Float32Array.from(out, (sample) => sample / 32_768),
      TONE_HZ,
      24_000,
    );
    const sent = fitTone(ulawToFloat(ulaw), TONE_HZ, 8000);
    expect(Math.abs(20 * Math.log10(fit.amplitude / sent.amplitude))).toBeLessThan(0.05);
    // What is left over is the noise of μ-law itself.
    expect(fit.snrDb).toBeGreaterThan(sent.snrDb - 1);
  });

  test("keeps every sample of the telephone, delayed by whole samples of it", () => {
    const { transcoder } = setUp();
    const ulaw = speech(1600);
    const out = Array.from({ length: 10 }, (_, i) =>
      samplesOf(transcoder.toModel(ulaw.subarray(i * 160, i * 160 + 160).toBase64())),
    ).flatMap((part) => [...part]);
    const delay = createResampler({ fromHz: 8000, toHz: 24_000 }).delaySamples / 3;
    expect(Number.isInteger(delay)).toBe(true);
    for (let i = delay; i < ulaw.length; i++) {
      expect(out[i * 3] as number).toBe(ULAW_TO_PCM[ulaw[i - delay] as number] as number);
    }
  });

  test("is the same however it is cut into messages", () => {
    const ulaw = speech(40_000);
    const whole = setUp().transcoder.toModel(ulaw.toBase64());
    expect(Uint8Array.fromBase64(whole)).toHaveLength(240_000);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 }), (lengths) => {
        const { transcoder } = setUp();
        const parts = cutUp(ulaw, lengths).map((piece) =>
          Buffer.from(transcoder.toModel(piece.toBase64()), "base64"),
        );
        expect(Buffer.concat(parts).equals(Buffer.from(whole, "base64"))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test("comes without drift: an hour of frames is an hour of samples", () => {
    const { transcoder } = setUp();
    const frames = Array.from({ length: 50 }, (_, i) => speech(160, i).toBase64());
    let wrong = 0;
    for (let i = 0; i < 180_000; i++) {
      // Six bytes for a byte, in base64.
      if (transcoder.toModel(frames[i % 50] as string).length !== (160 * 6 * 4) / 3) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test("of two calls is not mixed by the memory that they share", () => {
    const [one, two, alone] = [setUp(), setUp(), setUp()];
    for (let i = 0; i < 20; i++) {
      const frame = speech(160, i).toBase64();
      const mixed = one.transcoder.toModel(frame);
      two.transcoder.toModel(speech(160, 1000 + i).toBase64());
      expect(mixed).toBe(alone.transcoder.toModel(frame));
    }
  });
});

describe("the model's speech on its way to the caller", () => {
  test("has its level and its pitch, in time with what was sent", () => {
    const { transcoder, of, say } = setUp();
    say("i1", bytesOf(tone(TONE_HZ, 24_000)));
    transcoder.endItem("i1");
    const out = ulawToFloat(of("i1"));
    expect(out).toHaveLength(8000);
    expect(fitTone(out, TONE_HZ, 8000).amplitude).toBeCloseTo(0.4, 2);
    const wanted = tone(TONE_HZ, 24_000).filter((_, n) => n % 3 === 0);
    // No delay of the filter is left: each sample is where it was, but for the steps of μ-law.
    for (let i = 100; i < 7900; i++) {
      expect(Math.abs((out[i] as number) - (wanted[i] as number) / 32_768)).toBeLessThan(0.02);
    }
  });

  test("loses nothing at the end of an item, and nothing comes after it", () => {
    const { transcoder, of, say, delivered } = setUp();
    const samples = tone(TONE_HZ, 4800);
    say("i1", bytesOf(samples));
    const before = of("i1").length;
    expect(before).toBeLessThan(1600);
    transcoder.endItem("i1");
    expect(of("i1")).toHaveLength(1600);
    const tail = ulawToFloat(of("i1")).subarray(before);
    expect(Math.max(...tail.map(Math.abs))).toBeGreaterThan(0.3);
    const pieces = delivered.length;
    transcoder.endItem("i1");
    transcoder.endResponse("r-i1");
    expect(delivered).toHaveLength(pieces);
  });

  test("is the same however it is cut into pieces, within a sample too", () => {
    const bytes = bytesOf(tone(300, 30_001));
    const whole = setUp();
    whole.say("i1", bytes);
    whole.transcoder.endItem("i1");
    expect(whole.of("i1")).toHaveLength(10_000);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5001 }), { minLength: 1, maxLength: 6 }), (lengths) => {
        const { transcoder, of, say } = setUp();
        for (const piece of cutUp(bytes, lengths)) expect(say("i1", piece)).toBe(true);
        transcoder.endItem("i1");
        expect(Buffer.from(of("i1")).equals(Buffer.from(whole.of("i1")))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test("of any length is worked on in bounded memory", () => {
    const { transcoder, of, say, delivered } = setUp();
    say("i1", new Uint8Array(7));
    say("i1", bytesOf(tone(TONE_HZ, 24_000 * 7)));
    transcoder.endItem("i1");
    expect(of("i1")).toHaveLength(56_001);
    expect(Math.max(...delivered.map((chunk) => chunk.base64.length))).toBeLessThan(11_000);
  });

  test("never shifts the samples of an item by the odd byte of the one before", () => {
    const clean = setUp();
    const second = bytesOf(tone(TONE_HZ, 4800));
    clean.say("i2", second);
    clean.transcoder.endItem("i2");
    const { transcoder, of, say } = setUp();
    say("i1", bytesOf(tone(440, 4800)).subarray(0, 4801));
    say("i2", second);
    transcoder.endItem("i2");
    expect(of("i2")).toEqual(clean.of("i2"));
    // Half a sample is no sample: 2400 of 24 kHz.
    expect(of("i1")).toHaveLength(800);
  });

  test("of a new item begins clean, and the rest of the one before goes out first, under its own name", () => {
    const { say, of, delivered } = setUp();
    say("i1", bytesOf(tone(TONE_HZ, 4800)));
    say("i2", bytesOf(new Int16Array(2400)));
    expect(of("i1")).toHaveLength(1600);
    expect(delivered.map((chunk) => chunk.responseId)).toEqual(["r-i1", "r-i1", "r-i2"]);
    const pcm = new Int16Array(of("i2").length);
    decodeUlaw(of("i2"), pcm);
    expect(pcm.every((sample) => sample === 0)).toBe(true);
  });

  test("that was cut leaves nothing behind", () => {
    const { transcoder, say, of, delivered } = setUp();
    say("i1", bytesOf(tone(TONE_HZ, 4800)));
    transcoder.cut();
    transcoder.endItem("i1");
    expect(delivered).toHaveLength(1);
    const clean = setUp();
    for (const each of [clean.say, say]) each("i2", bytesOf(tone(440, 2400)));
    expect(of("i2")).toEqual(clean.of("i2"));
  });

  test("counts no millisecond that the model did not send, whatever the pieces and the ends", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 8 }), (lengths) => {
        const { transcoder, of, say } = setUp();
        let sent = 0;
        for (const length of lengths) {
          say("i1", new Uint8Array(length));
          sent += length;
          expect(of("i1").length / 8).toBeLessThanOrEqual(sent / 48);
        }
        transcoder.endResponse("r-i1");
        expect(of("i1")).toHaveLength(Math.floor(Math.floor(sent / 2) / 3));
      }),
      { numRuns: 50 },
    );
  });

  test("that is no base64 is refused, and what follows is heard", () => {
    const { transcoder, say, of } = setUp();
    const broken = { responseId: "r-i1", itemId: "i1", contentIndex: 0, base64: "AA!A" };
    expect(transcoder.fromModel(broken)).toBe(false);
    expect(transcoder.fromModel({ ...broken, base64: "" })).toBe(true);
    expect(say("i1", bytesOf(tone(TONE_HZ, 2400)))).toBe(true);
    transcoder.endItem("i1");
    expect(of("i1")).toHaveLength(800);
  });

  test("lasts as long as it did after an hour of one item", () => {
    let bytes = 0;
    const transcoder = new ModelTranscoder(({ base64 }) => {
      bytes += Buffer.byteLength(base64, "base64");
    });
    const base64 = bytesOf(tone(TONE_HZ, 24_000)).toBase64();
    const chunk = { responseId: "r", itemId: "i", contentIndex: 0, base64 };
    for (let second = 0; second < 3600; second++) transcoder.fromModel(chunk);
    transcoder.endItem("i");
    expect(bytes).toBe(3600 * 8000);
  });
});
