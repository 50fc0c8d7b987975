/** How many calls one core carries, and what a call costs: the whole engine against the least that a bridge can do. */
import { type Generator, type System, type SystemKind, relay, spawnGenerator } from "./load/control.ts";
import { EngineSystem } from "./load/engine-system.ts";
import {
  type Climb,
  type Measured,
  bytesPerCall,
  capacity,
  climb,
  failedPercent,
  lateNotes,
  latencySeries,
  measure,
} from "./load/measure.ts";
import type { AudioFormat } from "./load/model-line.ts";
import { PINNING_NOTE } from "./load/processes.ts";
import { type Bench, type BenchOptions, type Row, type Rows, fold, sampledRow } from "./runner.ts";

const FULL = {
  calls: 300,
  repetitions: 5,
  settleMs: 1_000,
  windowMs: 4_000,
  step: 50,
  maxCalls: 1_500,
  windows: 3,
  climbSettleMs: 500,
  climbWindowMs: 2_000,
  tries: 4,
};
type Parameters = typeof FULL;
const SMOKE: Parameters = {
  calls: 3,
  repetitions: 1,
  settleMs: 50,
  windowMs: 300,
  step: 2,
  maxCalls: 2,
  windows: 1,
  climbSettleMs: 50,
  climbWindowMs: 200,
  tries: 1,
};
const LIMIT_MS = 25 * 60_000;
const STRICT_MS = 5;
const LOOSE_MS = 20;

interface Subject {
  readonly kind: SystemKind;
  readonly format: AudioFormat;
}

/** A subject that runs, with a generator of its own. */
interface Running {
  readonly name: string;
  readonly generator: Generator;
  readonly system: System;
  readonly measured: Measured[];
}

export const bench: Bench = {
  name: "density",
  claim: "The whole engine carries nearly as many calls on one core as a bridge that only moves payloads.",
  limitMs: () => LIMIT_MS,
  run: async ({ smoke }: BenchOptions) => await run(smoke ? SMOKE : FULL),
};

async function run(parameters: Parameters): Promise<Rows> {
  const fixed = await atFixedLoad(parameters);
  const climbs: Climb[] = [];
  for (const subject of SUBJECTS) climbs.push(await climbWith(subject, parameters));
  const measured = fixed.flatMap((each) => each.measured);
  const discarded = sum([...measured, ...climbs].map((each) => each.discarded));
  const late = sum(climbs.map((each) => each.late)) + measured.filter((each) => each.late).length;
  return {
    rows: [...fixedRows(fixed, parameters), ...climbRows(climbs)],
    hash: measured.reduce((hash, { window }) => fold(hash, window.framesIn), 0),
    notes: [
      PINNING_NOTE,
      "Beyond the relay the engine proves the base64 of both ways, meters, fills gaps, paces, marks and keeps the ledger; its marks alone are a message more each way for eight frames, about a twentieth of the cost. Tried for less: no look-up for the item of the moment, no clock and no getter of a socket for each frame, a mark in one write with its chunk (together a seventh). What is left is spread evenly: with the playout taken out it still costs a third more than the relay, for between two frames of a call hundreds of others have emptied the caches.",
      "latency is from the carrier through the system to the model and back, of every frame; it holds the model's and the generator's share",
      ...lateNotes(discarded, late),
    ],
    pictures: [
      {
        title: `A frame's way to the model and back, ${parameters.calls} calls`,
        series: fixed.map((each) =>
          latencySeries(
            each.name,
            each.measured.map(({ window }) => window.latencyMs),
          ),
        ),
      },
    ],
  };
}

/** The relay is what the engine is held against, and the engine what its way for other models is. */
const SUBJECTS: readonly Subject[] = [
  { kind: relay, format: "pcmu" },
  { kind: engineKind("full engine", {}), format: "pcmu" },
  { kind: engineKind("full engine, PCM 24 kHz", { audioFormat: "pcm24k" }), format: "pcm24k" },
];

function engineKind(name: string, agent: Readonly<Record<string, unknown>>): SystemKind {
  return { name, start: async (where) => await EngineSystem.start(where, { deployment: { agent } }) };
}

async function begin({ kind, format }: Subject): Promise<Running> {
  const generator = await spawnGenerator({ mode: "echo", format, seed: 1 });
  try {
    const system = await kind.start(generator.ready, format);
    return { name: kind.name, generator, system, measured: [] };
  } catch (error) {
    await generator.stop();
    throw error;
  }
}

