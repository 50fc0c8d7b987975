/** Drives the call machine without an engine: pure transitions, and every event that could come next. */
import { initialTransition, transition } from "xstate";
import { callMachine } from "../../machines/call.machine.ts";
import type { CallContext, CallEffect, CallInput } from "../../machines/context.ts";
import { type CallEvent, DEADLINES } from "../../machines/events.ts";

export const CALL_SID = "CA00000000000000000000000000000001";
const CONFERENCE_SID = "CF00000000000000000000000000000001";

export const INPUT: CallInput = {
  callSid: CALL_SID,
  conferenceName: `af-${CALL_SID}`,
  startedAtMs: 1_700_000_000_000,
  afterHandover: "coach",
  onCallNumber: "+15550100",
  policy: {
    rungs: [
      { name: "primary", contacts: [{ name: "nurse", voice: "+15550100", sms: "+15550100", push: null }] },
      { name: "secondary", contacts: [{ name: "doctor", voice: "+15550101", sms: null, push: null }] },
    ],
    ackTimeoutMs: 120_000,
    repeat: 1,
    againAfterMs: 600_000,
    ringTimeoutMs: 30_000,
    briefingTimeoutMs: 90_000,
    joinTimeoutMs: 10_000,
    textCaller: true,
  },
  limits: {
    arriveTimeoutMs: 30_000,
    maxCallMs: 3_600_000,
    modelReadyTimeoutMs: 10_000,
    rejoinTimeoutMs: 4000,
    readdTimeoutMs: 20_000,
    maxReadds: 3,
    ringTimeoutMs: 60_000,
    joinTimeoutMs: 10_000,
    releaseTimeoutMs: 6000,
    goodbyeTimeoutMs: 20_000,
    drainTimeoutMs: 30_000,
  },
};

export type Snapshot = ReturnType<typeof initialTransition<typeof callMachine>>[0];

export interface Step {
  readonly snapshot: Snapshot;
  readonly effects: readonly CallEffect[];
}

type Executable = { readonly type: string; readonly params?: unknown };

function effectsOf(actions: readonly Executable[]): CallEffect[] {
  return actions.flatMap((action) => {
    if (action.type !== "xstate.emit") return [];
    return [(action.params as { readonly event: CallEffect }).event];
  });
}

export function start(input: CallInput = INPUT): Step {
  const [snapshot, actions] = initialTransition(callMachine, input);
  return { snapshot, effects: effectsOf(actions as readonly Executable[]) };
}

export function take(from: Snapshot, event: CallEvent): Step {
  const [snapshot, actions] = transition(callMachine, from, event);
  return { snapshot, effects: effectsOf(actions as readonly Executable[]) };
}

/** Answers to what is pending: each effect may succeed or fail. */
export function answers(context: CallContext, at: number): CallEvent[] {
  return Object.entries(context.pending).flatMap(([id, { name, label }]) => {
    const head = { at, id, name, label };
    const callSid = `CA-${label}`;
    const participants = Object.values(context.legs).flatMap((leg) =>
      leg.status === "joined" ? [{ label: leg.label, callSid: leg.callSid ?? callSid }] : [],
    );
    const done: CallEvent[] =
      name === "carrier.reconcile"
        ? [
            { type: "effect.done", ...head, conferenceSid: CONFERENCE_SID, participants, callerAlive: true },
            { type: "effect.done", ...head, conferenceSid: null, participants: [], callerAlive: false },
          ]
        : [{ type: "effect.done", ...head, callSid, conferenceSid: CONFERENCE_SID }];
    const failed = { type: "effect.failed", ...head, status: 500, message: "no" } as const;
    return [...done, { ...failed, code: 0 }, { ...failed, code: 16_028 }];
  });
}

/** Everything that could happen next, sensible or not. */
export function possible(context: CallContext, at: number): CallEvent[] {
  const legs = Object.values(context.legs).flatMap((leg): CallEvent[] => {
    const callSid = leg.callSid ?? `CA-${leg.label}`;
    const head = { at, label: leg.label, callSid };
    return [
      { type: "participant.joined", ...head, conferenceSid: CONFERENCE_SID },
      { type: "participant.left", ...head, reason: "participant_hung_up" },
      { type: "participant.changed", at, label: leg.label, muted: true, coaching: false, hold: null },
      { type: "participant.changed", at, label: leg.label, muted: false, coaching: true, hold: null },
      { type: "leg.status", ...head, status: "ringing" },
      { type: "leg.status", ...head, status: "busy" },
    ];
  });
  const label = context.aiLabel ?? "ai-1";
  const human = context.humanLabel ?? "human-1";
  const streamSid = context.streamSid ?? `MZ-${label}`;
  return [
    ...legs,
    ...answers(context, at),
    {
      type: "participant.left",
      at,
      label: "caller",
      callSid: CALL_SID,
      reason: "participant_updated_via_api",
    },
    { type: "ai.streamStarted", at, label, streamSid: `MZ-${label}-${at}`, streamCallSid: "CA-x" },
    { type: "ai.streamClosed", at, label, streamSid, reason: "socket" },
    { type: "human.answered", at, label: human, answer: "accepted" },
    { type: "human.answered", at, label: human, answer: "declined" },
    { type: "conference.ended", at, conferenceSid: CONFERENCE_SID },
    { type: "caller.gone", at, reason: "farewell" },
    { type: "model.ready", at },
    { type: "model.reconnecting", at, code: "connection_lost" },
    { type: "model.failed", at, code: "connection_lost", message: "gone" },
    { type: "media.drained", at },
    { type: "tool.escalate", at, toolCallId: "t1", reason: "pain", urgency: "high" },
    { type: "tool.endCall", at, toolCallId: "t2", reason: null },
    { type: "op.escalate", at, to: "+15550101", reason: null, urgency: "normal" },
    { type: "op.escalate", at, to: null, reason: null, urgency: "normal" },
    { type: "op.coach", at },
    { type: "op.remove", at },
    { type: "op.restore", at },
    { type: "op.hangup", at },
    { type: "engine.shutdown", at },
    ...DEADLINES.map((name): CallEvent => ({ type: "deadline", at, name })),
  ];
}

/** The caller leaves and every effect is answered: where a call must always come to an end. */
export function finish(from: Snapshot, at: number): Snapshot {
  let snapshot = take(from, { type: "caller.gone", at, reason: "hung_up" }).snapshot;
  for (let turn = 0; turn < 50 && snapshot.status === "active"; turn++) {
    const [next] = answers(snapshot.context, at);
    snapshot = take(snapshot, next ?? { type: "deadline", at, name: "goodbye" }).snapshot;
  }
  return snapshot;
}
