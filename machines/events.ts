/**
 * Every event a call takes, zod-checked at the edge. All carry `at`, epoch milliseconds, stamped by the
 * engine's clock: the machines have no clock of their own.
 */
import { z } from "zod";
import { CHANNELS } from "./ladder.types.ts";

const at = z.number().int().nonnegative();
const sid = z.string().min(1).max(64);
/** Of a participant. */
export const label = z.string().min(1).max(128);

/** Whether a leg may have this label: legs are kept by it in an object, and what every object has is none. */
export function isLabel(text: unknown): text is string {
  const { data } = label.safeParse(text);
  return data !== undefined && !(data in {});
}

const joined = z.object({
  type: z.literal("participant.joined"),
  at,
  label,
  callSid: sid,
  conferenceSid: sid,
});
const left = z.object({
  type: z.literal("participant.left"),
  at,
  label,
  callSid: sid,
  reason: z.string().max(64),
});
const changed = z.object({
  type: z.literal("participant.changed"),
  at,
  label,
  /** `null` when the callback does not say. */
  muted: z.boolean().nullable(),
  coaching: z.boolean().nullable(),
  hold: z.boolean().nullable(),
});

/** `CallStatus` of Twilio's callbacks. */
export const CALL_STATUSES = [
  "queued",
  "initiated",
  "ringing",
  "in-progress",
  "completed",
  "busy",
  "failed",
  "no-answer",
  "canceled",
] as const;

/** Those of a call that is over. */
export const FINAL_CALL_STATUSES: ReadonlySet<(typeof CALL_STATUSES)[number]> = new Set([
  "completed",
  "busy",
  "failed",
  "no-answer",
  "canceled",
] as const);

/** Progress of a leg's own call, before and outside the conference. */
const legStatus = z.object({
  type: z.literal("leg.status"),
  at,
  label,
  callSid: sid,
  status: z.enum(CALL_STATUSES),
});
/** What somebody who was rung did: pressed 1, 3 (to speak with the AI first) or 2, or is a machine. */
export const HUMAN_ANSWERS = ["accepted", "consult", "declined", "voicemail"] as const;
const humanAnswered = z.object({
  type: z.literal("human.answered"),
  at,
  label,
  answer: z.enum(HUMAN_ANSWERS),
});
/**
 * Somebody who left the room by `*` comes back into it. `label` is new, since a leg never goes back;
 * `from` is the one under which they left.
 */
const humanReturned = z.object({
  type: z.literal("human.returned"),
  at,
  label,
  from: label,
  callSid: sid,
  /** They want to go on without the AI. */
  withoutAi: z.boolean(),
});
/** A text or push was answered. `label` is the page's. */
const pageAcknowledged = z.object({
  type: z.literal("page.acknowledged"),
  at,
  label,
  /** Whose page it was, when it was one of the call and what goes on now is the follow-up. */
  earlier: z.object({ channel: z.enum(CHANNELS), rung: z.int().min(0), contact: z.int().min(0) }).optional(),
});
const pageDeclined = z.object({ type: z.literal("page.declined"), at, label });
/** The text of a page did not arrive. */
const pageUndelivered = z.object({ type: z.literal("page.undelivered"), at, label });

const conferenceEnded = z.object({ type: z.literal("conference.ended"), at, conferenceSid: sid });
/** The caller's own call is over, or its `<Dial>` or its farewell has run out. */
const callerGone = z.object({ type: z.literal("caller.gone"), at, reason: z.string().max(64) });

const streamStarted = z.object({
  type: z.literal("ai.streamStarted"),
  at,
  label,
  streamSid: sid,
  streamCallSid: sid,
});
const streamClosed = z.object({
  type: z.literal("ai.streamClosed"),
  at,
  label,
  streamSid: sid,
  reason: z.enum(["stop", "socket", "replaced", "error"]),
});

const modelReady = z.object({ type: z.literal("model.ready"), at });
const modelReconnecting = z.object({ type: z.literal("model.reconnecting"), at, code: z.string() });
const modelFailed = z.object({ type: z.literal("model.failed"), at, code: z.string(), message: z.string() });
const drained = z.object({ type: z.literal("media.drained"), at });
/** For a while now neither the caller nor the AI has said anything. */
const quiet = z.object({ type: z.literal("media.quiet"), at });

export const URGENCIES = ["low", "normal", "high", "emergency"] as const;
export type Urgency = (typeof URGENCIES)[number];

export const MAX_TOOL_CALL_ID_CHARS = 128;
const toolCallId = z.string().max(MAX_TOOL_CALL_ID_CHARS);

const toolEscalate = z.object({
  type: z.literal("tool.escalate"),
  at,
  toolCallId,
  reason: z.string().max(1000),
  urgency: z.enum(URGENCIES),
});
const toolEndCall = z.object({
  type: z.literal("tool.endCall"),
  at,
  toolCallId,
  reason: z.string().max(1000).nullable(),
});

