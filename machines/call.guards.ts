/**
 * The conditions of the call machine, read from recorded facts. Those that move a call on hold only while
 * the caller is there: XState looks at inner states first, and nothing may be begun for somebody who left.
 */
import {
  anyOpen,
  currentIncident,
  isHumanWanted,
  liveIncidents,
  mayOpen,
  newsOf,
  OWNER_LOST,
} from "./call.incident.ts";
import type { CallContext, CallMessage, EffectName } from "./context.ts";
import { aiLeg, humanInRoom, humanLeg } from "./context.ts";
import type { DeadlineName, EventOf } from "./events.ts";
import { HANG_UP_FAILED, isMuteAsked } from "./record.ts";

interface Args {
  readonly context: CallContext;
  readonly event: CallMessage;
}

const here =
  (test: (context: CallContext) => boolean) =>
  ({ context }: Args): boolean =>
    !context.callerGone && test(context);

/** Twilio error 16028: the leg to coach is not connected (yet). */
const COACH_TARGET_ABSENT = 16_028;
const MAX_COACH_TRIES = 5;
/** So long after its beginning who is there is looked at in every call. */
const FIRST_LOOKS_MS = 60_000;

const CLEARING_EFFECTS: ReadonlySet<EffectName> = new Set<EffectName>([
  "carrier.addAi",
  "carrier.hangUp",
  "carrier.endOnLeave",
  "carrier.endConference",
]);

const aiLeft = (context: CallContext): boolean => aiLeg(context)?.status === "left";
const humanIn = (context: CallContext): boolean => humanInRoom(context) !== null;
const restoreFailed = (context: CallContext): boolean => context.model === "failed" || aiLeft(context);

/** The AI can hear and speak: its stream is open and the model has confirmed its format. */
const aiUp = (context: CallContext): boolean =>
  context.streamSid !== null && (context.model === "ready" || context.model === "reconnecting");

const aiCoachesHuman = (context: CallContext): boolean => {
  const human = humanLeg(context)?.callSid ?? null;
  return human !== null && aiLeg(context)?.coachOf === human;
};

/** Legs that are up, or may be, and can still be hung up. */
export function legsToClear(
  context: CallContext,
): readonly { readonly label: string; readonly callSid: string }[] {
  return Object.values(context.legs).flatMap((leg) =>
    leg.status !== "left" && leg.callSid !== null && leg.outcome !== HANG_UP_FAILED
      ? [{ label: leg.label, callSid: leg.callSid }]
      : [],
  );
}

const isPending = (context: CallContext, names: ReadonlySet<EffectName>): boolean =>
  Object.values(context.pending).some((effect) => names.has(effect.name));

/** Whether a request of this kind about the AI leg (or the model) is still on its way: facts may be stale. */
const isAsked = (context: CallContext, ...names: readonly EffectName[]): boolean =>
  Object.values(context.pending).some(
    (effect) => names.includes(effect.name) && (effect.label === null || effect.label === context.aiLabel),
  );

const RECONCILE: ReadonlySet<EffectName> = new Set<EffectName>(["carrier.reconcile"]);
const HOLD: ReadonlySet<EffectName> = new Set<EffectName>(["carrier.hold"]);

/** After so many requests in vain the caller is taken for back, and asked for once more now and then. */
export const MAX_UNHOLD_TRIES = 5;

const isCallerBack = ({ unholdOwed, unholdTries }: CallContext): boolean =>
  !unholdOwed || unholdTries > MAX_UNHOLD_TRIES;

/** No request about the hold is on its way, and one that ends it is due. */
export const isUnholdOwed = (context: CallContext): boolean =>
  context.unholdOwed && !context.holdWanted && !isPending(context, HOLD);

/** A human who asked for it, or the policy, lets the AI go; not before the human has spoken with it. */
const isAiUnwanted = (context: CallContext): boolean =>
  !context.holdWanted &&
  Object.values(context.legs).some((leg) => leg.withoutAi && leg.status === "joined" && !leg.unwanted);

/** Somebody has accepted and is on the way into the room, or has said yes and is being rung. */
const isOwnerOnTheWay = (context: CallContext): boolean =>
  context.awaited !== null || currentIncident(context)?.phase === "ringing";

/** Whether there is news of this kind that the caller was not told yet. */
const isNews = (context: CallContext, kind: "paging" | "exhausted" | "owned"): boolean => {
  const news = newsOf(context);
  return news !== null && news.split("/")[1] === kind && news !== context.told;
};

const isOf = (event: CallMessage, name: DeadlineName): event is EventOf<"deadline"> =>
  // One with `of` is a child's.
  event.type === "deadline" && event.name === name && event.of === undefined;

