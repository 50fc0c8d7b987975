/** A result as a table for people, and as the file that is kept with the source. */
import type { Host } from "./host.ts";
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
    return bench.error === null
      ? `${title}\n${aligned([HEAD, ...bench.rows.map((row) => cells(row, report.smoke))])}`
      : `${title}\n  FAILED: ${bench.error}\n`;
  });
  const note = report.smoke ? "Smoke run: tiny parameters, the figures mean nothing.\n" : "";
  return `${parts.join("\n")}\n${hostLine(report)}\n${note}`;
}

/** For `bench/RESULTS.md`. */
export function markdown(report: SuiteReport): string {
  const { host, startedAt, durationMs } = report;
  const sections = report.benches.map((bench) => {
    const rows = bench.rows.map((row) => line(cells(row, false)));
    const head = line(["measured", "median", "p99", "ratio", "target", "verdict"]);
    return `## ${bench.name}\n\n${bench.claim}\n\n${head}\n${line(HEAD.map(() => "---"))}\n${rows.join("\n")}\n`;
  });
  return `# Results of \`bun run bench\`

Written by \`bun run bench --write\`; not edited by hand.

| | |
| --- | --- |
| date | ${startedAt} |
| commit | ${host.commit}${host.commit.endsWith("+") ? " (with uncommitted changes)" : ""} |
| machine | ${escapeCell(host.cpu)}, ${host.cores} cores, ${host.memoryGiB} GiB |
| load when it began | ${host.load} |
| Bun | ${host.bun} |
| duration | ${Math.round(durationMs / 1000)} s |

Ratios are to the first row of the same group, from the same run: the variants take turns, and the ratio is
the median over all turns. They carry over to another machine; absolute times do not. Where work is too short
to be timed by itself, a sample is the mean of several hundred, and p99 is over those means.

${sections.join("\n")}`;
}

export function hasFailed(report: SuiteReport): boolean {
  return report.benches.some(({ error }) => error !== null);
}

function cells(row: Row, smoke: boolean): Cells {
  const { target } = row;
  const targetText = target === null ? "" : `${target.of} ≤ ${target.atMost}${unitOf(row, target.of)}`;
  const met = smoke ? null : isMet(row);
  return [
    row.what,
    `${figure(row.median)} ${row.unit}`,
    row.p99 === null ? "" : `${figure(row.p99)} ${row.unit}`,
    row.baseline ? "1" : row.ratio === null ? "" : figure(row.ratio),
    targetText,
    met === null ? "" : met ? "met" : "MISSED",
  ];
}

function unitOf(row: Row, of: "median" | "p99" | "ratio"): string {
  return of === "ratio" ? "" : ` ${row.unit}`;
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
