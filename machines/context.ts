/** What a call knows. Facts only, recorded from events; the chart's guards read them. */
import type { CallEvent, EndReason } from "./events.ts";
import type { Incident, LadderMessage, LadderPolicy } from "./ladder.types.ts";

/** What the call's actor takes: what happens outside, what its ladders tell it, and that one has failed. */
export type CallMessage =
  | CallEvent
  | Extract<LadderMessage, { readonly type: "ladder.update" }>
  | { readonly type: `xstate.error.actor.ladder-${number}`; readonly at?: never };

/** How far a leg has come; it never goes back. */
export const LEG_RANK = { requested: 0, dialing: 1, ringing: 2, joined: 3, left: 4 } as const;
export type LegStatus = keyof typeof LEG_RANK;

/** Why a leg has left whose person pressed `*`. */
export const HANDED_BACK = "handed_back";
/** Twilio's `ReasonParticipantLeft` of somebody who was in the room and left by themselves, by phone or by `*`. */
export const HUNG_UP_IN_ROOM = "participant_hung_up";

export interface Leg {
  /** Its `Label` at Twilio: `caller`, `ai-1`, `human-1`. */
  readonly label: string;
  readonly kind: "caller" | "ai" | "human";
  readonly callSid: string | null;
  readonly status: LegStatus;
  /** Why it left, when it has. */
  readonly outcome: string | null;
  readonly muted: boolean;
  /** Call sid of the leg that alone hears this one, or null. */
  readonly coachOf: string | null;
  /** Nobody wants it any more: it is hung up, and counts for nobody in the room meanwhile. */
  readonly unwanted: boolean;
  /** Of a human: the AI goes when they come. */
  readonly withoutAi: boolean;
}

export interface PendingEffect {
  readonly name: EffectName;
  readonly label: string | null;
  /** The value the effect is to set: muted, on hold, or whether the role is that of a coach. */
  readonly value: boolean | null;
  /** The leg that is to be coached. */
  readonly callSidToCoach: string | null;
}

export interface CallError {
  readonly atMs: number;
  readonly code: string;
  readonly message: string;
}

/**
 * What became of the handover, as the row reports it: the most that the AI did for a human in the room.
 * - `joined_briefly`: somebody joined, and they or the caller left before anything else came of it.
 * - `joined_without_ai`: caller and human went on alone, since the AI was lost or could not be made safe.
 * - `removed`: the AI was taken out, by policy, by the human or by an operator.
 * - `listening`: the AI stayed, muted: whispering to the human alone could not be confirmed.
 * - `coached`: the AI whispered to the human alone.
 *
 * In this order a later one replaces an earlier one, never the other way. `null`: nobody joined.
 */
export const HANDOVERS = ["joined_briefly", "joined_without_ai", "removed", "listening", "coached"] as const;
export type Handover = (typeof HANDOVERS)[number];

/** The leg of an owner that has accepted and is on its way; its ladder waits for word of it. */
export interface AwaitedOwner {
  readonly incident: number;
  readonly label: string;
  readonly sinceMs: number;
  /** How often Twilio was asked meanwhile who is in the room, and did not say. */
  readonly looksFailed: number;
}

export interface CallLimits {
  readonly arriveTimeoutMs: number;
  readonly maxCallMs: number;
  /** How long the model may take to be ready, at first or again. */
  readonly modelReadyTimeoutMs: number;
  /** How long a lost stream may take to come back by its own TwiML before a new AI leg is added. */
  readonly rejoinTimeoutMs: number;
  readonly readdTimeoutMs: number;
  readonly maxReadds: number;
  /** How long the AI's way back to the caller may take before it is replaced altogether. */
  readonly releaseTimeoutMs: number;
  /** How long saying the apology may take. */
  readonly goodbyeTimeoutMs: number;
  readonly drainTimeoutMs: number;
}

export interface CallInput {
  readonly callSid: string;
  readonly conferenceName: string;
  readonly startedAtMs: number;
  readonly afterHandover: "coach" | "remove";
  readonly limits: CallLimits;
  /** How people are paged: as the deployment said when the call began. */
  readonly policy: LadderPolicy;
}

export interface CallContext extends CallInput {
  readonly conferenceSid: string | null;
  readonly answeredAtMs: number | null;
  readonly legs: Readonly<Record<string, Leg>>;
  /** Label of the AI leg in use, or null before the first. */
  readonly aiLabel: string | null;
  /** How many AI legs this call has had. */
  readonly aiCount: number;
  /** Sid of the media stream that is open now, or null. */
  readonly streamSid: string | null;
  readonly streamStartedAtMs: number;
  readonly model: "none" | "connecting" | "ready" | "reconnecting" | "failed" | "closed";
  /** Role that the model confirmed. */
  readonly role: "agent" | "coach";
  /** The human whom the AI coaches, or is going to. */
  readonly humanLabel: string | null;
  /** AI legs added one after another without a stream that lasted in between. */
  readonly readds: number;
  readonly greeted: boolean;
  readonly coachTries: number;
  readonly callerGone: boolean;
  /** Oldest first, at most `MAX_INCIDENTS`; the last is the current one. */
  readonly incidents: readonly Incident[];
  readonly awaited: AwaitedOwner | null;
  /** What the caller was last told of the current incident, so that nothing is said twice. */
  readonly told: string | null;
  /** On hold as far as is known: by Twilio's last answer or callback. */
  readonly callerOnHold: boolean;
  /** Whether the caller is to be on hold. */
  readonly holdWanted: boolean;
  /** The caller may be on hold: no request to end it was confirmed since the last one to begin it. */
  readonly unholdOwed: boolean;
  readonly unholdTries: number;
  readonly handover: Handover | null;
  readonly endReason: EndReason | null;
  readonly errors: readonly CallError[];
  readonly errorsDropped: number;
  readonly effectCount: number;
  readonly pending: Readonly<Record<string, PendingEffect>>;
}

