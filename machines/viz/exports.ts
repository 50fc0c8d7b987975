/** What `bun run viz --export` writes: the machines for other tools, and a recorded call for an inspector. */
import { catalog } from "./catalog.ts";
import { chartHash } from "./config.ts";
import { chartOf } from "./graph.ts";
import type { Chart, State } from "./graph.ts";
import { inspectionOf } from "./inspection.ts";
import { jsonText } from "./json-text.ts";
import { mermaidOf } from "./mermaid.ts";
import { scxmlOf } from "./scxml.ts";
import { importableOf, sourceOf } from "./source.ts";
import type { Heading } from "./svg.ts";

const MACHINE_FORMATS = {
  json: { ending: ".json", text: ({ root }: Chart) => jsonText(importableOf(root)) },
  ts: { ending: ".machine.ts", text: sourceOf },
  mmd: { ending: ".mmd", text: mermaidOf },
  scxml: { ending: ".scxml", text: scxmlOf },
} satisfies Readonly<Record<string, { ending: string; text: (chart: Chart, heading: Heading) => string }>>;

type MachineFormat = keyof typeof MACHINE_FORMATS;
export type Format = MachineFormat | "inspect";

export interface ExportOptions {
  readonly formats: readonly Format[];
  /** Text of a call's log, for `inspect`. */
  readonly log: string | null;
  /** Text of the charts that the log's machines had, as `GET /api/machines/{hash}` tells; default: those of now. */
  readonly charts: string | null;
}

/** All that holds nothing of any call. */
export const DEFAULT_FORMATS = Object.keys(MACHINE_FORMATS) as readonly Format[];

/** `null`: it is none. */
export function formatOf(text: string): Format | null {
  return text === "inspect" || Object.hasOwn(MACHINE_FORMATS, text) ? (text as Format) : null;
}

/** File name → content. @throws Error when the log or the charts are none. */
export function exportsOf(
  { formats, log, charts }: ExportOptions,
  hash: (text: string) => string,
): Map<string, string> {
  const files = new Map<string, string>();
  for (const { name, title, machine } of catalog) {
    const chart = chartOf(machine);
    const heading = { name, title, hash: chartHash(chart, hash) };
    for (const format of formats) {
      if (format === "inspect") continue;
      const { ending, text } = MACHINE_FORMATS[format];
      files.set(`${name}${ending}`, text(chart, heading));
    }
  }
  if (log !== null) {
    const lines = inspectionOf(log, charts === null ? machinesNow() : machinesIn(charts));
    files.set("inspect.ndjson", lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
  return files;
}

const machinesNow = (): Readonly<Record<string, State>> =>
  Object.fromEntries(catalog.map(({ name, machine }) => [name, chartOf(machine).root]));

function machinesIn(text: string): Readonly<Record<string, State>> {
  const charts = JSON.parse(text) as {
    readonly machines?: Readonly<Record<string, { readonly root?: State }>>;
  };
  const machines = Object.entries(charts.machines ?? {}).flatMap(([name, { root }]): [string, State][] =>
    root === undefined ? [] : [[name, root]],
  );
  if (machines.length === 0) throw new Error("the charts are not what GET /api/machines/{hash} tells");
  return Object.fromEntries(machines);
}
