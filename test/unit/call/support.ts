/** What unit tests of one call need: a log that is kept, and a deployment with few words. */
import {
  deploymentSchema,
  type Deployment,
  type DeploymentInput,
} from "../../../engine/config/deployment.ts";
import { createLog } from "../../../engine/platform/log.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { Clock, Log } from "../../../engine/ports.ts";

export const CALL_SID = "CA00000000000000000000000000000001";
export const CONFERENCE_SID = "CF00000000000000000000000000000001";
export const START_MS = 1_700_000_000_000;

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface KeptLog {
  readonly log: Log;
  readonly lines: LogLine[];
}

/** A log whose lines a test can look at. */
export function keptLog(clock: Clock = new VirtualClock(START_MS)): KeptLog {
  const lines: LogLine[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line) as LogLine);
  return { lines, log: createLog({ level: "debug", clock, write }) };
}

export function deploymentOf(input: DeploymentInput = {}): Deployment {
  return deploymentSchema.parse(input);
}

/** Lets every promise that can go on go on. No time passes. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 60; turn++) await Promise.resolve();
}
