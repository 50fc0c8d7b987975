import { catalog } from "../../machines/viz/catalog.ts";
import { configOf } from "../../machines/viz/config.ts";
import { chartOf } from "../../machines/viz/graph.ts";
import { canonical } from "./canonical.ts";
import { sha256 } from "./chain.ts";

let known: string | null = null;

/**
 * SHA-256 in hexadecimal over the definitions of all machines: their states, edges, and the names of guards,
 * actions and actors. Not over their descriptions, nor over what the functions behind the names do.
 */
export function machineHash(): string {
  known ??= sha256(canonical(catalog.map(({ machine }) => undescribed(configOf(chartOf(machine))))).text);
  return known;
}

function undescribed(config: object): unknown {
  return JSON.parse(
    JSON.stringify(config, (key, value: unknown) =>
      key === "description" && typeof value === "string" ? undefined : value,
    ),
  );
}
