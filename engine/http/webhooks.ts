/**
 * Every request Twilio makes over HTTP, as events of the call it is about. The call is named by our own
 * parameter in the URL that we gave, never guessed. A callback about a call that is unknown or over gets
 * 204 and a log line: an error would only make Twilio repeat it.
 */
import type { UnstampedCallEvent } from "../../machines/events.ts";
import type { Refusal } from "../call/admission.ts";
import type { CallSession } from "../call/call-session.ts";
import type { LegKeys } from "../call/leg-keys.ts";
import type { Supervisor } from "../call/supervisor.ts";
import type { Urls } from "../call/urls.ts";
import type { Deployment } from "../config/deployment.ts";
import type { MediaGateway } from "../media/gateway.ts";
import type { Log } from "../ports.ts";
import type { SignedForm } from "./twilio-guard.ts";
import {
  type ConferenceCallback,
  parseCallStatusCallback,
  parseConferenceCallback,
  parseConnectAction,
  parseDialAction,
  parseInboundMessage,
  parseStreamStatusCallback,
  parseVoiceRequest,
} from "./twilio-forms.ts";
import {
  conferenceTwiml,
  dialTwiml,
  emptyTwiml,
  gatherTwiml,
  hangupTwiml,
  sayTwiml,
  streamTwiml,
} from "./twiml.ts";

export interface WebhookOptions {
  readonly supervisor: Supervisor;
  readonly urls: Urls;
  readonly legKeys: LegKeys;
  readonly gateway: MediaGateway;
  readonly deployment: Deployment;
  readonly log: Log;
}

/** How often one AI leg may come back by its own TwiML: a socket that never opens must not loop for ever. */
const MAX_STREAMS_PER_LEG = 5;
const MAX_COUNTED_LEGS = 10_000;
/** A person may have to fetch the phone; a caller who waits longer than this hangs up. */
const FALLBACK_RING_S = 30;
const BRIEFING =
  "This is the call assistant. A caller needs you now. Press 1 to join the call. Press 2 to decline.";
const TOO_LATE = "Thank you. The caller does not need you any more. Goodbye.";

export class Webhooks {
  readonly #options: WebhookOptions;
  readonly #streams = new Map<string, number>();
  readonly counters = { unknownCall: 0, malformed: 0 };

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /** `POST /twilio/voice`: a caller. Answered before anything else is waited for. */
  voice({ form }: SignedForm): Response {
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return this.#malformed("voice", parsed.issues);
    const { CallSid, From, To } = parsed.value;
    const { supervisor, deployment, urls } = this.#options;
    if (supervisor.isOver(CallSid)) return twiml(hangupTwiml());
    const conferenceName = `af-${CallSid}`;
    const begun = supervisor.begin({ callSid: CallSid, conferenceName, from: From, to: To });
    if (typeof begun === "string") return this.#refuse(CallSid, begun);
    return twiml(
      conferenceTwiml({
        name: conferenceName,
        participantLabel: "caller",
        actionUrl: urls.afterDial(CallSid),
        startConferenceOnEnter: true,
        endConferenceOnExit: true,
        jitterBufferSize: "small",
        ...(deployment.region === "us2" ? {} : { region: deployment.region }),
        statusCallback: urls.conferenceCallback(CallSid),
        ...(deployment.recording === "conference" ? { record: "record-from-start" as const } : {}),
      }),
    );
  }

  /** `POST /twilio/ai-leg`: the TwiML App's voice URL, for the AI's own leg. */
  aiLeg({ form }: SignedForm): Response {
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return this.#malformed("ai-leg", parsed.issues);
    const leg = this.#options.legKeys.resolve(form.get("session") ?? "");
    if (!leg) {
      this.#unknown("ai-leg", parsed.value.CallSid);
      return twiml(hangupTwiml());
    }
    return this.#stream(leg.callSid, leg.label);
  }

  /** `<Connect action>`: the AI leg's stream has closed. It comes back if it is still wanted. */
  afterStream({ form, query }: SignedForm): Response {
    const parsed = parseConnectAction(form);
    if (!parsed.ok) return this.#malformed("after-stream", parsed.issues);
    return this.#stream(query.get("call") ?? "", query.get("label") ?? "");
  }

  /** Conference events. */
  conference({ form, query, idempotencyToken }: SignedForm): Response {
    const parsed = parseConferenceCallback(form);
    if (!parsed.ok) return this.#malformed("conference", parsed.issues);
    const session = this.#session("conference", query);
    if (!session) return noContent();
    const callback = parsed.value;
    const event = conferenceEvent(callback, session);
    const { ConferenceSid, StatusCallbackEvent, CallSid = "", SequenceNumber } = callback;
    const occurrence = `${ConferenceSid}/${StatusCallbackEvent}/${CallSid}/${SequenceNumber}`;
    const key = SequenceNumber === undefined ? idempotencyToken : occurrence;
    if (event) session.deliver(event, key ?? undefined);
    return noContent();
  }

