/** The callbacks of a conference, with the fields of Twilio's documentation. */
import type { CallStatus } from "../../../../engine/ports.ts";
import type { LeaveReason } from "../call/call.ts";
import { rfc2822 } from "../dates.ts";
import type { Core } from "../types.ts";
import type { ConferenceSubscription, Participant } from "./participant.ts";

/** Twilio's `ReasonConferenceEnded`: with hyphens, unlike the reasons of participants. */
export type EndReason =
  | "conference-ended-via-api"
  | "last-participant-kicked"
  | "last-participant-left"
  | "participant-with-end-conference-on-exit-kicked"
  | "participant-with-end-conference-on-exit-left";

type Field = readonly [string, string];
export type ParticipantEvent =
  | "participant-join"
  | "participant-leave"
  | "participant-mute"
  | "participant-unmute"
  | "participant-hold"
  | "participant-unhold"
  | "participant-modify"
  | "announcement-end"
  | "announcement-fail";
type ConferenceEvent = "conference-start" | "conference-end" | ParticipantEvent;

/** Which subscription each event belongs to. */
const SUBSCRIPTION: Readonly<Record<ConferenceEvent, string>> = {
  "conference-start": "start",
  "conference-end": "end",
  "participant-join": "join",
  "participant-leave": "leave",
  "participant-mute": "mute",
  "participant-unmute": "mute",
  "participant-hold": "hold",
  "participant-unhold": "hold",
  "participant-modify": "modify",
  "announcement-end": "announcement",
  "announcement-fail": "announcement",
};

export class ConferenceEvents {
  readonly #core: Core;
  readonly #sid: string;
  readonly #friendlyName: string;
  #sequence = 0;
  subscription: ConferenceSubscription | null = null;

  constructor(core: Core, sid: string, friendlyName: string) {
    this.#core = core;
    this.#sid = sid;
    this.#friendlyName = friendlyName;
  }

  started(): void {
    this.#send("conference-start", [], null);
  }

  ended(reason: EndReason, by: Participant | null): void {
    const fields: Field[] = [["ReasonConferenceEnded", reason]];
    if (by) fields.push(["CallSidEndingConference", by.call.sid]);
    if (by?.label) fields.push(["ParticipantLabelEndingConference", by.label]);
    fields.push(["Reason", by ? `Participant ${by.call.sid} ended the conference` : "Ended via API"]);
    this.#send("conference-end", fields, null);
  }

  participant(event: ParticipantEvent, participant: Participant, extra: readonly Field[] = []): void {
    this.#send(event, [...participantFields(participant), ...extra], participant.call.sid);
  }

  /**
   * `own` is used when the conference has no subscription yet: nobody has ever joined it, so the one who could
   * not be added is the first participant.
   */
  left(
    participant: Participant,
    reason: LeaveReason,
    status: CallStatus,
    own: ConferenceSubscription | null,
  ): void {
    const fields: Field[] = [
      ...participantFields(participant),
      ["ParticipantCallStatus", status],
      ["ReasonParticipantLeft", reason],
    ];
    this.#send("participant-leave", fields, participant.call.sid, this.subscription ?? own);
  }

  /** A conference-wide announcement is over, or could not be made. */
  announcement(event: "announcement-end" | "announcement-fail", fields: readonly Field[]): void {
    this.#send(event, fields, null);
  }

  /** The sequence counts the events that are sent, from 1. */
  #send(
    event: ConferenceEvent,
    fields: readonly Field[],
    callSid: string | null,
    subscription: ConferenceSubscription | null = this.subscription,
  ): void {
    if (!subscription?.events.has(SUBSCRIPTION[event])) return;
    this.#core.callbacks.send({
      target: subscription.target,
      fields: [
        ["ConferenceSid", this.#sid],
        ["FriendlyName", this.#friendlyName],
        ["AccountSid", this.#core.accountSid],
        ["SequenceNumber", String(++this.#sequence)],
        ["Timestamp", rfc2822(this.#core.clock.now())],
        ["StatusCallbackEvent", event],
        ...fields,
      ],
      product: "voice",
      event,
      callSid,
    });
  }
}

function participantFields(participant: Participant): Field[] {
  const fields: Field[] = [
    ["CallSid", participant.call.sid],
    ["Muted", String(participant.muted)],
    ["Hold", String(participant.hold)],
    ["Coaching", String(participant.coachOf !== null)],
    ["EndConferenceOnExit", String(participant.endOnExit)],
    ["StartConferenceOnEnter", String(participant.startOnEnter)],
  ];
  if (participant.label !== null) fields.push(["ParticipantLabel", participant.label]);
  return fields;
}
