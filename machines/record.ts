/**
 * Turns events into facts. Pure, idempotent and order-tolerant: a callback may come late, twice, never, or
 * before the answer to the request that caused it. A leg's status only ever moves forward.
 */
import type { CallContext, CallError, CallMessage, Leg, LegStatus } from "./context.ts";
import { ownsAny } from "./call.incident.ts";
import { HANDED_BACK, humanInRoom, LEG_RANK, newLeg, pageLabel } from "./context.ts";
import { type EventOf, FINAL_CALL_STATUSES } from "./events.ts";
import type { Incident, Owner } from "./ladder.types.ts";

type Patch = { -readonly [K in keyof CallContext]?: CallContext[K] };

/** As many as a row may have. */
export const MAX_ERRORS = 20;
/** Outcome of a leg that could not be hung up: nothing more can be done for it. */
export const HANG_UP_FAILED = "hang_up_failed";
const LADDER_FAILED = "xstate.error.actor.ladder-";
const LASTING_STREAM_MS = 10_000;

/** The facts that `event` adds to `context`. */
export function record(context: CallContext, event: CallMessage): Patch {
  switch (event.type) {
    case "participant.joined":
      return withConference(
        context,
        event.conferenceSid,
        withLeg(context, event.label, { status: "joined", callSid: event.callSid }),
      );
    case "participant.left":
      return withLeg(context, event.label, { status: "left", callSid: event.callSid, outcome: event.reason });
    case "leg.status":
      return withLeg(context, event.label, legStatusPatch(event));
    case "participant.changed":
      return { ...recordHold(context, event), ...recordMute(context, event) };
    case "ladder.update":
      return recordIncident(context, event.incident, event.at);
    case "human.returned":
      return recordReturn(context, event);
    case "conference.ended":
      return recordConferenceEnd(context, event.conferenceSid);
    case "caller.gone":
      return { callerGone: true, ...withLeg(context, "caller", { status: "left", outcome: event.reason }) };
    case "ai.streamStarted":
      return recordStreamStart(context, event);
    case "ai.streamClosed":
      return recordStreamEnd(context, event);
    case "engine.restored":
      return recordRestart(context);
    case "model.ready":
      return { model: "ready" };
    case "model.reconnecting":
      // Before it was ever ready it is still connecting for the first time.
      return context.model === "connecting" ? {} : { model: "reconnecting" };
    case "model.failed":
      return { model: "failed", ...withError(context, event.at, `model.${event.code}`, event.message) };
    case "effect.done":
      return recordDone(context, event);
    case "effect.failed":
      return recordFailure(context, event);
    default:
      return event.type.startsWith(LADDER_FAILED) ? loseLadder(context, event.type) : {};
  }
}

/**
 * Never expected; but nobody may be promised a person whom nobody looks for any more: the caller is told as when nobody
 * could be reached, and somebody is sought on when they have left.
 */
function loseLadder(context: CallContext, type: string): Patch {
  const index = Number(type.slice(LADDER_FAILED.length)) - 1;
  const incident = context.incidents[index];
  if (!incident) return {};
  const pages = incident.pages.map((page) =>
    page.result === null ? { ...page, result: "failed" as const } : page,
  );
  const outcome = incident.outcome ?? "exhausted";
  const over = {
    ...incident,
    phase: "over" as const,
    outcome,
    nextAtMs: null,
    owner: incident.phase === "owned" ? incident.owner : null,
    pages,
    clear: true,
  };
  return {
    incidents: context.incidents.with(index, over),
    ...withError(context, incident.openedAtMs, "ladder_failed", "the paging of people failed"),
  };
}

/**
 * Of the AI's mute and coaching only the answer to a request is proof. Of a hold both count, since a caller on hold is
 * alone; but that it is over is owed until a request says so: a callback may be an old one.
 */
function recordHold(context: CallContext, { label, hold }: EventOf<"participant.changed">): Patch {
  if (label !== "caller" || hold === null || isHoldAsked(context)) return {};
  return { callerOnHold: hold, unholdOwed: context.unholdOwed || hold };
}

const isHoldAsked = (context: CallContext): boolean =>
  Object.values(context.pending).some((effect) => effect.name === "carrier.hold");

