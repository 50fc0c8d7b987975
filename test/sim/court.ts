/** Where the rules of a world are held: who they ask for the time, and whom they tell what is broken. */
import type { Plan } from "./plan.ts";

export interface Violation {
  /** Such as `coach-heard`: the same for all of a kind. */
  readonly rule: string;
  readonly atMs: number;
  readonly detail: string;
}

export interface Court {
  readonly plan: Plan;
  readonly nowMs: number;
  /** Since when the engine runs: 0 of a world's first. */
  readonly startedMs: number;
  /** Nobody is there who could do anything. */
  readonly isDown: boolean;
  violate(rule: string, detail?: string): void;
  /** For the distribution over all worlds. */
  reached(what: string): void;
}

/** What is not wanted any more stops ringing within this time. */
const CANCEL_MS = 1000;
/** The same when requests fail and are repeated, or news is lost and only found out by a checkup. */
const CANCEL_WITH_FAULTS_MS = 45_000;
/** Whoever has picked up hears what they are being asked to its end, and why they are not needed. */
const TELL_MS = 9000;

const LOSES_NEWS: ReadonlySet<string> = new Set(["callbacks", "rest", "restTimeout", "webhookLost"]);

/** Requests or callbacks may fail in this world: an engine that is not there hears of nothing. */
export const isTroubled = (plan: Plan): boolean =>
  plan.crashes !== undefined || plan.faults.some(({ kind }) => LOSES_NEWS.has(kind));

/** How long something has gone on: an engine that comes back has as long as the one before. */
export const lastedMs = ({ nowMs, startedMs }: Court, sinceMs: number): number =>
  nowMs - Math.max(sinceMs, startedMs);

/** Within what time a phone stops to ring that is not to ring any more; `answered`: somebody listens. */
export function cancelMs(plan: Plan, answered: boolean): number {
  const cancel = isTroubled(plan) ? CANCEL_WITH_FAULTS_MS : CANCEL_MS;
  return cancel + 4 * plan.latencyMs[1] + (answered ? TELL_MS : 0);
}
