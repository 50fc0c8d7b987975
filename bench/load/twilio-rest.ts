/** The REST resources of {@link MiniTwilio}: those that the engine uses, in Twilio's shapes. */
import type { Server } from "bun";
import { ACCOUNT_SID, type Leg, type MiniTwilio, type Room } from "./mini-twilio.ts";

const PREFIX = `/2010-04-01/Accounts/${ACCOUNT_SID}/`;

export function serveTwilioRest(twilio: MiniTwilio): Server<undefined> {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const url = new URL(request.url);
      if (!url.pathname.startsWith(PREFIX)) return missing();
      const path = url.pathname
        .slice(PREFIX.length)
        .replace(/\.json$/, "")
        .split("/")
        .map(decodeURIComponent);
      const form = new URLSearchParams(request.method === "POST" ? await request.text() : url.search);
      const [kind, sid = "", below, member] = path;
      if (kind === "Calls") return onCall(twilio, sid, request.method, form);
      if (kind !== "Conferences") return missing();
      if (sid === "") return findConference(twilio, form);
      const room = twilio.roomOf(sid);
      if (!room) return missing();
      if (below === undefined) return onConference(twilio, room, request.method, form);
      return onParticipants(twilio, room, { member, method: request.method, form });
    },
  });
}

function onCall(twilio: MiniTwilio, sid: string, method: string, form: URLSearchParams): Response {
  const room = twilio.roomOfCall(sid);
  if (!room) return missing();
  if (method === "POST") {
    const isCaller = room.call.callSid === sid;
    const twiml = form.get("Twiml");
    if (twiml !== null) twilio.redirect(room, twiml);
    else if (form.get("Status") === "completed" && isCaller) twilio.endSoon(room);
    else if (form.get("Status") === "completed") twilio.removeAiSoon(room);
  }
  return Response.json({ sid, account_sid: ACCOUNT_SID, status: "in-progress" });
}

function findConference(twilio: MiniTwilio, form: URLSearchParams): Response {
  const room = twilio.roomOf(form.get("FriendlyName") ?? "");
  const isWanted = room !== null && (form.get("Status") ?? "in-progress") === "in-progress";
  return page("conferences", isWanted ? [conference(room)] : []);
}

function onConference(twilio: MiniTwilio, room: Room, method: string, form: URLSearchParams): Response {
  if (method === "POST" && form.get("Status") === "completed") twilio.endSoon(room);
  return Response.json(conference(room));
}

function onParticipants(
  twilio: MiniTwilio,
  room: Room,
  request: { readonly member: string | undefined; readonly method: string; readonly form: URLSearchParams },
): Response {
  const { member, method, form } = request;
  if (member === undefined) {
    if (method === "POST")
      return Response.json(ofLeg(room, twilio.addAi(room, form), "queued"), { status: 201 });
    const all: unknown[] = [ofCaller(room)];
    if (room.ai && !room.ai.gone) all.push(ofLeg(room, room.ai, "connected"));
    return page("participants", all);
  }
  const leg = room.ai;
  if (member === "caller" || member === room.call.callSid) return Response.json(ofCaller(room));
  if (!leg || leg.gone || (member !== leg.label && member !== leg.callSid)) return missing();
  if (method === "DELETE") {
    twilio.removeAiSoon(room);
    return new Response(null, { status: 204 });
  }
  if (form.has("Muted")) leg.muted = form.get("Muted") === "true";
  return Response.json(ofLeg(room, leg, "connected"));
}

function ofLeg(room: Room, leg: Leg, status: string) {
  return participant(room, { callSid: leg.callSid, label: leg.label, muted: leg.muted, status });
}

function ofCaller(room: Room) {
  return participant(room, {
    callSid: room.call.callSid,
    label: "caller",
    muted: false,
    status: "connected",
  });
}

function participant(
  room: Room,
  of: { readonly callSid: string; readonly label: string; readonly muted: boolean; readonly status: string },
) {
  return {
    account_sid: ACCOUNT_SID,
    conference_sid: room.conferenceSid,
    call_sid: of.callSid,
    label: of.label,
    muted: of.muted,
    hold: false,
    coaching: false,
    call_sid_to_coach: null,
    status: of.status,
  };
}

function conference({ conferenceSid, name }: Room) {
  return { sid: conferenceSid, account_sid: ACCOUNT_SID, friendly_name: name, status: "in-progress" };
}

function page(key: string, items: readonly unknown[]): Response {
  return Response.json({ [key]: items, page: 0, page_size: 250, next_page_uri: null });
}

function missing(): Response {
  return Response.json({ code: 20404, message: "not found", status: 404 }, { status: 404 });
}
