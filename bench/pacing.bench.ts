/** Whether a pacer keeps its time for long, under work and beside others, and what it costs for many legs. */
import { type PacedSlot, PacingWheel } from "../engine/media/wheel.ts";
import { pause } from "../engine/platform/clock.ts";
import type { Clock } from "../engine/ports.ts";
import { type Bench, type BenchOptions, type Row, pictureSeries, sampledRow } from "./runner.ts";

const SLOT_MS = 20;
/** Work in each slot: a fifth of a core. */
const WORK_MS = 4;
const LEGS = 500;
const HOGS = 2;
/** A hog that is never told to stop ends by itself. */
const HOG = "const end = performance.now() + 120_000; while (performance.now() < end);";

export const bench: Bench = {
  name: "pacing",
  claim: "One wheel on absolute deadlines paces all legs without drift, late by a millisecond or two.",
  limitMs: () => 240_000,
  run: async (options) => {
    const { smoke, clock } = options;
    const idle = await keepTime(clock, smoke ? 1_000 : 40_000);
    const hogs = smoke ? [] : startHogs();
    let beside: Kept;
    try {
      beside = await keepTime(clock, smoke ? 500 : 20_000);
    } finally {
      await stopHogs(hogs);
    }
    const shares = await compareShares(options);
    return {
      rows: [...rowsOf(idle, "", 2), ...rowsOf(beside, `, ${HOGS} busy processes beside`, 5), ...shares],
      hash: idle.wheelMs.length + beside.wheelMs.length,
      notes: [
        `Both pacers run at the same time in one process, which works ${WORK_MS} ms in each slot of ${SLOT_MS} ms. Being late counts from the absolute deadline; a setInterval has none, so its first tick stands for it.`,
        "A timer fires on whole milliseconds and never early: up to 1 ms of each lateness is that.",
      ],
      pictures: [
        {
          title: "Lateness of the pacing wheel",
          series: [
            pictureSeries("20 % work", idle.wheelMs),
            pictureSeries(`with ${HOGS} busy processes`, beside.wheelMs),
          ],
        },
      ],
    };
  },
};

// ---------------------------------------------------------------- lateness and drift

interface Kept {
  /** Lateness of each slot, in order. */
  readonly wheelMs: readonly number[];
  readonly intervalMs: readonly number[];
}

async function keepTime(clock: Clock, durationMs: number): Promise<Kept> {
  const wheelMs: number[] = [];
  const intervalMs: number[] = [];
  const originMs = clock.monotonicMs();
  const wheel = new PacingWheel({ clock, slotMs: SLOT_MS });
  let due = 1;
  wheel.add({
    onSlot: (nowMs) => {
      // A wheel's first leg is due on whole slots. After a stall of more than one, the missed ones are skipped.
      const lateMs = nowMs - originMs - due * SLOT_MS;
      wheelMs.push(Math.max(0, lateMs));
      due = Math.floor((nowMs - originMs) / SLOT_MS) + 1;
      const endMs = clock.monotonicMs() + WORK_MS;
      while (clock.monotonicMs() < endMs);
    },
  });
  let firstMs = -1;
  let ticks = 0;
  // The baseline is the runtime's own, with no clock between.
  const interval = globalThis.setInterval(() => {
    const nowMs = clock.monotonicMs();
    if (firstMs < 0) firstMs = nowMs;
    intervalMs.push(Math.max(0, nowMs - firstMs - ticks++ * SLOT_MS));
  }, SLOT_MS);
  await pause(clock, durationMs);
  globalThis.clearInterval(interval);
  wheel.stop();
  return { wheelMs, intervalMs };
}

/**
 * By how much later a pacer is at the end than at the beginning, each time by its best slot of a tenth: being
 * late now and then is not drift.
 */
function driftOf(latenessMs: readonly number[]): number {
  const part = Math.ceil(latenessMs.length / 10);
  return Math.abs(Math.min(...latenessMs.slice(-part)) - Math.min(...latenessMs.slice(0, part)));
}

