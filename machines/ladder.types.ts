/** What the call, the ladder and its pages tell each other, and what of it goes into the row. Facts only. */
import type { Urgency } from "./events.ts";

export const CHANNELS = ["voice", "sms", "push"] as const;
export type Channel = (typeof CHANNELS)[number];

/** Somebody on call. Numbers are E.164, `push` is the URL that takes one POST of JSON. */
export interface LadderContact {
  readonly name: string;
  readonly voice: string | null;
  readonly sms: string | null;
  readonly push: string | null;
}

export interface LadderRung {
  readonly name: string;
  readonly contacts: readonly LadderContact[];
}

/** How people are paged: frozen when an incident is opened, whatever the deployment says later. */
export interface LadderPolicy {
  readonly rungs: readonly LadderRung[];
  /** From a rung's first page. */
  readonly ackTimeoutMs: number;
  /** How often all rungs are walked; 0 = until somebody owns the incident. */
  readonly repeat: number;
  /** From exhaustion until the rungs are walked again. */
  readonly againAfterMs: number;
  /** How long a phone may ring. */
  readonly ringTimeoutMs: number;
  /** From picking up until a key was pressed: the briefing, said a few times. */
  readonly briefingTimeoutMs: number;
  /** From the key that accepts until the person is in the room. */
  readonly joinTimeoutMs: number;
  /** Whether the caller is sent a text when nobody could be reached. */
  readonly textCaller: boolean;
}

/** How one page ended; a closed set. */
export const PAGE_RESULTS = [
  "acknowledged",
  "declined",
  "busy",
  "no-answer",
  "voicemail",
  "failed",
  "cancelled",
  "timed-out",
] as const;
export type PageResult = (typeof PAGE_RESULTS)[number];

/**
 * One attempt to reach one contact by one channel. `label` is unique in the call and says the channel:
 * `human-3` (whose leg has that label in the conference), `sms-4`, `push-5`.
 */
export interface PageRecord {
  readonly label: string;
  readonly channel: Channel;
  /** A page asks for an owner; a ring brings one who has acknowledged by text or push. */
  readonly purpose: "page" | "ring";
  /** Index of the rung, and of the contact in it. */
  readonly rung: number;
  readonly contact: number;
  readonly rungName: string;
  readonly contactName: string;
  /** Which walk over all rungs, from 1. */
  readonly walk: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  /** `null` while it is under way. A text or push stays so until it is answered or its incident is over. */
  readonly result: PageResult | null;
}

export interface Owner {
  readonly rung: number;
  readonly contact: number;
  readonly rungName: string;
  readonly contactName: string;
  readonly channel: Channel;
  readonly ackAtMs: number;
  /** The page by which they acknowledged. */
  readonly pageLabel: string;
  /** The leg by which they join, once it has accepted with a key; `null` until then, or when they have no phone. */
  readonly label: string | null;
  readonly callSid: string | null;
  /** They want to speak with the AI first, with the caller on hold. */
  readonly consult: boolean;
}

/** How an incident ended; `null` while it is open. */
export const INCIDENT_OUTCOMES = ["owned", "exhausted", "caller_left", "call_lost", "called_off"] as const;
export type IncidentOutcome = (typeof INCIDENT_OUTCOMES)[number];

/**
 * - `paging`: a rung's window is open, nobody owns the incident.
 * - `ringing`: somebody acknowledged by text or push, and is being rung.
 * - `joining`: the owner's leg has accepted and is on its way into the room.
 * - `owned`: the owner is in the room, or has it without a phone to join by.
 * - `exhausted`: all rungs were walked in vain; they will be walked again after a pause.
 * - `over`: called off, the caller left, or the call was lost.
 */
export const LADDER_PHASES = ["paging", "ringing", "joining", "owned", "exhausted", "over"] as const;
export type LadderPhase = (typeof LADDER_PHASES)[number];

/** An incident as the call sees it: the ladder's latest word, and after its end what the row keeps. */
export interface Incident {
  /** 1 for the first incident of the call. Its actor's id is `ladder-{number}`. */
  readonly number: number;
  readonly by: "ai" | "operator";
  readonly reason: string | null;
  readonly urgency: Urgency;
  readonly openedAtMs: number;
  readonly phase: LadderPhase;
  readonly walk: number;
  /** Index of the rung that is, or was last, paged. */
  readonly rung: number;
  /** When the present rung's window closes, or the rungs are walked again; `null` when neither is awaited. */
  readonly nextAtMs: number | null;
  readonly owner: Owner | null;
  readonly outcome: IncidentOutcome | null;
  readonly endedAtMs: number | null;
  /** Oldest first, at most {@link MAX_PAGE_RECORDS}. */
  readonly pages: readonly PageRecord[];
  readonly pagesDropped: number;
  /** No page of it may still be ringing or on its way. */
  readonly clear: boolean;
}

