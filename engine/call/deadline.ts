import { type AnyActorRef, fromCallback } from "xstate";
import { callMachine } from "../../machines/call.machine.ts";
import type { CallLimits } from "../../machines/context.ts";
import type { DeadlineInput } from "../../machines/call.setup.ts";
import type { CallEvent, UnstampedCallEvent } from "../../machines/events.ts";
import { incidentMachine } from "../../machines/incident.machine.ts";
import { ladderMachine } from "../../machines/ladder.machine.ts";
import { pageMachine } from "../../machines/page.machine.ts";
import { postCallMachine } from "../../machines/postcall.machine.ts";
import type { Clock } from "../ports.ts";

/** Who a call's deadlines report to. */
export interface DeadlineHost {
  /** The session's queue, so that a deadline is logged and waits its turn like every event. */
  readonly deliver: (event: UnstampedCallEvent) => void;
  /** Clears what still runs when the call is over: a parent that fails does not stop its children. */
  readonly over: AbortSignal;
  /** By name, how long one is waited for at least, however late it is. */
  readonly leastMs?: Readonly<Record<string, number>>;
}

/** One system of actors per call, so the system tells the call. */
const hosts = new WeakMap<AnyActorRef["system"], DeadlineHost>();

/** To be called before the actor starts. */
export function hostDeadlines(actor: AnyActorRef, host: DeadlineHost): void {
  hosts.set(actor.system, host);
}

/**
 * Starts the restored actor of a call. What the engine that died had begun with, this one begins anew, and has as
 * much time for it: a caller is not given up because nobody was there. What people wait for keeps its time.
 */
export function startRestored(actor: AnyActorRef, limits: CallLimits): void {
  const host = hosts.get(actor.system);
  const leastMs = {
    arrive: limits.arriveTimeoutMs,
    modelReady: limits.modelReadyTimeoutMs,
    readd: limits.modelReadyTimeoutMs,
    rejoin: limits.rejoinTimeoutMs,
  };
  if (host) hosts.set(actor.system, { ...host, leastMs });
  actor.start();
  if (host) hosts.set(actor.system, host);
}

/**
 * The `deadline` actor on the engine's clock. Its time is absolute and part of its input, so it survives a
 * restart, unlike XState's `after`. It never comes early: a timer may, as it does not go by a clock that is slowed
 * down to agree with the machine's.
 */
export function deadlineActor(clock: Clock) {
  return fromCallback<CallEvent, DeadlineInput>(({ input, system }) => {
    const host = hosts.get(system);
    if (!host) return undefined;
    const { name, of, everyMs } = input;
    let timer: unknown;
    const wait = (untilMs: number): void => {
      const delayMs = untilMs - clock.now();
      timer = clock.setTimeout(() => {
        const leftMs = untilMs - clock.now();
        // More is left than was waited for when the clock was set back: that does not count.
        if (leftMs > 0 && leftMs <= delayMs) return wait(untilMs);
        if (everyMs !== undefined) wait(clock.now() + everyMs);
        host.deliver({ type: "deadline", name, ...(of === undefined ? {} : { of }) });
      }, delayMs);
    };
    wait(Math.max(input.atMs, clock.now() + (host.leastMs?.[name] ?? 0)));
    const clear = (): void => clock.clearTimeout(timer);
    host.over.addEventListener("abort", clear);
    return () => {
      host.over.removeEventListener("abort", clear);
      clear();
    };
  });
}

/** The ladder on the engine's clock, and its pages. */
function ladderLogicOn(clock: Clock) {
  const deadline = deadlineActor(clock);
  return ladderMachine.provide({ actors: { deadline, page: pageMachine.provide({ actors: { deadline } }) } });
}

/** The call machine on the engine's clock. Made once: making it costs several times what a call's start does. */
export function callLogicOn(clock: Clock) {
  return callMachine.provide({ actors: { deadline: deadlineActor(clock), ladder: ladderLogicOn(clock) } });
}

export type CallLogic = ReturnType<typeof callLogicOn>;

/** An incident without its call, on the engine's clock. */
export function incidentLogicOn(clock: Clock) {
  return incidentMachine.provide({ actors: { ladder: ladderLogicOn(clock) } });
}

export type IncidentLogic = ReturnType<typeof incidentLogicOn>;

/** What is done once a call is over, on the engine's clock. */
export function postCallLogicOn(clock: Clock) {
  return postCallMachine.provide({ actors: { deadline: deadlineActor(clock) } });
}

export type PostCallLogic = ReturnType<typeof postCallLogicOn>;
