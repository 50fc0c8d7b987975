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

const RECONCILE: ReadonlySet<EffectName> = new Set<EffectName>(["carrier.reconcile"]);

export const guards = {
  callerGone: ({ context }: Args) => context.callerGone,
  callerJoined: here((context) => context.legs["caller"]?.status === "joined"),
  modelFailed: here((context) => context.model === "failed"),
  aiUp: here(aiUp),
  streamLost: here((context) => context.streamSid === null),
  aiLegLeft: here(aiLeft),
  aiLegLeftChecked: here((context) => aiLeft(context) && !isPending(context, RECONCILE)),
  mayReadd: here((context) => aiLeft(context) && context.readds < context.limits.maxReadds),
  aiMuted: here((context) => aiLeg(context)?.muted === true),
  aiUnmuted: here((context) => aiLeg(context)?.muted === false),
  aiCoachesHuman: here(aiCoachesHuman),
  aiCoachesNobody: here((context) => aiLeg(context)?.coachOf === null),
  isCoach: here((context) => context.role === "coach"),
  isAgent: here((context) => context.role === "agent"),
  aiGone: here((context) => context.streamSid === null && (aiLeg(context) === null || aiLeft(context))),
  humanJoined: here(humanIn),
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
  declined: ({ event }: Args) => event.type === "human.answered" && !event.accepted,
  hasNumber: ({ context, event }: Args) => numberToRing(context, event) !== null,
  notEnding: ({ context }: Args) => context.endReason === null,
  overTimeLimit: ({ context, event }: Args) =>
    event.type === "deadline" && event.name === "maxCall" && context.endReason === null,
  /** Every leg is known to be gone, or beyond our reach, and none is being made or hung up any more. */
  allClear: ({ context }: Args) => legsToClear(context).length === 0 && !isPending(context, CLEARING_EFFECTS),
  failedEffect: ({ event }: Args, params: { readonly names: readonly EffectName[] }) =>
    event.type === "effect.failed" && (params.names as readonly string[]).includes(event.name),
  deadline: ({ event }: Args, params: { readonly name: DeadlineName }) =>
    event.type === "deadline" && event.name === params.name,
};
