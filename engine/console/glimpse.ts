/** A live call and an incident as the console shows them, from what the engine knows. Pure. */
import type { StateValue } from "xstate";
import { topState } from "../../machines/call.machine.ts";
import type { CallContext } from "../../machines/context.ts";
import type { Incident } from "../../machines/ladder.types.ts";
import type { IncidentView, LiveLeg, Standing } from "./protocol.ts";

/** Of an incident that goes on for long; the row has all of them. */
const MAX_PAGES = 60;
const QUIETEST_DBOV = -60;
const LEVEL_STEP_DB = 3;

export function standingOf(context: CallContext, value: StateValue): Standing {
  const { role, model, callerOnHold: onHold } = context;
  return { state: topState(value), value, role, model, onHold };
}

export function roomOf({ legs }: CallContext): LiveLeg[] {
  const all = Object.values(legs);
  return all
    .filter(({ status }) => status !== "left")
    .map(({ label, kind, status, muted, coachOf }) => {
      const coached = coachOf === null ? null : all.find((leg) => leg.callSid === coachOf);
      return { label, kind, status, muted, coaches: coached?.label ?? null };
    });
}

/** Coarse, so that little of it changes from one look to the next. */
export function shownLevel(dbov: number): number {
  return Math.max(QUIETEST_DBOV, Math.round(dbov / LEVEL_STEP_DB) * LEVEL_STEP_DB);
}

export function incidentViewOf(callSid: string, following: boolean, incident: Incident): IncidentView {
  const { number, by, reason, urgency, phase, walk, rung, openedAtMs, nextAtMs, outcome, endedAtMs } =
    incident;
  const { owner, pages, pagesDropped } = incident;
  return {
    callSid,
    number,
    by,
    reason,
    urgency,
    phase,
    walk,
    rung,
    openedAtMs,
    nextAtMs,
    outcome,
    endedAtMs,
    following,
    owner: owner && { contact: owner.contactName, rung: owner.rungName, channel: owner.channel },
    pages: pages.slice(-MAX_PAGES).map((page) => {
      const {
        label,
        channel,
        purpose,
        rungName,
        contactName,
        startedAtMs,
        endedAtMs: overAtMs,
        result,
      } = page;
      const { walk: inWalk } = page;
      return {
        label,
        channel,
        purpose,
        rungName,
        contactName,
        walk: inWalk,
        startedAtMs,
        endedAtMs: overAtMs,
        result,
      };
    }),
    morePages: Math.max(0, pages.length - MAX_PAGES) + pagesDropped,
  };
}
