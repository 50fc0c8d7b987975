/**
 * What the pipeline after a call knows, and how events add to it. Pure, like the facts of the call: what was said
 * and what was found in it are no part of it.
 */
import type { CallEvent } from "./events.ts";
import { passTimer, type Timer, timerFrom } from "./timer.ts";

/** How often something is tried, and how long it is left alone in between. */
export interface RetryPolicy {
  readonly attempts: number;
  /** After the first attempt; after each further one four times as long. */
  readonly retryAfterMs: number;
  readonly retryAfterMaxMs: number;
}

export interface PostCallInput {
  readonly callSid: string;
  readonly atMs: number;
  /** `null`: nothing is to be extracted, or nobody is to be told. */
  readonly extract: RetryPolicy | null;
  readonly deliver: RetryPolicy | null;
}

/** One of the two things to be done. */
export interface Task {
  readonly policy: RetryPolicy | null;
  readonly attempts: number;
  readonly done: boolean;
  /** Why the last attempt failed, as a code. */
  readonly reason: string | null;
  /** Of the next attempt, while it is waited for. */
  readonly nextAtMs: number | null;
  readonly endedAtMs: number | null;
}

export type TaskName = "extraction" | "delivery";

export interface PostCallContext {
  readonly callSid: string;
  /** Time of the latest event. */
  readonly nowMs: number;
  readonly extraction: Task;
  readonly delivery: Task;
  /** The effect that is waited for. */
  readonly pendingId: string | null;
  readonly timer: Timer;
  readonly effectCount: number;
}

export interface PostCallEffectInputs {
  readonly "postcall.extract": { readonly attempt: number };
  readonly "postcall.deliver": { readonly attempt: number };
}
export type PostCallEffectName = keyof PostCallEffectInputs;

/** Asked for by being emitted. */
export interface PostCallEffect {
  readonly type: "effect";
  /** `{callSid}/postcall/{n}/{name}`. */
  readonly id: string;
  readonly name: PostCallEffectName;
  readonly input: PostCallEffectInputs[PostCallEffectName];
}

/** Whose its deadlines are. */
export const POST_CALL = "postcall";

const PAUSE_FACTOR = 4;

type Patch = { -readonly [K in keyof PostCallContext]?: PostCallContext[K] };

function newTask(policy: RetryPolicy | null): Task {
  return { policy, attempts: 0, done: false, reason: null, nextAtMs: null, endedAtMs: null };
}

export function initialPostCall({ callSid, atMs, extract, deliver }: PostCallInput): PostCallContext {
  return {
    callSid,
    nowMs: atMs,
    extraction: newTask(extract),
    delivery: newTask(deliver),
    pendingId: null,
    timer: timerFrom(atMs, 0),
    effectCount: 0,
  };
}

/** Nothing more will be done about it. */
export function isSettled({ policy, done, attempts }: Task, pending: boolean): boolean {
  return policy === null || done || (!pending && attempts >= policy.attempts);
}

/** Begins the next attempt; what is patched in goes with the effect that is asked for. */
export function withAttempt(context: PostCallContext, of: TaskName, name: PostCallEffectName) {
  const effectCount = context.effectCount + 1;
  const id = `${context.callSid}/${POST_CALL}/${effectCount}/${name}`;
  const task = context[of];
  const attempt = task.attempts + 1;
  const patch: Patch = {
    effectCount,
    pendingId: id,
    [of]: { ...task, attempts: attempt, nextAtMs: null },
  };
  return { id, input: { attempt }, patch };
}

/** The pause after an attempt that failed. */
export function withPause(context: PostCallContext, of: TaskName): Patch {
  const task = context[of];
  const { retryAfterMs = 0, retryAfterMaxMs = 0 } = task.policy ?? {};
  const pauseMs = Math.min(retryAfterMaxMs, retryAfterMs * PAUSE_FACTOR ** (task.attempts - 1));
  const timer = timerFrom(context.nowMs, pauseMs);
  return { timer, [of]: { ...task, nextAtMs: timer.dueAtMs } };
}

/** The facts that `event` adds. An answer to anything but what is waited for adds none. */
export function recordPostCall(context: PostCallContext, event: CallEvent): Patch {
  const nowMs = Math.max(context.nowMs, event.at);
  switch (event.type) {
    case "effect.done":
      return event.id === context.pendingId ? { nowMs, ...withAnswer(context, nowMs, null) } : { nowMs };
    case "effect.failed":
      return event.id === context.pendingId
        ? { nowMs, ...withAnswer(context, nowMs, event.message) }
        : { nowMs };
    case "deadline":
      return event.of === POST_CALL ? { nowMs, timer: passTimer(context.timer, event.at) } : { nowMs };
    default:
      return { nowMs };
  }
}

function withAnswer(context: PostCallContext, nowMs: number, reason: string | null): Patch {
  const of: TaskName = context.pendingId?.endsWith("/postcall.extract") ? "extraction" : "delivery";
  const task = { ...context[of], done: reason === null, reason };
  const ended = isSettled(task, false) ? { endedAtMs: nowMs } : {};
  return { pendingId: null, [of]: { ...task, ...ended } };
}