/** Of others than the AI, whose mute keeps nobody safe, Twilio's word counts, too: whoever asks for it may be another. */
function recordMute(context: CallContext, { label, muted }: EventOf<"participant.changed">): Patch {
  const kind = context.legs[label]?.kind ?? "ai";
  if (kind === "ai" || muted === null || isMuteAsked(context, label)) return {};
  return withLeg(context, label, { muted });
}

/** A request that mutes this leg, or ends that, is on its way. */
export const isMuteAsked = ({ pending }: CallContext, label: string): boolean =>
  Object.values(pending).some((effect) => effect.name === "carrier.mute" && effect.label === label);

/** The ladder's latest word. What the call has closed stays closed, whatever was on its way. */
function recordIncident(context: CallContext, incident: Incident, atMs: number): Patch {
  const index = incident.number - 1;
  const before = context.incidents[index];
  if (!before) return {};
  const now = before.phase === "over" ? { ...incident, phase: before.phase } : incident;
  const patch = { incidents: context.incidents.with(index, now) };
  const { owner, phase } = incident;
  if (owner === null || (phase !== "joining" && phase !== "owned")) return patch;
  return { ...patch, ...takeOver(context, now, owner, atMs) };
}

/** A leg that has accepted is the call's from now on: it counts for nobody until it has joined. */
function takeOver(context: CallContext, incident: Incident, owner: Owner, sinceMs: number): Patch {
  const { label, callSid } = owner;
  if (label === null) return {};
  if (context.legs[label]) return withLeg(context, label, { callSid });
  const leg = newLeg(label, "human", {
    callSid,
    status: "ringing",
    unwanted: incident.phase === "over" || context.endReason !== null,
    withoutAi: context.afterHandover === "remove",
  });
  return {
    legs: { ...context.legs, [label]: leg },
    humanLabel: humanInRoom(context) === null ? label : context.humanLabel,
    awaited: { incident: incident.number, label, sinceMs, looksFailed: 0 },
  };
}

/**
 * Somebody who had left by a key comes back, under a new label: a leg never goes back. Not so when their incident
 * has gone on without them: it pages others then, or is another's by now.
 */
function recordReturn(context: CallContext, event: EventOf<"human.returned">): Patch {
  const { label, from, callSid, withoutAi } = event;
  const before = context.legs[from];
  if (context.callerGone || context.endReason !== null) return {};
  if (before?.kind !== "human" || context.legs[label] || !ownsAny(context, pageLabel(from))) return {};
  const { legs = context.legs } = withLeg(context, from, { status: "left", outcome: HANDED_BACK });
  const leg = newLeg(label, "human", {
    callSid,
    status: "ringing",
    unwanted: before.unwanted,
    withoutAi: withoutAi || context.afterHandover === "remove",
  });
  const others = humanInRoom({ ...context, legs });
  return { legs: { ...legs, [label]: leg }, humanLabel: others === null ? label : context.humanLabel };
}

/** Appends an error, keeping the first {@link MAX_ERRORS}. */
export function withError(context: CallContext, atMs: number, code: string, message: string): Patch {
  if (context.errors.length >= MAX_ERRORS) return { errorsDropped: context.errorsDropped + 1 };
  const error: CallError = { atMs, code, message: message.slice(0, 300) };
  return { errors: [...context.errors, error] };
}

type LegPatch = Partial<Pick<Leg, "callSid" | "status" | "outcome" | "muted" | "coachOf">>;

function withLeg(context: CallContext, label: string, patch: LegPatch): Patch {
  const leg = context.legs[label];
  // A leg that this call never asked for (somebody joined by hand) is none of ours.
  if (!leg) return {};
  const status = later(leg.status, patch.status);
  const next: Leg = {
    ...leg,
    ...patch,
    status,
    callSid: leg.callSid ?? patch.callSid ?? null,
    outcome: leg.outcome ?? patch.outcome ?? null,
  };
  const legs = { ...context.legs, [label]: next };
  return label === "caller" && status === "left" ? { legs, callerGone: true } : { legs };
}

function later(now: LegStatus, next: LegStatus | undefined): LegStatus {
  return next !== undefined && LEG_RANK[next] > LEG_RANK[now] ? next : now;
}