/** The same was asked for once more since, or its opposite: the answer to that decides. */
function isAskedAnew({ pending }: CallContext, id: string): boolean {
  const asked = Object.entries(pending);
  const at = asked.findIndex(([each]) => each === id);
  const effect = asked[at]?.[1];
  return asked.slice(at + 1).some(([, { name, label }]) => name === effect?.name && label === effect.label);
}

/** A request of one of these kinds failed that was about the AI leg and the human of now, or about no leg. */
function isFailure(
  context: CallContext,
  event: CallMessage,
  names: readonly EffectName[],
): event is EventOf<"effect.failed"> {
  if (event.type !== "effect.failed") return false;
  const effect = context.pending[event.id];
  if (!effect || !names.includes(effect.name) || isAskedAnew(context, event.id)) return false;
  const { label, callSidToCoach } = effect;
  if (callSidToCoach !== null && callSidToCoach !== humanLeg(context)?.callSid) return false;
  return label === null || label === context.aiLabel;
}

/**
 * The caller or a human, in the room. One request at a time: two at once could end either way. Never the AI: that it is
 * muted is what keeps the caller from hearing the coach.
 */
function isMutable(context: CallContext, label: string): boolean {
  const { legs, endReason, callerGone } = context;
  const leg = legs[label];
  const there = leg !== undefined && leg.kind !== "ai" && leg.status === "joined" && !leg.unwanted;
  return there && !isMuteAsked(context, label) && endReason === null && !callerGone;
}