async function end({ generator, system }: Running): Promise<void> {
  await Promise.all([system.stop(), generator.stop()]);
}

/** All subjects in turn, each time beginning with another one; only one has calls at a time. */
async function atFixedLoad(parameters: Parameters): Promise<readonly Running[]> {
  const running: Running[] = [];
  try {
    for (const subject of SUBJECTS) running.push(await begin(subject));
    for (let repetition = 0; repetition < parameters.repetitions; repetition++) {
      for (let turn = 0; turn < running.length; turn++) {
        const { generator, system, measured } = running[(turn + repetition) % running.length] as Running;
        await generator.start(parameters.calls, system.target);
        measured.push(await measure(generator, system, parameters));
        await generator.hangUp();
      }
    }
    return running;
  } finally {
    await Promise.all(running.map(end));
  }
}

async function climbWith(subject: Subject, parameters: Parameters): Promise<Climb> {
  const running = await begin(subject);
  try {
    return await climb(running.generator, running.system, {
      ...parameters,
      settleMs: parameters.climbSettleMs,
      windowMs: parameters.climbWindowMs,
      untilP99Ms: LOOSE_MS,
    });
  } finally {
    await end(running);
  }
}

function fixedRows(running: readonly Running[], { calls }: Parameters): readonly Row[] {
  const rows: Row[] = [];
  const [base, engine, wide] = running as [Running, Running, Running];
  const cpuOf = ({ measured }: Running) => measured.map(({ cpuUsPerFrame }) => cpuUsPerFrame);
  const p99Of = ({ measured }: Running) => measured.map(({ window }) => window.latencyMs.p99);
  const cpu = (of: Running) => `CPU per frame, ${calls} calls: ${of.name}`;
  rows.push(sampledRow({ what: cpu(base), unit: "µs", values: cpuOf(base), against: "is the baseline" }));
  rows.push(
    sampledRow({
      what: cpu(engine),
      unit: "µs",
      values: cpuOf(engine),
      against: cpuOf(base),
      target: { of: "ratio", atMost: 1.25 },
    }),
  );
  rows.push(
    sampledRow({
      what: `${cpu(wide)}, against μ-law`,
      unit: "µs",
      values: cpuOf(wide),
      against: cpuOf(engine),
      target: { of: "ratio", atMost: 1.35 },
    }),
  );
  rows.push(
    sampledRow({
      what: `CPU per frame, ${calls} calls: the load generator itself`,
      unit: "µs",
      values: base.measured.map(({ generatorUsPerFrame }) => generatorUsPerFrame),
      against: cpuOf(base),
    }),
  );
  for (const each of running) {
    rows.push(
      sampledRow({ what: `p99 of a frame, ${calls} calls: ${each.name}`, unit: "ms", values: p99Of(each) }),
    );
  }
  const basis = p99Of(base);
  rows.push(
    sampledRow({
      what: "p99 that the engine adds to the relay's",
      unit: "ms",
      values: p99Of(engine).map((ms, i) => ms - (basis[i] as number)),
      target: { of: "median", atMost: 2 },
    }),
  );
  for (const each of running) {
    rows.push(
      sampledRow({
        what: `failed calls: ${each.name}`,
        unit: "%",
        values: each.measured.map(failedPercent),
        target: { of: "median", atMost: 0.5 },
      }),
    );
  }
  return rows;
}

function climbRows(climbs: readonly Climb[]): readonly Row[] {
  const rows: Row[] = [];
  for (const maxP99Ms of [STRICT_MS, LOOSE_MS]) {
    const calls = climbs.map((each) => capacity(each, maxP99Ms));
    SUBJECTS.forEach(({ kind }, i) => {
      const against = i === 0 ? "is the baseline" : [calls[i - 1] as number];
      const holds = i === 2 ? { of: "ratio" as const, atLeast: 0.6 } : undefined;
      rows.push(
        sampledRow({
          what: `calls on one core at p99 ≤ ${maxP99Ms} ms: ${kind.name}${i === 2 ? ", against μ-law" : ""}`,
          unit: "calls",
          values: [calls[i] as number],
          against,
          ...(holds ? { target: holds } : {}),
        }),
      );
    });
  }
  SUBJECTS.forEach(({ kind }, i) => {
    const kB = bytesPerCall(climbs[i] as Climb) / 1024;
    rows.push(sampledRow({ what: `memory of a call: ${kind.name}`, unit: "kB", values: [kB] }));
  });
  return rows;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
