/** `/Conferences`: fetch, list, update. */
import { announce } from "../conference/announce.ts";
import type { Conference } from "../conference/conference.ts";
import { CONFERENCE_SID } from "../types.ts";
import { inDates, listAnswer, type Operation, type RestContext, type RestRequest } from "./context.ts";
import { invalid, notFound } from "./errors.ts";
import { validate } from "./parameters.ts";
import { renderConference } from "./render.ts";
import { listConferences as listTable, updateConference as updateTable } from "./tables.ts";

export const fetchConference: Operation = (context, request) => {
  validate({}, request.fields);
  const conference = findConference(context, request);
  return { status: 200, body: renderConference(context.core.accountSid, conference) };
};

export const listConferences: Operation = (context, request) =>
  listAnswer(request, listTable, "conferences", (query) =>
    context.conferences
      .all()
      .filter(
        (conference) =>
          (query.text("FriendlyName") ?? conference.friendlyName) === conference.friendlyName &&
          (query.text("Status") ?? conference.status) === conference.status &&
          inDates(query, "DateCreated", conference.createdMs) &&
          inDates(query, "DateUpdated", conference.updatedMs),
      )
      .map((conference) => renderConference(context.core.accountSid, conference)),
  );

export const updateConference: Operation = (context, request) => {
  const conference = findConference(context, request);
  const values = validate(updateTable, request.fields);
  const announceUrl = values.text("AnnounceUrl");
  if (announceUrl !== null) {
    if (conference.status !== "in-progress") {
      throw invalid("Cannot announce: the conference is not in progress", 20404);
    }
    announce(context, conference, null, { url: announceUrl, method: values.method("AnnounceMethod") });
  }
  if (values.text("Status") === "completed") conference.endViaApi();
  return { status: 200, body: renderConference(context.core.accountSid, conference) };
};

/** By `CF…` sid only: Twilio takes a conference's name when a participant is created, and nowhere else. */
export function findConference(context: RestContext, request: RestRequest): Conference {
  const sid = request.ids[0] ?? "";
  const conference = CONFERENCE_SID.test(sid) ? context.conferences.bySid(sid) : null;
  if (!conference) throw notFound(request.path);
  return conference;
}
