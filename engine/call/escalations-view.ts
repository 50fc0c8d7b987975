/** What the HTTP edge sees of escalations, and the way its events go. Types only. */
import type { UnstampedCallEvent, Urgency } from "../../machines/events.ts";
import type { Channel } from "../../machines/ladder.types.ts";

/**
 * What may still come of a page:
 * - `open`: it may be acknowledged.
 * - `yours`: this contact owns the incident.
 * - `taken`: somebody else owns it.
 * - `over`: nobody is wanted any more, or the call that they were wanted in is over.
 */
export type Standing = "open" | "yours" | "taken" | "over";

/** One page, as the person sees it who got it. */
export interface PageView {
  readonly callSid: string;
  readonly incident: number;
  readonly label: string;
  readonly channel: Channel;
  readonly contactName: string;
  readonly rungName: string;
  /** Name of the agent that asks. */
  readonly agent: string;
  readonly reason: string | null;
  readonly urgency: Urgency;
  readonly standing: Standing;
  /** Who owns the incident, or `null`. */
  readonly ownerName: string | null;
  /** It is theirs, and they are in the room by their phone, or were, or are on the way. */
  readonly came: boolean;
  /** It ended before anybody came: the caller may still be called back. */
  readonly unmet: boolean;
  /** The caller has left already: nobody joins, somebody is only to take it. */
  readonly followUp: boolean;
  /** They have a phone, which rings when they acknowledge by text or push. Never for a follow-up. */
  readonly rings: boolean;
  /** Only of a follow-up that is theirs. */
  readonly callerNumber: string | null;
}

/** A page by text. */
export interface TextedPage {
  readonly callSid: string;
  readonly label: string;
  readonly incident: number;
  /** Names the incident in a text: a letter and a digit, or more digits when many incidents are open. */
  readonly code: string;
  readonly atMs: number;
  readonly standing: Standing;
}

export interface EscalationsView {
  /** `null`: never existed, or of a call that is forgotten. */
  page(callSid: string, label: string): PageView | null;
  /**
   * Hands an event to a call; false when it is not live. Handled before this returns: {@link page} and
   * {@link legWanted} then tell what came of it. `key` names this very occurrence.
   */
  deliver(callSid: string, event: UnstampedCallEvent, key?: string): boolean;
  /** Pages by text to this number, E.164, newest first. */
  pagesTo(number: string): readonly TextedPage[];
  /** Whether the leg of this label is to be in the room: it has accepted, or came back, and has not left. */
  legWanted(callSid: string, label: string): boolean;
  /** Whether the caller is in the room, or on the way into it, as far as is known. */
  callerIsHere(callSid: string): boolean;
}
