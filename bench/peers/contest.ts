/**
 * All contenders in turn, in two rounds of opposite order, so that a slow minute of the machine does not fall on
 * one of them alone. Each has processes of its own: the bridge, and the generator that is its carrier and its model.
 */
import { errorText, invariant } from "../../engine/errors.ts";
import type { Clock } from "../../engine/ports.ts";
import { type Generator, type System, type SystemKind, spawnGenerator } from "../load/control.ts";
import { type MeasureOptions, type Measured, measure } from "../load/measure.ts";
import type { GeneratorOptions, SpeechWindow } from "../load/protocol.ts";

export interface Contender {
  readonly kind: SystemKind;
  /** A relay without what a phone call needs. */
  readonly floor: boolean;
}

export interface Plan extends MeasureOptions {
  readonly clock: Clock;
  /** For one contender: no step of its climb begins later. Who still held then could hold more. */
  readonly climbLimitMs: number;
  /** Ascending; the first is the baseline of turn latency. */
  readonly calls: readonly number[];
  /** All contenders up to here, in both rounds and however badly they do. */
  readonly comparedCalls: number;
  /** Shares of the marks that the carrier does not return, with a conversation for each. */
  readonly lostMarks: readonly number[];
  readonly speechCalls: number;
  readonly speechWindowMs: number;
  /** Contenders that speak at one time. */
  readonly speechGroup: number;
  /** All contenders at the same time: for runs whose figures nobody reads. */
  readonly together: boolean;
}

export interface Level extends Measured {
  readonly calls: number;
  /** Calls that did not start, ended by themselves or lost more than a tenth of their audio; 0 to 1. */
  readonly failedShare: number;
}

export interface Conversation {
  readonly lostMarks: number;
  readonly speech: SpeechWindow;
}

export interface Standing {
  readonly contender: Contender;
  readonly levels: Level[];
  readonly conversations: Conversation[];
  /** Why it has no more figures. */
  problem: string | null;
}

/** The most that a bridge may add, at the 99th percentile. */
export const ADDED_LIMIT_MS = 20;
/** The quality bar of the comparison of jambonz with LiveKit: failed calls, and turn latency to its baseline. */
export const FAILED_LIMIT = 0.005;
export const TURN_RATIO_LIMIT = 1.25;
/** What the fake model takes from the caller's last word to its own first. */
const THINK_MS = 200;
/** A step that is missed may have been one bad moment of the machine, or what placing its calls had piled up. */
const MAX_TRIES = 3;
const BATCH = 50;
const PLACING_LIMIT_MS = 8_000;

export async function runContest(contenders: readonly Contender[], plan: Plan): Promise<readonly Standing[]> {
  const standings = contenders.map((contender): Standing => {
    return { contender, levels: [], conversations: [], problem: null };
  });
  await climb(standings, plan);
  // Where nobody reads the figures one conversation shows that it can be held; starting all takes its time.
  const speakers = plan.together ? standings.slice(0, 1) : standings;
  for (let at = 0; at < speakers.length; at += plan.speechGroup) {
    const group = speakers.slice(at, at + plan.speechGroup);
    await converse(
      group.filter(({ problem }) => problem === null),
      plan,
    );
  }
  return standings;
}

export const holdsLatency = ({ window, failedShare }: Level): boolean =>
  window.latencyMs.p99 <= ADDED_LIMIT_MS && failedShare < FAILED_LIMIT;

/** A turn takes the model's time to think and the way there and back. */
export function turnRatio(level: Level, baseline: Level): number {
  return (THINK_MS + level.window.latencyMs.p99) / (THINK_MS + baseline.window.latencyMs.p99);
}

export const holdsQuality = (level: Level, baseline: Level): boolean =>
  level.failedShare < FAILED_LIMIT && turnRatio(level, baseline) <= TURN_RATIO_LIMIT;

// ---------------------------------------------------------------- more and more calls

interface Running {
  readonly standing: Standing;
  readonly generator: Generator;
  readonly system: System;
}

async function climb(standings: readonly Standing[], plan: Plan): Promise<void> {
  const running: Running[] = [];
  try {
    for (const standing of standings) {
      await attempt(standing, async () => {
        running.push({ standing, ...(await start(standing.contender, { mode: "echo" })) });
      });
    }
    if (plan.together) {
      await Promise.all(running.map((each) => climbAlone(each, plan.calls, plan)));
      return;
    }
    const compared = plan.calls.filter((calls) => calls <= plan.comparedCalls);
    for (const each of running) await climbAlone(each, compared, plan);
    // What was slow for one the first time is so for another the second.
    for (const each of running.toReversed()) await climbAlone(each, plan.calls.slice(1), plan);
  } finally {
    await Promise.all(running.flatMap(({ generator, system }) => [system.stop(), generator.stop()]));
  }
}

