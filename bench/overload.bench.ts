/** Half as many calls again as the engine can take: the others must not feel it. */
import { type Generator, spawnGenerator } from "./load/control.ts";
import { EngineSystem } from "./load/engine-system.ts";
import { type Measured, failedPercent, lateNotes, latencySeries, measure } from "./load/measure.ts";
import { PINNING_NOTE } from "./load/processes.ts";
import type { Started } from "./load/protocol.ts";
import { type Bench, type BenchOptions, type Row, type Rows, fold, sampledRow } from "./runner.ts";

const FULL = {
  calls: 300,
  step: 25,
  /** Calls come a step at a time, as slowly as the engine needs to see what the step before it did. */
  seenMs: 3_000,
  maxCalls: 1_500,
  settleMs: 1_000,
  windowMs: 5_000,
  windows: 3,
  tries: 4,
};
type Parameters = typeof FULL;
const SMOKE: Parameters = {
  calls: 4,
  step: 2,
  seenMs: 50,
  maxCalls: 4,
  settleMs: 50,
  windowMs: 300,
  windows: 1,
  tries: 1,
};
const LIMIT_MS = 10 * 60_000;
const OFFERED_SHARE = 0.5;

/** What the engine goes by when it refuses. */
interface Admission {
  readonly what: string;
  readonly deployment: Readonly<Record<string, unknown>>;
  /** Share of the calls beyond capacity that must be turned away, in percent. */
  readonly refusedAtLeast: number;
}

export const bench: Bench = {
  name: "overload",
  claim:
    "Offered half as many calls again as it can take, the engine refuses those and keeps the others as they are.",
  limitMs: () => LIMIT_MS,
  run: async ({ smoke }: BenchOptions) => {
    const parameters = smoke ? SMOKE : FULL;
    const all: Rows[] = [];
    for (const admission of admissions(parameters.calls)) all.push(await overload(admission, parameters));
    return {
      rows: all.flatMap(({ rows }) => rows),
      hash: all.reduce((hash, part) => fold(hash, part.hash), 0),
      notes: [PINNING_NOTE, ...all.flatMap(({ notes = [] }) => notes)],
      pictures: all.flatMap(({ pictures = [] }) => pictures),
    };
  },
};

function admissions(calls: number): readonly Admission[] {
  return [
    {
      what: "limit by number",
      deployment: { limits: { maxLiveCalls: calls, drainMs: 0 } },
      refusedAtLeast: 100,
    },
    {
      // As deployed. Once its loop has calmed down it takes some more, until that is too much again.
      what: "limit by lateness",
      deployment: { overload: {} },
      refusedAtLeast: 50,
    },
  ];
}

async function overload(admission: Admission, parameters: Parameters): Promise<Rows> {
  const generator = await spawnGenerator({ mode: "echo", format: "pcmu", seed: 1 });
  try {
    const engine = await EngineSystem.start(generator.ready, admission);
    try {
      return await offerTooMany(admission, generator, engine, parameters);
    } finally {
      await engine.stop();
    }
  } finally {
    await generator.stop();
  }
}

async function offerTooMany(
  { what, refusedAtLeast }: Admission,
  generator: Generator,
  engine: EngineSystem,
  parameters: Parameters,
): Promise<Rows> {
  const filled = await fill(generator, engine, parameters);
  const before = await windows(generator, engine, parameters);
  const extra = Math.ceil(filled.live * OFFERED_SHARE);
  const during = await measure(generator, engine, {
    ...parameters,
    // Calls can be offered once only.
    tries: 1,
    offer: { calls: extra, target: engine.target },
  });
  const after = await windows(generator, engine, parameters);
  const offered = during.window.offered as Started;
  const all = [...before, during, ...after];
  const late = all.filter((each) => each.late).length;
  return {
    rows: rowsOf(what, { filled, extra, offered, refusedAtLeast, before, during, after }),
    hash: all.reduce((hash, { window }) => fold(hash, window.framesIn), 0),
    notes: [
      `${what}: ${filled.live + extra} calls offered to an engine that took ${filled.live}; a refused call heard the apology`,
      ...lateNotes(
        all.reduce((sum, { discarded }) => sum + discarded, 0),
        late,
      ),
    ],
    pictures: [
      {
        title: `A frame's way there and back before, during and after too many calls, ${what}`,
        series: [
          latencySeries(
            "before",
            before.map(({ window }) => window.latencyMs),
          ),
          latencySeries("during", [during.window.latencyMs]),
          latencySeries(
            "after",
            after.map(({ window }) => window.latencyMs),
          ),
        ],
      },
    ],
  };
}

/** Calls until the engine takes no more. */
async function fill(
  generator: Generator,
  engine: EngineSystem,
  { maxCalls, step, seenMs }: Parameters,
): Promise<Started> {
  for (;;) {
    const started = await generator.start(step, engine.target);
    if (started.refused > 0 || started.failed > 0 || started.live >= maxCalls) return started;
    await generator.settle(seenMs);
  }
}

async function windows(
  generator: Generator,
  engine: EngineSystem,
  parameters: Parameters,
): Promise<readonly Measured[]> {
  const all: Measured[] = [];
  for (let i = 0; i < parameters.windows; i++) all.push(await measure(generator, engine, parameters));
  return all;
}

function rowsOf(
  what: string,
  run: {
    readonly filled: Started;
    readonly extra: number;
    readonly offered: Started;
    readonly refusedAtLeast: number;
    readonly before: readonly Measured[];
    readonly during: Measured;
    readonly after: readonly Measured[];
  },
): readonly Row[] {
  const { filled, extra, offered, refusedAtLeast, before, during, after } = run;
  const p99Of = (all: readonly Measured[]) => all.map(({ window }) => window.latencyMs.p99);
  const calls = (name: string, value: number) =>
    sampledRow({ what: `${what}: ${name}`, unit: "calls", values: [value] });
  const p99 = (name: string, all: readonly Measured[]) =>
    sampledRow({
      what: `${what}: p99 of live calls ${name}`,
      unit: "ms",
      values: p99Of(all),
      against: all === before ? "is the baseline" : p99Of(before),
      target: { of: "median", atMost: 20 },
    });
  return [
    calls("live before", filled.live),
    calls("offered beyond that", extra),
    calls("admitted of those", offered.started),
    sampledRow({
      what: `${what}: refused of those`,
      unit: "%",
      values: [(offered.refused * 100) / extra],
      target: { of: "median", atLeast: refusedAtLeast },
    }),
    p99("before", before),
    p99("during", [during]),
    p99("after", after),
    sampledRow({
      what: `${what}: live calls that failed`,
      unit: "%",
      values: [during, ...after].map(failedPercent),
      target: { of: "median", atMost: 0.5 },
    }),
  ];
}