/** What the model is told by the engine, as a closed set; the wording is the deployment's. */
export type Notice =
  | "line_restored"
  | "calling_human"
  | "human_unreachable"
  | "still_calling"
  | "still_waiting"
  | "human_coming"
  | "nobody_reached"
  | "human_will_call"
  | "taking_back"
  | "back_with_caller"
  | "escalation_already_open"
  | "goodbye_noted"
  | "not_possible_now";

/** Side effects by name. `…` of each is in {@link EffectInputs}. */
export interface EffectInputs {
  readonly "model.open": Record<string, never>;
  readonly "model.close": Record<string, never>;
  readonly "model.greet": Record<string, never>;
  readonly "model.role": { readonly role: "agent" | "coach" };
  readonly "model.tell": { readonly notice: Notice };
  readonly "model.toolResult": {
    readonly toolCallId: string;
    readonly notice: Notice;
    readonly respond: boolean;
  };
  readonly "media.gate": { readonly gate: "open" | "closed"; readonly speaker: "agent" | "coach" };
  /** Nothing that was sent so far can sound any more: neither what the carrier holds, nor what is on the way there. */
  readonly "media.flush": Record<string, never>;
  readonly "media.drain": { readonly timeoutMs: number };
  readonly "carrier.addAi": { readonly label: string; readonly muted: boolean };
  readonly "carrier.hold": { readonly label: "caller"; readonly hold: boolean };
  readonly "carrier.mute": { readonly label: string; readonly muted: boolean };
  readonly "carrier.coach": { readonly label: string; readonly callSidToCoach: string };
  readonly "carrier.uncoach": { readonly label: string };
  /** From now on the conference ends when this leg leaves. */
  readonly "carrier.endOnLeave": { readonly label: string };
  readonly "carrier.remove": { readonly label: string };
  readonly "carrier.hangUp": { readonly label: string; readonly callSid: string };
  readonly "carrier.endConference": { readonly conferenceSid: string };
  readonly "carrier.apologise": { readonly callSid: string };
  readonly "carrier.reconcile": Record<string, never>;
}

export type EffectName = keyof EffectInputs;

/** Effects that answer with `effect.done` or `effect.failed`; the others act at once and cannot fail. */
export const ANSWERED_EFFECTS: ReadonlySet<EffectName> = new Set<EffectName>([
  "model.role",
  "media.flush",
  "carrier.addAi",
  "carrier.hold",
  "carrier.mute",
  "carrier.coach",
  "carrier.uncoach",
  "carrier.endOnLeave",
  "carrier.remove",
  "carrier.hangUp",
  "carrier.endConference",
  "carrier.apologise",
  "carrier.reconcile",
]);

/** One side effect that the chart asks for. `id` is the same in every run of the same call. */
export type CallEffect = {
  [N in EffectName]: {
    readonly type: "effect";
    readonly id: string;
    readonly name: N;
    readonly input: EffectInputs[N];
  };
}[EffectName];

/** The page by which a human came first: those who come back have `human-3.2`, `human-3.3` … */
export const pageLabel = (label: string): string => label.split(".")[0] ?? label;

/** A leg that has been asked for. */
export function newLeg(
  label: string,
  kind: Leg["kind"],
  known: Partial<Omit<Leg, "label" | "kind">> = {},
): Leg {
  return {
    label,
    kind,
    callSid: null,
    status: "requested",
    outcome: null,
    muted: false,
    coachOf: null,
    unwanted: false,
    withoutAi: false,
    ...known,
  };
}

export function initialContext(input: CallInput): CallContext {
  return {
    ...input,
    conferenceSid: null,
    answeredAtMs: null,
    legs: {
      caller: newLeg("caller", "caller", { callSid: input.callSid }),
    },
    aiLabel: null,
    aiCount: 0,
    streamSid: null,
    streamStartedAtMs: 0,
    model: "none",
    role: "agent",
    humanLabel: null,
    readds: 0,
    greeted: false,
    coachTries: 0,
    callerGone: false,
    incidents: [],
    awaited: null,
    told: null,
    callerOnHold: false,
    holdWanted: false,
    unholdOwed: false,
    unholdTries: 0,
    handover: null,
    endReason: null,
    errors: [],
    errorsDropped: 0,
    effectCount: 0,
    pending: {},
  };
}

/** The AI leg in use. */
export function aiLeg(context: CallContext): Leg | null {
  return context.aiLabel === null ? null : (context.legs[context.aiLabel] ?? null);
}

/** The human leg that is coached, or is going to be. */
export function humanLeg(context: CallContext): Leg | null {
  return context.humanLabel === null ? null : (context.legs[context.humanLabel] ?? null);
}

/** A human who is in the room: the one whom the AI coaches before any other. */
export function humanInRoom(context: CallContext): Leg | null {
  const coached = humanLeg(context);
  return [...(coached ? [coached] : []), ...Object.values(context.legs)].find(isPresentHuman) ?? null;
}

const isPresentHuman = (leg: Leg): boolean =>
  leg.kind === "human" && leg.status === "joined" && !leg.unwanted;