export const MAX_PAGE_RECORDS = 300;
/** Incidents that a call keeps; with more, it opens none. */
export const MAX_INCIDENTS = 20;

/** What a ladder is started with. */
export interface LadderInput {
  readonly callSid: string;
  readonly number: number;
  readonly by: "ai" | "operator";
  readonly reason: string | null;
  readonly urgency: Urgency;
  readonly atMs: number;
  readonly policy: LadderPolicy;
  /** Numbers the pages; goes on where the call's last incident left off, so that labels are unique. */
  readonly firstPage: number;
  /** Set when the call is over: nobody is to join, somebody is only to take the incident. */
  readonly followUp: boolean;
  /** The rungs were walked in vain just before: there is a pause before they are walked again. */
  readonly pauseFirst: boolean;
}

/** What a page is started with. */
export interface PageInput {
  readonly callSid: string;
  readonly incident: number;
  readonly record: PageRecord;
  /** Number or URL. */
  readonly to: string;
  readonly atMs: number;
  readonly ringTimeoutMs: number;
  readonly briefingTimeoutMs: number;
  readonly joinTimeoutMs: number;
}

/** The latest of a page, as it tells its ladder. */
export interface PageState {
  readonly label: string;
  /** `null` while it may still be acknowledged. */
  readonly result: PageResult | null;
  /** Known once the carrier has made the call. */
  readonly callSid: string | null;
  /** Somebody picked up, and hears the briefing or what came of it. */
  readonly answered: boolean;
  /** They pressed the key that accepts, or the text or push was acknowledged. */
  readonly accepted: boolean;
  /** How often they did: whoever could not be brought into the room may say yes again. */
  readonly acks: number;
  readonly consult: boolean;
  /** It was taken back, or refused, before anything of it was sent. */
  readonly unsent: boolean;
  /** Nothing of it can ring or arrive any more, or it has become the owner's leg. */
  readonly clear: boolean;
}

/** Why nobody is wanted in a call any more. `call_lost`: it ended by a fault of ours, with the caller in it. */
export const CLOSE_REASONS = ["caller_left", "call_lost", "called_off"] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Why pages are ended. */
export type CancelReason = "handled" | "window" | CloseReason;

/** Between the actors of one call, never from outside. All carry the `at` of the event that led to them. */
export type LadderMessage =
  /** Ladder to call. */
  | { readonly type: "ladder.update"; readonly at: number; readonly incident: Incident }
  /** Call to ladder: nobody is wanted any more. */
  | { readonly type: "ladder.close"; readonly at: number; readonly why: CloseReason }
  /** Call to ladder: the owner's leg is in the room, or will not get there. */
  | { readonly type: "owner.joined"; readonly at: number; readonly label: string }
  | { readonly type: "owner.lost"; readonly at: number; readonly label: string }
  /** Ladder to page. `by` is who has it; `declined`: they said no by another channel, and need not be told. */
  | {
      readonly type: "page.cancel";
      readonly at: number;
      readonly why: CancelReason | "declined";
      readonly by: string | null;
    }
  /** Page to ladder. */
  | { readonly type: "page.update"; readonly at: number; readonly page: PageState };

/** Side effects of pages and ladders, by name. Each is answered with `effect.done` or `effect.failed`, but for `page.withdraw`. */
export interface PageEffectInputs {
  /** Rings a phone. Answered with its call sid; without one when the outcome of the request is unknown. */
  readonly "page.call": { readonly label: string; readonly incident: number; readonly to: string };
  /** Takes back a request for a call that may not have been sent yet. */
  readonly "page.withdraw": { readonly label: string };
  /** Says to somebody who has picked up why they are not needed, and hangs up. */
  readonly "page.tell": {
    readonly label: string;
    readonly callSid: string;
    readonly why: CancelReason;
    readonly by: string | null;
  };
  readonly "page.hangUp": { readonly label: string; readonly callSid: string };
  readonly "page.sms": { readonly label: string; readonly incident: number; readonly to: string };
  readonly "page.push": { readonly label: string; readonly incident: number; readonly to: string };
  /** One text to somebody who was paged by text: who has it, or that it is over. */
  readonly "ladder.tellPaged": {
    readonly to: string;
    readonly why: CancelReason;
    readonly by: string | null;
  };
  /** Tells the caller by text what happens next, when nobody could be reached. */
  readonly "ladder.tellCaller": Record<string, never>;
}

export type PageEffectName = keyof PageEffectInputs;

/** `id` is `{callSid}/{actor id}/{ordinal}/{name}`: the actor is `ladder-1` or the page's label. */
export type PageEffect = {
  [N in PageEffectName]: {
    readonly type: "effect";
    readonly id: string;
    readonly name: N;
    readonly input: PageEffectInputs[N];
  };
}[PageEffectName];
