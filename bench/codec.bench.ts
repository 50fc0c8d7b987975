/** G.711 frames and their level, against moving the same bytes and against the package the tables come from. */
import { alaw, mulaw } from "alawmulaw";
import { G711Frame } from "../engine/media/g711-frame.ts";
import { LevelMeter, ulawPower } from "../engine/media/level.ts";
import { seededIds } from "../engine/platform/ids.ts";
import {
  type Bench,
  type BenchOptions,
  type Row,
  type Variant,
  compare,
  comparedRow,
  fold,
} from "./runner.ts";

const SAMPLES = 160;
/** Different frames, as many calls have. A power of two, so that picking one costs next to nothing. */
const FRAMES = 64;
const SIXTH = 0.167;

type Frames = readonly G711Frame[];

interface Group {
  readonly variants: readonly Variant[];
  /** Bounds of the ratios of the variants after the baseline, in their order; `null` for none. */
  readonly ratioAtMost: readonly (number | null)[];
}

export const bench: Bench = {
  name: "codec",
  claim: "G.711 costs a few copies of its bytes, and a sixth or less of what alawmulaw takes.",
  run: async (options) => {
    const frames = noisyFrames(options.smoke ? 4 : FRAMES);
    const groups: readonly Group[] = [
      { variants: againstCopy(frames), ratioAtMost: [4, 4, 5, 5, null] },
      { variants: decoders(frames), ratioAtMost: [SIXTH] },
      { variants: encoders(frames), ratioAtMost: [SIXTH] },
      { variants: alawDecoders(frames), ratioAtMost: [SIXTH] },
      { variants: alawEncoders(frames), ratioAtMost: [SIXTH] },
      { variants: powers(frames), ratioAtMost: [] },
    ];
    const rows: Row[] = [];
    let hash = 0;
    for (const group of groups) {
      const done = await runGroup(group, frames.length, options);
      rows.push(...done.rows);
      hash = fold(hash, done.hash);
    }
    const notes = [
      "One operation is one frame of 160 samples. The first group holds different work against a copy, so only the other groups compare results; the tests hold both laws to alawmulaw on all 256 code words and all 65,536 samples.",
      "Encoding reads a table of 64 KiB at random here, more than a nearest cache holds; speech stays in a small part of it. Tried for it: two 32-bit loads for a store (slower by a sixth), twice the work a round and a loop of its own for each law (no change), a table of 16 KiB with the index made to fit (twice as slow).",
    ];
    return { rows, hash, notes };
  },
};

async function runGroup(
  { variants, ratioAtMost }: Group,
  frames: number,
  { smoke, clock }: BenchOptions,
): Promise<{ readonly rows: readonly Row[]; readonly hash: number }> {
  const operations = smoke ? frames : 16 * frames;
  const repetitions = smoke ? 3 : 301;
  const compared = await compare({ clock, variants, operations, repetitions, warmUps: smoke ? 1 : 150 });
  const rows = compared.map((each, index) => {
    const atMost = ratioAtMost[index - 1] ?? null;
    return comparedRow(each, atMost === null ? null : { of: "ratio", atMost });
  });
  return { rows, hash: compared[0]?.hash ?? 0 };
}

/** Code words of all values and samples of all levels. */
function noisyFrames(count: number): Frames {
  const ids = seededIds(1);
  return Array.from({ length: count }, () => {
    const frame = new G711Frame(SAMPLES);
    for (let i = 0; i < SAMPLES; i++) {
      frame.codes[i] = Math.floor(ids.random() * 256);
      frame.pcm[i] = Math.floor(ids.random() * 65_536) - 32_768;
    }
    return frame;
  });
}

/** For variants that write: what one makes must not be what the next one reads. */
function copies(frames: Frames): Frames {
  return frames.map(({ codes, pcm }) => {
    const copy = new G711Frame(SAMPLES);
    copy.codes.set(codes);
    copy.pcm.set(pcm);
    return copy;
  });
}

const pick = (frames: Frames, i: number): G711Frame => frames[i & (frames.length - 1)] as G711Frame;
const readAt = (values: Uint8Array | Int16Array, i: number): number => values[i & 127] as number;

// Every variant has a loop of its own: one loop for all would call, where these inline.

