import type {
  CallContextUpdateOptions,
  CallListInstanceCreateOptions,
} from "twilio/lib/rest/api/v2010/account/call.js";
import type {
  ParticipantContextUpdateOptions,
  ParticipantListInstanceCreateOptions,
} from "twilio/lib/rest/api/v2010/account/conference/participant.js";
import type { MessageListInstanceCreateOptions } from "twilio/lib/rest/api/v2010/account/message.js";
import type {
  CallPatch,
  CreateCall,
  CreateParticipant,
  ParticipantPatch,
  ParticipantRef,
  SendMessage,
  Sought,
} from "../../engine/ports.ts";
import { failureError, invalidFailure } from "./failure.ts";

/**
 * The port's inputs as the SDK's options. What Twilio would refuse, or what would address something else, is
 * refused before it is sent.
 */

const CALL_SID = /^CA[0-9a-fA-F]{32}$/;
const CONFERENCE_SID = /^CF[0-9a-fA-F]{32}$/;

export function participantOptions(input: CreateParticipant): ParticipantListInstanceCreateOptions {
  requireText("to", input.to);
  requireText("from", input.from);
  checkLabel(input.label);
  checkTimeout(input.timeoutS);
  checkCoach(input);
  return defined<ParticipantListInstanceCreateOptions>({
    to: input.to,
    from: input.from,
    label: input.label,
    muted: input.muted,
    startConferenceOnEnter: input.startConferenceOnEnter,
    endConferenceOnExit: input.endConferenceOnExit,
    beep: input.beep === undefined ? undefined : String(input.beep),
    earlyMedia: input.earlyMedia,
    coaching: input.coaching,
    callSidToCoach: input.callSidToCoach,
    jitterBufferSize: input.jitterBufferSize,
    region: input.region,
    timeout: input.timeoutS,
    timeLimit: input.timeLimitS,
    machineDetection: input.machineDetection,
    record: input.record,
    recordingChannels: input.record ? "dual" : undefined,
    statusCallback: input.statusCallback,
    statusCallbackEvent: list(input.statusCallbackEvents),
    conferenceStatusCallback: input.conferenceStatusCallback,
    conferenceStatusCallbackEvent: list(input.conferenceStatusCallbackEvents),
  });
}

export function participantPatch(patch: ParticipantPatch): ParticipantContextUpdateOptions {
  checkCoach(patch);
  return defined<ParticipantContextUpdateOptions>({
    muted: patch.muted,
    hold: patch.hold,
    coaching: patch.coaching,
    callSidToCoach: patch.callSidToCoach,
    endConferenceOnExit: patch.endConferenceOnExit,
    announceUrl: patch.announceUrl,
  });
}

export function callOptions(input: CreateCall): CallListInstanceCreateOptions {
  requireText("to", input.to);
  requireText("from", input.from);
  checkTimeout(input.timeoutS);
  if ((input.url === undefined) === (input.twiml === undefined)) {
    throw invalid("give either url or twiml: what the call does when it is answered");
  }
  return defined<CallListInstanceCreateOptions>({
    to: input.to,
    from: input.from,
    url: input.url,
    twiml: input.twiml,
    timeout: input.timeoutS,
    machineDetection: input.machineDetection,
    statusCallback: input.statusCallback,
    statusCallbackEvent: list(input.statusCallbackEvents),
  });
}

export function callPatch(patch: CallPatch): CallContextUpdateOptions {
  if (patch.url === undefined && patch.twiml === undefined && patch.status === undefined) {
    throw invalid("give url, twiml or status: an empty patch changes nothing");
  }
  return defined<CallContextUpdateOptions>({ url: patch.url, twiml: patch.twiml, status: patch.status });
}

export function messageOptions(input: SendMessage): MessageListInstanceCreateOptions {
  requireText("to", input.to);
  requireText("from", input.from);
  requireText("body", input.body);
  return defined<MessageListInstanceCreateOptions>({
    to: input.to,
    from: input.from,
    body: input.body,
    statusCallback: input.statusCallback,
  });
}

/** Without one of them the whole account would be listed. */
export function soughtEnds({ to, from }: Sought): Pick<Sought, "to" | "from"> {
  requireText("to", to);
  requireText("from", from);
  return { to, from };
}

/** A conference's sid or name as a path segment; only create takes a name. */
export function conferenceSegment(conference: string): string {
  // A dot segment would be folded away and address the list of conferences itself.
  if (
    conference === "" ||
    conference.length > 128 ||
    /[/?]/.test(conference) ||
    /^\.{1,2}$/.test(conference)
  ) {
    throw invalid("conference must be a sid, or a name of 1 to 128 characters without '/' and '?'");
  }
  return encodeURIComponent(conference);
}

export function conferenceSid(sid: string): string {
  if (!CONFERENCE_SID.test(sid))
    throw invalid("conferenceSid must be a sid (CF…): Twilio takes no name here");
  return sid;
}

export function callSid(sid: string): string {
  if (!CALL_SID.test(sid)) throw invalid("callSid must be a sid (CA…)");
  return sid;
}

export function isConferenceSid(conference: string): boolean {
  return CONFERENCE_SID.test(conference);
}

/** Both path segments of a participant; a label is escaped as Twilio asks. */
export function participantPath(ref: ParticipantRef): {
  readonly conference: string;
  readonly participant: string;
} {
  if (!CALL_SID.test(ref.participant)) checkLabel(ref.participant);
  return { conference: conferenceSid(ref.conferenceSid), participant: encodeURIComponent(ref.participant) };
}

/** Twilio's own limits: errors 16023 and 16024. */
function checkLabel(label: string): void {
  const fits = label !== "" && label.length <= 128 && !/\/|%2f|\?/i.test(label);
  if (!fits || /^CA[0-9a-f]{32}$/.test(label)) {
    throw invalid("label must be 1 to 128 characters, without '/' and '?', not in the form of a call sid");
  }
}

function checkTimeout(timeoutS: number | undefined): void {
  if (timeoutS !== undefined && !(Number.isInteger(timeoutS) && timeoutS >= 5 && timeoutS <= 600)) {
    throw invalid("timeoutS must be a whole number of seconds, 5 to 600");
  }
}

function checkCoach(input: { readonly coaching?: boolean; readonly callSidToCoach?: string }): void {
  if (input.coaching === true && input.callSidToCoach === undefined) {
    throw invalid("callSidToCoach is required when coaching is true");
  }
  if (input.callSidToCoach !== undefined && !CALL_SID.test(input.callSidToCoach)) {
    throw invalid("callSidToCoach must be a call sid (CA…): Twilio takes no label here");
  }
}

function requireText(name: string, value: string): void {
  if (value === "") throw invalid(`${name} is empty`);
}

function invalid(detail: string): Error {
  return failureError(invalidFailure(detail));
}

/** A list, for the SDK to repeat the key; an empty one is left out. */
function list(values: readonly string[] | undefined): string[] | undefined {
  return values === undefined || values.length === 0 ? undefined : [...values];
}

/** `T` without the properties that are undefined; a property that `T` does not know fails to compile. */
function defined<T>(values: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}