  /** Call progress of a leg that we made. */
  legStatus({ form, query, idempotencyToken }: SignedForm): Response {
    const parsed = parseCallStatusCallback(form);
    if (!parsed.ok) return this.#malformed("leg-status", parsed.issues);
    const session = this.#session("leg-status", query);
    const label = query.get("label");
    if (!session || !label) return noContent();
    const { CallSid, CallStatus, SequenceNumber } = parsed.value;
    const occurrence =
      SequenceNumber === undefined ? idempotencyToken : `${CallSid}/${CallStatus}/${SequenceNumber}`;
    session.deliver(
      { type: "leg.status", label, callSid: CallSid, status: CallStatus },
      occurrence ?? undefined,
    );
    return noContent();
  }

  streamStatus({ form, query }: SignedForm): Response {
    const parsed = parseStreamStatusCallback(form);
    if (!parsed.ok) return this.#malformed("stream-status", parsed.issues);
    const { StreamEvent, StreamError } = parsed.value;
    const level = StreamEvent === "stream-error" ? "warn" : "debug";
    const callSid = query.get("call");
    this.#options.log[level]("stream.status", {
      callSid,
      streamEvent: StreamEvent,
      error: StreamError?.slice(0, 200),
    });
    return noContent();
  }

  /** `<Dial action>` of the caller: out of the conference, by whatever way. */
  afterDial({ form, query }: SignedForm): Response {
    const parsed = parseDialAction(form);
    if (!parsed.ok) return this.#malformed("after-dial", parsed.issues);
    this.#session("after-dial", query)?.deliver({ type: "caller.gone", reason: "dial_ended" }, "after-dial");
    return twiml(hangupTwiml());
  }

  /** `<Dial action>` of a caller who was turned away: the fallback number has had them, or never answered. */
  afterFallback({ form }: SignedForm): Response {
    const parsed = parseDialAction(form);
    if (!parsed.ok) return this.#malformed("after-fallback", parsed.issues);
    const { CallSid, DialCallStatus } = parsed.value;
    const { log, deployment } = this.#options;
    if (DialCallStatus === "completed" || DialCallStatus === "answered") return twiml(hangupTwiml());
    log.warn("call.fallback_failed", { callSid: CallSid, status: DialCallStatus });
    return twiml(sayTwiml(deployment.agent.apology, "hangup"));
  }

  /** The apology has been said to its end. */
  goodbye({ query }: SignedForm): Response {
    this.#session("goodbye", query)?.deliver({ type: "caller.gone", reason: "farewell" }, "goodbye");
    return twiml(hangupTwiml());
  }

  /** A person was rung and somebody, or something, picked up. */
  human({ form, query }: SignedForm): Response {
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return this.#malformed("human", parsed.issues);
    const label = query.get("label") ?? "";
    const session = this.#session("human", query);
    // The first request of a leg whose making was in doubt is also the first word of its call sid.
    const { CallSid } = parsed.value;
    session?.deliver({ type: "leg.status", label, callSid: CallSid, status: "in-progress" }, `up/${CallSid}`);
    if (!session || session.wantedHumanLabel !== label) return twiml(sayTwiml(TOO_LATE, "hangup"));
    const { AnsweredBy } = parsed.value;
    if (AnsweredBy !== undefined && AnsweredBy !== "human" && AnsweredBy !== "unknown") {
      session.deliver({ type: "human.answered", label, answer: "voicemail" }, `answered/${label}`);
      return twiml(hangupTwiml());
    }
    const actionUrl = this.#options.urls.humanKey(session.callSid, label);
    return twiml(gatherTwiml({ prompt: BRIEFING, actionUrl, timeoutS: 5, repeat: 3, otherwise: "hangup" }));
  }

  /** The key that the person pressed. Only 1 lets them into the room. */
  humanKey({ form, query }: SignedForm): Response {
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return this.#malformed("human-key", parsed.issues);
    const label = query.get("label") ?? "";
    const session = this.#session("human-key", query);
    if (!session || session.wantedHumanLabel !== label) return twiml(sayTwiml(TOO_LATE, "hangup"));
    const accepted = parsed.value.Digits === "1";
    const answer = accepted ? "accepted" : "declined";
    session.deliver({ type: "human.answered", label, answer }, `answered/${label}`);
    if (!accepted) return twiml(hangupTwiml());
    const { urls } = this.#options;
    return twiml(
      conferenceTwiml({
        name: `af-${session.callSid}`,
        participantLabel: label,
        actionUrl: urls.humanAfterDial(session.callSid, label),
        endConferenceOnExit: false,
        statusCallback: urls.conferenceCallback(session.callSid),
      }),
    );
  }

  /** `<Dial action>` of a person: out of the conference. */
  humanAfterDial({ form, query }: SignedForm): Response {
    const parsed = parseDialAction(form);
    if (!parsed.ok) return this.#malformed("human-after-dial", parsed.issues);
    const label = query.get("label") ?? "";
    const callSid = parsed.value.CallSid;
    this.#session("human-after-dial", query)?.deliver(
      { type: "participant.left", label, callSid, reason: "dial_ended" },
      `after-dial/${label}`,
    );
    return twiml(hangupTwiml());
  }

  /** `POST /twilio/sms`. No call waits for a message yet: it is noted without its text, and gets no reply. */
  sms({ form }: SignedForm): Response {
    const parsed = parseInboundMessage(form);
    if (!parsed.ok) return this.#malformed("sms", parsed.issues);
    this.#options.log.info("sms.unmatched", { messageSid: parsed.value.MessageSid });
    return twiml(emptyTwiml());
  }

  forget(callSid: string): void {
    for (const key of this.#streams.keys()) if (key.startsWith(`${callSid}/`)) this.#streams.delete(key);
  }

  /** No call begins here, so whoever rings is sent elsewhere or told. */
  #refuse(callSid: string, reason: Refusal): Response {
    const { deployment, log, urls } = this.#options;
    const { fallbackNumber } = deployment.overload;
    log.warn("call.refused", { callSid, reason, fallback: fallbackNumber !== undefined });
    if (fallbackNumber === undefined) return twiml(sayTwiml(deployment.agent.apology, "hangup"));
    const actionUrl = urls.afterFallback(callSid);
    return twiml(dialTwiml({ number: fallbackNumber, actionUrl, timeoutS: FALLBACK_RING_S }));
  }

  #stream(callSid: string, label: string): Response {
    const { supervisor, gateway, urls } = this.#options;
    const session = supervisor.get(callSid);
    if (!session || session.wantedAiLabel !== label) return twiml(hangupTwiml());
    const leg = `${callSid}/${label}`;
    const streams = (this.#streams.get(leg) ?? 0) + 1;
    if (streams > MAX_STREAMS_PER_LEG || this.#streams.size > MAX_COUNTED_LEGS) {
      this.#options.log.warn("stream.too_many", { callSid, label, streams });
      return twiml(hangupTwiml());
    }
    this.#streams.set(leg, streams);
    const token = gateway.issueToken({ callSid, legKey: label });
    return twiml(
      streamTwiml({
        streamUrl: urls.media,
        actionUrl: urls.afterStream(callSid, label),
        statusCallback: urls.streamStatus(callSid, label),
        parameters: { token },
      }),
    );
  }

  #session(hook: string, query: URLSearchParams): CallSession | null {
    const callSid = query.get("call") ?? "";
    const session = this.#options.supervisor.get(callSid);
    if (!session) this.#unknown(hook, callSid);
    return session;
  }

  #unknown(hook: string, callSid: string): void {
    this.counters.unknownCall++;
    const over = this.#options.supervisor.isOver(callSid);
    this.#options.log.info("twilio.unknown_call", { hook, callSid: callSid.slice(0, 40), over });
  }

  #malformed(hook: string, issues: readonly string[]): Response {
    this.counters.malformed++;
    this.#options.log.warn("twilio.malformed", { hook, issues });
    return new Response(`${issues.join("\n")}\n`, { status: 400 });
  }
}

function conferenceEvent(callback: ConferenceCallback, session: CallSession): UnstampedCallEvent | null {
  const { StatusCallbackEvent: event, ConferenceSid: conferenceSid, CallSid: callSid } = callback;
  if (event === "conference-end") return { type: "conference.ended", conferenceSid };
  if (callSid === undefined) return null;
  const label = callback.ParticipantLabel ?? session.labelOf(callSid);
  if (!label) return null;
  switch (event) {
    case "participant-join":
      return { type: "participant.joined", label, callSid, conferenceSid };
    case "participant-leave":
      return { type: "participant.left", label, callSid, reason: callback.ReasonParticipantLeft ?? "left" };
    case "participant-mute":
    case "participant-unmute":
    case "participant-hold":
    case "participant-unhold":
    case "participant-modify":
      return {
        type: "participant.changed",
        label,
        muted: callback.Muted ?? null,
        coaching: callback.Coaching ?? null,
        hold: callback.Hold ?? null,
      };
    default:
      return null;
  }
}

function twiml(xml: string): Response {
  return new Response(xml, { headers: { "content-type": "text/xml; charset=utf-8" } });
}

function noContent(): Response {
  return new Response(null, { status: 204 });
}
