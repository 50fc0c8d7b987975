/** What the jitter buffer costs for each frame, and how long it holds them. */
import { Concealer } from "../engine/media/jitter/concealer.ts";
import { compress } from "../engine/media/jitter/compress.ts";
import { newJitterCounters } from "../engine/media/jitter/counters.ts";
import { FrameRing } from "../engine/media/jitter/frame-ring.ts";
import { JitterBuffer } from "../engine/media/jitter/jitter-buffer.ts";
import { findPeriod, MAX_PERIOD, MIN_PERIOD } from "../engine/media/jitter/pitch.ts";
import { seededIds } from "../engine/platform/ids.ts";
import {
  FRAME_MS,
  makeTrace,
  mean,
  netEqTargetsMs,
  replay,
  speechFrames,
  standardTraces,
  type TraceOptions,
} from "../test/support/jitter-traces.ts";
import {
  type Bench,
  type BenchOptions,
  type Row,
  type Rows,
  type Variant,
  compare,
  comparedRow,
  fold,
  sampledRow,
} from "./runner.ts";

const FRAME_BYTES = 160;
/** As many streams are served in turn, so that no stream's memory stays in the nearest cache. */
const STREAMS = 512;
const CAPACITY_FRAMES = 29;
/** Frames that a stream holds between its pops, 60 ms. */
const HELD = 3;
/** A byte of the frame that goes into the hash. */
const AT = 77;

export const bench: Bench = {
  name: "jitter",
  claim:
    "A jitter buffer in one slab costs little more than copying the frames in and out, and holds audio no longer than NetEQ would.",
  run: async (options) => {
    const parts = [
      await runRing(options),
      await runPitch(options),
      await runRepair(options),
      runReplay(options),
    ];
    return {
      rows: parts.flatMap(({ rows }) => rows),
      hash: parts.reduce((hash, part) => fold(hash, part.hash), 0),
      notes: [
        "Push and pop copy a frame twice, which alone is 2 of the ratio. The slab ring also finds duplicates, late frames and new streams, and estimates the delay; the map and the array only keep order.",
        "Tried, for the sake of many streams: the frame freed last used next (a fifth less at 512 streams), a histogram that forgets by one multiplication, the estimator's state in a typed array (slower).",
        "The delay is from sending to playing over the fastest way, the wait for the 20 ms beat included; NetEQ's is its target level, simulated in the plainest form over the same arrivals.",
      ],
    };
  },
};

// ---------------------------------------------------------------- push and pop

async function runRing({ smoke, clock }: BenchOptions): Promise<Rows> {
  const streams = smoke ? 4 : STREAMS;
  const frames = speechFrames(seededIds(1), streams, false);
  const repetitions = smoke ? 3 : 101;
  const run = { clock, repetitions, operations: smoke ? 16 : 32 * STREAMS, warmUps: smoke ? 1 : 30 };
  const againstCopy = await compare({ ...run, variants: [copied(frames), ringed(frames), buffered(frames)] });
  const againstMap = await compare({ ...run, variants: [mapped(frames), listed(frames), ringed(frames)] });
  const rows = [
    ...againstCopy.map((each, i) => comparedRow(each, i === 1 ? { of: "ratio", atMost: 4 } : null)),
    ...againstMap.map((each, i) => comparedRow(each, i === 2 ? { of: "ratio", atMost: 0.35 } : null)),
  ];
  return { rows, hash: fold(againstCopy[0]?.hash ?? 0, againstMap[0]?.hash ?? 0) };
}

function copied(frames: readonly Uint8Array[]): Variant {
  const out = new Uint8Array(FRAME_BYTES);
  return {
    name: "set of 160 bytes",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        out.set(frames[i % frames.length] as Uint8Array);
        hash = fold(hash, out[AT] as number);
      }
      return hash;
    },
  };
}

// Each structure has a loop of its own, or they would share one compiled for all of them.

function ringed(frames: readonly Uint8Array[]): Variant {
  const out = new Uint8Array(FRAME_BYTES);
  const rings = frames.map(() => new FrameRing(CAPACITY_FRAMES, 32, newJitterCounters()));
  let sequence = 0;
  for (; sequence < HELD; sequence++) {
    for (const [i, ring] of rings.entries())
      ring.push(sequence, sequence * FRAME_MS, sequence * FRAME_MS, frames[i] as Uint8Array);
  }
  return {
    name: "slab ring with its delay estimate: push, pop",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const stream = i % frames.length;
        const frame = frames[stream] as Uint8Array;
        const ring = rings[stream] as FrameRing;
        ring.push(sequence, sequence * FRAME_MS, sequence * FRAME_MS, frame);
        out.set(ring.frame);
        ring.skip();
        if (stream === frames.length - 1) sequence++;
        hash = fold(hash, out[AT] as number);
      }
      return hash;
    },
  };
}

