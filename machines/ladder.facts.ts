/**
 * What a ladder knows, and how events add to it. `incident` is what the call and the row see; the rest is
 * what the ladder needs to go on. Pure, like the facts of the call.
 */
import type { CallEvent, EventOf } from "./events.ts";
import {
  type CancelReason,
  CHANNELS,
  type Channel,
  type CloseReason,
  type Incident,
  type LadderContact,
  type LadderInput,
  type LadderMessage,
  type LadderPhase,
  type LadderPolicy,
  type PageRecord,
  type PageResult,
  type PageState,
} from "./ladder.types.ts";
import { passTimer, type Timer, timerFrom } from "./timer.ts";

/** From outside, from the call, from a page, and of a page's actor that has ended or failed. */
export type LadderEvent =
  | CallEvent
  | Exclude<LadderMessage, { readonly type: "ladder.update" | "page.cancel" }>
  | { readonly type: `xstate.done.actor.${string}`; readonly actorId: string }
  | { readonly type: `xstate.error.actor.${string}`; readonly actorId: string };

/** A page whose actor lives. */
export interface LivePage extends PageState {
  readonly channel: Channel;
  readonly rung: number;
  readonly contact: number;
  readonly walk: number;
  readonly to: string;
}

/** Somebody said yes, and has not been made owner yet. */
export interface Ack {
  readonly label: string;
  readonly channel: Channel;
  readonly rung: number;
  readonly contact: number;
  readonly atMs: number;
  /** They are on the line by which they said it, and can join by it. */
  readonly leg: { readonly callSid: string | null; readonly consult: boolean } | null;
}

export interface Telling {
  readonly why: CancelReason;
  readonly by: string | null;
  /** Numbers of whoever knows already. */
  readonly except: readonly (string | null)[];
}

export interface Step {
  readonly walk: number;
  readonly rung: number;
}

export interface LadderContext {
  readonly callSid: string;
  readonly policy: LadderPolicy;
  readonly followUp: boolean;
  /** Time of the latest event. */
  readonly nowMs: number;
  readonly incident: Incident;
  /** Changes of `incident`, and of these what the call knows. */
  readonly changes: number;
  readonly changesTold: number;
  readonly pages: Readonly<Record<string, LivePage>>;
  /** In the order of their words. */
  readonly acks: readonly Ack[];
  /** The page that brings an owner who acknowledged by text or push. */
  readonly ringLabel: string | null;
  /** Whether the owner's leg has come into the room; `null`: on its way. */
  readonly arrived: boolean | null;
  readonly closing: CloseReason | null;
  /** What is paged next; `null`: nothing before a pause. */
  readonly next: Step | null;
  readonly walkStartedAtMs: number;
  /** The present rung's window, or the pause before the rungs are walked again. */
  readonly timer: Timer;
  /** Contacts of the present rung who said no by one of their channels. */
  readonly declined: readonly number[];
  /** The pause that is under way, through whatever comes between: the rungs were walked in vain. */
  readonly pause: Timer | null;
  /** It has been exhausted before: from then on there is a pause after each walk. */
  readonly paused: boolean;
  /** Numbers that have had a text of this incident, and those that were told how it ended. */
  readonly texted: readonly string[];
  readonly toldNumbers: readonly string[];
  /** What whoever was paged by text is told, until the owner is lost; `null`: nothing. */
  readonly telling: Telling | null;
  readonly nextPage: number;
  readonly effectCount: number;
}

export type LadderPatch = { -readonly [K in keyof LadderContext]?: LadderContext[K] };

/** Somebody was wanted to the end of the call, and did not come: they are sought on without the caller. */
export const isUnanswered = ({ outcome }: Pick<Incident, "outcome">): boolean =>
  outcome === "exhausted" || outcome === "call_lost";

export const ladderId = (incident: number): string => `ladder-${incident}`;

export function initialLadder(input: LadderInput): LadderContext {
  const { callSid, number, by, reason, urgency, atMs, policy, followUp, pauseFirst } = input;
  const incident: Incident = {
    number,
    by,
    reason,
    urgency,
    openedAtMs: atMs,
    phase: pauseFirst ? "exhausted" : "paging",
    walk: pauseFirst ? 0 : 1,
    rung: 0,
    nextAtMs: null,
    owner: null,
    outcome: pauseFirst ? "exhausted" : followUp ? "call_lost" : null,
    endedAtMs: null,
    pages: [],
    pagesDropped: 0,
    clear: true,
  };
  return {
    callSid,
    policy,
    followUp,
    nowMs: atMs,
    incident,
    changes: 1,
    changesTold: 0,
    pages: {},
    acks: [],
    ringLabel: null,
    arrived: null,
    closing: null,
    next: pauseFirst || policy.rungs.length === 0 ? null : { walk: 1, rung: 0 },
    walkStartedAtMs: atMs,
    timer: timerFrom(atMs, 0),
    declined: [],
    pause: null,
    paused: pauseFirst,
    texted: [],
    toldNumbers: [],
    telling: null,
    nextPage: input.firstPage,
    effectCount: 0,
  };
}

