import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { readArguments } from "../../../bench/args.ts";
import { headlineTable, missingHeadlines } from "../../../bench/headlines.ts";
import { drawPicture } from "../../../bench/picture.ts";
import { figure, resultsMarkdown, tableText, type SuiteReport } from "../../../bench/report.ts";
import { keptResults, pictureFile } from "../../../bench/results.ts";
import { pictureSeries } from "../../../bench/runner.ts";
import { benchNames, loadBench, runApart, runHere } from "../../../bench/suite.ts";
import { systemClock } from "../../../engine/platform/clock.ts";

const ROOT = join(import.meta.dir, "../../..");
const RESULTS = join(ROOT, "bench/RESULTS.md");
const NAMES = benchNames();
const SMOKE = { smoke: true, clock: systemClock, soakMinutes: 1, from: null };

// Nothing here is timed: the suite itself ends a benchmark that is stuck, and tells of it.
setDefaultTimeout(150_000);

async function run(...args: string[]) {
  const child = Bun.spawn([process.execPath, "bench/run.ts", ...args], {
    cwd: ROOT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

// As `bun run bench --smoke` runs them all: this is the only time that the checks do.
describe("every benchmark runs in a process of its own, with tiny parameters", () => {
  test("the suite holds what it is known for", () => {
    expect(NAMES).toEqual(expect.arrayContaining(["barge-in", "text-path", "machine", "twiml"]));
  });

  for (const name of NAMES) {
    test(name, async () => {
      const bench = await loadBench(name);
      expect(bench.claim).toMatch(/^[A-Z].*\.$/);
      const report = await runApart(name, SMOKE, ["--smoke"]);
      expect(report.error).toBeNull();
      expect(report.rows.length).toBeGreaterThan(1);
      expect(report.rows.some((row) => row.baseline)).toBe(true);
      for (const row of report.rows) {
        expect(Number.isFinite(row.median)).toBe(true);
        expect(row.samples).toBeGreaterThan(0);
        // What a busy machine adds may be less than nothing, and a ratio of it too: only that it was measured counts.
        if (row.ratio !== null) expect(Number.isFinite(row.ratio)).toBe(true);
      }
      expect(report.hash).not.toBe(0);
    });
  }

  test("one that breaks is reported with its name and reason, not thrown", async () => {
    const report = await runHere("no-such", SMOKE);
    expect(report).toMatchObject({ name: "no-such", rows: [] });
    expect(report.error).toContain("no-such");
  });
});

describe("the command", () => {
  test("--json prints one object and nothing else, for several benchmarks in processes of their own", async () => {
    const before = existsSync(RESULTS) ? statSync(RESULTS).mtimeMs : null;
    const { out, err, code } = await run("--smoke", "--json", "--only", "codec", "--only", "pcm24k");
    expect(err).toBe("");
    expect(code).toBe(0);
    const report = JSON.parse(out) as SuiteReport;
    expect(report.benches.map(({ name }) => name)).toEqual(["codec", "pcm24k"]);
    expect(report.benches.every(({ error, rows }) => error === null && rows.length > 0)).toBe(true);
    expect(report).toMatchObject({ smoke: true, host: { bun: Bun.version } });
    expect(existsSync(RESULTS) ? statSync(RESULTS).mtimeMs : null).toBe(before);
  });

  test("--only runs that benchmark and shows its table", async () => {
    const { out, code } = await run("--smoke", "--only", "text-path");
    expect(code).toBe(0);
    expect(out).toContain("text-path: ");
    expect(out).not.toContain("twiml: ");
    expect(out).toContain("JSON.parse");
  });

  test("an unknown option is refused with the usage", async () => {
    const { out, err, code } = await run("--fast");
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toContain("--fast");
    expect(err).toContain("--only NAME");
  });
});

describe("the arguments", () => {
  const all = ["a", "b"];

  test("nothing asked for is everything", () => {
    const everything = { names: all, json: false, smoke: false, soakMinutes: 30, from: null, write: false };
    expect(readArguments([], all)).toEqual(everything);
  });

  test("--only and --skip may be repeated; the suite's order holds", () => {
    expect(readArguments(["--only", "b", "--only=a"], all)).toMatchObject({ names: ["a", "b"] });
    expect(readArguments(["--skip", "a"], all)).toMatchObject({ names: ["b"] });
    expect(readArguments(["--only", "a", "--write"], all)).toMatchObject({ names: ["a"], write: true });
  });

  test("--from takes an origin, for the region alone", () => {
    const from = (url: string, ...more: string[]) =>
      readArguments(["--only", "region", "--from", url, ...more], ["region", "other"]);
    expect(from("https://tandem.example.com:8443/")).toMatchObject({
      names: ["region"],
      from: "https://tandem.example.com:8443",
    });
    for (const url of ["tandem.example.com", "ftp://tandem.example.com", "http://a.example/metrics"]) {
      expect(from(url)).toEqual({ problem: expect.stringContaining(`--from ${url}: give an origin`) });
    }
    expect(from("http://127.0.0.1:8080", "--smoke")).toEqual({ problem: expect.stringMatching(/--smoke/) });
  });

  const refused: [string[], RegExp][] = [
    [["--only", "c"], /^c: .*a, b/],
    [["--skip", "c"], /^c: .*a, b/],
    [["--skip", "a", "--skip", "b"], /nothing is left/],
    [["--only"], /only/],
    [["extra"], /extra/],
    [["--json=yes"], /json/],
    [["--from", "https://tandem.example.com"], /--only region/],
    [["--write", "--smoke"], /full run/],
    [["--soak-minutes", "long"], /soak-minutes long/],
    [["--soak-minutes", "0"], /soak-minutes 0/],
  ];
  for (const [args, problem] of refused) {
    test(`${args.join(" ")} is refused`, () => {
      expect(readArguments(args, all)).toEqual({ problem: expect.stringMatching(problem) });
    });
  }
});

describe("the report", () => {
  const row = { what: "x | y", unit: "ms", median: 1.2345, samples: 3, baseline: false } as const;
  const host = {
    cpu: "a processor",
    cores: 2,
    memoryGiB: 8,
    bun: "1.4.5",
    node: "20.1.0",
    commit: "abc1234+",
    load: 0.5,
  };
  const startedAt = "2026-01-02T03:04:05.000Z";
  const one = {
    name: "one",
    claim: "It is quick.",
    rows: [
      { ...row, p99: 6, ratio: 0.5, target: { of: "p99", atMost: 5 } },
      { ...row, p99: null, ratio: 0.5, target: { of: "ratio", atMost: 0.5 } },
      { ...row, unit: "dB", p99: null, ratio: null, target: { of: "median", atLeast: 1 } },
    ],
    notes: ["Read with care."],
    pictures: [{ title: "How long", series: [pictureSeries("all of them", [1, 2, 3])] }],
    hash: 1,
    durationMs: 1,
    error: null,
  } as const;
  const two = { ...one, name: "two", rows: [], notes: [], pictures: [], error: "it broke" };
  const report = (smoke: boolean): SuiteReport => ({
    host,
    smoke,
    startedAt,
    durationMs: 12_345,
    benches: [one, two],
  });

  test("the file names machine, Bun, commit and date of each run, and judges each target", () => {
    const text = resultsMarkdown([{ ...one, host, startedAt }], pictureFile);
    for (const part of [
      "a processor, 2 cores, 8 GiB",
      "Bun 1.4.5",
      "abc1234+",
      "2026-01-02",
      "2 of 3 targets",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain("| x \\| y | 1.23 ms | 6.00 ms | 0.500 | p99 ≤ 5 ms | MISSED |");
    expect(text).toContain("| x \\| y | 1.23 ms |  | 0.500 | ratio ≤ 0.5 | met |");
    expect(text).toContain("| x \\| y | 1.23 dB |  |  | median ≥ 1 dB | met |");
    expect(text).toContain("- Read with care.");
    expect(text).toContain("![How long](pictures/one.svg)");
  });

  test("the table shows a failure, and a smoke run judges nothing", () => {
    expect(tableText(report(false))).toMatch(/MISSED[\s\S]*met[\s\S]*Read with care[\s\S]*FAILED: it broke/);
    expect(tableText(report(true))).not.toMatch(/MISSED|met\n/);
    expect(tableText(report(true))).toContain("the figures mean nothing");
  });

  test("figures have three digits that count", () => {
    const shown = [0, 0.001234, 0.1234, 1.234, 12.34, 123.4, 12_345].map((value) => figure(value));
    expect(shown).toEqual(["0", "0.00123", "0.123", "1.23", "12.3", "123", "12345"]);
  });
});

describe("the picture", () => {
  test("has a row a series, with its quantiles, and is well-formed", () => {
    const values = Array.from({ length: 100 }, (_, i) => (i < 98 ? 1 : 100));
    const series = [pictureSeries("a < b", values), pictureSeries("none", [])];
    const svg = drawPicture({ title: "T & U", series });
    expect(svg).toContain("a &lt; b");
    expect(svg).toContain("<title>T &amp; U</title>");
    expect(svg).toContain("p50 1 ms · p99 100 ms · 100 samples");
    expect(svg).not.toContain("NaN");
    expect(svg.match(/<text/g)?.length).toBe(svg.match(/<\/text>/g)?.length);
  });

  test("counts what lies beyond either end", () => {
    const { counts } = pictureSeries("far", [0, 1e9]);
    expect([counts[0], counts.at(-1)]).toEqual([1, 1]);
  });
});

describe("the results that are kept", () => {
  test("are of every benchmark, each measured on a commit, and the file is made from them", async () => {
    const kept = await keptResults();
    expect(kept.map(({ name }) => name)).toEqual([...NAMES]);
    const text = await Bun.file(RESULTS).text();
    for (const { name, host } of kept) {
      expect(text).toContain(`## ${name}\n`);
      expect(host.commit).toMatch(/^[0-9a-f]{7,}$/);
    }
  });

  test("are what README shows of them", async () => {
    const kept = await keptResults();
    expect(missingHeadlines(kept)).toEqual([]);
    const readme = await Bun.file(join(ROOT, "README.md")).text();
    const cells = (table: string): string[][] =>
      table
        .split("\n")
        .filter((line) => line.startsWith("|") && !line.includes("---"))
        .map((line) => line.split("|").map((cell) => cell.trim()));
    const shown = readme.slice(readme.indexOf("## Measured"), readme.indexOf("## With real traffic"));
    expect(cells(shown)).toEqual(cells(headlineTable(kept)));
  });
});
