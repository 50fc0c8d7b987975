/**
 * The corpus: logs of calls that were, to be replayed by whatever the machines have become. A file leaves out of
 * each entry what its place tells (call, number and hashes), so that a file that was made anew differs from the
 * one before only where the call does.
 */
import { join } from "node:path";
import { Glob } from "bun";
import { readBegun } from "../../engine/audit/begun.ts";
import { type ChainedEntry, chainedEntry, chainStart } from "../../engine/platform/hash-chain.ts";
import { CALLS } from "./calls.ts";

const ENDING = ".ndjson";

export const pathOf = (name: string): string => join(import.meta.dir, `${name}${ENDING}`);

/** All that there are, and those that there should be. */
export function namesOf(): string[] {
  const files = [...new Glob(`*${ENDING}`).scanSync({ cwd: import.meta.dir })];
  const names = files.map((file) => file.slice(0, -ENDING.length));
  return [...new Set([...CALLS.map(({ name }) => name), ...names])];
}

/** A log as the engine wrote it; `null` when there is no such file. */
export async function load(name: string): Promise<ChainedEntry[] | null> {
  const file = Bun.file(pathOf(name));
  if (!(await file.exists())) return null;
  return entriesOf(await file.text());
}

export async function save(name: string, entries: readonly ChainedEntry[]): Promise<void> {
  await Bun.write(pathOf(name), compact(entries));
}

export function compact(entries: readonly ChainedEntry[]): string {
  return entries.map(({ at, kind, name, data }) => `${JSON.stringify({ at, kind, name, data })}\n`).join("");
}

export function entriesOf(text: string): ChainedEntry[] {
  const lines = text.trim().split("\n");
  const parts = lines.map((line) => JSON.parse(line) as Pick<ChainedEntry, "at" | "kind" | "name" | "data">);
  const callSid = readBegun(parts[0]?.data)?.input.callSid ?? "";
  let prev = chainStart(callSid);
  return parts.map((part, index) => {
    const entry = chainedEntry(prev, { callSid, seq: index + 1, ...part });
    prev = entry.hash;
    return entry;
  });
}
