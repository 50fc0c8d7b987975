/** Facts of a call, built up from events as the machine records them. */
import {
  type CallContext,
  initialContext,
  type EffectName,
  type Leg,
  newLeg,
  type PendingEffect,
} from "../../../machines/context.ts";
import type { CallEvent, EventOf, UnstampedCallEvent } from "../../../machines/events.ts";
import { record } from "../../../machines/record.ts";
import { CALL_SID, INPUT } from "../../model/driver.ts";

export { CALL_SID };
export const CONFERENCE_SID = "CF00000000000000000000000000000001";
export const OTHER_CONFERENCE_SID = "CF00000000000000000000000000000002";
export const AI_SID = "CA00000000000000000000000000000002";
export const HUMAN_SID = "CA00000000000000000000000000000003";
export const AT = INPUT.startedAtMs + 1000;

/** A call that has asked for an AI leg and rings a human; nothing has been answered yet. */
export function asked(ai: Partial<Leg> = {}, human: Partial<Leg> = {}): CallContext {
  const context = initialContext(INPUT);
  const legs = {
    ...context.legs,
    "ai-1": newLeg("ai-1", "ai", ai),
    "human-1": newLeg("human-1", "human", human),
  };
  return { ...context, aiLabel: "ai-1", aiCount: 1, humanLabel: "human-1", legs };
}

/** Everybody is in the room and the AI streams. */
export function inRoom(): CallContext {
  const context = asked({ callSid: AI_SID, status: "joined" }, { callSid: HUMAN_SID, status: "joined" });
  const caller = { ...context.legs["caller"], status: "joined" } as Leg;
  return {
    ...context,
    legs: { ...context.legs, caller },
    conferenceSid: CONFERENCE_SID,
    streamSid: "MZ1",
    model: "ready",
  };
}

export function waitingFor(
  context: CallContext,
  name: EffectName,
  label: string | null = null,
  value: PendingEffect["value"] = null,
  callSidToCoach: string | null = null,
): CallContext {
  return {
    ...context,
    pending: { ...context.pending, [idOf(name)]: { name, label, value, callSidToCoach } },
  };
}

export const idOf = (name: EffectName): string => `${CALL_SID}/1/${name}`;

/** What the call knows after `events`, in this order. */
export function after(
  context: CallContext,
  ...events: readonly (UnstampedCallEvent | CallEvent)[]
): CallContext {
  return events.reduce<CallContext>(
    (now, event) => ({ ...now, ...record(now, { at: AT, ...event } as CallEvent) }),
    context,
  );
}

type Answer = Partial<
  Pick<EventOf<"effect.done">, "callSid" | "conferenceSid" | "participants" | "callerAlive">
>;

export function done(name: EffectName, label: string | null = null, answer: Answer = {}): UnstampedCallEvent {
  return { type: "effect.done", id: idOf(name), name, label, ...answer };
}

export function failed(
  name: EffectName,
  label: string | null = null,
  { code = 0, status = 500, message = "no" } = {},
): UnstampedCallEvent {
  return { type: "effect.failed", id: idOf(name), name, label, code, status, message };
}
