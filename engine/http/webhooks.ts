/**
 * What Twilio asks and tells about a caller, the AI's leg and the room, as events of the call it is about.
 * The call is named by our own parameter in the URL that we gave, never guessed. A callback about a call that
 * is unknown or over gets 204 and a log line: an error would only make Twilio repeat it.
 */
import { isLabel, type UnstampedCallEvent } from "../../machines/events.ts";
import type { Refusal } from "../call/admission.ts";
import { CALLER } from "../call/attribution.ts";
import type { CallSession } from "../call/call-session.ts";
import type { EscalationsView } from "../call/escalations-view.ts";
import type { LegKeys } from "../call/leg-keys.ts";
import type { Supervisor } from "../call/supervisor.ts";
import type { Urls } from "../call/urls.ts";
import type { Deployment } from "../config/deployment.ts";
import type { MediaGateway } from "../media/gateway.ts";
import type { Log } from "../ports.ts";
import { noContent, type StrayRequests, twiml } from "./answers.ts";
import type { Forks } from "./forks.ts";
import type { SignedForm } from "./twilio-guard.ts";
import {
  type ConferenceCallback,
  parseCallStatusCallback,
  parseConferenceCallback,
  parseConnectAction,
  parseDialAction,
  parseStreamStatusCallback,
  parseVoiceRequest,
} from "./twilio-forms.ts";
import { conferenceTwiml, dialTwiml, hangupTwiml, sayTwiml, streamTwiml } from "./twiml.ts";

export interface WebhookOptions {
  readonly supervisor: Supervisor;
  readonly urls: Urls;
  readonly legKeys: LegKeys;
  readonly gateway: MediaGateway;
  readonly forks: Forks;
  readonly deployment: Deployment;
  readonly escalations: Pick<EscalationsView, "deliver">;
  readonly strays: StrayRequests;
  readonly log: Log;
}

/** Documents per AI leg: one whose sockets never open must not loop for ever. */
const MAX_DOCUMENTS_PER_LEG = 5;
/** Streams in one document: a leg waits some 18 s for an engine to come back before it asks for the next. */
const TRIES = 20;
const MAX_COUNTED_LEGS = 10_000;
/** A person may have to fetch the phone; a caller who waits longer than this hangs up. */
const FALLBACK_RING_S = 30;

export class Webhooks {
  readonly #options: WebhookOptions;
  /** Documents given, by call and leg. */
  readonly #documents = new Map<string, number>();

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  /** `POST /twilio/voice`: a caller. Answered before anything else is waited for. */
  voice({ form }: SignedForm): Response {
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return this.#options.strays.malformed("voice", parsed.issues);
    const { CallSid, From, To } = parsed.value;
    const { supervisor, deployment, urls } = this.#options;
    if (supervisor.isOver(CallSid)) {
      this.#options.strays.unknown("voice", CallSid);
      return twiml(hangupTwiml());
    }
    const conferenceName = `af-${CallSid}`;
    const begun = supervisor.begin({ callSid: CallSid, conferenceName, from: From, to: To });
    if (typeof begun === "string") return this.#refuse(CallSid, begun);
    return twiml(
      conferenceTwiml({
        name: conferenceName,
        participantLabel: CALLER,
        actionUrl: urls.afterDial(CallSid),
        startConferenceOnEnter: true,
        endConferenceOnExit: true,
        jitterBufferSize: "small",
        ...(deployment.region === "us2" ? {} : { region: deployment.region }),
        statusCallback: urls.conferenceCallback(CallSid),
        ...(deployment.recording === "conference" ? { record: "record-from-start" as const } : {}),
        ...this.#options.forks.of(CallSid, CALLER),
      }),
    );
  }

  /** `POST /twilio/ai-leg`: the TwiML App's voice URL, for the AI's own leg. */
  aiLeg({ form }: SignedForm): Response {
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return this.#options.strays.malformed("ai-leg", parsed.issues);
    const leg = this.#options.legKeys.resolve(form.get("session") ?? "");
    if (!leg) {
      this.#options.strays.unknown("ai-leg", parsed.value.CallSid);
      return twiml(hangupTwiml());
    }
    return this.#stream(leg.callSid, leg.label);
  }

  /** The AI leg has used up its document. It gets another if it is still wanted. */
  afterStream({ form, query }: SignedForm): Response {
    const parsed = parseConnectAction(form);
    if (!parsed.ok) return this.#options.strays.malformed("after-stream", parsed.issues);
    return this.#stream(query.get("call") ?? "", query.get("label") ?? "");
  }