/** Changes the incident, and counts the change, if it is one. */
export function withIncident(context: LadderContext, patch: Partial<Incident>): LadderPatch {
  const keys = Object.keys(patch) as (keyof Incident)[];
  if (keys.every((key) => patch[key] === context.incident[key])) return {};
  return { incident: { ...context.incident, ...patch }, changes: context.changes + 1 };
}

export function withPhase(
  context: LadderContext,
  phase: LadderPhase,
  patch: Partial<Incident> = {},
): LadderPatch {
  return withIncident(context, { nextAtMs: null, ...patch, phase });
}

interface Place {
  readonly rung: number;
  readonly contact: number;
}

type Rungs = { readonly policy: Pick<LadderPolicy, "rungs"> };

export function contactOf(context: Rungs, { rung, contact }: Place): LadderContact | null {
  return context.policy.rungs[rung]?.contacts[contact] ?? null;
}

/** One person may stand on several rungs, and by other channels there. Many may have one name. */
export function isSamePerson(context: Rungs, one: Place, other: Place): boolean {
  const [a, b] = [contactOf(context, one), contactOf(context, other)];
  if (a === null || b === null || a.name !== b.name) return false;
  const theirs = CHANNELS.map((channel) => b[channel]);
  return CHANNELS.some((channel) => a[channel] !== null && theirs.includes(a[channel]));
}

/** The facts that `event` adds. */
export function recordLadder(context: LadderContext, event: LadderEvent): LadderPatch {
  if (!("at" in event)) return recordEnd(context, event);
  const now = { nowMs: Math.max(context.nowMs, event.at) };
  const after = { ...context, ...now };
  switch (event.type) {
    case "page.update":
      return { ...now, ...recordPage(after, event.page) };
    case "page.acknowledged":
      return { ...now, ...recordEarlier(after, event) };
    case "ladder.close":
      return { ...now, closing: context.closing ?? event.why };
    case "owner.joined":
      return { ...now, ...recordArrival(after, event.label, true) };
    case "owner.lost":
      return { ...now, ...recordArrival(after, event.label, false) };
    case "deadline":
      return event.of === ladderId(context.incident.number)
        ? { ...now, ...recordDeadline(after, event.name) }
        : now;
    default:
      return now;
  }
}

/** Whoever was asked while the caller was there has said yes, and takes what is open since. */
function recordEarlier(context: LadderContext, event: EventOf<"page.acknowledged">): LadderPatch {
  const { label, earlier } = event;
  if (!earlier || !context.followUp || context.pages[label]) return {};
  return { acks: withAck(context, { label, ...earlier }) };
}

function recordDeadline(context: LadderContext, name: string): LadderPatch {
  if (name === "again") return { pause: context.pause && passTimer(context.pause, context.nowMs) };
  return name === "rung" ? { timer: passTimer(context.timer, context.nowMs) } : {};
}

function recordArrival(context: LadderContext, label: string, arrived: boolean): LadderPatch {
  return context.incident.owner?.label === label ? { arrived: context.arrived ?? arrived } : {};
}

/** An actor of a page that ended said so before; one that failed cannot be reached any more. */
function recordEnd(
  context: LadderContext,
  event: { readonly type: string; readonly actorId: string },
): LadderPatch {
  const page = context.pages[event.actorId];
  if (!page) return {};
  const ended = event.type.startsWith("xstate.error.")
    ? recordPage(context, { ...page, result: page.result ?? "failed", clear: true })
    : {};
  const { [event.actorId]: _gone, ...pages } = ended.pages ?? context.pages;
  return { ...ended, pages };
}

function recordPage(context: LadderContext, state: PageState): LadderPatch {
  const page = context.pages[state.label];
  if (!page) return {};
  const pages = { ...context.pages, [state.label]: { ...page, ...state } };
  const now = { ...context, pages };
  const change = {
    pages: recordsWith(context, state.label, state.result),
    clear: Object.values(pages).every((each) => each.clear),
    owner: ownerWith(context, state),
  };
  // Once: whoever is asked anew counts as texted only when that text is known to have been sent.
  const sent = page.channel === "sms" && hasBeenSent(state) && !hasBeenSent(page);
  return {
    pages,
    ...withIncident(now, change),
    ...(sent ? { texted: withOne(context.texted, page.to) } : {}),
    ...(state.result === "declined" && isPresent(context, page)
      ? { declined: withOne(context.declined, page.contact) }
      : {}),
    ...(state.acks > page.acks ? { acks: withAck(context, page, legOf(page, state)) } : {}),
  };
}

