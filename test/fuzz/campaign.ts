/** Sends inputs of one edge for a while, and holds the engine to what must always be true of it. */
import { systemClock } from "../../engine/platform/clock.ts";
import { Dice } from "../sim/dice.ts";
import { Broken, type Edge, type Input } from "./edge.ts";
import type { Memory } from "./gc-on-signal.ts";
import { startTarget, type Target } from "./target.ts";

/** How often the engine is looked at, and called honestly, in inputs. */
const LOOK_EVERY = 100;
const CALL_EVERY = 5000;
/**
 * How much more may be there at the end than after the warm-up. What is remembered of calls that are over is bounded
 * by number, and full only after thousands of calls; pages that the allocator keeps are not given back at once.
 */
const MAX_RSS_GROWTH_BYTES = 96 * 1024 * 1024;
const MAX_HEAP_GROWTH_BYTES = 32 * 1024 * 1024;
const MAX_MORE_TIMERS = 50;
/** Connections to the carrier and the model that are kept for the next request. */
const MAX_MORE_DESCRIPTORS = 24;

export interface Plan {
  readonly edge: Edge;
  readonly seed: number;
  /** The first input. */
  readonly from: number;
  /** Ends after so many inputs, or once `minutes` have passed. */
  readonly inputs: number;
  readonly minutes: number;
}

export interface Outcome {
  readonly inputs: number;
  /** `null`: it did not come so far. */
  readonly warm: Memory | null;
  readonly end: Memory | null;
  /** What broke, and at which input. */
  readonly broken: { readonly at: number; readonly why: string; readonly shown: string } | null;
}

function inputAt({ edge, seed }: Plan, at: number): Input {
  return edge.draw(new Dice(seed * 1_000_003 + at), at);
}

/** Runs a plan against an engine of its own, or the one that is given, which has taken an honest call before. */
export async function campaign(plan: Plan, given?: Target): Promise<Outcome> {
  const target = given ?? (await startTarget());
  try {
    if (!given) await target.honestCall();
    return await run(plan, target);
  } finally {
    if (!given) await target.stop();
  }
}

/** A promise that did not hold, and the input that was being sent. */
class BrokenAt extends Broken {
  readonly at: number;
  readonly shown: string;

  constructor(at: number, shown: string, why: string) {
    super(why);
    this.at = at;
    this.shown = shown;
  }
}

async function send(plan: Plan, at: number, target: Target): Promise<void> {
  const input = inputAt(plan, at);
  try {
    await input.send(target);
  } catch (error) {
    throw error instanceof Broken ? new BrokenAt(at, input.shown(), error.message) : error;
  }
}

async function run(plan: Plan, target: Target): Promise<Outcome> {
  const { edge, from } = plan;
  const endMs = systemClock.monotonicMs() + plan.minutes * 60_000;
  let warm: Memory | null = null;
  let sent = 0;
  const rest = async (): Promise<Memory> => {
    await edge.settle(target);
    await target.atRest();
    return await target.memory();
  };
  const passes = (before: number, every: number): boolean =>
    Math.floor(before / every) < Math.floor(sent / every);
  try {
    while (sent < plan.inputs && systemClock.monotonicMs() < endMs) {
      const before = sent;
      const count = Math.min(edge.together, plan.inputs - sent);
      await Promise.all(Array.from({ length: count }, (_, i) => send(plan, from + before + i, target)));
      sent += count;
      if (passes(before, LOOK_EVERY)) await target.alive(edge.expected);
      if (passes(before, CALL_EVERY)) await target.honestCall();
      if (passes(before, edge.warmUpInputs)) warm ??= await rest();
    }
    await target.alive(edge.expected);
    const end = await rest();
    compare(warm ?? end, end);
    await target.honestCall();
    await target.alive(edge.expected);
    return { inputs: sent, warm: warm ?? end, end, broken: null };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    const { at, shown } = error instanceof BrokenAt ? error : { at: from + sent, shown: "" };
    return { inputs: sent, warm, end: null, broken: { at, why: error.message, shown } };
  }
}

function compare(warm: Memory, end: Memory): void {
  const limits: Memory = {
    rssBytes: MAX_RSS_GROWTH_BYTES,
    heapBytes: MAX_HEAP_GROWTH_BYTES,
    timers: MAX_MORE_TIMERS,
    descriptors: MAX_MORE_DESCRIPTORS,
  };
  for (const name of ["rssBytes", "heapBytes", "timers", "descriptors"] as const)
    if (end[name] - warm[name] > limits[name])
      throw new Broken(`${name} has grown from ${warm[name]} to ${end[name]}`);
}

/** The shortest run of inputs, up to the one that broke something, that breaks an engine which had no others. */
export async function shrink(plan: Plan, brokenAt: number): Promise<Plan> {
  for (let count = 1; count < brokenAt - plan.from; count *= 8) {
    const smaller = { ...plan, from: brokenAt - count + 1, inputs: count, minutes: Infinity };
    if ((await campaign(smaller)).broken) return smaller;
  }
  return { ...plan, inputs: brokenAt - plan.from + 1, minutes: Infinity };
}
