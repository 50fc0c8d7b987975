import type { CallStatus } from "../../../../engine/ports.ts";
import type { LeaveReason } from "../call/call.ts";
import type { CallbackTarget } from "../callbacks.ts";
import { CALL_SID, type Core } from "../types.ts";
import { ConferenceMixer } from "../media/mixer.ts";
import { ConferenceEvents, type EndReason } from "./events.ts";
import { Participant, type ParticipantChange, type ParticipantInit } from "./participant.ts";
import { joinTone, RingingTone } from "./room-tones.ts";

/** A request that the conference's rules forbid; `code` is Twilio's. */
export interface Refusal {
  readonly code: 16020 | 16025 | 16028;
  readonly message: string;
}

/**
 * One conference. It starts with two participants of which one has `startConferenceOnEnter`, ends when the last
 * one leaves or one with `endConferenceOnExit` does, and is never used again after that.
 */
export class Conference {
  readonly sid: string;
  readonly friendlyName: string;
  readonly createdMs: number;
  updatedMs: number;
  region = "us1";
  status: "init" | "in-progress" | "completed" = "init";
  reasonEnded: EndReason | null = null;
  callSidEnding: string | null = null;
  readonly events: ConferenceEvents;
  readonly #core: Core;
  readonly #mixer: ConferenceMixer;
  readonly #participants = new Map<string, Participant>();
  readonly #ringing = new Map<string, RingingTone>();
  readonly #onCompleted: (conference: Conference) => void;
  #anyoneJoined = false;
  #regionFixed = false;

  constructor(core: Core, friendlyName: string, onCompleted: (conference: Conference) => void) {
    this.#core = core;
    this.sid = core.ids.sid("CF");
    this.friendlyName = friendlyName;
    this.createdMs = core.clock.now();
    this.updatedMs = this.createdMs;
    this.events = new ConferenceEvents(core, this.sid, friendlyName);
    this.#mixer = new ConferenceMixer({ log: core.log, traced: core.taints !== null });
    this.#mixer.setWaiting(true);
    this.#onCompleted = onCompleted;
  }

