/**
 * The conditions of the call machine, read from recorded facts. Those that move a call on hold only while
 * the caller is there: XState looks at inner states first, and nothing may be begun for somebody who left.
 */
import type { CallContext, EffectName } from "./context.ts";
import { aiLeg, humanLeg } from "./context.ts";
import type { CallEvent, DeadlineName } from "./events.ts";
import { HANG_UP_FAILED } from "./record.ts";

interface Args {
  readonly context: CallContext;
  readonly event: CallEvent;
}

const here =
  (test: (context: CallContext) => boolean) =>
  ({ context }: Args): boolean =>
    !context.callerGone && test(context);

/** Twilio error 16028: the leg to coach is not connected (yet). */
const COACH_TARGET_ABSENT = 16_028;
const MAX_COACH_TRIES = 5;

const CLEARING_EFFECTS: ReadonlySet<EffectName> = new Set<EffectName>([
  "carrier.addAi",
  "carrier.ringHuman",
  "carrier.hangUp",
  "carrier.endOnLeave",
  "carrier.endConference",
]);

const aiLeft = (context: CallContext): boolean => aiLeg(context)?.status === "left";
const humanIn = (context: CallContext): boolean => humanLeg(context)?.status === "joined";
const restoreFailed = (context: CallContext): boolean => context.model === "failed" || aiLeft(context);

/** The AI can hear and speak: its stream is open and the model has confirmed its format. */
const aiUp = (context: CallContext): boolean =>
  context.streamSid !== null && (context.model === "ready" || context.model === "reconnecting");

const aiCoachesHuman = (context: CallContext): boolean => {
  const human = humanLeg(context)?.callSid ?? null;
  return human !== null && aiLeg(context)?.coachOf === human;
};

/** The number an escalation rings: the one it names, or the person on call; `null`: nobody. */
export function numberToRing(context: CallContext, event: CallEvent): string | null {
  if (event.type === "op.escalate") return event.to ?? context.onCallNumber;
  return event.type === "tool.escalate" ? context.onCallNumber : null;
}

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
  modelLate: ({ context, event }: Args) =>
    event.type === "deadline" && event.name === "modelReady" && context.model !== "ready",
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
  isAgent: here((context) => context.role === "agent" && !isAsked(context, "model.role")),
  aiGone: here((context) => context.streamSid === null && (aiLeg(context) === null || aiLeft(context))),
  humanJoined: here(humanIn),
  /** Asked for, and not found in the room. */
  humanAbsent: here((context) => !humanIn(context) && !isPending(context, RECONCILE)),
  humanGone: here((context) => context.humanLabel === null || humanLeg(context)?.status === "left"),
  coachesAfterHandover: here((context) => humanIn(context) && context.afterHandover === "coach"),
  leavesAfterHandover: here((context) => humanIn(context) && context.afterHandover === "remove"),
  backWithHuman: here((context) => aiUp(context) && humanIn(context)),
  restoreFailedAlone: here((context) => restoreFailed(context) && !humanIn(context)),
  restoreFailed: here(restoreFailed),
  readdOverAlone: ({ context, event }: Args) =>
    event.type === "deadline" && event.name === "readd" && !humanIn(context),
  mayRetryCoach: ({ context, event }: Args) =>
    event.type === "effect.failed" &&
    event.code === COACH_TARGET_ABSENT &&
    context.coachTries < MAX_COACH_TRIES,
  isRedirectedCaller: ({ event }: Args) =>
    event.type === "participant.left" &&
    event.label === "caller" &&
    event.reason === "participant_updated_via_api",
  declined: ({ event }: Args) =>
    event.type === "human.answered" && event.answer !== "accepted" && event.answer !== "consult",
  hasNumber: ({ context, event }: Args) => numberToRing(context, event) !== null,
  notEnding: ({ context }: Args) => context.endReason === null,
  /** With a human in the call only Twilio's callbacks tell who is there; a lost one is made up for. */
  checkupDue: ({ context, event }: Args) =>
    event.type === "deadline" &&
    event.name === "checkup" &&
    context.endReason === null &&
    context.humanLabel !== null &&
    !isPending(context, RECONCILE),
  /** No AI leg is up, or may still come up. */
  aiClear: ({ context }: Args) =>
    legsToClear(context).every((leg) => context.legs[leg.label]?.kind !== "ai") &&
    !isPending(context, CLEARING_EFFECTS),
  overTimeLimit: ({ context, event }: Args) =>
    event.type === "deadline" && event.name === "maxCall" && context.endReason === null,
  /** Every leg is known to be gone, or beyond our reach, and none is being made or hung up any more. */
  allClear: ({ context }: Args) => legsToClear(context).length === 0 && !isPending(context, CLEARING_EFFECTS),
  /** A request of one of these kinds failed that was about the AI leg in use, or about no leg. */
  failedEffect: ({ context, event }: Args, params: { readonly names: readonly EffectName[] }) => {
    if (event.type !== "effect.failed") return false;
    const effect = context.pending[event.id];
    if (!effect || !params.names.includes(effect.name)) return false;
    return effect.label === null || effect.label === context.aiLabel;
  },
  deadline: ({ event }: Args, params: { readonly name: DeadlineName }) =>
    event.type === "deadline" && event.name === params.name,
};
