/**
 * The results that are kept with the source: one entry a benchmark in `bench/results.json`, each with the
 * machine and the commit it was made on, so that one benchmark can be measured anew without the others.
 * `bench/RESULTS.md` and the pictures are drawn from it.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../engine/errors.ts";
import type { Host } from "./host.ts";
import { writeHeadlines } from "./headlines.ts";
import { drawPicture } from "./picture.ts";
import { type SuiteReport, resultsMarkdown } from "./report.ts";
import type { BenchReport } from "./suite.ts";

const KEPT = join(import.meta.dir, "results.json");
const RESULTS = join(import.meta.dir, "RESULTS.md");
const README = join(import.meta.dir, "../README.md");
const PICTURES = join(import.meta.dir, "pictures");

/** What one benchmark found, and where. */
export interface Kept extends BenchReport {
  readonly host: Host;
  /** ISO 8601 in UTC. */
  readonly startedAt: string;
}

/** Takes over what `report` has measured; benchmarks that exist no more are dropped. */
export async function keepResults(
  { host, startedAt, benches }: Pick<SuiteReport, "host" | "startedAt" | "benches">,
  names: readonly string[],
): Promise<void> {
  const kept = new Map((await keptResults()).map((each) => [each.name, each]));
  for (const bench of benches) {
    if (bench.error === null) kept.set(bench.name, { ...bench, host, startedAt });
  }
  const all = names.flatMap((name) => kept.get(name) ?? []);
  await Bun.write(KEPT, JSON.stringify(all));
  rmSync(PICTURES, { recursive: true, force: true });
  mkdirSync(PICTURES);
  for (const { name, pictures } of all) {
    for (const [index, picture] of pictures.entries()) {
      await Bun.write(join(PICTURES, pictureFile(name, index)), drawPicture(picture));
    }
  }
  await Bun.write(RESULTS, resultsMarkdown(all, pictureFile));
  await writeHeadlines(all);
  // As every other document is.
  await Bun.spawn([process.execPath, "fmt", RESULTS, KEPT, README], { stdout: "ignore" }).exited;
}

export async function keptResults(): Promise<readonly Kept[]> {
  const file = Bun.file(KEPT);
  if (!(await file.exists())) return [];
  try {
    return (await file.json()) as readonly Kept[];
  } catch {
    throw new ConfigError([
      {
        name: "bench/results.json",
        problem: "is not JSON",
        fix: "restore it, or remove it and measure anew",
      },
    ]);
  }
}

export function pictureFile(name: string, index: number): string {
  return index === 0 ? `${name}.svg` : `${name}-${index + 1}.svg`;
}
