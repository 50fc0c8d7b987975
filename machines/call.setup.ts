/**
 * Types and actions of the call machine. Actions either record a fact or ask for one named side
 * effect by emitting a {@link CallEffect}; nothing here acts on the world, and nothing throws.
 */
import { assign, fromCallback, setup } from "xstate";
import { guards, legsToClear, numberToRing } from "./call.guards.ts";
import type {
  CallContext,
  CallEffect,
  CallInput,
  EffectInputs,
  EffectName,
  Leg,
  Notice,
  PendingEffect,
} from "./context.ts";
import { ANSWERED_EFFECTS, aiLeg, humanLeg, newLeg } from "./context.ts";
import type { CallEvent, DeadlineName, EndReason } from "./events.ts";
import { HANG_UP_FAILED, record, withError } from "./record.ts";

/** What a deadline is started with: the absolute time lives in data, so that a restart keeps it. */
export interface DeadlineInput {
  readonly name: DeadlineName;
  /** Id of the child actor it belongs to; left out: the call itself. */
  readonly of?: string;
  readonly atMs: number;
  /** Comes again every so often; once when left out. */
  readonly everyMs?: number;
}

const base = setup({
  types: {
    context: {} as CallContext,
    events: {} as CallEvent,
    input: {} as CallInput,
    emitted: {} as CallEffect,
  },
  actors: {
    /** Replaced by the engine with one that runs on its clock; by itself it never fires. */
    deadline: fromCallback<CallEvent, DeadlineInput>(() => undefined),
  },
  guards,
});

type Enqueue = {
  assign(patch: Partial<CallContext>): void;
  emit(effect: CallEffect): void;
};

/**
 * Asks for effect number `context.effectCount + 1` and returns the context that follows. XState types
 * `enqueue` by each machine's own actions, which do not exist yet where these are made.
 */
function ask<N extends EffectName>(
  enqueuer: object,
  context: CallContext,
  name: N,
  input: EffectInputs[N],
): CallContext {
  const enqueue = enqueuer as Enqueue;
  const effectCount = context.effectCount + 1;
  const id = `${context.callSid}/${effectCount}/${name}`;
  const answered = ANSWERED_EFFECTS.has(name);
  const pending = answered ? { ...context.pending, [id]: pendingOf(name, input) } : context.pending;
  enqueue.assign({ effectCount, pending });
  enqueue.emit({ type: "effect", id, name, input } as CallEffect);
  return { ...context, effectCount, pending };
}

function pendingOf<N extends EffectName>(name: N, input: EffectInputs[N]): PendingEffect {
  const fields = input as {
    readonly label?: string;
    readonly muted?: boolean;
    readonly role?: string;
    readonly callSidToCoach?: string;
  };
  return {
    name,
    label: fields.label ?? null,
    value: name === "model.role" ? fields.role === "coach" : (fields.muted ?? null),
    callSidToCoach: fields.callSidToCoach ?? null,
  };
}

function effect<N extends EffectName>(
  name: N,
  input: (context: CallContext, event: CallEvent) => EffectInputs[N] | null,
) {
  return base.enqueueActions(({ context, event, enqueue }) => {
    const value = input(context, event);
    if (value !== null) ask(enqueue, context, name, value);
  });
}

const ofAi =
  <T>(make: (label: string) => T) =>
  (context: CallContext) =>
    context.aiLabel === null ? null : make(context.aiLabel);

const tell = (notice: Notice) => effect("model.tell", () => ({ notice }));

const answerTool = (notice: Notice, respond: boolean) =>
  effect("model.toolResult", (_context, event) =>
    event.type === "tool.escalate" || event.type === "tool.endCall"
      ? { toolCallId: event.toolCallId, notice, respond }
      : null,
  );

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

/** Outcome of a person's leg that was taken back before its call was known. */
const UNWANTED = "unwanted";

