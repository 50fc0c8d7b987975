/** The ladder of a call's row, a line for each page. */
import { z } from "zod";

const escalation = z.object({
  number: z.number(),
  openedAt: z.string(),
  outcome: z.string().nullable(),
  timeToAckMs: z.number().nullable(),
  owner: z.object({ contact: z.string(), rung: z.string(), channel: z.string() }).nullable(),
  pages: z.array(
    z.object({
      rung: z.string(),
      contact: z.string(),
      channel: z.string(),
      purpose: z.string(),
      startedAt: z.string(),
      endedAt: z.string().nullable(),
      result: z.string().nullable(),
    }),
  ),
  pagesDropped: z.number(),
});
const row = z.looseObject({ escalations: z.array(escalation) });

const HEAD = ["rung", "contact", "channel", "result", "from", "for"] as const;

/** Empty when the row has no escalation. */
export function ladderLines(callRow: unknown): readonly string[] {
  const parsed = row.safeParse(callRow);
  return parsed.success ? parsed.data.escalations.flatMap(linesOf) : [];
}

function linesOf(incident: z.output<typeof escalation>): string[] {
  const openedMs = Date.parse(incident.openedAt);
  const pages = incident.pages.map((page) => {
    const startedMs = Date.parse(page.startedAt);
    return [
      page.rung,
      page.contact,
      // Somebody who has acknowledged by a text is rung to join.
      page.purpose === "page" ? page.channel : page.purpose,
      page.result ?? "open",
      seconds(startedMs - openedMs),
      page.endedAt === null ? "" : seconds(Date.parse(page.endedAt) - startedMs),
    ];
  });
  const dropped = incident.pagesDropped === 0 ? [] : [`  and ${incident.pagesDropped} more`];
  return [`escalation ${incident.number}: ${endOf(incident)}`, ...table([[...HEAD], ...pages]), ...dropped];
}

function endOf({ outcome, owner, timeToAckMs }: z.output<typeof escalation>): string {
  if (!owner) return outcome ?? "open";
  const after = timeToAckMs === null ? "" : ` after ${seconds(timeToAckMs)}`;
  return `${outcome ?? "open"}, taken by ${owner.contact} (${owner.rung}) by ${owner.channel}${after}`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? "").length)));
  return rows.map((cells) =>
    `  ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
