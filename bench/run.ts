/** `bun run bench`: runs the benchmarks and shows what they found. Exits with 1 when one of them breaks. */
import { systemClock } from "../engine/platform/clock.ts";
import { type BenchArguments, USAGE, readArguments } from "./args.ts";
import { readHost } from "./host.ts";
import { type SuiteReport, hasFailed, tableText } from "./report.ts";
import { keepResults } from "./results.ts";
import type { BenchOptions } from "./runner.ts";
import { type BenchReport, benchNames, runApart, runHere } from "./suite.ts";

async function runSuite({ names, json, smoke, soakMinutes, from }: BenchArguments): Promise<SuiteReport> {
  const host = readHost();
  const startedAt = new Date(systemClock.now()).toISOString();
  const startMs = systemClock.monotonicMs();
  const benches: BenchReport[] = [];
  const options: BenchOptions = { smoke, clock: systemClock, soakMinutes, from };
  const args = smoke ? ["--smoke"] : ["--soak-minutes", String(soakMinutes)];
  for (const name of names) {
    if (!json) process.stderr.write(`${name} …\n`);
    benches.push(names.length === 1 ? await runHere(name, options) : await runApart(name, options, args));
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
  const report = await runSuite(wanted);
  process.stdout.write(wanted.json ? `${JSON.stringify(report)}\n` : tableText(report));
  if (wanted.write) await keepResults(report, all);
  return hasFailed(report) ? 1 : 0;
}

// Not process.exit: what was written to a pipe must get out.
process.exitCode = await main();