async function climbAlone(running: Running, steps: readonly number[], plan: Plan): Promise<void> {
  const { standing, generator } = running;
  const endMs = plan.clock.monotonicMs() + plan.climbLimitMs;
  await attempt(standing, async () => {
    try {
      let live = 0;
      for (const calls of steps) {
        if (!goesOn(standing, calls, plan) || plan.clock.monotonicMs() > endMs) break;
        live += await place(running, calls - live, plan.clock);
        keep(standing, await measureAt(running, calls, live, plan));
      }
    } finally {
      await generator.hangUp();
    }
  });
}

/** Whether there is anything left to find out at `calls`, or at any number above the last. */
export function goesOn(
  { levels }: Standing,
  calls: number,
  { comparedCalls }: Pick<Plan, "comparedCalls">,
): boolean {
  const [baseline] = levels;
  const last = levels.at(-1);
  if (calls <= comparedCalls || baseline === undefined || last === undefined) return true;
  return holdsLatency(last) || holdsQuality(last, baseline);
}

/** Of two measurements of one step the better counts. */
function keep({ levels }: Standing, level: Level): void {
  const at = levels.findIndex(({ calls }) => calls === level.calls);
  if (at < 0) levels.push(level);
  else if (isBetter(level, levels[at] as Level)) levels[at] = level;
}

function isBetter(one: Level, other: Level): boolean {
  if (one.failedShare !== other.failedShare) return one.failedShare < other.failedShare;
  return one.window.latencyMs.p99 < other.window.latencyMs.p99;
}

async function measureAt(
  { generator, system }: Running,
  calls: number,
  live: number,
  plan: Plan,
): Promise<Level> {
  let best: Level | null = null;
  for (let tries = plan.together ? 1 : MAX_TRIES; tries > 0; tries--) {
    const measured = await measure(generator, system, plan);
    const failedShare = (calls - live + measured.window.failedCalls) / calls;
    const level = { ...measured, calls, failedShare };
    if (best === null || isBetter(level, best)) best = level;
    if (holdsLatency(level) && !level.late) break;
  }
  invariant(best !== null, "a step needs a try");
  return best;
}

/** Resolves to how many calls came up. One that is behind takes long over each; those left over have failed. */
async function place({ generator, system }: Running, calls: number, clock: Clock): Promise<number> {
  const endMs = clock.monotonicMs() + PLACING_LIMIT_MS;
  let up = 0;
  for (let placed = 0; placed < calls && clock.monotonicMs() < endMs; placed += BATCH) {
    const { started } = await generator.start(Math.min(BATCH, calls - placed), system.target);
    up += started;
  }
  return up;
}

// ---------------------------------------------------------------- conversations

interface Talk extends Running {
  readonly lostMarks: number;
}

/** All are started, then all have their calls, then all talk: what one needs to start must not delay another. */
async function converse(standings: readonly Standing[], plan: Plan): Promise<void> {
  const talks: Talk[] = [];
  const each = async (work: (talk: Talk) => Promise<void>): Promise<void> => {
    const left = talks.filter(({ standing }) => standing.problem === null);
    await Promise.all(left.map((talk) => attempt(talk.standing, () => work(talk))));
  };
  try {
    for (const standing of standings) {
      // Marks mean nothing to a relay that keeps no account.
      const shares = standing.contender.floor ? plan.lostMarks.slice(0, 1) : plan.lostMarks;
      await attempt(standing, async () => {
        for (const lostMarks of shares) {
          const started = await start(standing.contender, { mode: "speech", lostMarks });
          talks.push({ standing, lostMarks, ...started });
        }
      });
    }
    await each(async ({ generator, system }) => {
      await generator.start(plan.speechCalls, system.target);
      await generator.settle(plan.settleMs);
    });
    await each(async ({ generator, standing, lostMarks }) => {
      const { speech } = await generator.window(plan.speechWindowMs);
      invariant(speech !== null, "the generator held no conversation");
      standing.conversations.push({ lostMarks, speech });
    });
  } finally {
    await Promise.all(talks.flatMap(({ generator, system }) => [system.stop(), generator.stop()]));
  }
}

async function start(
  { kind }: Contender,
  options: Pick<GeneratorOptions, "mode" | "lostMarks">,
): Promise<{ readonly generator: Generator; readonly system: System }> {
  const generator = await spawnGenerator({ ...options, format: "pcmu", seed: 11 });
  try {
    return { generator, system: await kind.start(generator.ready, "pcmu") };
  } catch (error) {
    await generator.stop();
    throw error;
  }
}

/** What breaks one contender must not cost the others their figures. */
async function attempt(standing: Standing, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    standing.problem ??= errorText(error);
  }
}
