/** The actions that have to do with humans: their ladders, their legs, and the caller's wait for them. */
import { assign } from "xstate";
import { ask, base, type Enqueue, timeOf } from "./call.base.ts";
import { isUnholdOwed, legsToClear, MAX_UNHOLD_TRIES } from "./call.guards.ts";
import {
  isForLadders,
  isOpen,
  ladderInput,
  liveIncidents,
  newsOf,
  OWNER_LOST,
  type OwnerWord,
  ownerWord,
} from "./call.incident.ts";
import type { CallContext, CallMessage, Handover, Leg } from "./context.ts";
import { HANDOVERS, humanInRoom } from "./context.ts";
import type { EndReason } from "./events.ts";
import { initialLadder, ladderId } from "./ladder.facts.ts";
import type { CloseReason } from "./ladder.types.ts";
import { record, withError } from "./record.ts";

/** Why a call ends whose caller is still there, and did not ask for it. */
const LOST: ReadonlySet<EndReason | null> = new Set<EndReason>([
  "ai_leg_failed",
  "engine_shutdown",
  "model_failed",
  "time_limit",
]);

function closeReasonOf(context: CallContext): CloseReason {
  const { endReason, callerGone } = context;
  if (endReason === "operator_ended") return "called_off";
  if (callerGone || !LOST.has(endReason)) return "caller_left";
  // Whoever else was sought for it: the caller is in good hands.
  return humanInRoom(context) === null ? "call_lost" : "called_off";
}

export function isHangUpAsked(context: CallContext, label: string): boolean {
  return Object.values(context.pending).some(
    (each) => each.name === "carrier.hangUp" && each.label === label,
  );
}

/** Hangs up legs that nobody wants, as soon as their call is known. */
function hangUpUnwanted(enqueue: object, context: CallContext): CallContext {
  const unwanted = legsToClear(context).filter(
    ({ label }) => context.legs[label]?.unwanted === true && !isHangUpAsked(context, label),
  );
  return unwanted.reduce((now, leg) => ask(enqueue, now, "carrier.hangUp", leg), context);
}

function withUnwanted(context: CallContext, labels: readonly string[]): CallContext["legs"] {
  const legs = Object.values(context.legs).map((leg): [string, Leg] => [
    leg.label,
    labels.includes(leg.label) && leg.status !== "left" ? { ...leg, unwanted: true } : leg,
  ]);
  return Object.fromEntries(legs);
}

function hangUpHumans(enqueuer: object, context: CallContext, which: (leg: Leg) => boolean): CallContext {
  const humans = Object.values(context.legs).filter((leg) => leg.kind === "human" && which(leg));
  const legs = withUnwanted(
    context,
    humans.map((leg) => leg.label),
  );
  (enqueuer as Enqueue).assign({ legs });
  return hangUpUnwanted(enqueuer, { ...context, legs });
}

/** When Twilio was asked who is there, and answered: the time of the answer. */
function lookedAtMs(context: CallContext, event: CallMessage): number | null {
  const looked =
    event.type === "effect.done" &&
    event.participants !== undefined &&
    context.pending[event.id]?.name === "carrier.reconcile";
  return looked ? event.at : null;
}

/** Tells the ladder, once, what became of the owner whom it sent. Who will not come is not wanted any more. */
function tellOwner(
  enqueuer: object,
  context: CallContext,
  word: { readonly type: OwnerWord; readonly at: number },
): CallContext {
  const { awaited } = context;
  if (awaited === null) return context;
  const enqueue = enqueuer as Enqueue;
  const { incident, label } = awaited;
  const legs = word.type === "owner.lost" ? withUnwanted(context, [label]) : context.legs;
  enqueue.assign({ awaited: null, legs });
  if (liveIncidents(context).some(({ number }) => number === incident)) {
    enqueue.sendTo(ladderId(incident), { ...word, label });
  }
  return { ...context, awaited: null, legs };
}

/** Nobody is wanted any more: every ladder that still looks for somebody ends its pages. */
function closeOpen(
  enqueuer: object,
  context: CallContext,
  word: { readonly at: number; readonly why: CloseReason },
): CallContext {
  const enqueue = enqueuer as Enqueue;
  for (const { number } of context.incidents.filter(isOpen)) {
    enqueue.sendTo(ladderId(number), { type: "ladder.close", ...word });
  }
  // Its ladder says when it is clear.
  const incidents = context.incidents.map((each) =>
    isOpen(each) ? { ...each, phase: "over" as const, clear: false } : each,
  );
  enqueue.assign({ incidents });
  return { ...context, incidents };
}

