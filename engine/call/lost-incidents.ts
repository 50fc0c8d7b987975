/** What becomes of a call's incidents when its actor is gone before it could close them. Pure. */
import type { CallRow } from "../ports.ts";
import { isOpen } from "../../machines/call.incident.ts";
import { type CallContext, humanInRoom } from "../../machines/context.ts";
import { isUnanswered } from "../../machines/ladder.facts.ts";
import type { Incident, IncidentOutcome } from "../../machines/ladder.types.ts";

/** None is left open: nobody looks for anybody any more, and what rang for it is ended. */
export function lostIncidents(context: CallContext, atMs: number): readonly Incident[] {
  const outcome = outcomeOf(context);
  return context.incidents.map((incident) =>
    isUnclosed(incident) ? closed(incident, outcome, atMs) : incident,
  );
}

/** One that the call has closed may not have said yet how it ended. */
const isUnclosed = (incident: Incident): boolean => isOpen(incident) || incident.outcome === null;

function outcomeOf(context: CallContext): IncidentOutcome {
  if (context.callerGone) return "caller_left";
  return humanInRoom(context) === null ? "call_lost" : "called_off";
}

function closed(incident: Incident, outcome: IncidentOutcome, atMs: number): Incident {
  const pages = incident.pages.map((page) =>
    page.result === null ? { ...page, result: "cancelled" as const, endedAtMs: atMs } : page,
  );
  return {
    ...incident,
    phase: "over",
    nextAtMs: null,
    owner: null,
    outcome: incident.outcome ?? outcome,
    endedAtMs: atMs,
    pages,
    clear: true,
  };
}

/**
 * The same for the row of a call that no engine can go on with. `withPerson`: the caller talks to somebody. `unanswered`:
 * somebody was sought to the end, and is not any more.
 */
export function withoutOpenIncidents(
  row: CallRow,
  withPerson: boolean,
  atMs: number,
): { readonly row: CallRow; readonly unanswered: boolean } {
  const now = new Date(atMs).toISOString();
  const escalations = row.escalations.map((each) => {
    if (each.outcome !== null && each.endedAt !== null) return each;
    const pages = each.pages.map((page) =>
      page.result === null ? { ...page, result: "cancelled" as const, endedAt: now } : page,
    );
    const outcome = each.outcome ?? (withPerson ? ("called_off" as const) : ("call_lost" as const));
    return { ...each, outcome, endedAt: now, pages };
  });
  const escalation = escalations.at(-1) ?? null;
  return {
    row: { ...row, escalations, escalation },
    unanswered: escalation !== null && isUnanswered(escalation),
  };
}
