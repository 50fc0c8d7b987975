/** A path through the machines as acts on the sandbox, and the ways that many of them begin with. */
import type { Driven } from "./driven.ts";
import { DOCTOR, NURSE, type Phone, type Setup } from "./setting.ts";
import type { Match } from "./wires.ts";

export interface DrivenPlan {
  readonly setup?: Setup;
  /** Errors that the engine may log in it; otherwise none. */
  readonly errors?: readonly string[];
  readonly acts: (call: Driven) => void;
}

export type Plans = Readonly<Record<string, DrivenPlan>>;

// ------------------------------------------------------------------ requests, by their text

export const ADD_AI: Match = ["POST", "/Participants.json", "To=app:"];
export const PAGE_CALL: Match = ["POST", "/Calls.json"];
export const LIST_CALLS: Match = ["GET", "/Calls.json"];
export const PAGE_SMS: Match = ["POST", "/Messages.json"];
export const UNCOACH: Match = ["POST", "/Participants/ai-", "Coaching=false"];
export const COACH: Match = ["POST", "/Participants/ai-", "Coaching=true"];
export const MUTE: Match = ["POST", "/Participants/ai-", "Muted=true"];
export const UNMUTE: Match = ["POST", "/Participants/ai-", "Muted=false"];
export const HOLD: Match = ["POST", "/Participants/caller", "Hold=true"];
export const UNHOLD: Match = ["POST", "/Participants/caller", "Hold=false"];
export const REMOVE_AI: Match = ["DELETE", "/Participants/ai-"];
export const HANG_UP: Match = ["POST", "/Calls/", "Status=completed"];
export const END_CONFERENCE: Match = ["POST", "/Conferences/", "Status=completed"];
export const LIST_PARTICIPANTS: Match = ["GET", "/Participants.json"];
export const APOLOGY: Match = ["POST", "/Calls/", "I am sorry."];
export const AI_LEG: Match = ["POST", "/twilio/ai-leg"];
export const conferenceEvent = (event: string, label: string): Match => [
  "/twilio/conference",
  `StatusCallbackEvent=${event} `,
  `ParticipantLabel=${label} `,
];
export const legStatus = (label: string, status = ""): Match => [
  "/twilio/leg-status",
  `label=${label} `,
  `CallStatus=${status}`,
];

/** An answer that will not come otherwise however often it is asked for. */
export const REFUSED = { refused: 400 } as const;

// ------------------------------------------------------------------ beginnings

/** Caller and AI talk. */
export function talking(call: Driven): Driven {
  return call.dials().until("streaming.live").waits(1500);
}

/** A human is wanted. */
export const escalating = (call: Driven): Driven => talking(call).operator("escalate").until("escalating");

/** The nurse's phone rings. */
export function paged(call: Driven): Phone {
  talking(call).operator("escalate");
  return call.rings(NURSE.voice);
}

/** The nurse is on the line, and hears what it is about. */
export function briefed(call: Driven): Phone {
  const nurse = paged(call).picksUp();
  call.until("voice.briefing", "ladder-1/human-1").waits(500);
  return nurse;
}

/** The nurse is in the room, the AI whispers to her. */
export function coached(call: Driven): Phone {
  const nurse = briefed(call).presses("1");
  call.until("coaching.whisper.active").waits(1000);
  return nurse;
}

// ------------------------------------------------------------------ trouble

/** The AI's streams that open from now on say nothing, for longer than anybody waits; returns how that ends. */
export const silentStreams = (call: Driven): (() => void) => {
  call.world.carrier.faults.set({ mediaDelayMs: 8000 });
  return () => call.world.carrier.faults.set({ mediaDelayMs: 0 });
};

/** A leg of the AI that rings for ever, as far as anybody hears. */
export function readdHangs(call: Driven, label: string): Driven {
  call.wires.hold(...AI_LEG);
  call.wires.rule(legStatus(label), "swallowed");
  call.wires.rule(["/twilio/conference", "participant-leave"], "swallowed");
  return call;
}

/** Phones ring, but neither is that answered nor can it be looked up. */
export function ringsUnknown(call: Driven): Driven {
  call.wires.rule(PAGE_CALL, "unanswered");
  call.wires.rule(LIST_CALLS, REFUSED);
  return call;
}

export function withoutModel(call: Driven): Driven {
  call.world.model.faults.set({ refuseUpgrade: { status: 401 } });
  return call;
}

/** What the engine logs when the model cannot be reached. */
export const NO_MODEL = ["model.failed", "openai.failed"] as const;

/** The model takes nothing that it is told; returns how that ends. */
export const silentModel = (call: Driven): (() => void) => {
  call.world.model.faults.set({ ignoreSessionUpdate: true });
  return () => call.world.model.faults.clear();
};

/** A second human comes into the room. */
export function joinedByDoctor(call: Driven): Phone {
  call.operator("escalate", { to: DOCTOR.voice });
  const doctor = call.rings(DOCTOR.voice).picksUp();
  call.until(() => call.isIn("voice.briefing", "ladder-2/human-2")).waits(500);
  doctor.presses("1");
  call.until(() => call.isInRoom("human-2")).waits(100);
  return doctor;
}
