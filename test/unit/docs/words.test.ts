/** The words of closed sets stand where a row is explained: whoever reads one finds what it means. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../../engine/console/commands.ts";
import { ROLES } from "../../../engine/console/who.ts";
import { CARRIER_KINDS, costSchema } from "../../../engine/postcall/schema.ts";
import { INTENTS, OUTCOMES, SENTIMENTS } from "../../../engine/postcall-port.ts";
import { HANDOVERS } from "../../../machines/context.ts";
import { END_REASONS, URGENCIES } from "../../../machines/events.ts";
import { INCIDENT_OUTCOMES, PAGE_RESULTS } from "../../../machines/ladder.types.ts";
import { callRow } from "../../contract/store.contract.ts";

const SETS: Readonly<Record<string, readonly string[]>> = {
  rows: [
    ...Object.keys(callRow(1)).filter((key) => key !== "protected"),
    ...Object.keys(callRow(1).protected),
    ...Object.keys(costSchema.unwrap().shape),
    ...Object.keys(callRow(1).extraction ?? {}),
    ...END_REASONS,
    ...HANDOVERS,
    ...URGENCIES,
    ...SENTIMENTS,
    ...INTENTS,
    ...OUTCOMES,
    ...CARRIER_KINDS,
    ...costSchema.unwrap().shape.gaps.unwrap().element.options,
    ...costSchema.unwrap().shape.unpriced.unwrap().element.options,
  ],
  escalation: [
    ...Object.keys(callRow(1).escalation ?? {}),
    ...Object.keys(callRow(1).escalation?.owner ?? {}),
    ...Object.keys(callRow(1).escalation?.pages[0] ?? {}),
    ...PAGE_RESULTS,
    ...INCIDENT_OUTCOMES,
  ],
  console: [...COMMANDS, ...ROLES],
};

test.each(Object.entries(SETS))("docs/%s.md names each of its words", (name, words) => {
  const text = readFileSync(join(import.meta.dir, `../../../docs/${name}.md`), "utf8");
  expect(words.filter((word) => !text.includes(`\`${word}\``))).toEqual([]);
});
