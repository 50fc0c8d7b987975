/**
 * Types and actions of the call machine. Actions either record a fact or ask for one named side effect by
 * emitting a `CallEffect`; nothing here acts on the world, and nothing throws.
 */
import { assign } from "xstate";
import { answerTool, ask, base, type DeadlineInput, effect, ofAi, tell, timeOf } from "./call.base.ts";
import { legsToClear } from "./call.guards.ts";
import { humanSetup, isHangUpAsked } from "./call.human.ts";
import type { CallContext, Leg } from "./context.ts";
import { aiLeg, humanInRoom, humanLeg, newLeg } from "./context.ts";
import type { DeadlineName, EndReason } from "./events.ts";
import { HANG_UP_FAILED, withError } from "./record.ts";

export type { DeadlineInput };

const nextAi = (muted: boolean) =>
  base.enqueueActions(({ context, enqueue }) => {
    const aiCount = context.aiCount + 1;
    const label = `ai-${aiCount}`;
    const leg = newLeg(label, "ai", { muted });
    const patch = {
      aiCount,
      aiLabel: label,
      streamSid: null,
      readds: context.readds + 1,
      legs: { ...context.legs, [label]: leg },
    };
    enqueue.assign(patch);
    ask(enqueue, { ...context, ...patch }, "carrier.addAi", { label, muted });
  });

function forgiveHangUps(legs: CallContext["legs"]): CallContext["legs"] {
  const forgiven = Object.entries(legs).map(([label, leg]) => [
    label,
    leg.outcome === HANG_UP_FAILED ? { ...leg, outcome: null } : leg,
  ]);
  return Object.fromEntries(forgiven) as CallContext["legs"];
}

const clearLate = (kinds: readonly Leg["kind"][]) =>
  base.enqueueActions(({ context, enqueue }) => {
    const ending = Object.values(context.pending).some((each) => each.name === "carrier.endConference");
    let now = context;
    for (const leg of legsToClear(context)) {
      const { kind, status } = context.legs[leg.label] as Leg;
      const covered = isHangUpAsked(context, leg.label) || (ending && status === "joined" && kind !== "ai");
      if (covered || !kinds.includes(kind)) continue;
      now = ask(enqueue, now, "carrier.hangUp", leg);
    }
  });

