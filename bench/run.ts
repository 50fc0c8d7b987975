/** `bun run bench`: runs the benchmarks and shows what they found. Exits with 1 when one of them breaks. */
import { join } from "node:path";
import { systemClock } from "../engine/platform/clock.ts";
import { type BenchArguments, USAGE, readArguments } from "./args.ts";
import { readHost } from "./host.ts";
import { type SuiteReport, hasFailed, markdown, tableText } from "./report.ts";
import { type BenchReport, benchNames, runApart, runHere } from "./suite.ts";

const RESULTS = join(import.meta.dir, "RESULTS.md");

async function runSuite({ names, json, smoke }: BenchArguments): Promise<SuiteReport> {
  const host = readHost();
  const startedAt = new Date(systemClock.now()).toISOString();
  const startMs = systemClock.monotonicMs();
  const benches: BenchReport[] = [];
  for (const name of names) {
    if (!json) process.stderr.write(`${name} …\n`);
    benches.push(names.length === 1 ? await runHere(name, smoke, systemClock) : await runApart(name, smoke));
  }
  return { host, smoke, startedAt, durationMs: systemClock.monotonicMs() - startMs, benches };
}

async function main(): Promise<number> {
  const wanted = readArguments(process.argv.slice(2), benchNames());
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
  if (hasFailed(report)) return 1;
  if (wanted.write) {
    await Bun.write(RESULTS, markdown(report));
    // Its tables are aligned as every other document's are.
    await Bun.spawn([process.execPath, "fmt", RESULTS], { stdout: "ignore" }).exited;
  }
  return 0;
}

// Not process.exit: what was written to a pipe must get out.
process.exitCode = await main();
