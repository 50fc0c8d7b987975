import { describe, expect, test } from "bun:test";
import { alaw, mulaw } from "alawmulaw";
import { G711Frame } from "../../../engine/media/g711-frame.ts";
import {
  ALAW_SILENCE,
  ALAW_TO_PCM,
  ALAW_TO_ULAW,
  PCM_TO_ALAW,
  PCM_TO_ULAW,
  ULAW_SILENCE,
  ULAW_TO_ALAW,
  ULAW_TO_PCM,
  decodeAlaw,
  decodeUlaw,
  encodeAlaw,
  encodeUlaw,
} from "../../../engine/media/g711.ts";

const allCodes = Uint8Array.from({ length: 256 }, (_, code) => code);
const allSamples = Int16Array.from({ length: 65_536 }, (_, i) => i - 32_768);

/**
 * Tables 1 and 2 of the Recommendation: of each segment, where it begins and how wide its steps are, in the
 * units of the table (μ-law has 14 bits, A-law 13).
 */
const ULAW_SEGMENTS = [
  // The first step of all, 0 to 1, is half as wide as the other fifteen of its segment.
  { from: 0, step: 2 },
  { from: 31, step: 4 },
  { from: 95, step: 8 },
  { from: 223, step: 16 },
  { from: 479, step: 32 },
  { from: 991, step: 64 },
  { from: 2015, step: 128 },
  { from: 4063, step: 256 },
];
const ALAW_SEGMENTS = [
  { from: 0, step: 2 },
  { from: 32, step: 2 },
  { from: 64, step: 4 },
  { from: 128, step: 8 },
  { from: 256, step: 16 },
  { from: 512, step: 32 },
  { from: 1024, step: 64 },
  { from: 2048, step: 128 },
];

interface Interval {
  /** Decision values, in 16-bit units: the interval is `from` and up, below `to`. */
  readonly from: number;
  readonly to: number;
  /** What the decoder puts out for it. */
  readonly value: number;
}

/** The 128 intervals of positive values, by number. */
function ulawIntervals(): readonly Interval[] {
  const decisions = ULAW_SEGMENTS.flatMap(({ from, step }, segment) =>
    Array.from({ length: 16 }, (_, k) => (segment === 0 ? Math.max(0, 2 * k - 1) : from + k * step)),
  );
  decisions.push(8159);
  return Array.from({ length: 128 }, (_, n) => {
    const [from, to] = [decisions[n] as number, decisions[n + 1] as number];
    return { from: 4 * from, to: 4 * to, value: n === 0 ? 0 : 2 * (from + to) };
  });
}

function alawIntervals(): readonly Interval[] {
  const decisions = ALAW_SEGMENTS.flatMap(({ from, step }) =>
    Array.from({ length: 16 }, (_, k) => from + k * step),
  );
  decisions.push(4096);
  return Array.from({ length: 128 }, (_, n) => {
    const [from, to] = [decisions[n] as number, decisions[n + 1] as number];
    return { from: 8 * from, to: 8 * to, value: 4 * (from + to) };
  });
}

const LAWS = [
  {
    name: "μ-law",
    reference: mulaw,
    intervals: ulawIntervals(),
    /** Positive code word of interval 0; the others count down from it, with the even bits turned in A-law. */
    codeOf: (interval: number, negative: boolean) => (negative ? 0x7f : 0xff) - interval,
    toPcm: ULAW_TO_PCM,
    fromPcm: PCM_TO_ULAW,
    decode: decodeUlaw,
    encode: encodeUlaw,
    frameDecode: (frame: G711Frame, samples: number) => frame.decodeUlaw(samples),
    frameEncode: (frame: G711Frame, samples: number) => frame.encodeUlaw(samples),
  },
  {
    name: "A-law",
    reference: alaw,
    intervals: alawIntervals(),
    codeOf: (interval: number, negative: boolean) => ((negative ? 0 : 0x80) + interval) ^ 0x55,
    toPcm: ALAW_TO_PCM,
    fromPcm: PCM_TO_ALAW,
    decode: decodeAlaw,
    encode: encodeAlaw,
    frameDecode: (frame: G711Frame, samples: number) => frame.decodeAlaw(samples),
    frameEncode: (frame: G711Frame, samples: number) => frame.encodeAlaw(samples),
  },
] as const;

