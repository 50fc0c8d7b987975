/** A result as a table for people, and as the file that is kept with the source. */
import type { Host } from "./host.ts";
import type { Kept } from "./results.ts";
import { type Row, isMet } from "./runner.ts";
import type { BenchReport } from "./suite.ts";

export interface SuiteReport {
  readonly host: Host;
  readonly smoke: boolean;
  /** ISO 8601 in UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly benches: readonly BenchReport[];
}

type Cells = readonly [what: string, median: string, p99: string, ratio: string, target: string, met: string];

const HEAD: Cells = ["", "median", "p99", "ratio", "target", ""];

/** For the terminal. */
export function tableText(report: SuiteReport): string {
  const parts = report.benches.map((bench) => {
    const title = `${bench.name}: ${bench.claim}`;
    if (bench.error !== null) return `${title}\n  FAILED: ${bench.error}\n`;
    const table = aligned([HEAD, ...bench.rows.map((row) => cells(row, report.smoke))]);
    return `${title}\n${table}${bench.notes.map((note) => `  · ${note}\n`).join("")}`;
  });
  const note = report.smoke ? "Smoke run: tiny parameters, the figures mean nothing.\n" : "";
  return `${parts.join("\n")}\n${hostLine(report)}\n${note}`;
}

/** For `bench/RESULTS.md`. */
export function resultsMarkdown(
  kept: readonly Kept[],
  pictureFile: (name: string, index: number) => string,
): string {
  const judged = kept.flatMap(({ rows }) => rows.map((row) => isMet(row)).filter((met) => met !== null));
  const met = judged.filter((each) => each).length;
  const sections = kept.map((bench) => section(bench, pictureFile));
  return `# Results of \`bun run bench\`

Written by \`bun run bench --write\`; not edited by hand. ${met} of ${judged.length} targets met; what is missed says so.

Ratios are to the first row of the same group, from the same run: the variants take turns, and the ratio is
the median over all turns. They carry over to another machine; absolute times do not. Where work is too short
to be timed by itself, a sample is the mean of several hundred, and p99 is over those means. Each section
names the commit and the machine of its own run.

${sections.join("\n")}`;
}

function section(bench: Kept, pictureFile: (name: string, index: number) => string): string {
  const { name, claim, host, startedAt, durationMs, notes, pictures } = bench;
  const rows = bench.rows.map((row) => line(cells(row, false)));
  const head = line(["measured", "median", "p99", "ratio", "target", "verdict"]);
  const seconds = Math.round(durationMs / 1000);
  const dirty = host.commit.endsWith("+") ? " with uncommitted changes" : "";
  const where = `Commit ${host.commit}${dirty}, ${startedAt.slice(0, 16)}Z, ${seconds} s; ${host.cpu}, ${host.cores} cores, ${host.memoryGiB} GiB, load ${host.load} at the start; Bun ${host.bun}, Node ${host.node}.`;
  const said = notes.map((note) => `- ${note}\n`).join("");
  const drawn = pictures
    .map(({ title }, index) => `\n![${title}](pictures/${pictureFile(name, index)})\n`)
    .join("");
  return `## ${name}\n\n${claim}\n\n${head}\n${line(HEAD.map(() => "---"))}\n${rows.join("\n")}\n\n${said}${drawn}\n_${where}_\n`;
}

export function hasFailed(report: SuiteReport): boolean {
  return report.benches.some(({ error }) => error !== null);
}

function cells(row: Row, smoke: boolean): Cells {
  const met = smoke ? null : isMet(row);
  return [
    row.what,
    `${figure(row.median)} ${row.unit}`.trimEnd(),
    row.p99 === null ? "" : `${figure(row.p99)} ${row.unit}`.trimEnd(),
    row.baseline ? "1" : row.ratio === null ? "" : figure(row.ratio),
    targetText(row),
    met === null ? "" : met ? "met" : "MISSED",
  ];
}

/** What was promised, such as `p99 ≤ 5 ms`; empty when nothing was. */
export function targetText({ target, unit }: Row): string {
  if (target === null) return "";
  const bound = "atMost" in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`;
  return `${target.of} ${bound}${target.of === "ratio" || unit === "" ? "" : ` ${unit}`}`;
}

/** Three significant digits, without an exponent. */
export function figure(value: number): string {
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}

function aligned(rows: readonly Cells[]): string {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const text = (row: Cells): string =>
    row
      .map((cell, column) =>
        column === 0 || column >= 4 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return rows.map((row) => `  ${text(row)}\n`).join("");
}

function line(row: readonly string[]): string {
  return `| ${row.map((cell) => escapeCell(cell)).join(" | ")} |`;
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function hostLine({ host, durationMs }: SuiteReport): string {
  const seconds = Math.round(durationMs / 100) / 10;
  return `${host.cpu}, ${host.cores} cores, ${host.memoryGiB} GiB, load ${host.load}; Bun ${host.bun}; commit ${host.commit}; ${seconds} s`;
}