  /** Conference events. */
  conference({ form, query, idempotencyToken }: SignedForm): Response {
    const parsed = parseConferenceCallback(form);
    if (!parsed.ok) return this.#options.strays.malformed("conference", parsed.issues);
    const session = this.#session("conference", query);
    if (!session) return noContent();
    const callback = parsed.value;
    const event = conferenceEvent(callback, session);
    const { ConferenceSid, StatusCallbackEvent, CallSid = "", SequenceNumber } = callback;
    const occurrence = `${ConferenceSid}/${StatusCallbackEvent}/${CallSid}/${SequenceNumber}`;
    const key = SequenceNumber === undefined ? idempotencyToken : occurrence;
    // Each tells all of a participant's state, and Twilio's callbacks overtake each other.
    const isState = event?.type === "participant.changed" && SequenceNumber !== undefined;
    const order = isState ? { of: `${ConferenceSid}/${CallSid}`, number: SequenceNumber } : undefined;
    if (event) session.deliver(event, key ?? undefined, order);
    return noContent();
  }

  /** Call progress of a leg that we made. */
  legStatus({ form, query, idempotencyToken }: SignedForm): Response {
    const parsed = parseCallStatusCallback(form);
    if (!parsed.ok) return this.#options.strays.malformed("leg-status", parsed.issues);
    const callSid = query.get("call") ?? "";
    const label = query.get("label") ?? "";
    const { CallSid, CallStatus, SequenceNumber } = parsed.value;
    const occurrence =
      SequenceNumber === undefined ? idempotencyToken : `${CallSid}/${CallStatus}/${SequenceNumber}`;
    const event = { type: "leg.status", label, callSid: CallSid, status: CallStatus } as const;
    // Somebody may be rung after the call is over, for a caller who has left.
    const taken = this.#options.escalations.deliver(callSid, event, occurrence ?? undefined);
    if (!taken) this.#options.strays.unknown("leg-status", callSid);
    return noContent();
  }

  streamStatus({ form, query }: SignedForm): Response {
    const parsed = parseStreamStatusCallback(form);
    if (!parsed.ok) return this.#options.strays.malformed("stream-status", parsed.issues);
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
    if (!parsed.ok) return this.#options.strays.malformed("after-dial", parsed.issues);
    this.#session("after-dial", query)?.deliver({ type: "caller.gone", reason: "dial_ended" }, "after-dial");
    return twiml(hangupTwiml());
  }

  /** `<Dial action>` of a caller who was turned away: the fallback number has had them, or never answered. */
  afterFallback({ form }: SignedForm): Response {
    const parsed = parseDialAction(form);
    if (!parsed.ok) return this.#options.strays.malformed("after-fallback", parsed.issues);
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

  forget(callSid: string): void {
    for (const key of this.#documents.keys()) if (key.startsWith(`${callSid}/`)) this.#documents.delete(key);
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
    const documents = (this.#documents.get(leg) ?? 0) + 1;
    if (documents > MAX_DOCUMENTS_PER_LEG || this.#documents.size > MAX_COUNTED_LEGS) {
      this.#options.log.warn("stream.too_many", { callSid, label, documents });
      return twiml(hangupTwiml());
    }
    this.#documents.set(leg, documents);
    const grant = { callSid, legKey: label };
    return twiml(
      streamTwiml({
        streamUrl: urls.media,
        statusCallback: urls.streamStatus(callSid, label),
        tries: Array.from({ length: TRIES }, () => ({ token: gateway.issueToken(grant) })),
        otherwise: { redirect: urls.afterStream(callSid, label) },
      }),
    );
  }

  #session(hook: string, query: URLSearchParams): CallSession | null {
    const callSid = query.get("call") ?? "";
    const session = this.#options.supervisor.get(callSid);
    if (!session) this.#options.strays.unknown(hook, callSid);
    return session;
  }
}

function conferenceEvent(callback: ConferenceCallback, session: CallSession): UnstampedCallEvent | null {
  const { StatusCallbackEvent: event, ConferenceSid: conferenceSid, CallSid: callSid } = callback;
  if (event === "conference-end") return { type: "conference.ended", conferenceSid };
  if (callSid === undefined) return null;
  const label = callback.ParticipantLabel ?? session.labelOf(callSid);
  if (!isLabel(label)) return null;
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
