/** What becomes of a call's incidents when its actor is gone before it could close them. Pure. */
import { isOpen } from "../../machines/call.incident.ts";
import { type CallContext, humanInRoom } from "../../machines/context.ts";
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

export function closed(incident: Incident, outcome: IncidentOutcome, atMs: number): Incident {
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
