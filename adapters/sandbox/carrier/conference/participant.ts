import type { CallStatus, JitterBufferSize } from "../../../../engine/ports.ts";
import type { CallbackTarget } from "../callbacks.ts";
import type { Call, LeaveReason } from "../call/call.ts";

/** Where a conference's events go; set by the first participant that joins. */
export interface ConferenceSubscription {
  readonly target: CallbackTarget;
  /** Subscription names: `start end join leave mute hold modify speaker announcement`. */
  readonly events: ReadonlySet<string>;
}

export interface ParticipantInit {
  readonly call: Call;
  readonly label: string | null;
  readonly muted: boolean;
  readonly startOnEnter: boolean;
  readonly endOnExit: boolean;
  readonly beep: string;
  readonly coachOf: string | null;
  readonly maxParticipants: number;
  readonly region: string | null;
  readonly jitterBufferSize: JitterBufferSize;
  readonly subscription: ConferenceSubscription | null;
  /** Hears how the call is being set up: ringing goes into the room. */
  readonly earlyMedia: boolean;
  /** It has left, for this reason; the call itself may go on. */
  readonly onLeft: (reason: LeaveReason) => void;
}

export interface ParticipantChange {
  readonly muted?: boolean;
  readonly hold?: boolean;
  readonly endOnExit?: boolean;
  readonly beepOnExit?: boolean;
  /** `null` ends coaching. */
  readonly coachOf?: string | null;
}

/** One leg in one conference, from the request to add it until it has left. */
export class Participant {
  readonly call: Call;
  readonly label: string | null;
  readonly startOnEnter: boolean;
  readonly init: ParticipantInit;
  readonly createdMs: number;
  updatedMs: number;
  muted: boolean;
  hold = false;
  /** Where the sound of the present hold is from; `null`: the network's own music. */
  holdFrom: CallbackTarget | null = null;
  endOnExit: boolean;
  beepOnExit: boolean;
  coachOf: string | null;
  connected = false;

  constructor(init: ParticipantInit) {
    this.init = init;
    this.call = init.call;
    this.label = init.label;
    this.muted = init.muted;
    this.startOnEnter = init.startOnEnter;
    this.endOnExit = init.endOnExit;
    this.beepOnExit = init.beep === "true" || init.beep === "onExit";
    this.coachOf = init.coachOf;
    this.createdMs = init.call.core.clock.now();
    this.updatedMs = this.createdMs;
  }

  /** Twilio's status of a participant. */
  get status(): "queued" | "connecting" | "ringing" | "connected" | "complete" | "failed" {
    if (this.connected) return "connected";
    return STATUS[this.call.status];
  }
}

const STATUS: Readonly<Record<CallStatus, "queued" | "connecting" | "ringing" | "complete" | "failed">> = {
  queued: "queued",
  initiated: "connecting",
  ringing: "ringing",
  "in-progress": "connecting",
  completed: "complete",
  canceled: "complete",
  busy: "failed",
  failed: "failed",
  "no-answer": "failed",
};
