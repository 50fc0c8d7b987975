/** How often the collector of garbage holds up a frame, and for how long. */
import { InvariantError, invariant } from "../engine/errors.ts";
import type { FrameTimes } from "./gc-process.ts";
import { type Bench, type BenchOptions, type Row, type Rows, fold, sampledRow } from "./runner.ts";

const PROCESS = new URL("./gc-process.ts", import.meta.url).pathname;
const KINDS = ["naive", "lean"] as const;
type Kind = (typeof KINDS)[number];

const TICK_MS = 20;
/** With fewer at the baseline one more or less makes the ratio. */
const MIN_STALLS_PER_MINUTE = 30;

const WHAT: Readonly<Record<Kind, string>> = {
  naive: "JSON parsed and written, a buffer each, alawmulaw",
  lean: "the engine's legs: cut, decoded in place, paced",
};

export const bench: Bench = {
  name: "gc",
  claim: "Frames of 500 calls make so little garbage that its collection holds hardly any of them up.",
  limitMs: () => 240_000,
  run: runGc,
};

async function runGc({ smoke }: BenchOptions): Promise<Rows> {
  const calls = smoke ? 20 : 500;
  const seconds = smoke ? 0.2 : 20;
  const liveObjects = smoke ? 2_000 : 200_000;
  const runs: Record<Kind, FrameTimes[]> = { naive: [], lean: [] };
  for (let repetition = 0; repetition < (smoke ? 1 : 2); repetition++) {
    for (const kind of KINDS) runs[kind].push(await runApart(kind, [calls, seconds, liveObjects]));
  }
  const told = { naive: tell(runs.naive), lean: tell(runs.lean) };
  const hash = KINDS.flatMap((kind) => runs[kind]).reduce((sum, each) => fold(sum, each.hash), 0);
  return { rows: toRows(told, calls), notes: notesOf(told, liveObjects), hash };
}

/** What the runs of one kind came to, without the time for which others had the processor. */
interface Told {
  readonly tickMs: readonly number[];
  /** Ticks per minute with a frame that took longer. */
  readonly over1Ms: number;
  readonly over5Ms: number;
  /** The same with what others took: on a machine of one's own there is no difference. */
  readonly over1MsRaw: number;
  readonly longestMs: number;
  readonly cpu: number;
}

function tell(runs: readonly FrameTimes[]): Told {
  const ticks = runs.flatMap((run) => run.ticks);
  const longest = ticks.map(({ longestMs, waitedMs }) => Math.max(0, longestMs - waitedMs));
  const perMinute = (values: readonly number[], aboveMs: number): number =>
    values.filter((ms) => ms > aboveMs).length / ((ticks.length * TICK_MS) / 60_000);
  return {
    tickMs: ticks.map(({ ms, waitedMs }) => Math.max(0, ms - waitedMs)),
    over1Ms: perMinute(longest, 1),
    over5Ms: perMinute(longest, 5),
    over1MsRaw: perMinute(
      ticks.map(({ longestMs }) => longestMs),
      1,
    ),
    longestMs: longest.reduce((max, ms) => Math.max(max, ms), 0),
    cpu: runs.reduce((total, { cpu }) => total + cpu, 0) / runs.length,
  };
}

/** In a process of its own: what one kind leaves behind must not be the other's to collect. */
async function runApart(kind: Kind, numbers: readonly number[]): Promise<FrameTimes> {
  const child = Bun.spawn([process.execPath, PROCESS, kind, ...numbers.map(String)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new InvariantError(`the ${kind} frame work ended with ${code}: ${err.slice(0, 300)}`);
  const times = JSON.parse(out) as FrameTimes;
  invariant(times.frames > 0, `the ${kind} frame work did no frames`);
  return times;
}

function toRows(told: Readonly<Record<Kind, Told>>, calls: number): Row[] {
  const samples = told.lean.tickMs.length;
  const single = (row: Pick<Row, "what" | "unit" | "median" | "target">): Row => {
    return { ...row, samples, p99: null, ratio: null, baseline: false };
  };
  const rows: Row[] = KINDS.map((kind) =>
    sampledRow({
      what: `${kind}, a tick of ${calls} frames each way: ${WHAT[kind]}`,
      unit: "ms",
      values: told[kind].tickMs,
      against: kind === "naive" ? "is the baseline" : told.naive.tickMs,
    }),
  );
  for (const kind of KINDS) {
    const { over1Ms, over5Ms, cpu } = told[kind];
    const heldUp = `${kind}, ticks with a frame held up for more than`;
    const none = kind === "lean" ? ({ of: "median", atMost: 0 } as const) : null;
    rows.push(
      single({ what: `${heldUp} 1 ms`, unit: "/min", median: over1Ms, target: null }),
      single({ what: `${heldUp} 5 ms`, unit: "/min", median: over5Ms, target: none }),
      single({ what: `${kind}, share of a core`, unit: "%", median: cpu, target: null }),
    );
  }
  if (told.naive.over1Ms > 0) {
    const median = told.lean.over1Ms / told.naive.over1Ms;
    const target = { of: "median", atMost: 0.25 } as const;
    const what = "frames held up for more than 1 ms, lean by naive";
    rows.push(single({ what, unit: "", median, target }));
  }
  return rows;
}

function notesOf(told: Readonly<Record<Kind, Told>>, liveObjects: number): string[] {
  const each = KINDS.map((kind) => {
    const { longestMs, over1MsRaw } = told[kind];
    return `${kind}: longest frame ${longestMs.toFixed(1)} ms; ${over1MsRaw.toFixed(0)} a minute above 1 ms with what others took`;
  });
  return [
    `${liveObjects} objects are alive beside the work. Of each tick its longest frame counts, less the time that the tick waited for a processor, where the system tells it; what the collector's own threads waited is not known, so these are upper bounds (${each.join("; ")}).`,
    "The lean work does more: pacing, marks and the ledger of what was heard.",
    ...(told.naive.over1Ms < MIN_STALLS_PER_MINUTE
      ? [
          `The naive work was held up only ${told.naive.over1Ms.toFixed(1)} times a minute: at so few the ratio is chance.`,
        ]
      : []),
  ];
}
