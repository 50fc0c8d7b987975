/** Drives the call machine without an engine: pure transitions, and every event that could come next. */
import { initialTransition, transition } from "xstate";
import { liveIncidents } from "../../machines/call.incident.ts";
import { callMachine } from "../../machines/call.machine.ts";
import type { CallContext, CallEffect, CallInput, CallMessage } from "../../machines/context.ts";
import { type CallEvent, DEADLINES } from "../../machines/events.ts";
import type { LadderMessage } from "../../machines/ladder.types.ts";
import { edgesIn, marked } from "./call-coverage.ts";
import { ladderUpdates, settled } from "./ladder-double.ts";

export const CALL_SID = "CA00000000000000000000000000000001";
const CONFERENCE_SID = "CF00000000000000000000000000000001";

export const INPUT: CallInput = {
  callSid: CALL_SID,
  conferenceName: `af-${CALL_SID}`,
  startedAtMs: 1_700_000_000_000,
  afterHandover: "coach",
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
    // A look at who is there is never too early: the walks have no time to pass.
    joinTimeoutMs: 0,
    textCaller: true,
  },
  limits: {
    arriveTimeoutMs: 30_000,
    maxCallMs: 3_600_000,
    modelReadyTimeoutMs: 10_000,
    rejoinTimeoutMs: 4000,
    readdTimeoutMs: 20_000,
    maxReadds: 3,
    releaseTimeoutMs: 6000,
    goodbyeTimeoutMs: 20_000,
    drainTimeoutMs: 30_000,
  },
};

/** The call machine, telling which edges it takes. */
const machine = marked(callMachine);

export type Snapshot = ReturnType<typeof initialTransition<typeof callMachine>>[0];

/** What the call has told a ladder, or handed on to it. */
export interface Told {
  readonly to: string;
  readonly message: CallEvent | LadderMessage;
}

export interface Step {
  readonly snapshot: Snapshot;
  readonly effects: readonly CallEffect[];
  readonly told: readonly Told[];
  /** Keys of the edges taken, as the drawings name them. */
  readonly edges: readonly string[];
}

type Executable = { readonly type: string; readonly params?: unknown };

function effectsOf(actions: readonly Executable[]): CallEffect[] {
  return actions.flatMap((action) => {
    if (action.type !== "xstate.emit") return [];
    return [(action.params as { readonly event: CallEffect }).event];
  });
}

function toldIn(actions: readonly Executable[]): Told[] {
  return actions.flatMap((action) => {
    if (action.type !== "xstate.sendTo") return [];
    const { targetId, event } = action.params as { readonly targetId: string; readonly event: unknown };
    return [{ to: targetId, message: event as Told["message"] }];
  });
}

function stepOf([snapshot, actions]: readonly [Snapshot, readonly unknown[]]): Step {
  const all = actions as readonly Executable[];
  return { snapshot, effects: effectsOf(all), told: toldIn(all), edges: edgesIn(all) };
}

export function start(input: CallInput = INPUT): Step {
  return stepOf(initialTransition(machine, input));
}

export function take(from: Snapshot, event: CallMessage): Step {
  return stepOf(transition(machine, from, event));
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
export function possible(context: CallContext, at: number): CallMessage[] {
  const legs = Object.values(context.legs).flatMap((leg): CallEvent[] => {
    const callSid = leg.callSid ?? `CA-${leg.label}`;
    const head = { at, label: leg.label, callSid };
    return [
      { type: "participant.joined", ...head, conferenceSid: CONFERENCE_SID },
      { type: "participant.left", ...head, reason: "participant_hung_up" },
      { type: "participant.changed", at, label: leg.label, muted: true, coaching: false, hold: null },
      { type: "participant.changed", at, label: leg.label, muted: false, coaching: true, hold: null },
      { type: "participant.changed", at, label: leg.label, muted: true, coaching: null, hold: null },
      { type: "leg.status", ...head, status: "ringing" },
      { type: "leg.status", ...head, status: "busy" },
    ];
  });
  const humans = Object.values(context.legs).filter((leg) => leg.kind === "human");
  const returns = humans.flatMap((leg): CallEvent[] => {
    const back = `human-${humans.length + 1}`;
    const head = { at, label: back, from: leg.label, callSid: `CA-${back}` };
    return [
      { type: "human.returned", ...head, withoutAi: false },
      { type: "human.returned", ...head, withoutAi: true },
    ];
  });
  const label = context.aiLabel ?? "ai-1";
  const human = context.humanLabel ?? "human-1";
  const streamSid = context.streamSid ?? `MZ-${label}`;
  return [
    ...legs,
    ...returns,
    ...answers(context, at),
    ...ladderUpdates(context, at),
    ...[true, false].map((hold): CallEvent => ({
      type: "participant.changed",
      at,
      label: "caller",
      muted: null,
      coaching: null,
      hold,
    })),
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
    { type: "page.acknowledged", at, label: "sms-1" },
    { type: "page.declined", at, label: "sms-1" },
    { type: "page.undelivered", at, label: "sms-1" },
    { type: "effect.done", at, id: `${CALL_SID}/human-1/1/page.call`, name: "page.call", label: human },
    { type: "deadline", at, name: "rung", of: "ladder-1" },
    { type: "deadline", at, name: "release", of: "ladder-1" },
    { type: "conference.ended", at, conferenceSid: CONFERENCE_SID },
    { type: "caller.gone", at, reason: "farewell" },
    { type: "model.ready", at },
    { type: "model.reconnecting", at, code: "connection_lost" },
    { type: "model.failed", at, code: "connection_lost", message: "gone" },
    { type: "media.drained", at },
    { type: "media.quiet", at },
    { type: "tool.escalate", at, toolCallId: "t1", reason: "pain", urgency: "high" },
    { type: "tool.endCall", at, toolCallId: "t2", reason: null },
    { type: "tool.takeBack", at, toolCallId: "t3", reason: null },
    { type: "op.escalate", at, to: "+15550101", reason: null, urgency: "normal" },
    { type: "op.escalate", at, to: null, reason: null, urgency: "normal" },
    { type: "op.coach", at },
    { type: "op.remove", at },
    { type: "op.restore", at },
    { type: "op.hold", at },
    { type: "op.resume", at },
    ...["caller", human, label].flatMap((each): CallEvent[] => [
      { type: "op.mute", at, label: each },
      { type: "op.unmute", at, label: each },
    ]),
    { type: "op.hangup", at },
    { type: "engine.shutdown", at },
    { type: "engine.restored", at },
    ...DEADLINES.map((name): CallEvent => ({ type: "deadline", at, name })),
  ];
}

/** Every ladder says that it is through. */
function lastWords(context: CallContext, at: number): CallMessage[] {
  return liveIncidents(context).map((incident) => ({
    type: "ladder.update",
    at,
    incident: settled(incident),
  }));
}

/** The caller leaves and every effect is answered: where a call must always come to an end. */
export function finish(from: Snapshot, at: number): Snapshot {
  let snapshot = take(from, { type: "caller.gone", at, reason: "hung_up" }).snapshot;
  for (let turn = 0; turn < 50 && snapshot.status === "active"; turn++) {
    const [next] = [...answers(snapshot.context, at), ...lastWords(snapshot.context, at)];
    snapshot = take(snapshot, next ?? { type: "deadline", at, name: "goodbye" }).snapshot;
  }
  return snapshot;
}
