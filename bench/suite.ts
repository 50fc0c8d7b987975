/**
 * Finds and runs the benchmarks. Of several each gets a process of its own: what one teaches the compiler
 * about a shared function must not speed up or slow down the next.
 */
import { join } from "node:path";
import { Glob } from "bun";
import { InvariantError, errorText } from "../engine/errors.ts";
import type { Bench, BenchOptions, Picture, Row } from "./runner.ts";

export interface BenchReport {
  readonly name: string;
  readonly claim: string;
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
  readonly pictures: readonly Picture[];
  readonly hash: number;
  readonly durationMs: number;
  /** Why there are no rows. */
  readonly error: string | null;
}

/** What takes longer is stuck, unless it has said that it takes longer. */
const LIMIT_MS = 120_000;
const SUFFIX = ".bench.ts";

/** Names of all benchmarks, in alphabetical order. */
export function benchNames(): readonly string[] {
  const files = [...new Glob(`*${SUFFIX}`).scanSync({ cwd: import.meta.dir })];
  return files.map((file) => file.slice(0, -SUFFIX.length)).toSorted();
}

/** @throws InvariantError when the file does not export a benchmark of its own name. */
export async function loadBench(name: string): Promise<Bench> {
  const loaded = (await import(join(import.meta.dir, name + SUFFIX))) as { readonly bench?: Bench };
  const { bench } = loaded;
  if (bench?.name !== name || typeof bench.claim !== "string" || typeof bench.run !== "function")
    throw new InvariantError(`bench/${name}${SUFFIX} must export bench: { name: "${name}", claim, run }`);
  return bench;
}

/** Runs one benchmark here. Never rejects: a benchmark that breaks is reported. */
export async function runHere(name: string, options: BenchOptions): Promise<BenchReport> {
  const { clock } = options;
  const startMs = clock.monotonicMs();
  let claim = "";
  try {
    const bench = await loadBench(name);
    ({ claim } = bench);
    const { rows, hash, notes = [], pictures = [] } = await bench.run(options);
    return {
      name,
      claim,
      rows,
      notes,
      pictures,
      hash,
      durationMs: clock.monotonicMs() - startMs,
      error: null,
    };
  } catch (error) {
    return { ...nothing(name, errorText(error)), claim, durationMs: clock.monotonicMs() - startMs };
  }
}

/** Runs one benchmark in a process of its own, started with `args` besides its name. Never rejects. */
export async function runApart(
  name: string,
  options: BenchOptions,
  args: readonly string[],
): Promise<BenchReport> {
  try {
    const bench = await loadBench(name);
    const command = [process.execPath, join(import.meta.dir, "run.ts"), "--only", name, "--json", ...args];
    const child = Bun.spawn(command, {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
      timeout: bench.limitMs?.(options) ?? LIMIT_MS,
    });
    const text = await child.stdout.text();
    const code = await child.exited;
    if (text === "") return nothing(name, `its process ended with ${child.signalCode ?? code} and no result`);
    const { benches } = JSON.parse(text) as { readonly benches: readonly BenchReport[] };
    return benches[0] ?? nothing(name, "its process reported nothing");
  } catch (error) {
    return nothing(name, errorText(error));
  }
}

function nothing(name: string, error: string): BenchReport {
  return { name, claim: "", rows: [], notes: [], pictures: [], hash: 0, durationMs: 0, error };
}