/** Of a text. */
const hasBeenSent = ({ clear, unsent, result }: PageState): boolean =>
  clear && !unsent && result !== "failed";

const isPresent = ({ incident }: LadderContext, page: LivePage): boolean =>
  page.walk === incident.walk && page.rung === incident.rung;

export function withOne<T>(all: readonly T[], one: T): readonly T[] {
  return all.includes(one) ? all : [...all, one];
}

function recordsWith(
  context: LadderContext,
  label: string,
  result: PageResult | null,
): readonly PageRecord[] {
  const { pages } = context.incident;
  const index = pages.findLastIndex((each) => each.label === label);
  const page = pages[index];
  if (!page || page.result === result) return pages;
  const endedAtMs = result === null ? null : context.nowMs;
  return pages.with(index, { ...page, result, endedAtMs });
}

/** The owner's call sid may become known only after they have accepted. */
function ownerWith({ incident: { owner } }: LadderContext, state: PageState): Incident["owner"] {
  if (owner === null || owner.label !== state.label || owner.callSid !== null) return owner;
  return state.callSid === null ? owner : { ...owner, callSid: state.callSid };
}

/**
 * Whoever owns the incident need not say yes again, and the key they press on the page that rings them is
 * not a new word but the way in.
 */
function withAck(
  context: LadderContext,
  page: Pick<LivePage, "label" | "channel" | "rung" | "contact">,
  leg: Ack["leg"] = null,
): readonly Ack[] {
  const { owner } = context.incident;
  const { label, channel, rung, contact } = page;
  if (
    (owner !== null && isSamePerson(context, owner, page)) ||
    label === context.ringLabel ||
    context.acks.some((ack) => ack.label === label)
  ) {
    return context.acks;
  }
  return [...context.acks, { label, channel, rung, contact, atMs: context.nowMs, leg }];
}

/** The line on which they have said yes, if they are still on it. */
function legOf({ channel }: LivePage, { result, callSid, consult }: PageState): Ack["leg"] {
  return channel === "voice" && result === "acknowledged" ? { callSid, consult } : null;
}

/** What is paged after `step`, when nobody has taken the incident by then. */
export function stepAfter(context: LadderContext, { walk, rung }: Step): Step | null {
  const { rungs, repeat } = context.policy;
  if (rung + 1 < rungs.length) return { walk, rung: rung + 1 };
  return !context.paused && (repeat === 0 || walk < repeat) ? { walk: walk + 1, rung: 0 } : null;
}

/**
 * What is paged when the owner has not come. People of the last rung who were told of that owner have not had their
 * window: they are asked once more, before it counts as walked in vain. Once, lest somebody whose phone is off says
 * yes for ever.
 */
export function stepAfterLoss(context: LadderContext): Step | null {
  const { next, pause, paused, timer, policy } = context;
  const { walk, rung, owner, pages } = context.incident;
  if (next !== null || pause !== null || paused || timer.passed || walk > policy.repeat) return next;
  const asked = pages.filter((page) => page.walk === walk && page.rung === rung);
  const declined = asked.filter((page) => page.result === "declined").map((page) => page.contact);
  const waits = asked.some(
    (page) =>
      page.result === "cancelled" &&
      !declined.includes(page.contact) &&
      (owner === null || !isSamePerson(context, owner, page)),
  );
  return waits ? { walk: walk + 1, rung } : null;
}

const ringOf = ({ pages, ringLabel }: LadderContext): LivePage | undefined =>
  ringLabel === null ? undefined : pages[ringLabel];

export const ringAccepted = (context: LadderContext): boolean => ringOf(context)?.result === "acknowledged";

/** Whoever is rung has not accepted, and will not. */
export const ringOver = (context: LadderContext): boolean => ringOf(context)?.result !== null;

/** Pages of the rung whose window is open. */
function presentPages(context: LadderContext): readonly LivePage[] {
  return Object.values(context.pages).filter((page) => isPresent(context, page));
}

/** Those of them that wait for an answer. */
export function openPages(context: LadderContext): readonly LivePage[] {
  return presentPages(context).filter((page) => page.result === null);
}

/** Of people who said no by one channel, and are not to be asked again by another. */
export function pagesOfDecliners(context: LadderContext): readonly LivePage[] {
  return openPages(context).filter((page) => context.declined.includes(page.contact));
}

/** Nobody of the present rung can say yes any more, or everybody has said no. */
export function isSpent(context: LadderContext): boolean {
  return openPages(context).length === 0;
}

/**
 * A walk takes at least the time of one window: people who have just declined, or could not be reached for
 * trouble at the carrier, are not paged again at once and for ever.
 */
export function isWalkTooShort({ next, incident, nowMs, policy, walkStartedAtMs }: LadderContext): boolean {
  return next !== null && next.walk > incident.walk && nowMs < walkStartedAtMs + policy.ackTimeoutMs;
}
