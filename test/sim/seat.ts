/** Where the engines of a world run. */
import { drainMicrotasks } from "bun:jsc";
import type { Engine, EngineOptions } from "../../engine/engine.ts";
import type { Network } from "../../engine/platform/network.ts";

/** Where the engine runs: the only one of a world, or one after the other. */
export interface Seat {
  /** The one that runs, or ran last. */
  readonly engine: Engine;
  readonly isDown: boolean;
  /** When it was started: 0 of a world's first. */
  readonly startedMs: number;
  /** What it has written and is not committed. */
  readonly unwritten: number;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/** What an engine has of its own. */
export interface EnginePorts extends Pick<
  EngineOptions,
  "clock" | "log" | "store" | "unfinished" | "journal" | "handOver"
> {
  readonly network: Network;
}

/** The value of a promise that waits for nothing outside. */
export function settled<T>(promise: Promise<T>): T {
  let outcome: { readonly value: T } | { readonly error: unknown } | null = null;
  promise.then(
    (value) => (outcome = { value }),
    (error: unknown) => (outcome = { error }),
  );
  drainMicrotasks();
  const known = outcome as { readonly value: T } | { readonly error: unknown } | null;
  if (known === null) throw new Error("it waits for something that is not in the simulation");
  if ("error" in known) throw known.error;
  return known.value;
}
