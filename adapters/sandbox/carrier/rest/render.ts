/** The JSON of each resource: names, types and nulls as in Twilio's API of 2010-04-01. */
import type { Call } from "../call/call.ts";
import { rfc2822 } from "../dates.ts";
import type { Conference } from "../conference/conference.ts";
import type { Participant } from "../conference/participant.ts";
import type { Message } from "../messages.ts";
import { API_VERSION } from "../types.ts";

export type Json = Readonly<Record<string, unknown>>;

export function accountPath(accountSid: string): string {
  return `/${API_VERSION}/Accounts/${accountSid}`;
}

export function renderCall(call: Call): Json {
  const uri = `${accountPath(call.core.accountSid)}/Calls/${call.sid}`;
  const { endedMs, answeredMs } = call;
  return {
    sid: call.sid,
    date_created: rfc2822(call.createdMs),
    date_updated: rfc2822(call.updatedMs),
    parent_call_sid: call.parentSid,
    account_sid: call.core.accountSid,
    to: call.to,
    to_formatted: call.to,
    from: call.from,
    from_formatted: call.from,
    phone_number_sid: null,
    // REST knows no `initiated`: that is a callback's word for a call that was `queued`.
    status: call.status === "initiated" ? "queued" : call.status,
    start_time: answeredMs === null ? null : rfc2822(answeredMs),
    end_time: endedMs === null ? null : rfc2822(endedMs),
    duration: endedMs === null ? null : String(call.durationS()),
    price: null,
    price_unit: "USD",
    direction: call.direction,
    answered_by: call.answeredBy,
    api_version: API_VERSION,
    forwarded_from: null,
    group_sid: null,
    caller_name: null,
    queue_time: String(call.queueTimeMs),
    trunk_sid: null,
    uri: `${uri}.json`,
    subresource_uris: {
      notifications: `${uri}/Notifications.json`,
      recordings: `${uri}/Recordings.json`,
      streams: `${uri}/Streams.json`,
    },
  };
}

/** `queueTimeMs` is given in the answer to a create only. */
export function renderParticipant(
  conference: Conference,
  participant: Participant,
  queueTimeMs: number | null,
): Json {
  const { call } = participant;
  const base = `${accountPath(call.core.accountSid)}/Conferences/${conference.sid}/Participants`;
  return {
    account_sid: call.core.accountSid,
    call_sid: call.sid,
    label: participant.label,
    conference_sid: conference.sid,
    date_created: rfc2822(participant.createdMs),
    date_updated: rfc2822(participant.updatedMs),
    end_conference_on_exit: participant.endOnExit,
    muted: participant.muted,
    hold: participant.hold,
    status: participant.status,
    start_conference_on_enter: participant.startOnEnter,
    coaching: participant.coachOf !== null,
    call_sid_to_coach: participant.coachOf,
    queue_time: queueTimeMs === null ? null : String(queueTimeMs),
    uri: `${base}/${call.sid}.json`,
  };
}

export function renderConference(accountSid: string, conference: Conference): Json {
  const uri = `${accountPath(accountSid)}/Conferences/${conference.sid}`;
  return {
    account_sid: accountSid,
    api_version: API_VERSION,
    call_sid_ending_conference: conference.callSidEnding,
    date_created: rfc2822(conference.createdMs),
    date_updated: rfc2822(conference.updatedMs),
    friendly_name: conference.friendlyName,
    reason_conference_ended: conference.reasonEnded,
    region: conference.region,
    sid: conference.sid,
    status: conference.status,
    subresource_uris: {
      participants: `${uri}/Participants.json`,
      recordings: `${uri}/Recordings.json`,
    },
    uri: `${uri}.json`,
  };
}

export function renderMessage(accountSid: string, message: Message): Json {
  const uri = `${accountPath(accountSid)}/Messages/${message.sid}`;
  return {
    account_sid: accountSid,
    api_version: API_VERSION,
    body: message.body,
    date_created: rfc2822(message.createdMs),
    date_sent: message.sentMs === null ? null : rfc2822(message.sentMs),
    date_updated: rfc2822(message.updatedMs),
    direction: message.direction,
    error_code: message.errorCode,
    error_message: message.errorCode === null ? null : "The message could not be delivered",
    from: message.from,
    messaging_service_sid: null,
    num_media: "0",
    num_segments: String(Math.max(1, Math.ceil(message.body.length / 153))),
    price: null,
    price_unit: null,
    sid: message.sid,
    status: message.status,
    subresource_uris: { media: `${uri}/Media.json` },
    tags: null,
    to: message.to,
    uri: `${uri}.json`,
  };
}

/** One page of a list, in the envelope of the API. */
export function renderPage(
  key: string,
  items: readonly Json[],
  where: {
    readonly path: string;
    readonly query: URLSearchParams;
    readonly size: number;
    readonly page: number;
  },
): Json {
  const { path, size, page } = where;
  const shown = items.slice(page * size, (page + 1) * size);
  const link = (number: number): string => {
    const query = new URLSearchParams(where.query);
    query.set("PageSize", String(size));
    query.set("Page", String(number));
    return `${path}?${query.toString()}`;
  };
  return {
    [key]: shown,
    end: page * size + Math.max(0, shown.length - 1),
    first_page_uri: link(0),
    next_page_uri: (page + 1) * size < items.length ? link(page + 1) : null,
    page,
    page_size: size,
    previous_page_uri: page > 0 ? link(page - 1) : null,
    start: page * size,
    uri: link(page),
  };
}
