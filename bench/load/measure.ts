/** Windows of measurement, and the figures made of them. */
import { invariant } from "../../engine/errors.ts";
import { PICTURE_EDGES_MS, type PictureSeries, summarise } from "../runner.ts";
import type { Generator, System } from "./control.ts";
import type { Distribution } from "./distribution.ts";
import type { Offer, Window } from "./protocol.ts";

/** A generator that was later than this itself has measured itself. */
export const MAX_LATENESS_MS = 3;
const MAX_TRIES = 4;

export interface Measured {
  readonly window: Window;
  readonly cpuUsPerFrame: number;
  /** What the same frame cost the generator. */
  readonly generatorUsPerFrame: number;
  readonly rssBytes: number;
  /** Windows thrown away before this one because the generator was late. */
  readonly discarded: number;
  /** The generator was late in every window, this one included: the figures are too high. */
  readonly late: boolean;
}

export interface MeasureOptions {
  readonly settleMs: number;
  readonly windowMs: number;
  readonly tries?: number;
  readonly offer?: Offer;
}

/** One window that counts, or the last of those that did not. */
export async function measure(
  generator: Generator,
  system: System,
  options: MeasureOptions,
): Promise<Measured> {
  const { settleMs, windowMs, tries = MAX_TRIES, offer } = options;
  for (let discarded = 0; ; discarded++) {
    await generator.settle(settleMs);
    const before = [system.child.cpuUs(), generator.cpuUs()] as const;
    const window = await generator.window(windowMs, offer);
    invariant(window.framesOut > 0, `${system.name}: there is no call to be measured`);
    const frames = Math.max(1, window.framesOut);
    const cpuUsPerFrame = (system.child.cpuUs() - before[0]) / frames;
    const generatorUsPerFrame = (generator.cpuUs() - before[1]) / frames;
    const late = window.latenessMs.p99 >= MAX_LATENESS_MS;
    if (late && discarded + 1 < tries) continue;
    const rssBytes = system.child.rssBytes();
    return { window, cpuUsPerFrame, generatorUsPerFrame, rssBytes, discarded, late };
  }
}

export function failedPercent({ window }: Measured): number {
  return window.calls === 0 ? 100 : (window.failedCalls * 100) / window.calls;
}

export interface Step {
  readonly calls: number;
  readonly p99Ms: number;
  readonly failedPercent: number;
  readonly rssBytes: number;
}

export interface Climb {
  readonly steps: readonly Step[];
  readonly discarded: number;
  readonly late: number;
}

export interface ClimbOptions extends MeasureOptions {
  readonly step: number;
  readonly maxCalls: number;
  readonly windows: number;
  /** The climb ends where the p99 of most windows is above this. */
  readonly untilP99Ms: number;
}

/** Adds calls step by step until the system cannot keep up, or `maxCalls`. */
export async function climb(generator: Generator, system: System, options: ClimbOptions): Promise<Climb> {
  const steps: Step[] = [];
  let [calls, discarded, late] = [0, 0, 0];
  while (calls < options.maxCalls) {
    const { live, failed } = await generator.start(options.step, system.target);
    calls += options.step;
    const all: Measured[] = [];
    for (let i = 0; i < options.windows; i++) all.push(await measure(generator, system, options));
    discarded += all.reduce((sum, each) => sum + each.discarded, 0);
    late += all.filter((each) => each.late).length;
    const lost = Math.max(...all.map(failedPercent));
    const step = {
      calls: live,
      p99Ms: summarise(all.map(({ window }) => window.latencyMs.p99)).median,
      failedPercent: Math.max(lost, (failed * 100) / options.step),
      rssBytes: all.at(-1)?.rssBytes ?? 0,
    };
    steps.push(step);
    if (step.p99Ms > options.untilP99Ms || step.failedPercent >= MAX_FAILED_PERCENT) break;
  }
  return { steps, discarded, late };
}

/** The share of failed calls that the published comparisons of such systems allow. */
export const MAX_FAILED_PERCENT = 0.5;

/** The most calls at which, and below which at every step, p99 stayed within `maxP99Ms`. */
export function capacity({ steps }: Climb, maxP99Ms: number): number {
  let calls = 0;
  for (const step of steps) {
    if (step.p99Ms > maxP99Ms || step.failedPercent >= MAX_FAILED_PERCENT) break;
    ({ calls } = step);
  }
  return calls;
}

/** Bytes that one more call takes: the slope of a line through all steps; 0 when there is only one. */
export function bytesPerCall({ steps }: Climb): number {
  const n = steps.length;
  const meanCalls = steps.reduce((sum, { calls }) => sum + calls, 0) / n;
  const meanBytes = steps.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / n;
  let [above, below] = [0, 0];
  for (const { calls, rssBytes } of steps) {
    above += (calls - meanCalls) * (rssBytes - meanBytes);
    below += (calls - meanCalls) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

/** The latencies of several windows as one series of a picture. */
export function latencySeries(name: string, all: readonly Distribution[]): PictureSeries {
  const counts = [...PICTURE_EDGES_MS.map(() => 0), 0];
  for (const { buckets } of all) {
    for (const [upToMs, count] of buckets) {
      const at = PICTURE_EDGES_MS.findIndex((edge) => upToMs <= edge);
      const bin = at < 0 ? counts.length - 1 : at;
      counts[bin] = (counts[bin] as number) + count;
    }
  }
  return { name, counts };
}

/** What has to be said of windows that were thrown away, or should have been. */
export function lateNotes(discarded: number, late: number): readonly string[] {
  const notes: string[] = [];
  if (discarded > 0) {
    notes.push(
      `${discarded} windows were measured again because the generator itself was late (p99 of ${MAX_LATENESS_MS} ms or more)`,
    );
  }
  if (late > 0)
    notes.push(
      `${late} windows count although the generator was late in each try: their latency is too high`,
    );
  return notes;
}
