/** All files that are drawn of a catalog. Pure: the same machines give the same bytes. */
import type { CatalogEntry } from "./catalog.ts";
import { chartHash, configOf } from "./config.ts";
import { chartOf } from "./graph.ts";
import { jsonText } from "./json-text.ts";
import { mermaidOf } from "./mermaid.ts";
import { drawOverview } from "./overview.ts";
import { drawChart } from "./svg.ts";

/** File name → content. `hash` makes a hex digest of a text; it is kept in each drawing. */
export async function drawingsOf(
  entries: readonly CatalogEntry[],
  hash: (text: string) => string,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const { name, title, machine, overview } of entries) {
    const chart = chartOf(machine);
    const heading = { name, title, hash: chartHash(chart, hash) };
    files.set(`${name}.svg`, await drawChart(chart, heading));
    if (overview !== false) files.set(`${name}-overview.svg`, drawOverview(chart, heading));
    files.set(`${name}.mmd`, mermaidOf(chart, heading));
    files.set(
      `${name}.json`,
      jsonText({ machine: name, title, hash: heading.hash, config: configOf(chart) }),
    );
  }
  return files;
}