function againstCopy(source: Frames): readonly Variant[] {
  const target = new Uint8Array(SAMPLES);
  const decoded = copies(source);
  const encoded = copies(source);
  const meter = new LevelMeter();
  const variant = (name: string, loop: (operations: number) => void): Variant => ({
    name,
    run: (operations) => {
      loop(operations);
      return operations;
    },
  });
  return [
    variant("copy of the frame's 160 bytes, by set()", (n) => {
      for (let i = 0; i < n; i++) target.set(pick(source, i).codes);
    }),
    variant("μ-law decoded, packed", (n) => {
      for (let i = 0; i < n; i++) pick(decoded, i).decodeUlaw(SAMPLES);
    }),
    variant("A-law decoded, packed", (n) => {
      for (let i = 0; i < n; i++) pick(decoded, i).decodeAlaw(SAMPLES);
    }),
    variant("μ-law encoded, packed", (n) => {
      for (let i = 0; i < n; i++) pick(encoded, i).encodeUlaw(SAMPLES);
    }),
    variant("A-law encoded, packed", (n) => {
      for (let i = 0; i < n; i++) pick(encoded, i).encodeAlaw(SAMPLES);
    }),
    variant("metered: level of every fourth sample", (n) => {
      for (let i = 0; i < n; i++) meter.add(pick(source, i).codes, SAMPLES);
    }),
  ];
}

function decoders(source: Frames): readonly Variant[] {
  const frames = copies(source);
  return [
    {
      name: "μ-law decoded by alawmulaw",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++)
          hash = fold(hash, readAt(mulaw.decode(pick(source, i).codes), i));
        return hash;
      },
    },
    {
      name: "μ-law decoded, packed",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) {
          const frame = pick(frames, i);
          frame.decodeUlaw(SAMPLES);
          hash = fold(hash, readAt(frame.pcm, i));
        }
        return hash;
      },
    },
  ];
}

function encoders(source: Frames): readonly Variant[] {
  const frames = copies(source);
  return [
    {
      name: "μ-law encoded by alawmulaw",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) hash = fold(hash, readAt(mulaw.encode(pick(source, i).pcm), i));
        return hash;
      },
    },
    {
      name: "μ-law encoded, packed",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) {
          const frame = pick(frames, i);
          frame.encodeUlaw(SAMPLES);
          hash = fold(hash, readAt(frame.codes, i));
        }
        return hash;
      },
    },
  ];
}

function alawDecoders(source: Frames): readonly Variant[] {
  const frames = copies(source);
  return [
    {
      name: "A-law decoded by alawmulaw",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) hash = fold(hash, readAt(alaw.decode(pick(source, i).codes), i));
        return hash;
      },
    },
    {
      name: "A-law decoded, packed",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) {
          const frame = pick(frames, i);
          frame.decodeAlaw(SAMPLES);
          hash = fold(hash, readAt(frame.pcm, i));
        }
        return hash;
      },
    },
  ];
}

function alawEncoders(source: Frames): readonly Variant[] {
  const frames = copies(source);
  return [
    {
      name: "A-law encoded by alawmulaw",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) hash = fold(hash, readAt(alaw.encode(pick(source, i).pcm), i));
        return hash;
      },
    },
    {
      name: "A-law encoded, packed",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) {
          const frame = pick(frames, i);
          frame.encodeAlaw(SAMPLES);
          hash = fold(hash, readAt(frame.codes, i));
        }
        return hash;
      },
    },
  ];
}

/** The power of all samples, in units that a hash takes. */
function powers(source: Frames): readonly Variant[] {
  const frames = copies(source);
  return [
    {
      name: "level: decoded, then summed",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) {
          const frame = pick(frames, i);
          frame.decodeUlaw(SAMPLES);
          let sum = 0;
          for (let k = 0; k < SAMPLES; k++) sum += (frame.pcm[k] as number) ** 2;
          hash = fold(hash, (sum / 2 ** 30 / SAMPLES) * 1e9);
        }
        return hash;
      },
    },
    {
      name: "level: straight from the code words",
      run: (operations) => {
        let hash = 0;
        for (let i = 0; i < operations; i++) {
          hash = fold(hash, ulawPower(pick(source, i).codes, SAMPLES) * 1e9);
        }
        return hash;
      },
    },
  ];
}
