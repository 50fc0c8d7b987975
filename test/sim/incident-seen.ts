/** Incidents as a world sees them: what the engine has noted of each, and since when. */
import type { Channel, LadderPhase, PageResult } from "../../machines/ladder.types.ts";
import type { PageSeen } from "./pages.ts";

export interface Owner {
  readonly contact: string;
  readonly channel: Channel;
}

/** As the engine notes it in the call's log, with each change. */
export interface Facts {
  readonly number: number;
  readonly phase: LadderPhase;
  readonly walk: number;
  readonly rung: number;
  readonly outcome: string | null;
  readonly owner: Owner | null;
  readonly pages: readonly {
    readonly label: string;
    readonly channel: Channel;
    readonly contact: string;
    readonly purpose: "page" | "ring";
    readonly result: PageResult | null;
  }[];
}

export interface IncidentSeen {
  readonly callSid: string;
  readonly number: number;
  /** The caller had left before it was opened. */
  readonly followUp: boolean;
  facts: Facts;
  /** Since when phase, walk and rung are what they are; and the same owner. */
  sinceMs: number;
  ownedMs: number;
  readonly pages: PageSeen[];
  /** Everybody who has been in the room for it. */
  readonly letIn: Set<string>;
}

export const isOpen = ({ facts }: IncidentSeen): boolean => facts.phase !== "over" && facts.phase !== "owned";
/** A contact is paged once on a rung, a walk and a channel, under whatever label. */
export const isSamePage = (seen: PageSeen, page: Facts["pages"][number], { walk, rung }: Facts): boolean =>
  seen.purpose === "page" &&
  seen.walk === walk &&
  seen.rung === rung &&
  seen.contact === page.contact &&
  seen.channel === page.channel;

export const isUnowned = (incident: IncidentSeen): boolean =>
  isOpen(incident) && incident.facts.owner === null;

/** It ended before anybody came, and is followed up. */
export const isUnmet = ({ facts: { phase, outcome } }: IncidentSeen): boolean =>
  phase === "over" && (outcome === "exhausted" || outcome === "call_lost");