function legStatusPatch(event: EventOf<"leg.status">): LegPatch {
  if (FINAL_CALL_STATUSES.has(event.status)) {
    return { status: "left", callSid: event.callSid, outcome: event.status };
  }
  const status: LegStatus =
    event.status === "ringing" || event.status === "in-progress" ? "ringing" : "dialing";
  return { status, callSid: event.callSid };
}

/**
 * There is one conference of a name at a time, and it ends with its caller: a leg that is in another one is
 * proof that they have left, when every word of that was lost.
 */
function withConference(context: CallContext, conferenceSid: string | null, patch: Patch): Patch {
  const known = context.conferenceSid;
  if (known === null || conferenceSid === null || conferenceSid === known) {
    return { ...patch, conferenceSid: known ?? conferenceSid };
  }
  const now = { ...context, ...patch };
  return { ...patch, ...withLeg(now, "caller", { status: "left", outcome: "conference-ended" }) };
}

function recordConferenceEnd(context: CallContext, conferenceSid: string): Patch {
  if (context.conferenceSid !== null && context.conferenceSid !== conferenceSid) return {};
  // Whoever had joined has left with it; a person who is still ringing has not. The caller had, or there would
  // have been no conference: the word of it may still be on its way.
  const legs = Object.fromEntries(
    Object.entries(context.legs).map(([label, leg]) => [
      label,
      leg.status === "joined" || label === "caller"
        ? { ...leg, status: "left" as const, outcome: leg.outcome ?? "conference-ended" }
        : leg,
    ]),
  );
  return { legs, conferenceSid, callerGone: true };
}

function recordStreamStart(context: CallContext, event: EventOf<"ai.streamStarted">): Patch {
  if (event.label !== context.aiLabel) return {};
  // The stream is proof that the leg is up, whether or not its `participant-join` has come.
  return {
    ...withLeg(context, event.label, { status: "joined" }),
    streamSid: event.streamSid,
    streamStartedAtMs: event.at,
    answeredAtMs: context.answeredAtMs ?? event.at,
  };
}

function recordStreamEnd(context: CallContext, event: EventOf<"ai.streamClosed">): Patch {
  return event.streamSid === context.streamSid ? withoutStream(context, event.at) : {};
}

function withoutStream(context: CallContext, atMs: number): Patch {
  // Only a stream that lasted earns new attempts, or legs that die at once would be added for ever.
  const lasted = context.streamSid !== null && atMs - context.streamStartedAtMs >= LASTING_STREAM_MS;
  return { streamSid: null, ...(lasted ? { readds: 0 } : {}) };
}

/**
 * What died with the engine before: the stream, and the model's session, which is made anew as the agent's. Legs that
 * found no engine to answer them say nothing about the next.
 */
function recordRestart(context: CallContext): Patch {
  const pending = Object.entries(context.pending).filter(([, { name }]) => !name.startsWith("model."));
  const over = context.model === "none" || context.model === "failed" || context.model === "closed";
  return {
    streamSid: null,
    readds: 0,
    pending: Object.fromEntries(pending),
    role: "agent",
    model: over ? context.model : "reconnecting",
  };
}

function recordDone(context: CallContext, event: EventOf<"effect.done">): Patch {
  const effect = context.pending[event.id];
  if (!effect) return {};
  const settled = without(context, event.id);
  const base = { ...context, pending: settled };
  const label = effect.label ?? "";
  switch (effect.name) {
    case "carrier.addAi":
      return {
        pending: settled,
        ...withConference(
          base,
          event.conferenceSid ?? null,
          withLeg(base, label, { status: "dialing", callSid: event.callSid ?? null }),
        ),
      };
    case "carrier.mute":
      return { pending: settled, ...withLeg(base, label, { muted: effect.value === true }) };
    case "carrier.hold":
      return effect.value === true
        ? { pending: settled, callerOnHold: true }
        : { pending: settled, callerOnHold: false, unholdOwed: false };
    case "carrier.coach":
      return { pending: settled, ...withLeg(base, label, { coachOf: effect.callSidToCoach }) };
    case "carrier.uncoach":
      return { pending: settled, ...withLeg(base, label, { coachOf: null }) };
    case "carrier.remove":
      return { pending: settled, ...withLeg(base, label, { status: "left", outcome: "removed" }) };
    case "carrier.hangUp":
      return { pending: settled, ...withLeg(base, label, { status: "left", outcome: "hung_up" }) };
    case "carrier.endConference":
      return { pending: settled, ...recordConferenceEnd(base, context.conferenceSid ?? "") };
    case "model.role":
      return { pending: settled, role: effect.value === true ? "coach" : "agent" };
    case "carrier.reconcile":
      return { pending: settled, ...reconcile(base, event) };
    default:
      return { pending: settled };
  }
}

