import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PCM_TO_ULAW, ULAW_TO_PCM } from "../../../engine/media/g711.ts";
import { compress } from "../../../engine/media/jitter/compress.ts";
import { Concealer } from "../../../engine/media/jitter/concealer.ts";
import { DelayEstimator } from "../../../engine/media/jitter/delay-estimator.ts";
import { JitterBuffer, type Popped } from "../../../engine/media/jitter/jitter-buffer.ts";
import { findPeriod } from "../../../engine/media/jitter/pitch.ts";
import { sequenceDelta } from "../../../engine/media/jitter/sequence.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { speechFrames } from "../../support/jitter-traces.ts";

const FRAME_BYTES = 160;

/** Frame `index`, loud and like no other. */
function frame(index: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES).fill(0x10);
  new DataView(bytes.buffer).setUint32(0, index);
  return bytes;
}

const silence = (): Uint8Array => new Uint8Array(FRAME_BYTES).fill(0xff);

/** A voice of `period` samples, `frames` frames of it. */
function voice(period: number, frames: number): Uint8Array {
  return Uint8Array.from({ length: frames * FRAME_BYTES }, (_, i) => {
    const angle = (2 * Math.PI * i) / period;
    return PCM_TO_ULAW[Math.round(6_000 * (Math.sin(angle) + 0.5 * Math.sin(2 * angle))) & 0xffff] as number;
  });
}

class Popper {
  readonly out = new Uint8Array(FRAME_BYTES);
  readonly buffer: JitterBuffer;

  constructor(buffer: JitterBuffer) {
    this.buffer = buffer;
  }

  /** The index of a frame that was put out whole, or how it was made. */
  pop(): number | Popped {
    const kind = this.buffer.pop(this.out);
    return kind === "frame" ? new DataView(this.out.buffer).getUint32(0) : kind;
  }

  pops(count: number): (number | Popped)[] {
    return Array.from({ length: count }, () => this.pop());
  }
}

/** A buffer of fixed depth that has begun to listen. */
function fixed(
  targetFrames: number,
  options: { sequenceBits?: 16 | 32; capacityFrames?: number } = {},
): Popper {
  const popper = new Popper(new JitterBuffer({ capacityFrames: 20, ...options }));
  popper.buffer.fixTarget(targetFrames);
  popper.pop();
  return popper;
}

function pushAll(popper: Popper, indices: readonly number[], base = 0): void {
  for (const index of indices) popper.buffer.push(base + index, index * 20, index * 20, frame(index));
}

