/**
 * A process that does one kind of frame work in real time, with many objects alive beside it, and prints how
 * long its ticks and frames took. Arguments: the kind, calls, seconds, live objects.
 */
import { invariant } from "../engine/errors.ts";
import { pause, systemClock } from "../engine/platform/clock.ts";
import { WORKS, type Work } from "./gc-work.ts";
import { runDelayMs } from "./run-delay.ts";

const TICK_MS = 20;
const WARM_UP_TICKS = 100;

export interface Tick {
  readonly ms: number;
  /** Of its frames. */
  readonly longestMs: number;
  /** For a processor, that others had. */
  readonly waitedMs: number;
}

export interface FrameTimes {
  readonly ticks: readonly Tick[];
  readonly frames: number;
  /** Percent of one core, all threads. */
  readonly cpu: number;
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

/** Times every frame of a tick. */
class FrameTimer {
  frames = 0;
  #lastMs = 0;
  #longestMs = 0;

  readonly done = (): void => {
    const nowMs = systemClock.monotonicMs();
    const tookMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    this.frames++;
    if (tookMs > this.#longestMs) this.#longestMs = tookMs;
  };

  time(work: Work): Tick {
    this.#longestMs = 0;
    const delayMs = runDelayMs() ?? 0;
    const beganMs = systemClock.monotonicMs();
    this.#lastMs = beganMs;
    work.tick(this.done);
    const ms = systemClock.monotonicMs() - beganMs;
    const waitedMs = (runDelayMs() ?? 0) - delayMs;
    return { ms, longestMs: this.#longestMs, waitedMs };
  }
}

/** On absolute deadlines: a late tick does not move the next one. */
async function run(work: Work, count: number): Promise<Omit<FrameTimes, "hash">> {
  const timer = new FrameTimer();
  const ticks: Tick[] = [];
  const before = process.cpuUsage();
  const startMs = systemClock.monotonicMs();
  for (let tick = 1; tick <= count; tick++) {
    const waitMs = Math.ceil(startMs + tick * TICK_MS - systemClock.monotonicMs());
    await pause(systemClock, Math.max(0, waitMs));
    ticks.push(timer.time(work));
  }
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 10 / (systemClock.monotonicMs() - startMs);
  return { ticks, frames: timer.frames, cpu };
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
