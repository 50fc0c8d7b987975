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

type Told = Pick<IncidentView, "outcome"> & {
  readonly owner: Pick<NonNullable<IncidentView["owner"]>, "contact" | "channel"> | null;
};

/** Of an incident that the feed tells of. */
export function soughtText(incident: Told & Pick<IncidentView, "phase" | "following">): string {
  const { phase, outcome, owner, following } = incident;
  if (owner) return `${owner.contact} has it, by ${owner.channel}.`;
  if (phase === "exhausted") return "Nobody could be reached; the rungs are walked again.";
  // Before that, an outcome is the one of a walk before this one.
  if (phase === "over" && outcome !== null) {
    // The caller is still being told.
    const goesOn =
      outcome === "call_lost" && !following ? " Somebody is sought again when the call has ended." : "";
    return ENDED[outcome] + goesOn;
  }
  return following ? "Somebody is sought who calls the caller back." : "Somebody is sought.";
}

/** Of one that is in the row alone: nothing more becomes of it. */
export function endedText({ outcome, owner }: Told): string {
  if (owner) return `${owner.contact} took it, by ${owner.channel}.`;
  return outcome === null ? "Nobody took it, and the engine gave it up." : ENDED[outcome];
}

/** Why the caller of a call that is followed up is not there any more. */
export function goneText(ofCall: readonly Pick<IncidentView, "outcome">[]): string {
  return ofCall.some(({ outcome }) => outcome === "call_lost")
    ? "the call was cut off"
    : "the caller has left";
}
