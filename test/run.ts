/**
 * `bun run test`: runs `bun test` with what was passed on and closes with `N passed, N failed`. An import
 * error counts as a failure, although the report that Bun writes for machines does not.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A guard: no test waits for time to pass. */
const TEST_TIMEOUT_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), "tandem-test-"));
const report = join(folder, "report.xml");
const child = Bun.spawn(
  // `development` makes XState refuse what could not be restored, and warn about lost events.
  [
    process.execPath,
    "--conditions=development",
    "test",
    `--timeout=${TEST_TIMEOUT_MS}`,
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...process.argv.slice(2),
  ],
  { stdin: "ignore", stdout: "inherit", stderr: "inherit" },
);
const exitCode = await child.exited;

function count(xml: string, name: string): number {
  const suites = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? "";
  return Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suites)?.[1] ?? 0);
}

const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
rmSync(folder, { recursive: true, force: true });
const skipped = count(xml, "skipped");
const reported = count(xml, "failures") + count(xml, "errors");
const total = count(xml, "tests");
const failed = reported === 0 && (exitCode !== 0 || total === 0) ? 1 : reported;
const passed = Math.max(0, total - reported - skipped);
if (skipped > 0) process.stdout.write(`${skipped} skipped\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed > 0 ? exitCode || 1 : 0);
