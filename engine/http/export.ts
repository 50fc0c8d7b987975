/**
 * Rows of calls that are over, for other programs: NDJSON with all of each, or CSV with what fits in cells. Read page
 * by page, and only as fast as they are taken.
 */
import { present } from "../call/row.ts";
import type { CallRow, Store } from "../ports.ts";
import { BUILT_IN_SLOTS } from "../postcall/schema.ts";

export interface ExportQuery {
  readonly format: "ndjson" | "csv";
  /** Times as milliseconds, of when a call began: from the first on, before the second. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** Names of the slots that the deployment has added. */
  readonly slots: readonly string[];
}

export const CONTENT_TYPES = { ndjson: "application/x-ndjson", csv: "text/csv; charset=utf-8" } as const;

const PAGE_ROWS = 50;

/** Lines with their ends, newest call first. */
export async function* exportOf(store: Pick<Store, "listCalls">, query: ExportQuery): AsyncGenerator<string> {
  const columns = columnsOf(query.slots);
  if (query.format === "csv") yield csvLine(columns.map(({ name }) => name));
  for await (const row of rowsOf(store, query)) {
    if (query.format === "ndjson") yield `${JSON.stringify(present(row))}\n`;
    else yield csvLine(columns.map(({ of }) => of(row)));
  }
}

async function* rowsOf(
  store: Pick<Store, "listCalls">,
  { fromMs, toMs }: ExportQuery,
): AsyncGenerator<CallRow> {
  let before: string | null = null;
  for (;;) {
    const page = await store.listCalls({
      state: "ended",
      limit: PAGE_ROWS,
      ...(before === null ? {} : { before }),
    });
    for (const row of page) {
      const startedMs = Date.parse(row.startedAt);
      if (fromMs !== null && startedMs < fromMs) return;
      if (toMs === null || startedMs < toMs) yield row;
    }
    before = page.at(-1)?.callSid ?? null;
    if (before === null || page.length < PAGE_ROWS) return;
  }
}

type Cell = string | number | boolean | null | undefined;

interface Column {
  readonly name: string;
  readonly of: (row: CallRow) => Cell;
}

function columnsOf(slots: readonly string[]): readonly Column[] {
  const slotColumns = [...BUILT_IN_SLOTS, ...slots].flatMap((name): Column[] => [
    column(`slots.${name}`, (row) => row.protected.slots?.[name]),
    column(`slots.${name}.confidence`, (row) => row.extraction?.findings?.slots[name]?.confidence),
    column(`slots.${name}.supported`, (row) => row.extraction?.findings?.slots[name]?.supported),
  ]);
  return [...COLUMNS, ...slotColumns];
}

const column = (name: string, of: Column["of"]): Column => ({ name, of });

const COLUMNS: readonly Column[] = [
  column("callSid", (row) => row.callSid),
  column("startedAt", (row) => row.startedAt),
  column("answeredAt", (row) => row.answeredAt),
  column("endedAt", (row) => row.endedAt),
  column("durationMs", (row) => row.durationMs),
  column("endReason", (row) => row.endReason),
  column("agent", (row) => row.agent),
  column("from", (row) => row.protected.from),
  column("to", (row) => row.protected.to),
  column("handover", (row) => row.handover),
  column("speakers", (row) => row.speakers),
  column("escalated", (row) => row.escalated),
  column("escalationUrgency", (row) => row.escalation?.urgency),
  column("escalationOutcome", (row) => row.escalation?.outcome),
  column("escalationOwner", (row) => row.escalation?.owner?.contact),
  column("timeToAckMs", (row) => row.escalation?.timeToAckMs),
  column("escalationReason", (row) => row.protected.escalationReason),
  column("errors", (row) => row.errors.length),
  column("extractionStatus", (row) => row.extraction?.status),
  column("extractionReason", (row) => row.extraction?.reason),
  column("sentiment", (row) => row.extraction?.findings?.sentiment.value),
  column("intent", (row) => row.extraction?.findings?.intent.value),
  column("leadScore", (row) => row.extraction?.findings?.leadScore.value),
  column("escalate", (row) => row.extraction?.findings?.escalate.value),
  column("outcome", (row) => row.extraction?.findings?.outcome.value),
  column("costMicros", (row) => row.cost?.totalMicros),
  column("costCurrency", (row) => row.cost?.currency),
  column("costComplete", (row) => row.cost?.complete),
  column("deliveryStatus", (row) => row.delivery?.status),
];

/** RFC 4180. */
function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

/** A text that a spreadsheet would take for a formula, or a number with a sign, is marked as text. */
function csvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell !== "string") return String(cell);
  const text = /^\s*[=+\-@\t\r\n＝＋－＠]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