function isHangUpAsked(context: CallContext, label: string): boolean {
  return Object.values(context.pending).some(
    (each) => each.name === "carrier.hangUp" && each.label === label,
  );
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

export const callSetup = base.extend({
  actions: {
    record: assign(({ context, event }) => record(context, event)),
    noteError: assign(({ context, event }, params: { readonly code: string; readonly message: string }) =>
      withError(context, event.at, params.code, params.message),
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
    greetOnce: base.enqueueActions(({ context, enqueue }) => {
      if (context.greeted) return;
      enqueue.assign({ greeted: true });
      ask(enqueue, context, "model.greet", {});
    }),
    tellLineRestored: tell("line_restored"),
    setCoachRole: effect("model.role", () => ({ role: "coach" })),
    setAgentRole: effect("model.role", () => ({ role: "agent" })),
    tellCallingHuman: tell("calling_human"),
    tellHumanUnreachable: tell("human_unreachable"),
    tellBackWithCaller: tell("back_with_caller"),
    answerCallingHuman: answerTool("calling_human", true),
    answerEscalationOpen: answerTool("escalation_open", true),
    answerEscalationAlreadyOpen: answerTool("escalation_already_open", true),
    answerGoodbye: answerTool("goodbye_noted", false),
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
    resetCoachTries: assign({ coachTries: 0 }),
    reconcile: effect("carrier.reconcile", () => ({})),
    noteEscalation: assign(({ context, event }) => {
      if (event.type !== "op.escalate" && event.type !== "tool.escalate") return {};
      return {
        escalation: context.escalation ?? {
          by: event.type === "op.escalate" ? ("operator" as const) : ("ai" as const),
          reason: event.reason,
          urgency: event.urgency,
          atMs: event.at,
        },
      };
    }),
    ringHuman: base.enqueueActions(({ context, event, enqueue }) => {
      const to = numberToRing(context, event);
      if (to === null) return;
      const humanCount = context.humanCount + 1;
      const label = `human-${humanCount}`;
      const leg = newLeg(label, "human");
      const patch = { humanCount, humanLabel: label, legs: { ...context.legs, [label]: leg } };
      enqueue.assign(patch);
      ask(enqueue, { ...context, ...patch }, "carrier.ringHuman", {
        label,
        to,
      });
    }),
    /** For when nobody will be there to notice that the human has left the caller alone. */
    endWithHuman: effect("carrier.endOnLeave", (context) =>
      humanLeg(context)?.status === "joined" && context.humanLabel !== null
        ? { label: context.humanLabel }
        : null,
    ),
    /** Of a leg whose call is not known yet the request is taken back; `hangUpUnwanted` sees to the rest. */
    hangUpHuman: base.enqueueActions(({ context, enqueue }) => {
      const leg = humanLeg(context);
      if (!leg || leg.status === "left") return;
      const { label, callSid } = leg;
      if (callSid !== null) {
        ask(enqueue, context, "carrier.hangUp", { label, callSid });
        return;
      }
      const legs = { ...context.legs, [label]: { ...leg, outcome: UNWANTED } };
      enqueue.assign({ legs });
      ask(enqueue, { ...context, legs }, "carrier.withdraw", { label });
    }),
    hangUpUnwanted: base.enqueueActions(({ context, enqueue }) => {
      let now = context;
      for (const leg of legsToClear(context)) {
        const unwanted = context.legs[leg.label]?.outcome === UNWANTED;
        if (unwanted && !isHangUpAsked(context, leg.label)) now = ask(enqueue, now, "carrier.hangUp", leg);
      }
    }),
    noteCoached: assign({ handover: "coached" }),
    noteRemoved: assign(({ context }) => ({ handover: context.handover ?? "removed" })),
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

function timeOf(context: CallContext, event: unknown): number {
  const at = (event as { readonly at?: unknown }).at;
  return typeof at === "number" ? at : context.startedAtMs;
}
