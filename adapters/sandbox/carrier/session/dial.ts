/** `<Dial><Conference>`. */
import type { LeaveReason } from "../call/call.ts";
import { abortable } from "../abortable.ts";
import { CALL_SID } from "../types.ts";
import type { Conference, Refusal } from "../conference/conference.ts";
import type { Participant, ParticipantInit } from "../conference/participant.ts";
import { labelRefusal } from "../conference/labels.ts";
import type { DialConference } from "../twiml/document.ts";
import { fetchWaitUrl } from "./wait-url.ts";
import { goTo, type Next, type Scope } from "./scope.ts";

/** Stays in the conference until the leg leaves it; then the action follows, else the next verb. */
export async function runDial(scope: Scope, dial: DialConference): Promise<Next> {
  const conference = scope.conferences.open(dial.conference.name);
  const refusal = refuse(conference, dial);
  if (refusal) {
    conference.closeIfUnused();
    scope.core.alerts.raise(refusal.code, refusal.message, scope.call.sid);
    return afterDial(scope, dial, "failed");
  }
  await abortable<LeaveReason>(scope.signal, (done) => stay(scope, dial, conference, done));
  return afterDial(scope, dial, "answered");
}

function refuse(conference: Conference, dial: DialConference): { code: number; message: string } | null {
  const { label, coach, maxParticipants } = dial.conference;
  const bad = label === null ? null : labelRefusal(label);
  if (bad) return bad;
  if (coach !== null && !CALL_SID.test(coach)) return { code: 13240, message: `invalid coach "${coach}"` };
  const refusal: Refusal | null = conference.refusal({ label, coachOf: coach, maxParticipants });
  // What is 16028 over REST is 13240 in TwiML.
  if (refusal?.code === 16028) return { code: 13240, message: refusal.message };
  return refusal;
}

function stay(
  scope: Scope,
  dial: DialConference,
  conference: Conference,
  done: (reason: LeaveReason) => void,
): () => void {
  const participant = conference.add(participantInit(scope, dial, done));
  conference.join(participant);
  const { waitUrl, waitMethod } = dial.conference;
  if (conference.status === "init" && waitUrl) fetchWaitUrl(scope, waitUrl, waitMethod);
  const leave = (): void => leaveNow(participant);
  const stopTimer = dial.timeLimitMs === null ? null : scope.core.timers.after(dial.timeLimitMs, leave);
  const unlisten = scope.call.media.onDigits((digit) => {
    if (dial.hangupOnStar && digit === "*") leave();
  });
  return () => {
    stopTimer?.();
    unlisten();
  };
}

function participantInit(
  scope: Scope,
  dial: DialConference,
  onLeft: (reason: LeaveReason) => void,
): ParticipantInit {
  const noun = dial.conference;
  return {
    call: scope.call,
    label: noun.label,
    muted: noun.muted,
    startOnEnter: noun.startOnEnter,
    endOnExit: noun.endOnExit,
    beep: noun.beep,
    coachOf: noun.coach,
    maxParticipants: noun.maxParticipants,
    region: noun.region,
    jitterBufferSize: noun.jitterBufferSize,
    earlyMedia: false,
    subscription:
      noun.statusCallback === null
        ? null
        : {
            target: { url: noun.statusCallback, method: noun.statusCallbackMethod },
            events: new Set(noun.statusCallbackEvents),
          },
    onLeft,
  };
}

function leaveNow(participant: Participant): void {
  participant.call.membership?.leave("participant_hung_up", "in-progress");
}

function afterDial(scope: Scope, dial: DialConference, status: "answered" | "failed"): Next {
  if (dial.action === null) return "continue";
  return goTo(scope, dial.action, dial.method, [["DialCallStatus", status]]);
}