describe("sequence numbers", () => {
  test("count the short way round the circle, whatever wraps in between", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(16 as const, 32 as const),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.integer({ min: -32_767, max: 32_767 }),
        (bits, from, step) => {
          const circle = 2 ** bits;
          const reference = from % circle;
          const sequence = (((reference + step) % circle) + circle) % circle;
          expect(sequenceDelta(sequence, reference, bits)).toBe(step);
          expect(sequenceDelta(reference, sequence, bits) + step).toBe(0);
        },
      ),
    );
  });

  test("of either width may begin anywhere and wrap: every frame comes out once and in order", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(16 as const, 32 as const),
        fc.integer({ min: -40, max: 0xffff_ffff }),
        fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }),
        (sequenceBits, start, order) => {
          const base = start < 0 ? 2 ** sequenceBits + start : start % 2 ** sequenceBits;
          const popper = fixed(8, { sequenceBits });
          for (let block = 0; block < 6; block++) {
            for (const i of order) {
              const index = block * 8 + i;
              const sequence = (base + index) % 2 ** sequenceBits;
              popper.buffer.push(sequence, index * 20, block * 160, frame(index));
            }
            expect(popper.pops(8)).toEqual(Array.from({ length: 8 }, (_, i) => block * 8 + i));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("the jitter buffer", () => {
  test("begins when the target depth is there, and tells its state", () => {
    const popper = fixed(3);
    pushAll(popper, [0, 1]);
    expect([popper.pop(), popper.buffer.state]).toEqual(["silence", "buffering"]);
    pushAll(popper, [2]);
    expect(popper.pops(3)).toEqual([0, 1, 2]);
    expect(popper.buffer.state).toBe("playing");
    expect(popper.pop()).toBe("concealed");
    expect(popper.buffer.state).toBe("buffering");
    expect(popper.buffer.counters).toMatchObject({ started: 1, underflow: 1, expanded: 1 });
  });

  test("puts frames in order and drops the second of two", () => {
    const popper = fixed(4);
    pushAll(popper, [0, 2, 1, 1, 3, 0]);
    expect(popper.pops(4)).toEqual([0, 1, 2, 3]);
    expect(popper.buffer.counters).toMatchObject({ outOfOrder: 1, duplicates: 2, lost: 0 });
  });

  test("lets the stream begin earlier than its first arrival until it has begun", () => {
    const popper = fixed(3);
    pushAll(popper, [2, 0, 1]);
    expect(popper.pops(3)).toEqual([0, 1, 2]);
  });

  test("conceals a gap when its turn comes, and drops what comes after that as late", () => {
    const popper = fixed(3);
    pushAll(popper, [0, 1, 3, 4]);
    expect(popper.pops(3)).toEqual([0, 1, "concealed"]);
    pushAll(popper, [2]);
    expect(popper.buffer.counters).toMatchObject({ lost: 1, late: 1 });
    popper.buffer.pop(popper.out);
    // The first frame after a loss is faded into: its end is untouched.
    expect(Buffer.from(popper.out.subarray(120)).equals(frame(3).subarray(120))).toBe(true);
  });

  test("stands still when nothing is there, for 60 ms by concealment and then in silence, and loses nothing", () => {
    const popper = fixed(2);
    pushAll(popper, [0, 1]);
    expect(popper.pops(8)).toEqual([
      0,
      1,
      "concealed",
      "concealed",
      "concealed",
      "silence",
      "silence",
      "silence",
    ]);
    pushAll(popper, [2, 3]);
    expect(popper.pops(2)).toEqual([2, 3]);
    expect(popper.buffer.counters).toMatchObject({ expanded: 6, lost: 0, late: 0 });
  });

  test("takes frames that were lost during a stall as covered by what was put out then", () => {
    const popper = fixed(2);
    pushAll(popper, [0, 1]);
    popper.pops(5);
    pushAll(popper, [4, 5]);
    popper.pop();
    expect(popper.buffer.counters).toMatchObject({ lost: 2, expanded: 1, concealed: 3, played: 3 });
  });

  test("makes room for the newest when it is full, and says so", () => {
    const popper = fixed(2);
    pushAll(
      popper,
      Array.from({ length: 25 }, (_, i) => i),
    );
    expect(popper.buffer.depthFrames).toBe(20);
    expect(popper.pop()).toBe(5);
    expect(popper.buffer.counters.overflow).toBe(5);
  });

  test("does not play late what had come before anybody listened", () => {
    const popper = new Popper(new JitterBuffer({ capacityFrames: 20 }));
    pushAll(popper, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(popper.pops(4)).toEqual([5, 6, 7, 8]);
    expect(popper.buffer.counters.stale).toBe(5);
  });

  test("goes on with a new stream right after the old one, and drops a lone stray", () => {
    const popper = fixed(2, { sequenceBits: 16 });
    pushAll(popper, [0, 1, 2]);
    popper.buffer.push(30_000, 9_000_000, 60, frame(99));
    pushAll(popper, [3]);
    popper.buffer.push(50_000, 5_000_000, 80, frame(100));
    popper.buffer.push(50_001, 5_000_020, 100, frame(101));
    popper.buffer.push(50_002, 5_000_040, 120, frame(102));
    expect(popper.pops(7)).toEqual([0, 1, 2, 3, 100, 101, 102]);
    expect(popper.buffer.counters).toMatchObject({ resets: 1, strays: 1, lost: 0 });
  });

  test("notices a stream that began again a little behind by ten such frames in a row", () => {
    const popper = fixed(2);
    for (let i = 0; i < 30; i++) {
      pushAll(popper, [i]);
      popper.pop();
    }
    for (let i = 0; i < 20; i++) {
      popper.buffer.push(i, i * 20, 600 + i * 20, frame(1_000 + i));
      popper.buffer.pop(popper.out);
    }
    expect(popper.buffer.counters).toMatchObject({ resets: 1, duplicates: 9, late: 0 });
    expect(popper.buffer.depthFrames).toBeLessThanOrEqual(2);
  });

  test("drops what is later than it may be", () => {
    const popper = new Popper(new JitterBuffer({ capacityFrames: 20 }));
    popper.buffer.fixTarget(1, 20);
    popper.pop();
    popper.buffer.push(0, 0, 0, frame(0));
    popper.buffer.push(1, 20, 40, frame(1));
    popper.buffer.push(2, 40, 61, frame(2));
    expect(popper.pops(3)).toEqual([0, 1, "concealed"]);
    expect(popper.buffer.counters.late).toBe(1);
  });

  test("takes delay above the target out of a pause, and leaves one quiet frame within a word alone", () => {
    const popper = fixed(2);
    const push = (index: number, bytes: Uint8Array): void => popper.buffer.push(index, index * 20, 0, bytes);
    for (let i = 0; i < 6; i++) push(i, i === 2 ? silence() : frame(i));
    for (let i = 6; i < 12; i++) push(i, silence());
    popper.pops(3);
    expect(popper.buffer.counters.trimmed).toBe(0);
    popper.pops(5);
    expect(popper.buffer.counters.trimmed).toBe(3);
    expect(popper.buffer.counters.compressions).toBe(0);
  });

  test("adds delay that falls short of the target in a pause", () => {
    const popper = fixed(1);
    let index = 0;
    const run = (frames: number): void => {
      for (let i = 0; i < frames; i++) {
        popper.buffer.push(index, index * 20, index * 20, silence());
        popper.buffer.pop(popper.out);
        index++;
      }
    };
    run(10);
    popper.buffer.fixTarget(3);
    run(60);
    expect(popper.buffer.counters.expanded).toBe(2);
    expect(popper.buffer.depthFrames).toBe(2);
  });
});

describe("the delay estimator", () => {
  test("measures against the fastest of the last 2 s and says 80 ms until it knows", () => {
    const estimator = new DelayEstimator();
    expect(estimator.delayQuantileMs(0.95)).toBe(80);
    expect([estimator.note(1_000, 0), estimator.note(1_035, 20), estimator.note(1_030, 40)]).toEqual([
      0, 15, 0,
    ]);
    expect(estimator.note(1_060, 60)).toBe(10);
    for (let i = 4; i < 200; i++) estimator.note(1_050 + i * 20, i * 20);
    // The early ones are forgotten.
    expect(estimator.note(1_050 + 200 * 20, 200 * 20)).toBe(0);
  });

  test("gives any quantile, in steps of 20 ms", () => {
    const estimator = new DelayEstimator();
    // Every fifth half second has a delay of 150 ms.
    for (let i = 0; i < 10_000; i++) estimator.note(i * 20 + (i % 125 === 60 ? 150 : 0), i * 20);
    expect([0.5, 0.75, 0.95].map((q) => estimator.delayQuantileMs(q))).toEqual([20, 20, 160]);
  });

  test("takes a jump of 2 s for a clock that began anew, either way", () => {
    const estimator = new DelayEstimator();
    estimator.note(0, 0);
    expect(estimator.note(2_500, 20)).toBe(0);
    expect(estimator.note(2_520, 900_000)).toBe(0);
    expect(estimator.clockJumps).toBe(2);
  });
});

describe("concealment", () => {
  test("finds the period of a voice over the whole range", () => {
    for (const period of [40, 57, 80, 101, 120]) {
      const pcm = Int16Array.from(voice(period, 3), (code) => ULAW_TO_PCM[code] as number);
      expect(findPeriod(pcm, 200) % period).toBe(0);
    }
  });

  test("goes on with the voice for 10 ms as if nothing was lost, and is silent after 60 ms", () => {
    const speech = voice(80, 6);
    const concealer = new Concealer();
    const at = (i: number): Uint8Array => speech.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
    concealer.begin(at(0), at(1), at(2));
    const out = new Uint8Array(FRAME_BYTES);
    const levels: number[] = [];
    for (let i = 0; i < 3; i++) {
      expect(concealer.next(out)).toBe(true);
      let energy = 0;
      for (const code of out) energy += (ULAW_TO_PCM[code] as number) ** 2;
      levels.push(Math.sqrt(energy / FRAME_BYTES));
      if (i > 0) continue;
      // Past the smoothed beginning it is the voice itself, but for two roundings to μ-law.
      for (let k = 20; k < 80; k++) {
        const real = ULAW_TO_PCM[at(3)[k] as number] as number;
        expect(Math.abs((ULAW_TO_PCM[out[k] as number] as number) - real)).toBeLessThan(700);
      }
    }
    expect(levels).toEqual(levels.toSorted((a, b) => b - a));
    expect(levels[2]).toBeLessThan((levels[0] as number) / 3);
    expect(concealer.next(out)).toBe(false);
    expect(Buffer.from(out).equals(silence())).toBe(true);
  });

  test("leaves no step at either end of a loss", () => {
    const frames = speechFrames(seededIds(5), 40, false);
    const largest = (codes: Uint8Array): number => {
      let step = 0;
      for (let i = 1; i < codes.length; i++) {
        const [a, b] = [codes[i - 1], codes[i]].map((code) => ULAW_TO_PCM[code as number] as number);
        step = Math.max(step, Math.abs((b as number) - (a as number)));
      }
      return step;
    };
    const natural = largest(Buffer.concat(frames));
    const popper = fixed(3);
    const heard: Uint8Array[] = [];
    for (const [i, bytes] of frames.entries()) {
      if (i % 7 !== 5) popper.buffer.push(i, i * 20, i * 20, bytes);
      if (popper.buffer.pop(popper.out) !== "silence") heard.push(popper.out.slice());
    }
    expect(popper.buffer.counters.concealed).toBeGreaterThan(3);
    expect(largest(Buffer.concat(heard))).toBeLessThan(natural * 1.5);
  });

  test("compression takes whole periods out, and nothing else changes", () => {
    for (const period of [40, 60, 90, 120]) {
      const speech = voice(period, 2);
      const shorter = speech.slice();
      const cut = compress(shorter, shorter.length);
      expect(cut % period).toBe(0);
      expect(cut).toBeGreaterThan(60);
      expect(cut).toBeLessThanOrEqual(120);
      expect(Buffer.from(shorter.subarray(cut, 320 - cut)).equals(speech.subarray(2 * cut))).toBe(true);
    }
  });
});
