/**
 * Checks a call's log: its chain, then the machines of this build over what came to the call. Pure; the engine has it
 * done by a process of its own, since it takes as long as many frames.
 */
import { MAX_ENTRIES } from "../audit/chain.ts";
import type { ChainedEntry } from "../platform/hash-chain.ts";
import { type Expected, LogCheck, type Verdict } from "../audit/check.ts";
import { replay, type Replayed } from "../audit/replay.ts";

export interface Verified {
  readonly chain: Pick<Verdict, "status" | "findings"> & { readonly entries: number };
  /** `null`: nothing that the log says counts, since its chain does not hold. */
  readonly replay: Replayed | null;
}

/** Of a log that is longer, which is none of ours, the rest is not looked at. */
export const MAX_READ = 2 * MAX_ENTRIES;

/** `lines`: the entries as JSON. */
export function verify(expected: Expected, lines: readonly string[]): Verified {
  const check = new LogCheck(expected);
  for (const line of lines) check.take(line);
  const { status, findings } = check.end();
  const chain = { status, findings, entries: lines.length };
  if (status === "broken" || status === "unchained") return { chain, replay: null };
  return { chain, replay: replay(lines.map((line) => JSON.parse(line) as ChainedEntry)) };
}