describe.each(LAWS)("$name", (law) => {
  test("decodes every code word as alawmulaw does", () => {
    const pcm = new Int16Array(256);
    law.decode(allCodes, pcm);
    expect<Int16Array>(pcm).toEqual(law.reference.decode(allCodes));
  });

  test("encodes every sample as alawmulaw does", () => {
    const codes = new Uint8Array(65_536);
    law.encode(allSamples, codes);
    expect<Uint8Array>(codes).toEqual(law.reference.encode(allSamples));
  });

  test("decodes to the output values of the Recommendation's table", () => {
    for (let n = 0; n < 128; n++) {
      const { value } = law.intervals[n] as Interval;
      expect(law.toPcm[law.codeOf(n, false)]).toBe(value);
      expect(law.toPcm[law.codeOf(n, true)]).toBe(value === 0 ? 0 : -value);
    }
  });

  test("encodes every sample by the decision values of the Recommendation's table", () => {
    const wrong: number[] = [];
    for (const sample of allSamples) {
      const magnitude = Math.abs(sample);
      const found = law.intervals.findIndex(({ to }) => magnitude < to);
      // What is beyond the last decision value is clipped.
      const interval = found < 0 ? 127 : found;
      if (law.fromPcm[sample & 0xffff] !== law.codeOf(interval, sample < 0)) wrong.push(sample);
    }
    expect(wrong).toEqual([]);
  });

  test("the packed frame decodes every code word, at every place in a group, and in every length", () => {
    for (let shift = 0; shift < 4; shift++) {
      const frame = new G711Frame(256 + shift);
      frame.codes.set(allCodes, shift);
      law.frameDecode(frame, 256 + shift);
      expect(frame.pcm.subarray(shift, 256 + shift)).toEqual(law.reference.decode(allCodes));
    }
    for (const samples of [1, 2, 3, 4, 5, 159, 160]) {
      const frame = new G711Frame(160);
      frame.codes.set(allCodes.subarray(96));
      law.frameDecode(frame, samples);
      expect(frame.pcm.subarray(0, samples)).toEqual(
        law.reference.decode(allCodes.subarray(96, 96 + samples)),
      );
    }
  });

  test("the packed frame encodes every sample, at every place in a group", () => {
    for (let shift = 0; shift < 4; shift++) {
      const frame = new G711Frame(65_536 + shift);
      frame.pcm.set(allSamples, shift);
      law.frameEncode(frame, 65_536 + shift);
      expect(frame.codes.subarray(shift, 65_536 + shift)).toEqual(law.reference.encode(allSamples));
    }
  });
});

test("each law turns into the other as by decoding and encoding, on every code word", () => {
  expect(ULAW_TO_ALAW).toEqual(alaw.encode(mulaw.decode(allCodes)));
  expect(ALAW_TO_ULAW).toEqual(mulaw.encode(alaw.decode(allCodes)));
});

test("silence is the quietest positive code word of each law", () => {
  expect([ULAW_TO_PCM[ULAW_SILENCE], ALAW_TO_PCM[ALAW_SILENCE]]).toEqual([0, 8]);
  expect([PCM_TO_ULAW[0], PCM_TO_ALAW[0]]).toEqual([ULAW_SILENCE, ALAW_SILENCE]);
  expect([ULAW_TO_ALAW[ULAW_SILENCE], ALAW_TO_ULAW[ALAW_SILENCE]]).toEqual([ALAW_SILENCE, 0xfe]);
});

test("a frame refuses more samples than it has room for", () => {
  const frame = new G711Frame(158);
  expect(frame.codes.length).toBe(160);
  expect(() => frame.decodeUlaw(161)).toThrow("161 samples");
  expect(() => frame.encodeAlaw(161)).toThrow("161 samples");
  expect(() => new G711Frame(0)).toThrow("a frame of 0");
});
