/** What the call reads from its incidents, and what it tells their ladders. Pure. */
import type { AwaitedOwner, CallContext, CallMessage } from "./context.ts";
import { HANDED_BACK, HUNG_UP_IN_ROOM } from "./context.ts";
import type { EventOf } from "./events.ts";
import {
  type Incident,
  type LadderInput,
  type LadderMessage,
  type LadderPolicy,
  MAX_INCIDENTS,
} from "./ladder.types.ts";

type Escalate = EventOf<"op.escalate"> | EventOf<"tool.escalate">;

export const currentIncident = (context: CallContext): Incident | null => context.incidents.at(-1) ?? null;

/** Somebody is still to be found. */
export const isOpen = ({ phase }: Incident): boolean => phase !== "owned" && phase !== "over";

/** Nothing more comes of it: its actor may go. */
export const isSettled = (incident: Incident): boolean => !isOpen(incident) && incident.clear;

export const liveIncidents = (context: CallContext): readonly Incident[] =>
  context.incidents.filter((incident) => !isSettled(incident));

export const anyOpen = (context: CallContext): boolean => context.incidents.some(isOpen);

export const mayOpen = (context: CallContext): boolean =>
  !anyOpen(context) && context.incidents.length < MAX_INCIDENTS;

/** The human with this page has an incident, or is the one who is awaited for it. */
export const ownsAny = ({ incidents }: CallContext, label: string): boolean =>
  incidents.some(({ owner, phase }) => owner?.label === label && (phase === "joining" || phase === "owned"));

/** A human is being looked for at this moment, or is on the way into the room. */
export function isHumanWanted(context: CallContext): boolean {
  const incident = currentIncident(context);
  if (incident === null) return false;
  if (incident.phase === "owned") return context.awaited?.incident === incident.number;
  return incident.phase !== "exhausted" && incident.phase !== "over";
}

/** Their owner's leg did not come: what the ladder says next is told together with that. */
export const OWNER_LOST = "owner_lost";

/** Names what there is to tell the caller of the current incident; `null`: nothing. */
export function newsOf(context: CallContext): string | null {
  const incident = currentIncident(context);
  if (incident === null) return null;
  const { number, phase, walk, rung, owner, outcome, clear } = incident;
  if (phase === "paging") return `${number}/paging/${walk}/${rung}`;
  // Over and through without anybody's word: its ladder has failed.
  const exhausted = phase === "exhausted" || (phase === "over" && clear && outcome === "exhausted");
  if (exhausted) return `${number}/exhausted/${walk}`;
  return phase === "owned" && owner !== null && owner.label === null ? `${number}/owned` : null;
}

/** What the ladder of the next incident is started with. */
export function ladderInput(context: CallContext, event: Escalate): LadderInput {
  const pages = context.incidents.reduce((sum, each) => sum + each.pages.length + each.pagesDropped, 0);
  return {
    callSid: context.callSid,
    number: context.incidents.length + 1,
    by: event.type === "op.escalate" ? "operator" : "ai",
    reason: event.reason,
    urgency: event.urgency,
    atMs: event.at,
    policy:
      event.type === "op.escalate" && event.to !== null ? onlyTo(context.policy, event.to) : context.policy,
    firstPage: pages + 1,
    followUp: false,
    pauseFirst: false,
  };
}

/** The operator names somebody: nobody else is paged. */
function onlyTo(policy: LadderPolicy, number: string): LadderPolicy {
  const contact = { name: "the person the operator chose", voice: number, sms: null, push: null };
  return { ...policy, rungs: [{ name: "operator", contacts: [contact] }] };
}

/** Events that are about a page or a ladder, told by label or by the second segment of an effect's id. */
export function isForLadders(event: CallMessage): boolean {
  switch (event.type) {
    case "page.acknowledged":
    case "page.declined":
    case "page.undelivered":
    case "human.answered":
      return true;
    case "leg.status":
      return event.label.startsWith("human-");
    case "effect.done":
    case "effect.failed":
      return !/^\d+$/.test(event.id.split("/")[1] ?? "");
    case "deadline":
      return event.of !== undefined;
    default:
      return false;
  }
}

export type OwnerWord = Extract<LadderMessage, { readonly type: "owner.joined" | "owner.lost" }>["type"];

/** So often nobody could say whether the owner is there: they are not waited for any longer. */
const MAX_LOOKS_FAILED = 5;

/**
 * What the ladder is to be told of the owner it sent, or `null`. Absence counts only when somebody looked
 * after the time to join had run out: a callback may be late, and a look too early.
 */
export function ownerWord(context: CallContext, lookedAtMs: number | null): OwnerWord | null {
  const { awaited } = context;
  if (awaited === null) return null;
  const leg = context.legs[awaited.label];
  if (!leg || leg.unwanted) return "owner.lost";
  // Whoever left the room was in it, whether or not the word of their joining has come: they may come back.
  const leftRoom = leg.outcome === HANDED_BACK || leg.outcome === HUNG_UP_IN_ROOM;
  const wasThere = leg.status === "joined" || (leg.status === "left" && leftRoom);
  if (wasThere) return context.callerGone || context.endReason !== null ? "owner.lost" : "owner.joined";
  if (leg.status === "left") return "owner.lost";
  if (awaited.looksFailed >= MAX_LOOKS_FAILED) return "owner.lost";
  return lookedAtMs !== null && isOverdue(context, awaited, lookedAtMs) ? "owner.lost" : null;
}

const isOverdue = (context: CallContext, awaited: AwaitedOwner, atMs: number): boolean =>
  atMs >= awaited.sinceMs + context.policy.joinTimeoutMs;
