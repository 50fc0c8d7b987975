/** How often the collector of garbage holds up a frame, and for how long. */
import { InvariantError, invariant } from "../engine/errors.ts";
import type { FrameTimes } from "./gc-process.ts";
import { type Bench, type BenchOptions, type Row, type Rows, fold, sampledRow } from "./runner.ts";

const PROCESS = new URL("./gc-process.ts", import.meta.url).pathname;
const KINDS = ["naive", "lean"] as const;
type Kind = (typeof KINDS)[number];

const TOLD: Readonly<Record<Kind, string>> = {
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
  const hash = KINDS.flatMap((kind) => runs[kind]).reduce((sum, each) => fold(sum, each.hash), 0);
  return { rows: toRows(runs, calls), notes: notesOf(runs, liveObjects), hash };
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

function toRows(runs: Readonly<Record<Kind, readonly FrameTimes[]>>, calls: number): Row[] {
  const ticks = (kind: Kind): readonly number[] => runs[kind].flatMap(({ tickMs }) => tickMs);
  const perMinute = (kind: Kind, count: (times: FrameTimes) => number): number => {
    const seconds = runs[kind].reduce((sum, each) => sum + each.seconds, 0);
    return (runs[kind].reduce((sum, each) => sum + count(each), 0) / seconds) * 60;
  };
  const single = (what: string, unit: Row["unit"], median: number, target: Row["target"] = null): Row => {
    return { what, unit, median, p99: null, samples: runs.lean.length, ratio: null, baseline: false, target };
  };
  const over1Ms = { naive: perMinute("naive", (t) => t.over1Ms), lean: perMinute("lean", (t) => t.over1Ms) };
  const rows: Row[] = KINDS.map((kind) =>
    sampledRow({
      what: `${kind}, a tick of ${calls} frames each way: ${TOLD[kind]}`,
      unit: "ms",
      values: ticks(kind),
      against: kind === "naive" ? "is the baseline" : ticks("naive"),
    }),
  );
  for (const kind of KINDS) {
    const cpu = runs[kind].reduce((sum, each) => sum + each.cpu, 0) / runs[kind].length;
    const frames = runs[kind].reduce((sum, each) => sum + each.frames, 0);
    rows.push(
      { ...single(`${kind}, frames held up for more than 1 ms`, "/min", over1Ms[kind]), samples: frames },
      {
        ...single(
          `${kind}, frames held up for more than 5 ms`,
          "/min",
          perMinute(kind, (t) => t.over5Ms),
          kind === "lean" ? { of: "median", atMost: 0 } : null,
        ),
        samples: frames,
      },
      single(`${kind}, share of a core`, "%", cpu),
    );
  }
  if (over1Ms.naive > 0) {
    const ratio = over1Ms.lean / over1Ms.naive;
    rows.push(single("held up for more than 1 ms, lean by naive", "", ratio, { of: "median", atMost: 0.25 }));
  }
  return rows;
}

function notesOf(runs: Readonly<Record<Kind, readonly FrameTimes[]>>, liveObjects: number): string[] {
  const told = KINDS.map((kind) => {
    const longest = Math.max(...runs[kind].map(({ longestMs }) => longestMs));
    const preemptions = runs[kind].reduce((sum, each) => sum + each.preemptions, 0);
    return `${kind}: longest frame ${longest.toFixed(1)} ms, processor taken away ${preemptions} times`;
  });
  return [
    `${liveObjects} objects are alive beside the work. A stall is the time of a single frame within a tick; where the system took the processor away it counts too, so these are upper bounds (${told.join("; ")}).`,
    "The lean work does more: pacing, marks and the ledger of what was heard.",
  ];
}