function rowsOf({ wheelMs, intervalMs }: Kept, beside: string, p99Ms: number): readonly Row[] {
  const unit = "ms" as const;
  const drifts = {
    interval: sampledRow({
      what: `setInterval: drift after ${intervalMs.length} slots${beside}`,
      unit,
      values: [driftOf(intervalMs)],
      against: "is the baseline",
    }),
    wheel: sampledRow({
      what: `wheel: drift after ${wheelMs.length} slots${beside}`,
      unit,
      values: [driftOf(wheelMs)],
      target: { of: "median", atMost: 1 },
    }),
  };
  return [
    { ...drifts.interval, p99: null },
    { ...drifts.wheel, p99: null },
    sampledRow({
      what: `setInterval: lateness${beside}`,
      unit,
      values: intervalMs,
      against: "is the baseline",
    }),
    sampledRow({
      what: `wheel: lateness${beside}`,
      unit,
      values: wheelMs,
      target: { of: "p99", atMost: p99Ms },
    }),
  ];
}

function startHogs(): readonly Bun.Subprocess[] {
  return Array.from({ length: HOGS }, () =>
    Bun.spawn([process.execPath, "-e", HOG], { stdin: "ignore", stdout: "ignore", stderr: "ignore" }),
  );
}

async function stopHogs(hogs: readonly Bun.Subprocess[]): Promise<void> {
  for (const hog of hogs) hog.kill("SIGKILL");
  await Promise.all(hogs.map((hog) => hog.exited));
}

// ---------------------------------------------------------------- what it costs

/** Some legs that do nothing but count, paced one way or the other; in turn, for a while each. */
async function compareShares({ smoke, clock }: BenchOptions): Promise<readonly Row[]> {
  const legs = smoke ? 20 : LEGS;
  const rounds = smoke ? 1 : 5;
  const windowMs = smoke ? 100 : 2_000;
  const timers: number[] = [];
  const wheels: number[] = [];
  for (let round = 0; round < rounds; round++) {
    timers.push(await shareOf(clock, windowMs, () => timerPerLeg(clock, legs)));
    wheels.push(await shareOf(clock, windowMs, () => oneWheel(clock, legs)));
  }
  return [
    sampledRow({
      what: `a self-correcting timer for each of ${legs} legs: share of a core`,
      unit: "%",
      values: timers,
      against: "is the baseline",
    }),
    sampledRow({
      what: `one wheel for ${legs} legs: share of a core`,
      unit: "%",
      values: wheels,
      against: timers,
      target: { of: "ratio", atMost: 0.5 },
    }),
  ];
}

/** Share of a core that the process took while it ran. */
async function shareOf(clock: Clock, windowMs: number, start: () => () => void): Promise<number> {
  const stop = start();
  const cpu = process.cpuUsage();
  const startMs = clock.monotonicMs();
  await pause(clock, windowMs);
  const { user, system } = process.cpuUsage(cpu);
  const share = (user + system) / 10 / (clock.monotonicMs() - startMs);
  stop();
  return share;
}

function timerPerLeg(clock: Clock, legs: number): () => void {
  const handles: unknown[] = [];
  const startMs = clock.monotonicMs();
  for (let leg = 0; leg < legs; leg++) {
    let dueMs = startMs + SLOT_MS + (leg % SLOT_MS);
    const arm = (): void => {
      handles[leg] = clock.setTimeout(onTimer, Math.ceil(dueMs - clock.monotonicMs()));
    };
    const onTimer = (): void => {
      dueMs += SLOT_MS;
      arm();
    };
    arm();
  }
  return () => {
    for (const handle of handles) clock.clearTimeout(handle);
  };
}

class CountingLeg implements PacedSlot {
  slots = 0;

  onSlot(): void {
    this.slots++;
  }
}

function oneWheel(clock: Clock, legs: number): () => void {
  const wheel = new PacingWheel({ clock, slotMs: SLOT_MS });
  for (let leg = 0; leg < legs; leg++) wheel.add(new CountingLeg());
  return () => wheel.stop();
}
