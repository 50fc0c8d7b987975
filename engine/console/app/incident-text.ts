/** What became of an incident, in a sentence. Pure. */
import type { IncidentOutcome } from "../../../machines/ladder.types.ts";
import type { IncidentView } from "../protocol.ts";

const ENDED: Readonly<Record<IncidentOutcome, string>> = {
  owned: "Somebody took it.",
  exhausted: "Nobody could be reached.",
  caller_left: "The caller left before somebody came.",
  call_lost: "The call was cut off before somebody came.",
  called_off: "It was called off.",
};

/** An incident of which the feed tells, or, without `phase`, one of a row. */
export type Sought = Pick<IncidentView, "outcome"> &
  Partial<Pick<IncidentView, "phase" | "following">> & {
    readonly owner: Pick<NonNullable<IncidentView["owner"]>, "contact" | "channel"> | null;
  };

export function soughtText({ phase, outcome, owner, following = false }: Sought): string {
  if (owner) return `${owner.contact} has it, by ${owner.channel}.`;
  if (phase === "exhausted") return "Nobody could be reached; the rungs are walked again.";
  // An outcome is also that of a walk before this one.
  const isOver = phase === undefined || phase === "over";
  if (isOver && outcome !== null) return ENDED[outcome];
  return following ? "Somebody is sought who calls the caller back." : "Somebody is sought.";
}

/** Why the caller of a call that is followed up is not there any more. */
export function goneText(ofCall: readonly Pick<IncidentView, "outcome">[]): string {
  return ofCall.some(({ outcome }) => outcome === "call_lost")
    ? "the call was cut off"
    : "the caller has left";
}