function buffered(frames: readonly Uint8Array[]): Variant {
  const out = new Uint8Array(FRAME_BYTES);
  const buffers = frames.map(() => new JitterBuffer({ capacityFrames: CAPACITY_FRAMES }));
  for (const buffer of buffers) buffer.fixTarget(HELD + 1);
  let sequence = 0;
  for (; sequence < HELD; sequence++) {
    for (const [i, buffer] of buffers.entries())
      buffer.push(sequence, sequence * FRAME_MS, sequence * FRAME_MS, frames[i] as Uint8Array);
  }
  return {
    name: "the whole jitter buffer: push, pop",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const stream = i % frames.length;
        const frame = frames[stream] as Uint8Array;
        const buffer = buffers[stream] as JitterBuffer;
        buffer.push(sequence, sequence * FRAME_MS, sequence * FRAME_MS, frame);
        buffer.pop(out);
        if (stream === frames.length - 1) sequence++;
        hash = fold(hash, out[AT] as number);
      }
      return hash;
    },
  };
}

function mapped(frames: readonly Uint8Array[]): Variant {
  const out = new Uint8Array(FRAME_BYTES);
  const maps = frames.map(() => new Map<number, { readonly ulaw: Buffer }>());
  let sequence = 0;
  for (; sequence < HELD; sequence++) {
    for (const [i, map] of maps.entries()) map.set(sequence, { ulaw: Buffer.from(frames[i] as Uint8Array) });
  }
  return {
    name: "Map of sequence number → { Buffer }: push, pop",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const stream = i % frames.length;
        const frame = frames[stream] as Uint8Array;
        const map = maps[stream] as Map<number, { readonly ulaw: Buffer }>;
        map.set(sequence, { ulaw: Buffer.from(frame) });
        const held = map.get(sequence - HELD);
        map.delete(sequence - HELD);
        if (held) out.set(held.ulaw);
        if (stream === frames.length - 1) sequence++;
        hash = fold(hash, out[AT] as number);
      }
      return hash;
    },
  };
}

function listed(frames: readonly Uint8Array[]): Variant {
  const out = new Uint8Array(FRAME_BYTES);
  const lists = frames.map((): { readonly sequence: number; readonly ulaw: Uint8Array }[] => []);
  let sequence = 0;
  for (; sequence < HELD; sequence++) {
    for (const [i, list] of lists.entries()) list.push({ sequence, ulaw: (frames[i] as Uint8Array).slice() });
  }
  return {
    name: "array: push, sort, shift",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const stream = i % frames.length;
        const frame = frames[stream] as Uint8Array;
        const list = lists[stream] as { readonly sequence: number; readonly ulaw: Uint8Array }[];
        list.push({ sequence, ulaw: frame.slice() });
        list.sort((a, b) => a.sequence - b.sequence);
        const held = list.shift();
        if (held) out.set(held.ulaw);
        if (stream === frames.length - 1) sequence++;
        hash = fold(hash, out[AT] as number);
      }
      return hash;
    },
  };
}

// ---------------------------------------------------------------- losses

/** 60 ms of a voice each, as concealment looks back, of periods that no two lags fit. */
function voices(): readonly Int16Array[] {
  const ids = seededIds(2);
  return Array.from({ length: 32 }, (_, i) =>
    Int16Array.from({ length: 3 * FRAME_BYTES }, (_sample, at) => {
      const angle = (2 * Math.PI * at) / (62 + i);
      return 6_000 * (Math.sin(angle) + 0.5 * Math.sin(2 * angle)) + 60 * (ids.random() - 0.5);
    }),
  );
}

async function runPitch({ smoke, clock }: BenchOptions): Promise<Rows> {
  const past = voices();
  const search = (name: string, find: (pcm: Int16Array) => number): Variant => ({
    name,
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) hash = fold(hash, find(past[i % past.length] as Int16Array));
      return hash;
    },
  });
  const compared = await compare({
    clock,
    repetitions: smoke ? 3 : 101,
    operations: smoke ? 4 : 64,
    warmUps: smoke ? 1 : 30,
    variants: [
      search("pitch: normalised correlation over all 81 lags", correlate),
      search("pitch: magnitude differences, given up early", (pcm) => findPeriod(pcm, 200)),
    ],
  });
  const rows = compared.map((each, i) => comparedRow(each, i === 0 ? null : { of: "ratio", atMost: 0.5 }));
  return { rows, hash: compared[0]?.hash ?? 0 };
}

