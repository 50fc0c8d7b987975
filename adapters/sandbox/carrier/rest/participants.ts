/** `/Conferences/{conference}/Participants`: create, list, fetch, update, delete. */
import type { Call } from "../call/call.ts";
import { announce, playHold } from "../conference/announce.ts";
import type { Conference } from "../conference/conference.ts";
import { labelRefusal } from "../conference/labels.ts";
import type { Participant, ParticipantChange } from "../conference/participant.ts";
import { bufferSize } from "../media/buffer-sizes.ts";
import { CONFERENCE_SID } from "../types.ts";
import { findConference } from "./conferences.ts";
import { callbackTarget, listAnswer, type Operation, type RestContext, type RestRequest } from "./context.ts";
import { invalid, notFound, RestError } from "./errors.ts";
import { checkCapacity, checkEnds, detectionOf, subscriptionOf } from "./origin.ts";
import { validate, type Values } from "./parameters.ts";
import { renderParticipant } from "./render.ts";
import {
  createParticipant as createTable,
  listParticipants as listTable,
  updateParticipant as updateTable,
} from "./tables.ts";

const DEFAULT_TIMEOUT_S = 60;
const MAX_NAME_CHARS = 128;

export const createParticipant: Operation = (context, request) => {
  const values = validate(createTable, request.fields);
  const ends = checkEnds(context, values);
  const label = values.text("Label");
  const badLabel = label === null ? null : labelRefusal(label);
  if (badLabel) throw invalid(badLabel.message, badLabel.code);
  const coachOf = coachWanted(values) ?? null;
  checkCapacity(context, 16021);
  const conference = openConference(context, request);
  const maxParticipants = values.int("MaxParticipants") ?? 250;
  const refusal = conference.refusal({ label, coachOf, maxParticipants });
  if (refusal) {
    conference.closeIfUnused();
    throw invalid(refusal.message, refusal.code);
  }
  const timeLimit = values.int("TimeLimit");
  const call = context.calls.create({
    direction: "outbound-api",
    ...ends,
    subscription: subscriptionOf(values),
    timeLimitMs: timeLimit === null ? null : timeLimit * 1000,
  });
  const participant = addParticipant(conference, call, values, coachOf);
  context.dialer.place(call, {
    timeoutS: values.int("Timeout") ?? DEFAULT_TIMEOUT_S,
    detection: detectionOf(values, false, "AmdStatusCallback"),
    onRinging: () => conference.ringing(participant),
    onReady: () => conference.join(participant),
  });
  return { status: 201, body: renderParticipant(conference, participant, call.queueTimeMs) };
};

export const listParticipants: Operation = (context, request) => {
  const conference = findConference(context, request);
  return listAnswer(request, listTable, "participants", (query) =>
    conference
      .participants()
      .filter(
        (p) =>
          (query.bool("Muted") ?? p.muted) === p.muted &&
          (query.bool("Hold") ?? p.hold) === p.hold &&
          (query.bool("Coaching") ?? p.coachOf !== null) === (p.coachOf !== null),
      )
      .map((p) => renderParticipant(conference, p, null)),
  );
};

export const fetchParticipant: Operation = (context, request) => {
  validate({}, request.fields);
  const [conference, participant] = find(context, request);
  return { status: 200, body: renderParticipant(conference, participant, null) };
};

export const updateParticipant: Operation = (context, request) => {
  const [conference, participant] = find(context, request);
  const values = validate(updateTable, request.fields);
  // Only legs that are in the room can be changed.
  if (!participant.connected) throw notFound(request.path);
  const coachOf = coachWanted(values);
  if (coachOf) {
    const refusal = conference.coachRefusal(coachOf, participant);
    if (refusal) throw invalid(refusal.message, refusal.code);
  }
  conference.change(participant, changeOf(values, coachOf));
  const holdUrl = values.text("HoldUrl");
  if (participant.hold && holdUrl !== null) {
    playHold(context, conference, participant, { url: holdUrl, method: values.method("HoldMethod", "GET") });
  }
  const announceUrl = values.text("AnnounceUrl");
  if (announceUrl !== null) {
    announce(context, conference, participant, {
      url: announceUrl,
      method: values.method("AnnounceMethod"),
    });
  }
  return { status: 200, body: renderParticipant(conference, participant, null) };
};

export const removeParticipant: Operation = (context, request) => {
  validate({}, request.fields);
  const [conference, participant] = find(context, request);
  conference.kick(participant);
  return { status: 204, body: null };
};

function find(context: RestContext, request: RestRequest): [Conference, Participant] {
  const conference = findConference(context, request);
  const participant = conference.find(request.ids[1] ?? "");
  if (!participant) throw notFound(request.path);
  return [conference, participant];
}

/** A `CF…` sid must be that of a conference that is not over; a name makes one when there is none. */
function openConference(context: RestContext, request: RestRequest): Conference {
  const id = request.ids[0] ?? "";
  if (CONFERENCE_SID.test(id)) {
    const conference = context.conferences.bySid(id);
    if (!conference || conference.status === "completed") throw notFound(request.path);
    return conference;
  }
  if (id === "" || id.length > MAX_NAME_CHARS) {
    throw invalid(`Invalid conference name: it must have 1 to ${MAX_NAME_CHARS} characters`, 16002);
  }
  return context.conferences.open(id);
}

/** The call to coach; `null` for none, `undefined` when the request says nothing about it. */
function coachWanted(values: Values): string | null | undefined {
  const coaching = values.bool("Coaching");
  const target = values.text("CallSidToCoach");
  if (coaching === true && target === null) {
    throw new RestError(400, 16002, "CallSidToCoach must be set when Coaching is true");
  }
  if (coaching === false) return null;
  return target ?? undefined;
}

function changeOf(values: Values, coachOf: string | null | undefined): ParticipantChange {
  const muted = values.bool("Muted");
  const hold = values.bool("Hold");
  const endOnExit = values.bool("EndConferenceOnExit");
  const beepOnExit = values.bool("BeepOnExit");
  return {
    ...(muted === null ? {} : { muted }),
    ...(hold === null ? {} : { hold }),
    ...(endOnExit === null ? {} : { endOnExit }),
    ...(beepOnExit === null ? {} : { beepOnExit }),
    ...(coachOf === undefined ? {} : { coachOf }),
  };
}

function addParticipant(
  conference: Conference,
  call: Call,
  values: Values,
  coachOf: string | null,
): Participant {
  const target = callbackTarget(values, "ConferenceStatusCallback");
  return conference.add({
    call,
    label: values.text("Label"),
    muted: values.bool("Muted") ?? false,
    startOnEnter: values.bool("StartConferenceOnEnter") ?? true,
    endOnExit: values.bool("EndConferenceOnExit") ?? false,
    beep: values.text("Beep") ?? "true",
    coachOf,
    maxParticipants: values.int("MaxParticipants") ?? 250,
    region: values.text("Region"),
    jitterBufferSize: bufferSize(values.text("JitterBufferSize")),
    earlyMedia: values.bool("EarlyMedia") ?? true,
    subscription: target && {
      target,
      events: new Set(values.list("ConferenceStatusCallbackEvent") ?? ["start", "end"]),
    },
    // It was called for this conference: with the place in it the call is over.
    onLeft: (reason) => {
      if (!call.redirecting) call.end(call.answeredMs === null ? "canceled" : "completed", { reason });
    },
  });
}
