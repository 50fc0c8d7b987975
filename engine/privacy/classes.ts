/**
 * The class of every field of events and effects, and of what else a log holds. A field that is added without one does
 * not compile. The log of a call is written by these tables: see engine/call/recorder.ts.
 */
import type { EffectInputs } from "../../machines/context.ts";
import type { CallEventType, EventOf } from "../../machines/events.ts";
import type { PageEffectInputs } from "../../machines/ladder.types.ts";
import type { PostCallEffectInputs } from "../../machines/postcall.facts.ts";
import type { IncidentFacts } from "../call/live-index.ts";
import type { Classes, FieldClass, OpenClass } from "./log-fields.ts";

type AnyEffectInputs = EffectInputs & PageEffectInputs & PostCallEffectInputs;

/** `type` and `at` are public in all of them. */
export const EVENT_FIELDS = {
  "participant.joined": { label: "public", callSid: "public", conferenceSid: "public" },
  "participant.left": { label: "public", callSid: "public", reason: "internal" },
  "participant.changed": { label: "public", muted: "public", coaching: "public", hold: "public" },
  "leg.status": { label: "public", callSid: "public", status: "public" },
  "human.answered": { label: "public", answer: "public" },
  "human.returned": { label: "public", from: "public", callSid: "public", withoutAi: "public" },
  "page.acknowledged": { label: "public", earlier: "public" },
  "page.declined": { label: "public" },
  "page.undelivered": { label: "public" },
  "conference.ended": { conferenceSid: "public" },
  "caller.gone": { reason: "internal" },
  "ai.streamStarted": { label: "public", streamSid: "public", streamCallSid: "public" },
  "ai.streamClosed": { label: "public", streamSid: "public", reason: "public" },
  "model.ready": {},
  "model.reconnecting": { code: "public" },
  "model.failed": { code: "public", message: "internal" },
  "media.drained": {},
  "media.quiet": {},
  "tool.escalate": { toolCallId: "public", reason: "health", urgency: "public" },
  "tool.endCall": { toolCallId: "public", reason: "health" },
  "tool.takeBack": { toolCallId: "public", reason: "health" },
  "op.escalate": { to: "personal", reason: "health", urgency: "public" },
  "op.coach": {},
  "op.remove": {},
  "op.restore": {},
  "op.hold": {},
  "op.resume": {},
  "op.mute": { label: "public" },
  "op.unmute": { label: "public" },
  "op.hangup": {},
  "engine.shutdown": {},
  "engine.restored": {},
  "effect.done": {
    id: "public",
    name: "public",
    label: "public",
    callSid: "public",
    conferenceSid: "public",
    participants: "public",
    callerAlive: "public",
  },
  "effect.failed": {
    id: "public",
    name: "public",
    label: "public",
    code: "public",
    status: "public",
    message: "internal",
  },
  deadline: { name: "public", of: "public" },
} as const satisfies { readonly [T in CallEventType]: Classes<Omit<EventOf<T>, "type" | "at">> };

/** `id` is public in all of them. Names of people on call are as the deployment names them. */
export const EFFECT_FIELDS = {
  "model.open": {},
  "model.close": {},
  "model.greet": {},
  "model.role": { role: "public" },
  "model.tell": { notice: "public" },
  "model.toolResult": { toolCallId: "public", notice: "public", respond: "public" },
  "media.gate": { gate: "public", speaker: "public" },
  "media.flush": {},
  "media.drain": { timeoutMs: "public" },
  "carrier.addAi": { label: "public", muted: "public" },
  "carrier.hold": { label: "public", hold: "public" },
  "carrier.mute": { label: "public", muted: "public" },
  "carrier.coach": { label: "public", callSidToCoach: "public" },
  "carrier.uncoach": { label: "public" },
  "carrier.endOnLeave": { label: "public" },
  "carrier.remove": { label: "public" },
  "carrier.hangUp": { label: "public", callSid: "public" },
  "carrier.endConference": { conferenceSid: "public" },
  "carrier.apologise": { callSid: "public" },
  "carrier.reconcile": {},
  "page.call": { label: "public", incident: "public", to: "personal" },
  "page.withdraw": { label: "public" },
  "page.tell": { label: "public", callSid: "public", why: "public", by: "public" },
  "page.hangUp": { label: "public", callSid: "public" },
  "page.sms": { label: "public", incident: "public", to: "personal" },
  "page.push": { label: "public", incident: "public", to: "personal" },
  "ladder.tellPaged": { to: "personal", why: "public", by: "public" },
  "ladder.tellCaller": {},
  "postcall.extract": { attempt: "public" },
  "postcall.deliver": { attempt: "public" },
} as const satisfies { readonly [N in keyof AnyEffectInputs]: Classes<AnyEffectInputs[N]> };

/** Of the other entries of a call's log, by their names alone. */
export const ENTRY_FIELDS: Readonly<Record<string, OpenClass>> = {
  ...({
    number: "public",
    phase: "public",
    walk: "public",
    rung: "public",
    outcome: "public",
    owner: "public",
    pages: "public",
  } as const satisfies Classes<IncidentFacts, OpenClass>),
  agent: "public",
  by: "public",
  clearedMs: "public",
  command: "public",
  decideMs: "public",
  deliver: "public",
  delivery: "public",
  downMs: "public",
  edges: "public",
  endReason: "public",
  engine: "public",
  error: "internal",
  event: "public",
  extract: "public",
  extraction: "public",
  id: "public",
  incident: "public",
  /** Its numbers and addresses have stand-ins already: see engine/audit/begun.ts. */
  input: "public",
  items: "public",
  keys: "public",
  label: "public",
  limit: "public",
  machines: "public",
  model: "public",
  name: "public",
  openedAtMs: "public",
  owned: "public",
  restarts: "public",
  role: "public",
  roundTripMs: "public",
  sendMs: "public",
  snapshotSeq: "public",
  status: "public",
  speakMs: "public",
  stopped: "public",
  turnMs: "public",
  value: "public",
  via: "public",
};

const NAMED: Readonly<Record<string, Readonly<Record<string, FieldClass>>>> = {
  ...EVENT_FIELDS,
  ...EFFECT_FIELDS,
};

/** The class of a field of an entry of a call's log; `undefined`: it has none, and is not told. */
export function classOf(name: string, field: string): FieldClass | undefined {
  if (field === "at" || field === "id") return "public";
  return name in NAMED ? NAMED[name]?.[field] : ENTRY_FIELDS[field];
}
