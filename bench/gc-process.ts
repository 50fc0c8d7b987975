/**
 * A process that does one kind of frame work in real time, with many objects alive beside it, and prints how
 * long its ticks and frames took. Arguments: the kind, calls, seconds, live objects.
 */
import { invariant } from "../engine/errors.ts";
import { systemClock } from "../engine/platform/clock.ts";
import { WORKS, type Work } from "./gc-work.ts";

const TICK_MS = 20;
const WARM_UP_TICKS = 100;

export interface FrameTimes {
  readonly tickMs: readonly number[];
  readonly frames: number;
  readonly over1Ms: number;
  readonly over5Ms: number;
  readonly longestMs: number;
  readonly seconds: number;
  /** Percent of one core, all threads. */
  readonly cpu: number;
  /** How often the system took the processor away. */
  readonly preemptions: number;
  readonly hash: number;
}

/** What a process that has been up for a while holds: small objects that refer to each other. */
function liveObjects(count: number): readonly object[] {
  const objects: { readonly id: number; readonly name: string; readonly next: object | null }[] = [];
  for (let id = 0; id < count; id++) {
    objects.push({ id, name: `object ${id}`, next: objects[(id * 7) % Math.max(1, id)] ?? null });
  }
  return objects;
}

/** On absolute deadlines: a late tick does not move the next one. */
async function run(work: Work, ticks: number): Promise<Omit<FrameTimes, "hash">> {
  const tickMs: number[] = [];
  let frames = 0;
  let over1Ms = 0;
  let over5Ms = 0;
  let longestMs = 0;
  let lastMs = 0;
  const frameDone = (): void => {
    const nowMs = systemClock.monotonicMs();
    const tookMs = nowMs - lastMs;
    lastMs = nowMs;
    frames++;
    if (tookMs > 1) over1Ms++;
    if (tookMs > 5) over5Ms++;
    if (tookMs > longestMs) longestMs = tookMs;
  };
  const before = process.resourceUsage();
  const startMs = systemClock.monotonicMs();
  for (let tick = 1; tick <= ticks; tick++) {
    const waitMs = Math.ceil(startMs + tick * TICK_MS - systemClock.monotonicMs());
    await new Promise<void>((resolve) => void systemClock.setTimeout(resolve, Math.max(0, waitMs)));
    const beganMs = systemClock.monotonicMs();
    lastMs = beganMs;
    work.tick(frameDone);
    tickMs.push(systemClock.monotonicMs() - beganMs);
  }
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  const after = process.resourceUsage();
  const cpuMicros = after.userCPUTime + after.systemCPUTime - before.userCPUTime - before.systemCPUTime;
  const preemptions = after.involuntaryContextSwitches - before.involuntaryContextSwitches;
  return {
    tickMs,
    frames,
    over1Ms,
    over5Ms,
    longestMs,
    seconds,
    cpu: cpuMicros / 1e4 / seconds,
    preemptions,
  };
}

if (import.meta.main) {
  const [kind = "", calls = "", seconds = "", live = ""] = process.argv.slice(2);
  const make = WORKS[kind];
  invariant(make !== undefined, `there is no work "${kind}"`);
  const objects = liveObjects(Number(live));
  const work = make(Number(calls));
  const ticks = Math.ceil((Number(seconds) * 1000) / TICK_MS);
  await run(work, Math.min(WARM_UP_TICKS, ticks));
  const times = await run(work, ticks);
  const result: FrameTimes = { ...times, hash: work.hash ^ objects.length };
  process.stdout.write(JSON.stringify(result));
}
