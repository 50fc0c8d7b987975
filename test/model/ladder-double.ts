/** What a ladder could say next, for driving the call machine without one: every word is one that it may say. */
import { isSettled } from "../../machines/call.incident.ts";
import type { CallContext } from "../../machines/context.ts";
import type { Incident, LadderMessage, Owner } from "../../machines/ladder.types.ts";

type Update = Extract<LadderMessage, { readonly type: "ladder.update" }>;

export const OWNER: Owner = {
  rung: 0,
  contact: 0,
  rungName: "primary",
  contactName: "nurse",
  channel: "voice",
  ackAtMs: 0,
  pageLabel: "human-1",
  label: null,
  callSid: null,
  consult: false,
};

/** The owner's leg, under the next label that is free. */
function joining(context: CallContext, incident: Incident, consult: boolean): Incident {
  const humans = Object.values(context.legs).filter((leg) => leg.kind === "human").length;
  const label = `human-${humans + 1}`;
  const owner = { ...OWNER, pageLabel: label, label, callSid: `CA-${label}`, consult };
  return { ...incident, phase: "joining", owner };
}

function next(context: CallContext, incident: Incident): readonly Incident[] {
  const nextRung = { ...incident, phase: "paging", rung: incident.rung + 1, owner: null } as const;
  const elsewhere = { ...incident, phase: "owned", owner: OWNER, outcome: "owned" } as const;
  const accepted = [joining(context, incident, false), joining(context, incident, true)];
  switch (incident.phase) {
    case "paging":
      return [
        { ...incident, nextAtMs: 1 },
        nextRung,
        { ...incident, phase: "ringing" },
        { ...incident, phase: "exhausted" },
        elsewhere,
        ...accepted,
      ];
    case "ringing":
      return [nextRung, { ...incident, phase: "paging" }, ...accepted];
    case "joining": {
      // It hears of the owner from the call: until then it waits.
      const isIn = context.legs[incident.owner?.label ?? ""]?.status === "joined";
      if (context.awaited !== null) return [];
      return isIn ? [{ ...incident, phase: "owned", outcome: "owned" }] : [nextRung];
    }
    case "exhausted":
      return [{ ...incident, phase: "paging", walk: incident.walk + 1, rung: 0 }, elsewhere, ...accepted];
    case "owned":
      return [{ ...incident, clear: true }];
    case "over":
      return [settled(incident)];
  }
}

export function settled(incident: Incident): Incident {
  return { ...incident, phase: "over", outcome: "called_off", clear: true };
}

export function ladderUpdates(context: CallContext, at: number): readonly Update[] {
  return context.incidents
    .filter((incident) => !isSettled(incident))
    .flatMap((incident) => next(context, { ...incident, clear: false }))
    .map((incident) => ({ type: "ladder.update", at, incident }));
}