export const guards = {
  callerGone: ({ context }: Args) => context.callerGone,
  callerJoined: here((context) => context.legs["caller"]?.status === "joined"),
  modelFailed: here((context) => context.model === "failed"),
  aiUp: here(aiUp),
  /** Twilio says that the AI leg is muted, and nobody is asking for that any more. */
  aiFoundMuted: ({ context, event }: Args) =>
    event.type === "participant.changed" &&
    event.label === context.aiLabel &&
    event.muted === true &&
    !isAsked(context, "carrier.mute"),
  /** Twilio says that the AI leg is heard by all, and nobody is asking for that. */
  aiFoundUncoached: ({ context, event }: Args) =>
    event.type === "participant.changed" &&
    event.label === context.aiLabel &&
    event.coaching === false &&
    !isAsked(context, "carrier.coach", "carrier.uncoach"),
  modelAway: here((context) => context.model === "reconnecting"),
  modelBack: here((context) => context.model === "ready"),
  modelLate: ({ context, event }: Args) => isOf(event, "modelReady") && context.model !== "ready",
  streamLost: here((context) => context.streamSid === null),
  aiLegLeft: here(aiLeft),
  aiLegLeftChecked: here((context) => aiLeft(context) && !isPending(context, RECONCILE)),
  mayReadd: here((context) => aiLeft(context) && context.readds < context.limits.maxReadds),
  aiMuted: here((context) => aiLeg(context)?.muted === true && !isAsked(context, "carrier.mute")),
  aiUnmuted: here((context) => aiLeg(context)?.muted === false && !isAsked(context, "carrier.mute")),
  aiCoachesHuman: here(
    (context) => aiCoachesHuman(context) && !isAsked(context, "carrier.coach", "carrier.uncoach"),
  ),
  aiCoachesNobody: here(
    (context) => aiLeg(context)?.coachOf === null && !isAsked(context, "carrier.coach", "carrier.uncoach"),
  ),
  isCoach: here((context) => context.role === "coach" && !isAsked(context, "model.role")),
  /** Before anybody else may hear the AI again, no whisper is on the line any more. */
  isAgent: here((context) => context.role === "agent" && !isAsked(context, "model.role", "media.flush")),
  aiGone: here((context) => context.streamSid === null && (aiLeg(context) === null || aiLeft(context))),
  humanJoined: here(humanIn),
  humanGone: here((context) => !humanIn(context)),
  /** The one whom the AI coaches has left, another human is there. */
  otherHuman: here((context) => {
    const human = humanInRoom(context);
    return human !== null && human.label !== context.humanLabel;
  }),
  aiNotWanted: here(isAiUnwanted),
  humanWanted: here(isHumanWanted),
  humanNotWanted: here((context) => !isHumanWanted(context)),
  ownerComing: here((context) => context.awaited !== null),
  /** They want to speak with the AI before they speak to the caller. */
  ownerConsults: here(
    (context) => context.awaited !== null && currentIncident(context)?.owner?.consult === true,
  ),
  ownerLost: here((context) => context.awaited === null && !humanIn(context)),
  ownerOnTheWay: here(isOwnerOnTheWay),
  nobodyElse: here((context) => !humanIn(context) && !isOwnerOnTheWay(context)),
  ownerHereOrLost: here((context) => humanIn(context) || !isOwnerOnTheWay(context)),
  ownerAccepted: here(
    (context) => context.awaited !== null && context.endReason === null && !humanIn(context),
  ),
  /** Twilio was asked who is there, and did not say that the owner will not come. */
  lookedForOwner: here((context) => context.awaited !== null && !isPending(context, RECONCILE)),
  ownerRung: here((context) => currentIncident(context)?.phase === "ringing"),
  ownerNotRung: here((context) => currentIncident(context)?.phase !== "ringing"),
  nextAfterOwnerLost: here((context) => context.told === OWNER_LOST && isNews(context, "paging")),
  newRung: here((context) => context.told !== OWNER_LOST && isNews(context, "paging")),
  nobodyReached: here((context) => isNews(context, "exhausted")),
  ownedElsewhere: here((context) => isNews(context, "owned")),
  mayOpen: here(mayOpen),
  incidentOpen: here(anyOpen),
  holdWanted: here((context) => context.holdWanted),
  holdUnwanted: here((context) => !context.holdWanted),
  callerOnHold: here((context) => context.callerOnHold),
  callerBack: here(isCallerBack),
  holdDue: here((context) => context.holdWanted && !context.unholdOwed && !isPending(context, HOLD)),
  /** Asked for and answered; yet somebody, or something, has ended it. */
  holdLost: here((context) => context.unholdOwed && !context.callerOnHold && !isPending(context, HOLD)),
  /** Not of a call that ends, unless caller and human go on without us. */
  unholdDue: here(
    (context) =>
      isUnholdOwed(context) &&
      context.unholdTries < MAX_UNHOLD_TRIES &&
      (context.endReason === null || context.endReason === "engine_shutdown"),
  ),
  unholdGivenUp: here((context) => isUnholdOwed(context) && context.unholdTries === MAX_UNHOLD_TRIES),
  /** The AI leg, and the caller, can be heard again. */
  backToCaller: here(
    (context) =>
      aiLeg(context)?.muted === false && !isAsked(context, "carrier.mute") && isCallerBack(context),
  ),
  backWithHuman: here((context) => aiUp(context) && humanIn(context)),
  restoreFailedAlone: here((context) => restoreFailed(context) && !humanIn(context)),
  restoreFailed: here(restoreFailed),
  readdOverAlone: ({ context, event }: Args) => isOf(event, "readd") && !humanIn(context),
  mayRetryCoach: ({ context, event }: Args) =>
    isFailure(context, event, ["carrier.coach"]) &&
    event.code === COACH_TARGET_ABSENT &&
    context.coachTries < MAX_COACH_TRIES,
  isRedirectedCaller: ({ event }: Args) =>
    event.type === "participant.left" &&
    event.label === "caller" &&
    event.reason === "participant_updated_via_api",
  mayMute: ({ context, event }: Args) =>
    event.type === "op.mute" && isMutable(context, event.label) && context.legs[event.label]?.muted === false,
  mayUnmute: ({ context, event }: Args) =>
    event.type === "op.unmute" &&
    isMutable(context, event.label) &&
    context.legs[event.label]?.muted === true,
  notEnding: ({ context }: Args) => context.endReason === null,
  /**
   * With a human in the call only Twilio's callbacks tell who is there, and a lost one is made up for. So is
   * that of a caller who left while the AI was on its way: it would wait in an empty room.
   */
  checkupDue: ({ context, event }: Args) =>
    isOf(event, "checkup") &&
    context.endReason === null &&
    (context.humanLabel !== null || event.at < context.startedAtMs + FIRST_LOOKS_MS) &&
    !isPending(context, RECONCILE),
  /** One question at a time: an answer that is slow must not be asked for again and again. */
  callerCheckDue: ({ context, event }: Args) => isOf(event, "checkCaller") && !isPending(context, RECONCILE),
  /** No AI leg is up, or may still come up; nobody is paged; and the caller is not left on hold. */
  aiClear: ({ context }: Args) =>
    legsToClear(context).every((leg) => context.legs[leg.label]?.kind !== "ai") &&
    !isPending(context, CLEARING_EFFECTS) &&
    (context.callerGone || isCallerBack(context)) &&
    liveIncidents(context).length === 0,
  overTimeWithHuman: ({ context, event }: Args) =>
    isOf(event, "maxCall") && context.endReason === null && humanIn(context),
  overTimeLimit: ({ context, event }: Args) =>
    isOf(event, "maxCall") && context.endReason === null && !humanIn(context),
  /**
   * Every leg is known to be gone, or beyond our reach, none is being made or hung up any more, and no page
   * rings or is on its way.
   */
  allClear: ({ context }: Args) =>
    legsToClear(context).length === 0 &&
    !isPending(context, CLEARING_EFFECTS) &&
    liveIncidents(context).length === 0,
  failedEffect: ({ context, event }: Args, params: { readonly names: readonly EffectName[] }) =>
    isFailure(context, event, params.names),
  deadline: ({ event }: Args, params: { readonly name: DeadlineName }) => isOf(event, params.name),
};
