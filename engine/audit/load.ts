/** A whole log, read and checked, for whoever needs all of its entries. */
import { isCallSid } from "../platform/call-key.ts";
import type { Clock } from "../ports.ts";
import { MAX_ENTRIES } from "./chain.ts";
import type { ChainedEntry } from "../platform/hash-chain.ts";
import { LogCheck, type Verdict } from "./check.ts";
import { type EngineAddress, linesOfCall, linesOfFile, rowOfCall } from "./source.ts";

/** More are no call's log, which its check says. */
const MAX_KEPT = 2 * MAX_ENTRIES;

export interface LoadedLog {
  readonly verdict: Verdict;
  /** As they were read: to be trusted when the verdict says so. */
  readonly entries: readonly ChainedEntry[];
}

/** `target` is a call's sid or a path. Throws `ConfigError` when it cannot be read. */
export async function loadLog(target: string, engine: EngineAddress, clock: Clock): Promise<LoadedLog> {
  if (!isCallSid(target)) return await load(linesOfFile(target), new LogCheck());
  // The row first: what is logged between the two is no contradiction.
  const row = await rowOfCall(target, engine, clock);
  return await load(linesOfCall(target, engine, clock), new LogCheck({ callSid: target, row }));
}

async function load(lines: AsyncIterable<string>, check: LogCheck): Promise<LoadedLog> {
  const kept: string[] = [];
  for await (const line of lines) {
    check.take(line);
    if (line.trim() !== "" && kept.length < MAX_KEPT) kept.push(line);
  }
  const verdict = check.end();
  const sound = verdict.status !== "broken" && verdict.status !== "unchained";
  return { verdict, entries: sound ? kept.map((line) => JSON.parse(line) as ChainedEntry) : [] };
}
