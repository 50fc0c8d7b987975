/** What a webhook is told. Pure. */
import { present } from "../call/row.ts";
import type { CallRow } from "../ports.ts";

/** The row as JSON, with the id by which a receiver knows that it has had it. */
export function bodyOf(eventId: string, row: CallRow): string {
  return JSON.stringify({ eventId, event: "call.row", ...present(row) });
}