/** Coach only: the human hands the caller back to the AI. */
const toolTakeBack = z.object({
  type: z.literal("tool.takeBack"),
  at,
  toolCallId,
  reason: z.string().max(1000).nullable(),
});

const opEscalate = z.object({
  type: z.literal("op.escalate"),
  at,
  /** E.164 number to ring instead of walking the ladder, or null. */
  to: z.string().max(64).nullable(),
  reason: z.string().max(1000).nullable(),
  urgency: z.enum(URGENCIES),
});
const opCoach = z.object({ type: z.literal("op.coach"), at });
const opRemove = z.object({ type: z.literal("op.remove"), at });
const opRestore = z.object({ type: z.literal("op.restore"), at });
/** Puts the caller on hold while the human speaks with the AI, and ends that. */
const opHold = z.object({ type: z.literal("op.hold"), at });
const opResume = z.object({ type: z.literal("op.resume"), at });
/** Silences the caller or a human in the room, and ends that. The AI's leg is muted by its own order of safety alone. */
const opMute = z.object({ type: z.literal("op.mute"), at, label });
const opUnmute = z.object({ type: z.literal("op.unmute"), at, label });
const opHangup = z.object({ type: z.literal("op.hangup"), at });
/** The engine is going down and may not wait longer for this call. */
const shutdown = z.object({ type: z.literal("engine.shutdown"), at });

/**
 * Another engine goes on with the call, which the one before it left without a word: the media stream and the
 * model's session are gone, and what was told meanwhile is lost.
 */
const restored = z.object({ type: z.literal("engine.restored"), at });

/** One participant as Twilio's REST API shows it. */
const seenParticipant = z.object({ label: z.string().nullable(), callSid: sid });

const effectDone = z.object({
  type: z.literal("effect.done"),
  at,
  id: z.string(),
  name: z.string(),
  /** Label of the leg it was about, if any. */
  label: z.string().nullable(),
  callSid: z.string().nullable().optional(),
  conferenceSid: z.string().nullable().optional(),
  /** Of a reconciliation: who is in the conference, `null` when there is none; and the caller's own call. */
  participants: z.array(seenParticipant).nullable().optional(),
  callerAlive: z.boolean().optional(),
});
const effectFailed = z.object({
  type: z.literal("effect.failed"),
  at,
  id: z.string(),
  name: z.string(),
  label: z.string().nullable(),
  code: z.number(),
  status: z.number(),
  message: z.string(),
});

export const DEADLINES = [
  "arrive",
  "checkCaller",
  "modelReady",
  "rejoin",
  "readd",
  "drain",
  "coachRetry",
  "leave",
  "checkup",
  "goodbye",
  "clear",
  "ring",
  "join",
  "release",
  "maxCall",
  "consult",
  "rung",
  "again",
  "page",
] as const;
export type DeadlineName = (typeof DEADLINES)[number];

const deadlinePassed = z.object({
  type: z.literal("deadline"),
  at,
  name: z.enum(DEADLINES),
  /** Id of the child actor it belongs to (`ladder-1`, or a page's label); absent: the call itself. */
  of: label.optional(),
});

export const CallEventSchema = z.discriminatedUnion("type", [
  joined,
  left,
  changed,
  legStatus,
  humanAnswered,
  humanReturned,
  pageAcknowledged,
  pageDeclined,
  pageUndelivered,
  conferenceEnded,
  callerGone,
  streamStarted,
  streamClosed,
  modelReady,
  modelReconnecting,
  modelFailed,
  drained,
  quiet,
  toolEscalate,
  toolEndCall,
  toolTakeBack,
  opEscalate,
  opCoach,
  opRemove,
  opRestore,
  opHold,
  opResume,
  opMute,
  opUnmute,
  opHangup,
  shutdown,
  restored,
  effectDone,
  effectFailed,
  deadlinePassed,
]);

export type CallEvent = z.infer<typeof CallEventSchema>;
export type CallEventType = CallEvent["type"];
export type EventOf<T extends CallEventType> = Extract<CallEvent, { type: T }>;
/** An event without its time, as the edges make it; the engine stamps `at`. */
export type UnstampedCallEvent = CallEvent extends infer E
  ? E extends CallEvent
    ? Omit<E, "at">
    : never
  : never;

/** The top-level states of a call that is not over. */
export const LIVE_STATES = ["arriving", "streaming", "escalating", "coaching", "removed", "wrapUp"] as const;

/** Why a call ended: a closed set. */
export const END_REASONS = [
  "caller_hung_up",
  "agent_ended",
  "operator_ended",
  "conference_ended",
  "arrival_failed",
  "model_failed",
  "ai_leg_failed",
  "time_limit",
  "engine_shutdown",
  "engine_lost",
  "internal_error",
] as const;
export type EndReason = (typeof END_REASONS)[number];
