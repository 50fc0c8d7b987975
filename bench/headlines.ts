/** The few figures that README shows, taken from the results that are kept: nobody copies one by hand. */
import { join } from "node:path";
import { InvariantError } from "../engine/errors.ts";
import { figure, targetText } from "./report.ts";
import type { Kept } from "./results.ts";
import { type Row, isMet } from "./runner.ts";

const README = join(import.meta.dir, "../README.md");
const BEGIN = "<!-- measured: written by `bun run bench --write` -->";
const END = "<!-- /measured -->";

/** One line of the table: the first row of a benchmark that begins so, and what it is to be held against. */
interface Headline {
  readonly what: string;
  readonly bench: string;
  readonly row: string;
  readonly against?: string;
  /** Names what `against` is. */
  readonly by?: string;
}

const HEADLINES: readonly Headline[] = [
  {
    what: "what the engine adds to a turn, in and out, 100 calls",
    bench: "region",
    row: "100 calls, engine in + out of a turn",
    against: "100 calls, a bare process there: message in → message out",
    by: "one message through a bare process",
  },
  {
    what: "… of the 60 ms that a wrong region costs",
    bench: "region",
    row: "100 calls, the engine's own share of 60 ms",
  },
  {
    what: "calls on one core with p99 of a frame's way to the model and back ≤ 20 ms",
    bench: "density",
    row: "calls on one core at p99 ≤ 20 ms: full engine",
    against: "calls on one core at p99 ≤ 20 ms: bare Bun relay",
    by: "a bare relay on Bun",
  },
  {
    what: "the same beside other bridges that truncate and clear",
    bench: "peers",
    row: "calls per core at p99 ≤ 20 ms, of bridges: Tandem, the full engine",
    against: "calls per core at p99 ≤ 20 ms, of bridges:",
    by: "the best of them",
  },
  {
    what: "CPU per frame both ways, 300 calls",
    bench: "density",
    row: "CPU per frame, 300 calls: full engine",
    against: "CPU per frame, 300 calls: bare Bun relay",
    by: "a bare relay on Bun",
  },
  {
    what: "position told to the model at a barge-in, a third of the marks lost",
    bench: "barge-in",
    row: "truncation error by the ledger, 33 % of marks lost",
    against: "truncation error by the last mark alone, 33 % of marks lost",
    by: "the last mark alone",
  },
  {
    what: "model's word that the caller speaks → `clear` at the carrier, 100 calls talking",
    bench: "barge-in",
    row: "speech edge in → clear at the carrier",
    against: "echo over loopback while 100 calls talk",
    by: "a bare echo",
  },
  {
    what: "a key takes the incident → the last of 3 × 3 other pages is silent",
    bench: "escalation",
    row: "ack by key → last of the other phones is silent",
    against: "one request to the carrier and back",
    by: "one request to the carrier",
  },
  {
    what: "the caller hears nobody, from the AI's last word to the person's first",
    bench: "handover",
    row: "silence between the AI's last frame and the person's first",
  },
  {
    what: "killed with `kill -9`, it listens again → the caller hears the AI",
    bench: "recovery",
    row: "listens → the caller hears the AI",
    against: "a new call, dialled → the AI is heard",
    by: "a new call",
  },
  {
    what: "what a message of 300 calls waits for the loop, p99 with journal, log and snapshots by p99 without",
    bench: "journal",
    row: "p99 with by p99 without",
  },
  {
    what: "caller's frame → model's text",
    bench: "text-path",
    row: "in: the same through the media leg, with its timeline",
    against: "in: JSON.parse, then JSON.stringify",
    by: "parsing and writing JSON",
  },
  {
    what: "20 ms raised from 8 to 24 kHz, 3 kHz at 80 dB",
    bench: "resampler",
    row: "FIR of 32 taps a phase, WebAssembly SIMD",
    against: "8 → 24 kHz: linear interpolation",
    by: "linear interpolation in JavaScript",
  },
  {
    what: "`POST /twilio/voice`, signature to TwiML",
    bench: "twiml",
    row: "POST /twilio/voice",
    against: "bare Bun.serve: form read, fixed document",
    by: "a bare server",
  },
  {
    what: "control events of 500 calls, share of a core",
    bench: "machine",
    row: "share of a core: events of 500 such calls through their sessions",
  },
];

/** Puts the table of headlines between its marks in README. */
export async function writeHeadlines(kept: readonly Kept[]): Promise<void> {
  const text = await Bun.file(README).text();
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new InvariantError(`README.md needs ${BEGIN} and ${END}`);
  await Bun.write(README, `${text.slice(0, begin)}${BEGIN}\n\n${headlineTable(kept)}\n${text.slice(end)}`);
}

/** Headlines without a result are left out. */
export function headlineTable(kept: readonly Kept[]): string {
  const rows = HEADLINES.flatMap((headline) => {
    const found = rowOf(kept, headline.bench, headline.row);
    if (!found) return [];
    const base = headline.against === undefined ? null : rowOf(kept, headline.bench, headline.against);
    const against = base ? `${figures(base)} for ${headline.by}` : "";
    return [`| ${headline.what} | ${figures(found)} | ${against} | ${verdict(found)} |`];
  });
  return ["| what | figure | against | target |", "| --- | --- | --- | --- |", ...rows, ""].join("\n");
}

/** Names of headlines that no kept result has. */
export function missingHeadlines(kept: readonly Kept[]): readonly string[] {
  return HEADLINES.filter(({ bench, row }) => !rowOf(kept, bench, row)).map(({ what }) => what);
}

function rowOf(kept: readonly Kept[], bench: string, what: string): Row | undefined {
  return kept.find(({ name }) => name === bench)?.rows.find((row) => row.what.startsWith(what));
}

function figures({ median, p99, unit }: Row): string {
  const text = `${figure(median)} ${unit}`.trimEnd();
  return p99 === null || p99 === median ? text : `${text} (p99 ${`${figure(p99)} ${unit}`.trimEnd()})`;
}

function verdict(row: Row): string {
  const met = isMet(row);
  return met === null ? "" : `${targetText(row)}: ${met ? "met" : "missed"}`;
}
