/** Calls that come and go for a long time: nothing may be left behind. */
import { invariant } from "../engine/errors.ts";
import { pause } from "../engine/platform/clock.ts";
import type { Clock } from "../engine/ports.ts";
import { type Generator, spawnGenerator } from "./load/control.ts";
import { EngineSystem, type LogLine } from "./load/engine-system.ts";
import { PINNING_NOTE } from "./load/processes.ts";
import type { ChurnPlan, Churned } from "./load/protocol.ts";
import { type Bench, type BenchOptions, type Row, type Rows, fold, sampledRow } from "./runner.ts";

const MINUTE_MS = 60_000;
const SHAPE = { calls: 60, minCallMs: 30_000, maxCallMs: 90_000, agentEnds: 0.3, socketDrops: 0.05 };
const SMOKE_PLAN: ChurnPlan = {
  durationMs: 3_000,
  calls: 4,
  minCallMs: 600,
  maxCallMs: 1_500,
  agentEnds: 0.2,
  socketDrops: 0.2,
};
/** Every code path has run and every pool is filled by then: what grows after it is a leak. */
const WARM_UP_SHARE = 0.2;
const SAMPLE_EVERY_MS = 2_000;
const SMOKE_SAMPLE_EVERY_MS = 200;
/** Idle connections are closed by either side within this. */
const IDLE_LIMIT_MS = 45_000;
const SMOKE_IDLE_LIMIT_MS = 500;
const IDLE_STEP_MS = 100;
/** What a lost socket has the log say. */
const OF_A_DROP = new Set(["openai.reconnecting"]);

interface Growth {
  readonly rss: readonly number[];
  readonly descriptors: readonly number[];
}

export const bench: Bench = {
  name: "soak",
  claim:
    "Calls come and go, end in every way and lose sockets, and neither memory nor anything else is left of them.",
  limitMs: ({ soakMinutes }: BenchOptions) => (soakMinutes + 5) * MINUTE_MS,
  run: async (options: BenchOptions) => {
    const generator = await spawnGenerator({ mode: "speech", format: "pcmu", seed: 1 });
    try {
      const engine = await EngineSystem.start(generator.ready);
      try {
        return await soak(options, generator, engine);
      } finally {
        await engine.stop();
      }
    } finally {
      await generator.stop();
    }
  },
};

async function soak(
  { smoke, clock, soakMinutes }: BenchOptions,
  generator: Generator,
  engine: EngineSystem,
): Promise<Rows> {
  const plan = smoke ? SMOKE_PLAN : { ...SHAPE, durationMs: soakMinutes * MINUTE_MS };
  // Whoever reads the metrics holds a connection, before as after.
  await engine.metrics();
  const idleDescriptors = engine.child.descriptors();
  const { churned, growth } = await watched(clock, engine, {
    work: generator.churn(engine.target, plan),
    everyMs: smoke ? SMOKE_SAMPLE_EVERY_MS : SAMPLE_EVERY_MS,
  });
  await untilIdle(clock, smoke ? SMOKE_IDLE_LIMIT_MS : IDLE_LIMIT_MS, async () => {
    if (engine.child.descriptors() > idleDescriptors) return false;
    return (await engine.metric("tandem_calls_live")) === 0;
  });
  const { callSids, ended } = await engine.rows();
  const complaints = engine.complaints();
  return {
    rows: rowsOf(churned, growth, {
      live: await engine.metric("tandem_calls_live"),
      streams: await streamsOf(engine),
      descriptors: engine.child.descriptors() - idleDescriptors,
      missingRows: churned.callSids.filter((sid) => !callSids.has(sid)).length,
      openRows: callSids.size - ended,
      complaints: unexpected(complaints, churned).length,
    }),
    hash: fold(churned.started, churned.framesIn),
    notes: notesOf(churned, complaints, plan),
  };
}

