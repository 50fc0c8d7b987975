/**
 * As much of Twilio as a call of the engine needs: signed webhooks, one conference per call with its caller and
 * the AI's leg, and the REST resources that the engine uses on them.
 */
import { InvariantError, errorText } from "../../engine/errors.ts";
import { signTwilioRequest } from "../../engine/http/twilio-signature.ts";
import type { Clock, Ids } from "../../engine/ports.ts";
import type { LoadCall } from "./load-call.ts";
import { attribute, parameterOf, postForm, streamTarget } from "./twilio-http.ts";

export const ACCOUNT_SID = `AC${"0".repeat(31)}1`;
export const AUTH_TOKEN = "load-auth-token";
export const APP_SID = `AP${"0".repeat(31)}1`;
export const NUMBER = "+15550100";
const CALLER = "+15550142";
/** A call that is not up by then has failed. */
const UP_LIMIT_MS = 10_000;
const MAX_STREAMS = 5;

export interface Leg {
  readonly label: string;
  readonly callSid: string;
  readonly statusCallback: string;
  muted: boolean;
  gone: boolean;
  streams: number;
  /** The document that it goes through, and how many of its streams it has tried. */
  twiml: string;
  tries: number;
}

/** One call and its conference. */
export interface Room {
  readonly call: LoadCall;
  readonly origin: string;
  readonly name: string;
  readonly conferenceSid: string;
  readonly conferenceCallback: string;
  readonly dialAction: string;
  readonly up: PromiseWithResolvers<void>;
  ai: Leg | null;
  sequence: number;
  over: boolean;
}

export interface MiniTwilioOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  /** The call is over, by whoever's doing. */
  readonly onEnded: (call: LoadCall, by: "caller" | "agent") => void;
  readonly onProblem: (problem: string) => void;
}

export class MiniTwilio {
  readonly #options: MiniTwilioOptions;
  readonly rooms = new Map<string, Room>();
  readonly #byConference = new Map<string, Room>();

  constructor(options: MiniTwilioOptions) {
    this.#options = options;
  }

  /** Places a call. Resolves once the AI's stream is up; `refused` when the engine took it with an apology. */
  async place(call: LoadCall, origin: string): Promise<"up" | "refused"> {
    const { ids, clock } = this.#options;
    const twiml = await this.#webhook(`${origin}/twilio/voice`, this.#callerFields(call, "ringing"));
    if (!twiml.includes("<Conference")) return "refused";
    const room: Room = {
      call,
      origin,
      name: `af-${call.callSid}`,
      conferenceSid: ids.sid("CF"),
      conferenceCallback: attribute(twiml, "Conference", "statusCallback"),
      dialAction: attribute(twiml, "Dial", "action"),
      up: Promise.withResolvers<void>(),
      ai: null,
      sequence: 0,
      over: false,
    };
    this.rooms.set(call.callSid, room);
    this.#byConference.set(room.name, room).set(room.conferenceSid, room);
    call.onClosed = () => {
      const reopened = this.#afterStream(room);
      // A call that ends meanwhile takes its new stream with it.
      this.#run(reopened.catch((error: unknown) => (room.over ? undefined : Promise.reject(error))));
    };
    await this.#conferenceEvent(room, "participant-join", call.callSid, "caller");
    const timer = clock.setTimeout(
      () => room.up.reject(new InvariantError(`the AI's stream was not up within ${UP_LIMIT_MS} ms`)),
      UP_LIMIT_MS,
    );
    try {
      await room.up.promise;
    } finally {
      clock.clearTimeout(timer);
    }
    return "up";
  }

  roomOf(conference: string): Room | null {
    return this.#byConference.get(conference) ?? null;
  }

  /** The room of a caller's or of an AI leg's call. */
  roomOfCall(callSid: string): Room | null {
    const own = this.rooms.get(callSid);
    if (own) return own;
    for (const room of this.rooms.values()) if (room.ai?.callSid === callSid) return room;
    return null;
  }

  /** A REST request added the AI's leg: it rings, answers and gets its stream. */
  addAi(room: Room, form: URLSearchParams): Leg {
    const leg: Leg = {
      label: form.get("Label") ?? "",
      callSid: this.#options.ids.sid("CA"),
      statusCallback: form.get("StatusCallback") ?? "",
      muted: form.get("Muted") === "true",
      gone: false,
      streams: 0,
      twiml: "",
      tries: 0,
    };
    room.ai = leg;
    const session = new URLSearchParams((form.get("To") ?? "").split("?")[1] ?? "").get("session") ?? "";
    this.#run(this.#connectAi(room, leg, session));
    return leg;
  }