/** As G.711 Appendix I searches. */
function correlate(pcm: Int16Array): number {
  const from = pcm.length - FRAME_BYTES;
  let best = MIN_PERIOD;
  let most = -Infinity;
  for (let lag = MIN_PERIOD; lag <= MAX_PERIOD; lag++) {
    let product = 0;
    let energy = 1;
    for (let i = from; i < pcm.length; i++) {
      const earlier = pcm[i - lag] as number;
      product += (pcm[i] as number) * earlier;
      energy += earlier * earlier;
    }
    const likeness = product / Math.sqrt(energy);
    if (likeness > most) {
      most = likeness;
      best = lag;
    }
  }
  return best;
}

async function runRepair({ smoke, clock }: BenchOptions): Promise<Rows> {
  const frames = speechFrames(seededIds(3), 64, false);
  const at = (i: number): Uint8Array => frames[i % frames.length] as Uint8Array;
  const concealer = new Concealer();
  const out = new Uint8Array(2 * FRAME_BYTES);
  const one = out.subarray(0, FRAME_BYTES);
  const conceal: Variant = {
    name: "a lost frame concealed, and the next one faded into",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        concealer.begin(at(i), at(i + 1), at(i + 2));
        concealer.next(one);
        hash = fold(hash, one[AT] as number);
        one.set(at(i + 4));
        concealer.end(one);
        hash = fold(hash, one[AT] as number);
      }
      return hash;
    },
  };
  const shorten: Variant = {
    name: "pitch periods cut out of 40 ms of speech",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        out.set(at(i));
        out.set(at(i + 1), FRAME_BYTES);
        hash = fold(hash, compress(out, out.length) + (out[AT] as number));
      }
      return hash;
    },
  };
  const rows: Row[] = [];
  let hash = 0;
  for (const variant of [conceal, shorten]) {
    const [compared] = await compare({
      clock,
      repetitions: smoke ? 3 : 101,
      operations: smoke ? 4 : 64,
      warmUps: smoke ? 1 : 30,
      variants: [variant],
    });
    if (!compared) continue;
    rows.push({ ...comparedRow(compared), baseline: false });
    hash = fold(hash, compared.hash);
  }
  return { rows, hash };
}

// ---------------------------------------------------------------- delay

function runReplay({ smoke }: BenchOptions): Rows {
  const frames = smoke ? 300 : 6_000;
  const rows: Row[] = [];
  let wrong = 0;
  let hash = 0;
  const lateShares: number[] = [];
  for (const options of standardTraces(frames)) {
    const played = playTrace(options, smoke ? 2_000 : 10_000);
    rows.push(played.row);
    wrong += played.wrong;
    if (!options.ordered) lateShares.push(played.lateShare * 100);
    hash = fold(hash, played.frames);
  }
  const single = { p99: null, samples: rows.length };
  rows.push(
    {
      ...sampledRow({
        what: "frames lost that came in time, or heard twice",
        unit: "",
        values: [wrong],
        target: { of: "median", atMost: 0 },
      }),
      ...single,
    },
    {
      ...sampledRow({
        what: "frames too late for their turn where frames overtake each other, worst network",
        unit: "%",
        values: [Math.max(...lateShares)],
      }),
      ...single,
      samples: lateShares.length,
    },
  );
  return { rows, hash };
}

function playTrace(options: TraceOptions, settledMs: number) {
  const trace = makeTrace(options);
  const buffer = new JitterBuffer({ capacityFrames: 50, sequenceBits: 16 });
  const popped = replay(trace, buffer);
  const delays = popped
    .filter(({ atMs, delayMs }) => atMs > settledMs && !Number.isNaN(delayMs))
    .map(({ delayMs }) => delayMs);
  const netEqMs = mean(netEqTargetsMs(trace).slice(settledMs / FRAME_MS));
  const row: Row = {
    ...sampledRow({
      what: `held under ${options.name} (NetEQ: ${netEqMs.toFixed(0)} ms on average)`,
      unit: "ms",
      values: delays,
      target: { of: "ratio", atMost: 1.1 },
    }),
    ratio: mean(delays) / netEqMs,
  };
  const { late, lost, overflow, strays, played, trimmed, duplicates, stale } = buffer.counters;
  const indices = popped
    .filter(({ kind, index }) => kind === "frame" && index >= 0)
    .map(({ index }) => index);
  const twice = indices.filter((index, i) => i > 0 && index <= (indices[i - 1] as number)).length;
  const missing = trace.arrivals.length - played - trimmed - duplicates - stale - late;
  // Where nothing overtakes, stream time stands still for what is delayed: nothing may be late or missed.
  const wrong = twice + missing + overflow + strays + (options.ordered ? late + lost : 0);
  return { row, wrong, lateShare: late / trace.arrivals.length, frames: popped.length };
}