/** Facts from who Twilio says is in the conference, for callbacks that never came. */
function reconcile(context: CallContext, event: EventOf<"effect.done">): Patch {
  const conferenceSid = context.conferenceSid ?? event.conferenceSid ?? null;
  const present = new Map((event.participants ?? []).map((p) => [p.label, p.callSid]));
  const legs: Record<string, Leg> = {};
  for (const [label, leg] of Object.entries(context.legs)) {
    const callSid = present.get(label);
    if (callSid !== undefined) {
      legs[label] = { ...leg, callSid: leg.callSid ?? callSid, status: later(leg.status, "joined") };
    } else if (leg.status === "joined" && event.participants !== undefined && mayBeGone(context, leg)) {
      legs[label] = { ...leg, status: "left", outcome: leg.outcome ?? "not-in-conference" };
    } else {
      legs[label] = leg;
    }
  }
  const caller = legs["caller"];
  if (event.callerAlive === false && caller && caller.status !== "left") {
    legs["caller"] = { ...caller, status: "left", outcome: "call-over" };
  }
  return { legs, conferenceSid, callerGone: context.callerGone || legs["caller"]?.status === "left" };
}

/**
 * Absence from the list is proof only for a human. The caller's own call is asked for beside it, and an AI
 * leg whose stream is open may be a moment away from its `participant-join`.
 */
function mayBeGone(context: CallContext, leg: Leg): boolean {
  if (leg.kind === "caller") return false;
  return leg.kind === "human" || leg.label !== context.aiLabel || context.streamSid === null;
}

function recordFailure(context: CallContext, event: EventOf<"effect.failed">): Patch {
  const effect = context.pending[event.id];
  if (!effect) return {};
  const pending = without(context, event.id);
  const error = withError(context, event.at, `${event.name}.${event.code || event.status}`, event.message);
  if (effect.name === "carrier.hangUp") {
    return { pending, ...error, ...withHangUpFailed(context, effect.label ?? "") };
  }
  // Without the hold everybody goes on together; it may have taken effect all the same, and is ended.
  if (effect.name === "carrier.hold" && effect.value === true) {
    return { pending, ...error, holdWanted: false };
  }
  // Nobody knows whether they are muted: taken for so, they can be unmuted. The AI's own order does not go by it.
  if (effect.name === "carrier.mute" && effect.value === true && isOpenOutcome(event)) {
    const leg = context.legs[effect.label ?? ""];
    if (leg && leg.kind !== "ai")
      return { pending, ...error, ...withLeg(context, leg.label, { muted: true }) };
  }
  if (effect.name === "carrier.reconcile" && context.awaited !== null) {
    const { awaited } = context;
    return { pending, ...error, awaited: { ...awaited, looksFailed: awaited.looksFailed + 1 } };
  }
  if (effect.name !== "carrier.addAi") return { pending, ...error };
  // The request failed, but the leg has shown itself: it is up all the same.
  if (context.legs[effect.label ?? ""]?.status === "joined") return { pending, ...error };
  return {
    pending,
    ...error,
    ...withLeg(context, effect.label ?? "", { status: "left", outcome: "failed" }),
  };
}

/** The carrier has not refused: the request may have taken effect all the same. */
const isOpenOutcome = ({ status }: EventOf<"effect.failed">): boolean => status < 400 || status >= 500;

/** Goes before an earlier outcome such as `declined`: the end must not wait for this leg. */
function withHangUpFailed(context: CallContext, label: string): Patch {
  const leg = context.legs[label];
  if (!leg || leg.status === "left") return {};
  return { legs: { ...context.legs, [label]: { ...leg, outcome: HANG_UP_FAILED } } };
}

function without(context: CallContext, id: string): CallContext["pending"] {
  const { [id]: _gone, ...rest } = context.pending;
  return rest;
}
