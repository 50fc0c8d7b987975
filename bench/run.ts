/** `bun run bench`: runs the benchmarks and shows what they found. Exits with 1 when one of them breaks. */
import { systemClock } from "../engine/platform/clock.ts";
import { type BenchArguments, USAGE, readArguments } from "./args.ts";
import { readHost } from "./host.ts";
import { type SuiteReport, hasFailed, tableText } from "./report.ts";
import { keepResults } from "./results.ts";
import type { BenchOptions } from "./runner.ts";
import { type BenchReport, benchNames, runApart, runHere } from "./suite.ts";

async function runSuite(wanted: BenchArguments, all: readonly string[]): Promise<SuiteReport> {
  const { names, json, smoke, soakMinutes, from, write } = wanted;
  const host = readHost();
  const startedAt = new Date(systemClock.now()).toISOString();
  const startMs = systemClock.monotonicMs();
  const benches: BenchReport[] = [];
  const options: BenchOptions = { smoke, clock: systemClock, soakMinutes, from };
  const args = smoke ? ["--smoke"] : ["--soak-minutes", String(soakMinutes)];
  for (const name of names) {
    if (!json) process.stderr.write(`${name} …\n`);
    const bench = names.length === 1 ? await runHere(name, options) : await runApart(name, options, args);
    benches.push(bench);
    // At once: whoever breaks off an hour of measuring loses only what was being measured.
    if (write) await keepResults({ host, startedAt, benches: [bench] }, all);
  }
  return { host, smoke, startedAt, durationMs: systemClock.monotonicMs() - startMs, benches };
}

async function main(): Promise<number> {
  const all = benchNames();
  const wanted = readArguments(process.argv.slice(2), all);
  if (wanted === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  if ("problem" in wanted) {
    process.stderr.write(`${wanted.problem}\n\n${USAGE}`);
    return 2;
  }
  const report = await runSuite(wanted, all);
  process.stdout.write(wanted.json ? `${JSON.stringify(report)}\n` : tableText(report));
  return hasFailed(report) ? 1 : 0;
}

// Not process.exit: what was written to a pipe must get out.
process.exitCode = await main();
