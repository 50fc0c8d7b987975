/**
 * Those who send a message now and then to the engine of the journal's benchmark and time its answer: in a thread of
 * its process, where alone the clock of its loop can be read. See {@link ToPrompt} for what is asked of it.
 */
import { pause, systemClock } from "../engine/platform/clock.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { Prompt } from "./carrier-line.ts";
import { goFirst } from "./load/go-first.ts";
import { threadCpuMs } from "./load/thread-cpu.ts";

declare const self: Worker;

/** First where the engine is, answered by no samples once the sockets are open; then windows, each answered by its own. */
export type ToPrompt =
  | { readonly origin: string }
  | {
      /** Of steps without samples before those with: what begins is not what goes on. */
      readonly settleMs: number;
      readonly durationMs: number;
      /** Of all calls together. */
      readonly stepsPerS: number;
    };

/** Of the messages of one window, in their order. */
export interface Samples {
  /** Processor time that the loop took from a message being sent until it was answered. */
  readonly loopMs: readonly number[];
  /** There and back by the clock on the wall. */
  readonly wallMs: readonly number[];
}

/** So many at once, each of which waits for its answer. */
const PROMPTS = 3;
/** Between two messages at random, so that they do not keep in step with what is paced: in whole milliseconds. */
const ECHO_AFTER_MS = 4;

const clock = systemClock;
const prompts = Array.from({ length: PROMPTS }, (_, index) => ({
  socket: new Prompt(clock),
  ids: seededIds(29 + index),
}));

/** What webhooks and models' events are to the loop: they come when they come. */
const steps = { socket: new Prompt(clock), ids: seededIds(28) };

goFirst();
self.onmessage = async ({ data }: MessageEvent<ToPrompt>) => {
  if ("origin" in data) self.postMessage(await open(data.origin));
  else {
    const { settleMs, durationMs, stepsPerS } = data;
    const endMs = clock.monotonicMs() + settleMs + durationMs;
    const stepping = takeSteps(stepsPerS, endMs);
    await pause(clock, settleMs);
    const samples = await sampled(endMs);
    await stepping;
    self.postMessage(samples);
  }
};

async function open(origin: string): Promise<Samples> {
  for (const { socket } of [...prompts, steps]) await socket.open(origin);
  return { loopMs: [], wallMs: [] };
}

/** How long a message waits for the engine's loop: what a frame that comes at that moment waits too. */
async function sampled(endMs: number): Promise<Samples> {
  const loopMs: number[] = [];
  const wallMs: number[] = [];
  const ask = async ({ socket, ids }: (typeof prompts)[number]): Promise<void> => {
    while (clock.monotonicMs() < endMs) {
      const beganMs = clock.monotonicMs();
      const loopBeganMs = threadCpuMs("main");
      const loopAnsweredMs = await socket.loopClockMs();
      wallMs.push(clock.monotonicMs() - beganMs);
      loopMs.push(loopAnsweredMs - loopBeganMs);
      await pause(clock, 1 + Math.floor(ids.random() * ECHO_AFTER_MS));
    }
  };
  await Promise.all(prompts.map(ask));
  return { loopMs, wallMs };
}

/** At random moments, in whole milliseconds: none to twice as many as there would be evenly spread. */
async function takeSteps(perS: number, endMs: number): Promise<void> {
  const { socket, ids } = steps;
  const between = Math.round(2000 / perS);
  while (clock.monotonicMs() < endMs) {
    await pause(clock, 1 + Math.floor(ids.random() * (between - 1)));
    socket.step();
  }
}
