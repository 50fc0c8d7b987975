import type { CallStatus } from "../../../../engine/ports.ts";
import type { CallbackTarget } from "../callbacks.ts";
import type { Core, Line } from "../types.ts";
import { progressFields } from "./fields.ts";
import { CallMedia } from "./media.ts";

export type ProgressEvent = "initiated" | "ringing" | "answered" | "completed";
export type EndStatus = "completed" | "busy" | "failed" | "no-answer" | "canceled";

/** Where a call's progress is reported, and which of it. */
export interface StatusSubscription {
  readonly target: CallbackTarget;
  readonly events: ReadonlySet<string>;
}

/** Why a leg leaves a conference; the values are Twilio's `ReasonParticipantLeft`. */
export type LeaveReason =
  | "conference_ended_via_api"
  | "moderator_ended_conference"
  | "participant_updated_via_api"
  | "participant_hung_up"
  | "participant_add_failed";

/** A call's place in a conference, from the moment it is to join. */
export interface Membership {
  leave(reason: LeaveReason, callStatus: CallStatus): void;
}

export interface CallInit {
  readonly sid?: string;
  readonly direction: "inbound" | "outbound-api" | "outbound-dial";
  readonly from: string;
  readonly to: string;
  readonly parentSid?: string | null;
  readonly subscription?: StatusSubscription | null;
  readonly timeLimitMs?: number | null;
}

/** Twilio's own limit on the length of a call. */
const MAX_CALL_MS = 4 * 3_600_000;
const SIP: Readonly<Record<EndStatus, number>> = {
  completed: 200,
  busy: 486,
  failed: 404,
  "no-answer": 487,
  canceled: 487,
};

/** One leg: from its creation to its last callback. */
export class Call {
  readonly core: Core;
  readonly sid: string;
  readonly direction: "inbound" | "outbound-api" | "outbound-dial";
  readonly from: string;
  readonly to: string;
  readonly parentSid: string | null;
  readonly media: CallMedia;
  readonly createdMs: number;
  updatedMs: number;
  answeredMs: number | null = null;
  endedMs: number | null = null;
  answeredBy: string | null = null;
  sipCode = 200;
  queueTimeMs = 0;
  membership: Membership | null = null;
  /** It is being sent to other TwiML: leaving its conference does not end it. */
  redirecting = false;
  /** What runs this call's TwiML. */
  session: { abort(): void } | null = null;
  subscription: StatusSubscription | null;
  /** Asked for TwiML when a document cannot be had or understood. */
  fallback: CallbackTarget | null = null;
  #timeLimitMs: number;
  #stopLimit: () => void = () => undefined;
  #status: CallStatus = "queued";
  #sequence = 0;
  #ending: (() => void)[] = [];

  constructor(core: Core, init: CallInit) {
    this.core = core;
    this.sid = init.sid ?? core.ids.sid("CA");
    this.direction = init.direction;
    this.from = init.from;
    this.to = init.to;
    this.parentSid = init.parentSid ?? null;
    this.subscription = init.subscription ?? null;
    this.#timeLimitMs = Math.min(init.timeLimitMs ?? MAX_CALL_MS, MAX_CALL_MS);
    this.media = new CallMedia(core);
    this.createdMs = core.clock.now();
    this.updatedMs = this.createdMs;
  }

  get status(): CallStatus {
    return this.#status;
  }

  get ended(): boolean {
    return this.endedMs !== null;
  }

  /** Whole seconds from answer to end (or to now). */
  durationS(): number {
    if (this.answeredMs === null) return 0;
    return Math.max(0, Math.round(((this.endedMs ?? this.core.clock.now()) - this.answeredMs) / 1000));
  }

  /** Runs `fn` when the call ends, in order of registration; at once when it has. */
  onEnd(fn: () => void): void {
    if (this.ended) fn();
    else this.#ending.push(fn);
  }

  progress(status: "initiated" | "ringing"): void {
    if (this.ended || this.answeredMs !== null) return;
    this.#set(status);
    this.#report(status);
  }

  answer(line: Line): void {
    if (this.ended || this.answeredMs !== null) return;
    this.answeredMs = this.core.clock.now();
    this.#set("in-progress");
    line.onHangup = () => this.end("completed");
    this.media.attach(line);
    this.limitTo(this.#timeLimitMs);
    this.onEnd(() => this.#stopLimit());
    this.#report("answered");
  }

  /** Ends the call so long after its answer. */
  limitTo(limitMs: number): void {
    this.#timeLimitMs = Math.min(limitMs, MAX_CALL_MS);
    this.#stopLimit();
    if (this.answeredMs === null) return;
    const leftMs = Math.max(0, this.answeredMs + this.#timeLimitMs - this.core.clock.now());
    this.#stopLimit = this.core.timers.after(leftMs, () => this.end("completed"));
  }

  /** Ends the call once; `status` must be a terminal one, and is `completed` only after an answer. */
  end(status: EndStatus, options: { readonly reason?: LeaveReason; readonly sipCode?: number } = {}): void {
    if (this.ended) return;
    this.endedMs = this.core.clock.now();
    const final = status === "completed" && this.answeredMs === null ? "canceled" : status;
    this.#set(final);
    this.sipCode = options.sipCode ?? SIP[final];
    this.membership?.leave(options.reason ?? "participant_hung_up", final);
    this.session?.abort();
    this.media.close(final);
    const ending = this.#ending;
    this.#ending = [];
    for (const fn of ending) fn();
    this.#report("completed");
    this.core.log.info("carrier.call.ended", { callSid: this.sid, status: final });
  }

  #set(status: CallStatus): void {
    this.#status = status;
    this.updatedMs = this.core.clock.now();
  }

  /** Sequence numbers count all events, subscribed or not: a subscriber to few sees gaps. */
  #report(event: ProgressEvent): void {
    const sequence = this.#sequence++;
    const subscription = this.subscription;
    if (!subscription?.events.has(event)) return;
    this.core.callbacks.send({
      target: subscription.target,
      fields: progressFields(this, sequence),
      product: "voice",
      event: `${event} ${this.#status}`,
      callSid: this.sid,
    });
  }
}