  participants(): readonly Participant[] {
    return [...this.#participants.values()];
  }

  /** By call sid, or by label. */
  find(sidOrLabel: string): Participant | null {
    if (CALL_SID.test(sidOrLabel)) return this.#participants.get(sidOrLabel) ?? null;
    return this.participants().find((p) => p.label === sidOrLabel) ?? null;
  }

  /** Why a participant like this cannot be added now. */
  refusal(wanted: {
    readonly label: string | null;
    readonly coachOf: string | null;
    readonly maxParticipants: number;
  }): Refusal | null {
    if (this.#participants.size >= Math.min(250, wanted.maxParticipants)) {
      return { code: 16020, message: `Conference ${this.sid} is full` };
    }
    if (wanted.label !== null && this.find(wanted.label)) {
      return { code: 16025, message: `Participant label ${wanted.label} is already in use` };
    }
    return wanted.coachOf === null ? null : this.coachRefusal(wanted.coachOf, null);
  }

  coachRefusal(target: string, coach: Participant | null): Refusal | null {
    const coached = this.#participants.get(target);
    if (coached?.connected && coached !== coach) return null;
    return { code: 16028, message: `Call ${target} to coach is not a participant of this conference` };
  }

  /** Reserves a place, label included, for a leg that is about to join. */
  add(init: ParticipantInit): Participant {
    const participant = new Participant(init);
    this.#participants.set(init.call.sid, participant);
    init.call.membership = {
      leave: (reason, status) => this.#leave(participant, reason, status, false),
    };
    return participant;
  }

  /** The leg was answered: it is in the room from now on. */
  join(participant: Participant): void {
    const endpoint = participant.call.media.lend(participant.init.jitterBufferSize);
    if (!endpoint || this.#participants.get(participant.call.sid) !== participant) return;
    this.#stopRinging(participant);
    const { init } = participant;
    if (!this.#anyoneJoined) this.events.subscription = init.subscription;
    if (!this.#regionFixed && init.region !== null) {
      this.#regionFixed = true;
      this.region = init.region;
    }
    this.#core.ticker.add(this.#mixer);
    this.#anyoneJoined = true;
    participant.connected = true;
    this.#touch(participant);
    this.#mixer.join(participant.call.sid, endpoint, this.#flags(participant));
    if (init.beep === "true" || init.beep === "onEnter") this.#mixer.announce(null, joinTone());
    this.events.participant("participant-join", participant);
    this.#startIfReady();
    this.#core.log.info("carrier.conference.joined", {
      conferenceSid: this.sid,
      callSid: participant.call.sid,
    });
  }

  /** With early media the room hears the far end ringing. */
  ringing(participant: Participant): void {
    if (!participant.init.earlyMedia || participant.connected || this.#mixer.size === 0) return;
    const tone = new RingingTone();
    this.#ringing.set(participant.call.sid, tone);
    this.#mixer.join(`ringing:${participant.call.sid}`, tone, { muted: false, hold: false, coachOf: null });
  }

  change(participant: Participant, change: ParticipantChange): void {
    const before = { muted: participant.muted, hold: participant.hold };
    if (change.muted !== undefined) participant.muted = change.muted;
    if (change.hold !== undefined) this.#hold(participant, change.hold);
    if (change.endOnExit !== undefined) participant.endOnExit = change.endOnExit;
    if (change.beepOnExit !== undefined) participant.beepOnExit = change.beepOnExit;
    if (change.coachOf !== undefined) participant.coachOf = change.coachOf;
    this.#touch(participant);
    this.#mixer.update(participant.call.sid, this.#flags(participant));
    if (participant.muted !== before.muted) {
      this.events.participant(participant.muted ? "participant-mute" : "participant-unmute", participant);
    }
    if (participant.hold !== before.hold) {
      this.events.participant(participant.hold ? "participant-hold" : "participant-unhold", participant);
    }
    if (change.coachOf !== undefined || change.endOnExit !== undefined || change.beepOnExit !== undefined) {
      this.events.participant("participant-modify", participant);
    }
  }

  /** What a participant on hold hears instead of the network's music, unless it was changed again meanwhile. */
  playHold(participant: Participant, from: CallbackTarget, ulaw: Uint8Array, loops: boolean): void {
    if (participant.holdFrom === from) this.#mixer.setHoldSound(participant.call.sid, ulaw, loops);
  }

  /** Plays to one participant, or with `null` to all. */
  announce(participant: Participant | null, ulaw: Uint8Array): void {
    this.#mixer.announce(participant?.call.sid ?? null, ulaw);
  }

  /** Removes a participant at the customer's request. */
  kick(participant: Participant): void {
    const status = participant.connected ? "in-progress" : "canceled";
    this.#leave(participant, "participant_updated_via_api", status, true);
  }

  /** Undoes {@link Conferences.open} when nobody could be added after all. */
  closeIfUnused(): void {
    if (this.#participants.size === 0 && !this.#anyoneJoined) this.#complete("last-participant-left", null);
  }

  endViaApi(): void {
    this.#complete("conference-ended-via-api", null);
  }

  #hold(participant: Participant, hold: boolean): void {
    participant.hold = hold;
    participant.holdFrom = null;
    this.#mixer.setHoldSound(participant.call.sid, null, false);
  }

  #leave(participant: Participant, reason: LeaveReason, status: CallStatus, kicked: boolean): void {
    if (!this.#drop(participant, reason, status)) return;
    if (this.status === "completed") return;
    if (participant.connected && participant.endOnExit) {
      const how = kicked ? "kicked" : "left";
      this.#complete(`participant-with-end-conference-on-exit-${how}`, participant);
    } else if (this.#participants.size === 0) {
      this.#complete(kicked ? "last-participant-kicked" : "last-participant-left", participant);
    } else if (participant.connected && participant.beepOnExit) {
      this.#mixer.announce(null, joinTone());
    }
  }

  /** Takes one leg out; `false` when it was already out. */
  #drop(participant: Participant, reason: LeaveReason, status: CallStatus): boolean {
    const { call } = participant;
    if (this.#participants.get(call.sid) !== participant) return false;
    this.#participants.delete(call.sid);
    this.#stopRinging(participant);
    call.membership = null;
    this.updatedMs = this.#core.clock.now();
    if (participant.connected) this.#mixer.leave(call.sid);
    this.#idleCheck();
    const why = participant.connected ? reason : "participant_add_failed";
    this.events.left(participant, why, status, participant.init.subscription);
    call.media.takeBack();
    participant.init.onLeft(reason);
    return true;
  }

  #complete(reason: EndReason, by: Participant | null): void {
    if (this.status === "completed") return;
    this.status = "completed";
    this.reasonEnded = reason;
    this.callSidEnding = by?.call.sid ?? null;
    const why = by ? "moderator_ended_conference" : "conference_ended_via_api";
    for (const participant of this.participants()) {
      this.#drop(participant, why, participant.connected ? "in-progress" : "canceled");
    }
    this.updatedMs = this.#core.clock.now();
    this.#core.ticker.remove(this.#mixer);
    if (this.#anyoneJoined) this.events.ended(reason, by);
    this.#onCompleted(this);
    this.#core.log.info("carrier.conference.ended", { conferenceSid: this.sid, reason });
  }

  #startIfReady(): void {
    if (this.status !== "init") return;
    const connected = this.participants().filter((p) => p.connected);
    if (connected.length < 2 || !connected.some((p) => p.startOnEnter)) return;
    this.status = "in-progress";
    this.updatedMs = this.#core.clock.now();
    this.#mixer.setWaiting(false);
    this.events.started();
  }

  #flags(participant: Participant): { muted: boolean; hold: boolean; coachOf: string | null } {
    return { muted: participant.muted, hold: participant.hold, coachOf: participant.coachOf };
  }

  #touch(participant: Participant): void {
    participant.updatedMs = this.#core.clock.now();
    this.updatedMs = participant.updatedMs;
  }

  #stopRinging(participant: Participant): void {
    if (this.#ringing.delete(participant.call.sid)) this.#mixer.leave(`ringing:${participant.call.sid}`);
  }

  /** An empty room has nothing to mix while it waits for legs that are still ringing. */
  #idleCheck(): void {
    if (!this.participants().some((p) => p.connected)) this.#core.ticker.remove(this.#mixer);
  }
}