/**
 * Takes an event: records what it says, hands it on to the ladders if it is theirs, and does what is due in
 * every state: the owner's ladder hears whether they came, a ladder that is through goes, and so does a leg
 * that nobody wants.
 */
const take = base.enqueueActions(({ context, event, enqueue }) => {
  const patch = record(context, event);
  let now: CallContext = { ...context, ...patch };
  enqueue.assign(patch);
  const before = liveIncidents(context);
  if (isForLadders(event)) for (const { number } of before) enqueue.sendTo(ladderId(number), event);
  const word = ownerWord(now, lookedAtMs(context, event));
  if (word !== null) now = tellOwner(enqueue, now, { type: word, at: timeOf(context, event) });
  for (const { number } of before) {
    if (!liveIncidents(now).some((each) => each.number === number)) enqueue.stopChild(ladderId(number));
  }
  hangUpUnwanted(enqueue, now);
});

const openIncident = base.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== "op.escalate" && event.type !== "tool.escalate") return;
  const input = ladderInput(context, event);
  const incidents = [...context.incidents, initialLadder(input).incident];
  enqueue.assign({ incidents, told: newsOf({ ...context, incidents }) });
  enqueue.spawnChild("ladder", { id: ladderId(input.number), input });
});

/** Asks for a hold only with the last request about it answered: two at once could end either way. */
const requestHold = (enqueuer: object, context: CallContext, hold: boolean): void => {
  const patch = hold ? { unholdOwed: true, unholdTries: 0 } : { unholdTries: context.unholdTries + 1 };
  (enqueuer as Enqueue).assign(patch);
  ask(enqueuer, { ...context, ...patch }, "carrier.hold", { label: "caller", hold });
};

/** The call's setup with these actions. */
export const humanSetup = base.extend({
  actions: {
    record: take,
    openIncident,
    /** The human is not wanted any more, and neither are those who are on their way. */
    callOff: base.enqueueActions(({ context, event, enqueue }) => {
      const at = timeOf(context, event);
      const closed = closeOpen(enqueue, context, { at, why: "called_off" });
      const told = tellOwner(enqueue, closed, { type: "owner.lost", at });
      hangUpHumans(enqueue, told, () => true);
    }),
    closeLadders: base.enqueueActions(({ context, event, enqueue }) => {
      closeOpen(enqueue, context, { at: timeOf(context, event), why: closeReasonOf(context) });
    }),
    hangUpThosePresent: base.enqueueActions(({ context, enqueue }) => {
      hangUpHumans(enqueue, context, (leg) => leg.status === "joined");
    }),
    coachWhoIsThere: assign(({ context }) => ({
      humanLabel: humanInRoom(context)?.label ?? context.humanLabel,
      coachTries: 0,
    })),
    /** Asked for once: from now on the AI may be called back. */
    forgetWithoutAi: assign(({ context }) => ({
      legs: Object.fromEntries(
        Object.values(context.legs).map((leg) => [
          leg.label,
          leg.status === "joined" ? { ...leg, withoutAi: false } : leg,
        ]),
      ),
    })),
    noteTold: assign(({ context }) => ({ told: newsOf(context) })),
    noteOwnerLost: assign({ told: OWNER_LOST, holdWanted: false }),
    noteHandover: assign(({ context }, params: { readonly outcome: Handover }) => ({
      handover: furthest(context.handover, params.outcome),
    })),
    wantHold: assign({ holdWanted: true }),
    wantNoHold: assign({ holdWanted: false }),
    holdCaller: base.enqueueActions(({ context, enqueue }) => requestHold(enqueue, context, true)),
    unholdCaller: base.enqueueActions(({ context, enqueue }) => requestHold(enqueue, context, false)),
    giveUpUnhold: assign(({ context, event }) => ({
      ...withError(
        context,
        timeOf(context, event),
        "caller_on_hold",
        "the caller could not be taken off hold",
      ),
      unholdTries: context.unholdTries + 1,
    })),
    /** Nobody is left on hold for ever: what was given up is tried once more now and then. */
    unholdAgain: base.enqueueActions(({ context, enqueue }) => {
      const givenUp = context.unholdTries > MAX_UNHOLD_TRIES;
      if (givenUp && isUnholdOwed(context)) requestHold(enqueue, context, false);
    }),
  },
});

function furthest(before: Handover | null, now: Handover): Handover {
  return before !== null && HANDOVERS.indexOf(before) > HANDOVERS.indexOf(now) ? before : now;
}
