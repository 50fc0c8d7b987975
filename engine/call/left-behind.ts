/** What is left open in a store when an engine starts on it. */
import type { SteadyClock } from "../platform/steady-clock.ts";
import type { CallRow } from "../ports.ts";
import { findLostCalls } from "./lost-calls.ts";
import {
  forgetUnfinished,
  lastSavedAtMs,
  type LoadOptions,
  loadUnfinished,
  type Unfinished,
} from "./restore.ts";

/** Calls to go on with, and rows of those that cannot be. */
export interface LeftBehind {
  readonly unfinished: readonly Unfinished[];
  readonly lost: readonly CallRow[];
}

export const NOTHING_LEFT: LeftBehind = { unfinished: [], lost: [] };

export interface LeftBehindOptions extends LoadOptions {
  readonly clock: SteadyClock;
  /** With the engine before; what follows a call is there all the same. */
  readonly callsDied: boolean;
}

export async function leftBehind({ callsDied, ...options }: LeftBehindOptions): Promise<LeftBehind> {
  const { store, clock, isOurs } = options;
  if (callsDied) await forgetUnfinished(store);
  const unfinished = await loadUnfinished(options);
  // Their deadlines are times of a clock that had come so far.
  clock.notBefore(lastSavedAtMs(unfinished));
  const known = new Set(unfinished.map(({ saved }) => saved.start.callSid));
  const lost = (await findLostCalls(store, isOurs)).filter(({ callSid }) => !known.has(callSid));
  return { unfinished, lost };
}