export const callSetup = humanSetup.extend({
  actions: {
    noteError: assign(({ context, event }, params: { readonly code: string; readonly message: string }) =>
      withError(context, timeOf(context, event), params.code, params.message),
    ),
    endWith: assign(({ context }, params: { readonly reason: EndReason }) => ({
      endReason: context.endReason ?? params.reason,
    })),
    openModel: base.enqueueActions(({ context, enqueue }) => {
      enqueue.assign({ model: "connecting", role: "agent" });
      ask(enqueue, context, "model.open", {});
    }),
    closeModel: base.enqueueActions(({ context, enqueue }) => {
      if (context.model === "none" || context.model === "closed") return;
      if (context.model !== "failed") enqueue.assign({ model: "closed" });
      ask(enqueue, context, "model.close", {});
    }),
    noteModelFailed: assign({ model: "failed" }),
    greetOnce: base.enqueueActions(({ context, enqueue }) => {
      if (context.greeted) return;
      enqueue.assign({ greeted: true });
      ask(enqueue, context, "model.greet", {});
    }),
    tellLineRestored: tell("line_restored"),
    setCoachRole: effect("model.role", () => ({ role: "coach" })),
    setAgentRole: effect("model.role", () => ({ role: "agent" })),
    tellCallingHuman: tell("calling_human"),
    tellStillCalling: tell("still_calling"),
    tellStillWaiting: tell("still_waiting"),
    tellHumanComing: tell("human_coming"),
    tellHumanUnreachable: tell("human_unreachable"),
    tellNobodyReached: tell("nobody_reached"),
    tellHumanWillCall: tell("human_will_call"),
    tellBackWithCaller: tell("back_with_caller"),
    answerCallingHuman: answerTool("calling_human", true),
    answerEscalationAlreadyOpen: answerTool("escalation_already_open", true),
    answerGoodbye: answerTool("goodbye_noted", false),
    answerTakingBack: answerTool("taking_back", false),
    answerNotPossible: answerTool("not_possible_now", true),
    closeGate: effect("media.gate", (context) => ({ gate: "closed", speaker: context.role })),
    /** Never for a model that has not confirmed that it is the agent again. */
    openGateToCaller: effect("media.gate", (context) =>
      context.role === "agent" ? { gate: "open", speaker: "agent" } : null,
    ),
    /** Never for an AI leg that others than the human would hear. */
    openGateToHuman: effect("media.gate", (context) =>
      context.role === "coach" && aiLeg(context)?.coachOf === humanLeg(context)?.callSid
        ? { gate: "open", speaker: "coach" }
        : null,
    ),
    flushLine: effect("media.flush", () => ({})),
    drain: effect("media.drain", (context) => ({ timeoutMs: context.limits.drainTimeoutMs })),
    addAi: nextAi(false),
    addAiMuted: nextAi(true),
    removeAi: effect("carrier.remove", (context) =>
      aiLeg(context)?.status === "left" ? null : ofAi((label) => ({ label }))(context),
    ),
    hangUpAi: effect("carrier.hangUp", (context) => {
      const leg = aiLeg(context);
      return leg?.callSid && leg.status !== "left" ? { label: leg.label, callSid: leg.callSid } : null;
    }),
    muteAi: effect(
      "carrier.mute",
      ofAi((label) => ({ label, muted: true })),
    ),
    unmuteAi: effect(
      "carrier.mute",
      ofAi((label) => ({ label, muted: false })),
    ),
    muteNamed: effect("carrier.mute", (_context, event) =>
      event.type === "op.mute" ? { label: event.label, muted: true } : null,
    ),
    unmuteNamed: effect("carrier.mute", (_context, event) =>
      event.type === "op.unmute" ? { label: event.label, muted: false } : null,
    ),
    coachHuman: base.enqueueActions(({ context, enqueue }) => {
      const callSidToCoach = humanLeg(context)?.callSid;
      if (!callSidToCoach || context.aiLabel === null) return;
      enqueue.assign({ coachTries: context.coachTries + 1 });
      ask(enqueue, context, "carrier.coach", {
        label: context.aiLabel,
        callSidToCoach,
      });
    }),
    uncoachAi: effect(
      "carrier.uncoach",
      ofAi((label) => ({ label })),
    ),
    reconcile: effect("carrier.reconcile", () => ({})),
    /** For when nobody will be there to notice that the human has left the caller alone. */
    endWithHuman: effect("carrier.endOnLeave", (context) => {
      const human = humanInRoom(context);
      return human && { label: human.label };
    }),
    apologise: effect("carrier.apologise", (context) => ({ callSid: context.callSid })),
    /**
     * Ends everything that is still up. Ending the conference reaches who has joined it; whoever is still
     * ringing, and an AI leg (which may be up a moment before it joins), is hung up by its own call.
     */
    clearLegs: base.enqueueActions(({ context, enqueue }) => {
      const { conferenceSid } = context;
      // What could not be hung up in the middle of the call is tried once more.
      const again = forgiveHangUps(context.legs);
      enqueue.assign({ legs: again });
      const legs = legsToClear({ ...context, legs: again });
      const byConference = (leg: { label: string }) =>
        conferenceSid !== null &&
        context.legs[leg.label]?.status === "joined" &&
        context.legs[leg.label]?.kind !== "ai";
      let now = context;
      if (conferenceSid !== null && legs.some(byConference)) {
        now = ask(enqueue, now, "carrier.endConference", { conferenceSid });
      }
      for (const leg of legs.filter((each) => !byConference(each))) {
        now = ask(enqueue, now, "carrier.hangUp", leg);
      }
    }),
    hangUpAll: base.enqueueActions(({ context, enqueue }) => {
      let now = context;
      for (const leg of legsToClear(context)) now = ask(enqueue, now, "carrier.hangUp", leg);
    }),
    /** Legs that only now turn out to be up (a creation in flight, a late callback) are hung up as well. */
    clearLateLegs: clearLate(["caller", "ai", "human"]),
    clearLateAi: clearLate(["ai"]),
  },
});

/** Invokes the named deadline `afterMs` after the event that led here; with `everyMs` it comes again. */
export function deadlineIn(name: DeadlineName, afterMs: (context: CallContext) => number, everyMs?: number) {
  return {
    src: "deadline",
    id: name,
    input: ({ context, event }: { context: CallContext; event: unknown }): DeadlineInput => ({
      name,
      atMs: timeOf(context, event) + afterMs(context),
      ...(everyMs === undefined ? {} : { everyMs }),
    }),
  } as const;
}