  async removeAi(room: Room): Promise<void> {
    const leg = room.ai;
    if (!leg || leg.gone) return;
    leg.gone = true;
    room.call.stop();
    await this.#legStatus(leg, "completed", room);
    await this.#conferenceEvent(room, "participant-leave", leg.callSid, leg.label);
  }

  /** The caller leaves, and with them everybody: the conference ends with the caller. */
  async end(room: Room, by: "caller" | "agent"): Promise<void> {
    if (room.over) return;
    room.over = true;
    const { call } = room;
    await this.#conferenceEvent(room, "participant-leave", call.callSid, "caller");
    await this.removeAi(room);
    await this.#conferenceEvent(room, "conference-end", "", "");
    await this.#webhook(room.dialAction, this.#callerFields(call, "completed"));
    this.rooms.delete(call.callSid);
    this.#byConference.delete(room.name);
    this.#byConference.delete(room.conferenceSid);
    this.#options.onEnded(call, by);
  }

  /** As {@link end}, from inside a REST request, whose answer does not wait for the callbacks. */
  endSoon(room: Room): void {
    this.#run(this.end(room, "agent"));
  }

  removeAiSoon(room: Room): void {
    this.#run(this.removeAi(room));
  }

  /** The caller was sent to another document: it is said at once, and its redirect followed. */
  redirect(room: Room, twiml: string): void {
    const next = /<Redirect[^>]*>([^<]+)<\/Redirect>/.exec(twiml)?.[1];
    const followed = async (): Promise<void> => {
      if (next) {
        const url = next.replaceAll("&amp;", "&");
        await this.#webhook(url, this.#callerFields(room.call, "in-progress"));
      }
      await this.end(room, "agent");
    };
    this.#run(followed());
  }

  async #connectAi(room: Room, leg: Leg, session: string): Promise<void> {
    for (const status of ["initiated", "ringing", "in-progress"]) await this.#legStatus(leg, status, room);
    const fields = { ...this.#legFields(leg), CallStatus: "in-progress", session };
    const twiml = await this.#webhook(`${room.origin}/twilio/ai-leg`, fields);
    await this.#conferenceEvent(room, "participant-join", leg.callSid, leg.label);
    await this.#openStream(room, leg, twiml);
    room.up.resolve();
  }

  async #openStream(room: Room, leg: Leg, twiml: string): Promise<void> {
    leg.twiml = twiml;
    leg.tries = 0;
    await this.#nextStream(room, leg);
  }

  async #nextStream(room: Room, leg: Leg): Promise<void> {
    const url = attribute(leg.twiml, "Stream", "url");
    const token = parameterOf(leg.twiml, "token", leg.tries++);
    if (token === "" || ++leg.streams > MAX_STREAMS) {
      await this.removeAi(room);
      return;
    }
    const signature = signTwilioRequest({ authToken: AUTH_TOKEN, url, params: [] });
    await room.call.open(streamTarget(url, signature, { token }), this.#options.ids.sid("MZ"));
  }

  /** The stream's socket closed by itself: the AI's leg goes on with the next of its document. */
  async #afterStream(room: Room): Promise<void> {
    const leg = room.ai;
    if (!leg || leg.gone || room.over) return;
    await this.#nextStream(room, leg);
  }

  async #legStatus(leg: Leg, status: string, room: Room): Promise<void> {
    const SequenceNumber = String(++room.sequence);
    await this.#webhook(leg.statusCallback, { ...this.#legFields(leg), CallStatus: status, SequenceNumber });
  }

  async #conferenceEvent(room: Room, event: string, callSid: string, label: string): Promise<void> {
    const fields: Record<string, string> = {
      AccountSid: ACCOUNT_SID,
      ConferenceSid: room.conferenceSid,
      FriendlyName: room.name,
      StatusCallbackEvent: event,
      SequenceNumber: String(++room.sequence),
    };
    if (callSid !== "") Object.assign(fields, { CallSid: callSid, ParticipantLabel: label });
    await this.#webhook(room.conferenceCallback, fields);
  }

  #callerFields(call: LoadCall, status: string): Record<string, string> {
    const base = { AccountSid: ACCOUNT_SID, CallSid: call.callSid, CallStatus: status };
    return { ...base, From: CALLER, To: NUMBER, Direction: "inbound" };
  }

  #legFields(leg: Leg): Record<string, string> {
    return { AccountSid: ACCOUNT_SID, CallSid: leg.callSid, From: NUMBER, To: `app:${APP_SID}` };
  }

  async #webhook(url: string, fields: Readonly<Record<string, string>>): Promise<string> {
    return await postForm(url, AUTH_TOKEN, fields);
  }

  #run(task: Promise<void>): void {
    task.catch((error: unknown) => this.#options.onProblem(errorText(error)));
  }
}
