/**
 * `bun run test`: runs `bun test` on several cores with what was passed on, or everything, the tests of pages by
 * themselves afterwards; and closes with `N passed, N failed`.
 * An import error counts as a failure, although the report that Bun writes for machines does not.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Glob } from "bun";

/** A guard: no test waits for time to pass. */
const TEST_TIMEOUT_MS = 120_000;
/** Tests start engines and browsers besides: more at once would make them wait for each other. */
const MAX_WORKERS = 4;
/** What a browser hears is measured: nothing else may run at that time. */
const ALONE = /^test\/browser\//;
/** That are said once more at the end; and of each so many characters. */
const MAX_FAILURES = 20;
const MAX_WHY_LENGTH = 2000;
/**
 * Seconds that the longest files take, about. They are begun first, in this order, so that no worker is left with
 * one when the others are done.
 */
const LONGEST: Readonly<Record<string, number>> = {
  "test/unit/bench/suite.test.ts": 44,
  "test/sim/crashes.test.ts": 40,
  "test/sim/sim.test.ts": 40,
  "test/e2e/crash.test.ts": 35,
  "test/e2e/storage.test.ts": 35,
  "test/e2e/kill.test.ts": 25,
  "test/e2e/post-call.test.ts": 20,
  "test/unit/viz/cli.test.ts": 18,
  "test/model/driven/driven.test.ts": 17,
  "test/e2e/rolling.test.ts": 15,
  "test/e2e/bench-from.test.ts": 12,
  "test/e2e/many.test.ts": 10,
  "test/model/page.model.test.ts": 10,
  "test/corpus/corpus.test.ts": 9,
  "test/e2e/escalation.test.ts": 9,
  "test/e2e/trouble.test.ts": 9,
  "test/unit/viz/live.test.ts": 9,
  "test/model/call.model.test.ts": 8,
  "test/e2e/audio.test.ts": 8,
  "test/e2e/pcm24k.test.ts": 8,
  "test/model/ladder.model.test.ts": 7,
  "test/e2e/refusals.test.ts": 7,
};

const folder = mkdtempSync(join(tmpdir(), "tandem-test-"));
const report = join(folder, "report.xml");
const timings = join(folder, "timings.json");
// Bun begins with files that it has no time of.
const files = [...new Glob("test/**/*.test.ts").scanSync({ cwd: join(import.meta.dir, "..") })];
const times = files.map((file) => [file, 1000 * (LONGEST[file] ?? 1)]);
writeFileSync(timings, JSON.stringify({ version: 1, files: Object.fromEntries(times) }));
const workers = Math.min(navigator.hardwareConcurrency, MAX_WORKERS);

interface Outcome {
  readonly exitCode: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed, and why: the report goes on for thousands of lines after it. */
  readonly failures: readonly string[];
}

function count(xml: string, name: string): number {
  const suites = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? "";
  return Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suites)?.[1] ?? 0);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
const CASES =
  /<testcase name="([^"]*)" classname="([^"]*)"[^>]*? file="([^"]*)"[^>]*>\s*<failure[^>]*>([^<]*)<\/failure>/g;

function failuresIn(xml: string): readonly string[] {
  const plain = (text: string): string =>
    text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code?: string, name?: string) =>
      code === undefined ? (ENTITIES[name ?? ""] ?? whole) : String.fromCodePoint(Number(code)),
    );
  return [...xml.matchAll(CASES)].map(([, name = "", of = "", file = "", why = ""]) =>
    plain(`${file}: ${of && `${of} > `}${name}\n${why.slice(0, MAX_WHY_LENGTH).trimEnd()}`),
  );
}

async function runTests(args: readonly string[]): Promise<Outcome> {
  const child = Bun.spawn(
    // `development` makes XState refuse what could not be restored, and warn about lost events.
    [
      process.execPath,
      "--conditions=development",
      "test",
      `--timeout=${TEST_TIMEOUT_MS}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...args,
    ],
    { stdin: "ignore", stdout: "inherit", stderr: "inherit" },
  );
  const exitCode = await child.exited;
  const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
  rmSync(report, { force: true });
  const skipped = count(xml, "skipped");
  const reported = count(xml, "failures") + count(xml, "errors");
  const total = count(xml, "tests");
  const failed = reported === 0 && (exitCode !== 0 || total === 0) ? 1 : reported;
  const passed = Math.max(0, total - reported - skipped);
  return { exitCode, passed, failed, skipped, failures: failuresIn(xml) };
}

// A new world for each file would load the engine 250 times.
const beside = [`--parallel=${workers}`, "--no-isolate", `--timings=${timings}`];
const asked = process.argv.slice(2);
const alone = files.filter((file) => ALONE.test(file));
const others = files.filter((file) => !ALONE.test(file));
const paths = (of: readonly string[]): readonly string[] => of.map((file) => `./${file}`);
const runs = asked.length > 0 ? [[...beside, ...asked]] : [[...beside, ...paths(others)], paths(alone)];
const outcomes: Outcome[] = [];
for (const args of runs) outcomes.push(await runTests(args));
rmSync(folder, { recursive: true, force: true });

const sum = (of: (outcome: Outcome) => number): number =>
  outcomes.reduce((total, outcome) => total + of(outcome), 0);
const failed = sum((each) => each.failed);
const skipped = sum((each) => each.skipped);
const failures = outcomes.flatMap((each) => each.failures);
for (const failure of failures.slice(0, MAX_FAILURES)) process.stdout.write(`\nfailed: ${failure}\n`);
if (skipped > 0) process.stdout.write(`${skipped} skipped\n`);
process.stdout.write(`${sum((each) => each.passed)} passed, ${failed} failed\n`);
process.exit(failed > 0 ? outcomes.find((each) => each.exitCode !== 0)?.exitCode || 1 : 0);