/** Samples the engine while `work` goes on. */
async function watched(
  clock: Clock,
  engine: EngineSystem,
  options: { readonly work: Promise<Churned>; readonly everyMs: number },
): Promise<{ readonly churned: Churned; readonly growth: Growth }> {
  const rss: number[] = [];
  const descriptors: number[] = [];
  let over = false;
  const work = options.work.finally(() => (over = true));
  // It is awaited below, after the last sample.
  work.catch(() => undefined);
  while (!over) {
    rss.push(engine.child.rssBytes());
    descriptors.push(engine.child.descriptors());
    await Promise.race([pause(clock, options.everyMs), work.catch(() => undefined)]);
  }
  return { churned: await work, growth: { rss, descriptors } };
}

/** Waits until the engine is as it was before the calls, or time is up. */
async function untilIdle(clock: Clock, limitMs: number, isIdle: () => Promise<boolean>): Promise<void> {
  const endMs = clock.monotonicMs() + limitMs;
  while (clock.monotonicMs() < endMs && !(await isIdle())) await pause(clock, IDLE_STEP_MS);
}

async function streamsOf(engine: EngineSystem): Promise<number> {
  const line = (await engine.metrics())
    .split("\n")
    .find((each) => each.startsWith('tandem_media_now{kind="live"}'));
  invariant(line !== undefined, "the engine does not tell how many streams there are");
  return Number(line.slice(line.lastIndexOf(" ") + 1));
}

/** Complaints beyond those that the sockets lost on purpose explain. */
function unexpected(complaints: readonly LogLine[], churned: Churned): readonly LogLine[] {
  let explained = churned.droppedModelSockets + churned.droppedStreams;
  return complaints.filter(({ event }) => !(OF_A_DROP.has(event) && explained-- > 0));
}

function rowsOf(
  churned: Churned,
  { rss, descriptors }: Growth,
  left: {
    readonly live: number;
    readonly streams: number;
    readonly descriptors: number;
    readonly missingRows: number;
    readonly openRows: number;
    readonly complaints: number;
  },
): readonly Row[] {
  const none = { of: "median" as const, atMost: 0 };
  const single = (what: string, value: number, target: Row["target"] = null): Row =>
    sampledRow({ what, unit: "", values: [value], ...(target ? { target } : {}) });
  const part = Math.max(1, Math.floor(rss.length * WARM_UP_SHARE));
  const MB = rss.map((bytes) => bytes / 2 ** 20);
  const warm = MB.length > 2 * part ? MB.slice(part, 2 * part) : MB;
  return [
    single("calls that came and went", churned.started),
    single("calls refused or failed", churned.refused + churned.failed, none),
    sampledRow({ what: "memory after warm-up", unit: "MB", values: warm, against: "is the baseline" }),
    sampledRow({
      what: "memory at the end",
      unit: "MB",
      values: MB.slice(-part),
      against: warm,
      target: { of: "ratio", atMost: 1.1 },
    }),
    single("open descriptors at most", Math.max(...descriptors)),
    single("descriptors left over", left.descriptors, none),
    single("calls still live", left.live, none),
    single("streams still open", left.streams, none),
    single("calls without a row", left.missingRows, none),
    single("rows that never ended", left.openRows, none),
    single("log lines at warn or above, beyond the sockets that were dropped", left.complaints, none),
  ];
}

function notesOf(churned: Churned, complaints: readonly LogLine[], plan: ChurnPlan): readonly string[] {
  const notes = [
    PINNING_NOTE,
    `${Math.round(plan.durationMs / 1000)} s of ${plan.calls} calls at a time; ${churned.endedByCaller} ended by the caller, ${churned.endedByAgent} by the agent; ${churned.bargeIns} barge-ins; ${churned.droppedModelSockets} model sockets and ${churned.droppedStreams} streams dropped`,
  ];
  const surprises = unexpected(complaints, churned);
  if (surprises.length > 0) {
    notes.push(`the log complains of ${[...new Set(surprises.map(({ event }) => event))].join(", ")}`);
  }
  if (churned.problem !== null) notes.push(`the generator's first problem: ${churned.problem}`);
  return notes;
}
