/**
 * A process that draws the catalog as it is on disk now, one line of JSON for each machine on standard output.
 * Its argument is JSON: the content hash of each machine that needs no drawing.
 */
import { catalog } from "../catalog.ts";
import { chartHash } from "../config.ts";
import { chartOf } from "../graph.ts";
import type { Chart } from "../graph.ts";
import { describe, pathName } from "../labels.ts";
import { drawOverview } from "../overview.ts";
import { drawChart } from "../svg.ts";
import type { DrawnMachine } from "./machines.ts";

const known = JSON.parse(process.argv[2] ?? "{}") as Readonly<Record<string, string>>;
const digest = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");
/** A drawing has its own, which a page with a strict policy would not take. */
const withoutStyle = (svg: string): string => svg.replace(/<style>[^<]*<\/style>\n/, "");

/** What a search looks through. */
function partsOf(chart: Chart): Pick<DrawnMachine, "states" | "edges"> {
  return {
    states: [...chart.states.values()].map(({ id, description }) => ({
      id,
      text: [pathName(chart, id), description ?? ""].join(" ").trim(),
    })),
    edges: chart.transitions.map((transition) => ({
      id: transition.key,
      text: `${pathName(chart, transition.source)}: ${describe(chart, transition)}`,
    })),
  };
}

for (const { name, title, machine } of catalog) {
  const chart = chartOf(machine);
  const hash = chartHash(chart, digest);
  if (known[name] === hash) {
    process.stdout.write(`${JSON.stringify({ name, title, hash, same: true })}\n`);
    continue;
  }
  const heading = { name, title, hash };
  const drawn: DrawnMachine = {
    ...heading,
    svg: withoutStyle(await drawChart(chart, heading)),
    overview: withoutStyle(drawOverview(chart, heading)),
    ...partsOf(chart),
  };
  process.stdout.write(`${JSON.stringify(drawn)}\n`);
}
