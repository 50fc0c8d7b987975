import { z } from "zod";
import { CALL_STATUSES } from "../../machines/events.ts";

/**
 * Schemas of the forms that Twilio posts to us. Names are Twilio's own. Fields we do not use are dropped,
 * an empty field counts as absent, and what cannot be acted on is refused. Values are never quoted in an
 * issue: they name callers.
 */

const sid = (prefix: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}[0-9a-fA-F]{32}$`), `must be a sid: ${prefix} and 32 hexadecimal digits`);

const CallSid = sid("CA");
const ConferenceSid = sid("CF");
const AccountSid = sid("AC").optional();
const MessageSid = sid("(?:SM|MM)");

const text = (maxLength: number) => z.string().max(maxLength);
const flag = z.enum(["true", "false"]).transform((value) => value === "true");
/** A number or address: E.164, `client:…`, `sip:…`, `anonymous`, or nothing when it is withheld. */
const Address = text(256).default("");

const count = z
  .string()
  .regex(/^\d{1,9}$/, "must be a whole number")
  .transform(Number);

/** RFC 2822 or ISO 8601 as epoch milliseconds; resolution is one second. Unreadable counts as absent. */
const Timestamp = text(64)
  .optional()
  .transform((value) => {
    const atMs = value === undefined ? Number.NaN : Date.parse(value);
    return Number.isNaN(atMs) ? undefined : atMs;
  });

const CallStatus = z.enum(CALL_STATUSES);

const AnsweredBy = z
  .enum([
    "human",
    "machine_start",
    "machine_end_beep",
    "machine_end_silence",
    "machine_end_other",
    "fax",
    "unknown",
  ])
  .optional();

/**
 * A voice webhook: the number's, the TwiML App's, or the `action` of a `<Gather>` (then with `Digits`).
 * Custom parameters of an `app:` leg arrive as further fields: read those from the form itself.
 */
export const VoiceRequest = z.object({
  AccountSid,
  CallSid,
  CallStatus,
  From: Address,
  To: Address,
  Direction: text(32).optional(),
  ForwardedFrom: text(256).optional(),
  ParentCallSid: CallSid.optional(),
  AnsweredBy,
  Digits: z
    .string()
    .regex(/^[0-9*#A-Dw]{1,64}$/, "must be keys: 0-9 * #")
    .optional(),
});
export type VoiceRequest = z.infer<typeof VoiceRequest>;

const ConferenceEvent = z.enum([
  "conference-start",
  "conference-end",
  "participant-join",
  "participant-leave",
  "participant-mute",
  "participant-unmute",
  "participant-hold",
  "participant-unhold",
  "participant-modify",
  "participant-speech-start",
  "participant-speech-stop",
  "announcement-end",
  "announcement-fail",
]);

/** `statusCallback` of a conference. Underscores in one reason and hyphens in the other are Twilio's. */
export const ConferenceCallback = z
  .object({
    AccountSid,
    ConferenceSid,
    FriendlyName: text(128).optional(),
    // An event that is new to us is none that we act on: refusing it would only have it repeated.
    StatusCallbackEvent: ConferenceEvent.or(text(64).transform(() => "other" as const)),
    SequenceNumber: count.optional(),
    Timestamp,
    CallSid: CallSid.optional(),
    ParticipantLabel: text(128).optional(),
    Muted: flag.optional(),
    Hold: flag.optional(),
    Coaching: flag.optional(),
    CallSidToCoach: CallSid.optional(),
    StartConferenceOnEnter: flag.optional(),
    EndConferenceOnExit: flag.optional(),
    ParticipantCallStatus: text(32).optional(),
    ReasonParticipantLeft: text(64).optional(),
    ReasonConferenceEnded: text(64).optional(),
    Reason: text(512).optional(),
    CallSidEndingConference: CallSid.optional(),
    ParticipantLabelEndingConference: text(128).optional(),
    ReasonAnnouncementFailed: text(512).optional(),
  })
  .superRefine((form, context) => {
    if (!form.StatusCallbackEvent.startsWith("participant-") || form.CallSid !== undefined) return;
    context.addIssue({ code: "custom", path: ["CallSid"], message: "is required in a participant event" });
  });
export type ConferenceCallback = z.infer<typeof ConferenceCallback>;

/** `statusCallback` of a call or participant. `answered` comes as `in-progress`. */
export const CallStatusCallback = z.object({
  AccountSid,
  CallSid,
  CallStatus,
  From: Address,
  To: Address,
  ParentCallSid: CallSid.optional(),
  CallDuration: count.optional(),
  SipResponseCode: count.optional(),
  ErrorCode: count.optional(),
  AnsweredBy,
  SequenceNumber: count.optional(),
  Timestamp,
});
export type CallStatusCallback = z.infer<typeof CallStatusCallback>;

/** `statusCallback` of a `<Stream>`. */
export const StreamStatusCallback = z.object({
  AccountSid,
  CallSid,
  StreamSid: sid("MZ"),
  StreamName: text(256).optional(),
  StreamEvent: z.enum(["stream-started", "stream-stopped", "stream-error"]),
  StreamError: text(512).optional(),
  Timestamp,
});
export type StreamStatusCallback = z.infer<typeof StreamStatusCallback>;

/** `action` of a `<Dial>`: the leg has left the conference, and the call is over when `CallStatus` says so. */
export const DialAction = z.object({
  AccountSid,
  CallSid,
  CallStatus: CallStatus.optional(),
  DialCallStatus: text(32).optional(),
  DialCallSid: CallSid.optional(),
  DialCallDuration: count.optional(),
});
export type DialAction = z.infer<typeof DialAction>;

/** `action` of a `<Connect>`: the stream's socket was closed, or never opened. */
export const ConnectAction = z.object({
  AccountSid,
  CallSid,
  CallStatus: CallStatus.optional(),
  StreamSid: sid("MZ").optional(),
  StreamError: text(512).optional(),
});
export type ConnectAction = z.infer<typeof ConnectAction>;

/** An SMS or MMS to our number. */
export const InboundMessage = z.object({
  AccountSid,
  MessageSid,
  From: Address,
  To: Address,
  Body: text(16_000).default(""),
  NumMedia: count.default(0),
});
export type InboundMessage = z.infer<typeof InboundMessage>;

/** `statusCallback` of a message we sent. */
export const MessageStatusCallback = z.object({
  AccountSid,
  MessageSid,
  MessageStatus: z.enum([
    "accepted",
    "scheduled",
    "queued",
    "sending",
    "sent",
    "delivered",
    "undelivered",
    "failed",
    "read",
    "canceled",
    "receiving",
    "received",
    "partially_delivered",
  ]),
  From: Address,
  To: Address,
  ErrorCode: count.optional(),
});
export type MessageStatusCallback = z.infer<typeof MessageStatusCallback>;

/** Issues read `Field: problem` and never quote a value. */
export type FormResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly issues: string[] };

export const parseVoiceRequest = formParser(VoiceRequest);
export const parseConferenceCallback = formParser(ConferenceCallback);
export const parseCallStatusCallback = formParser(CallStatusCallback);
export const parseStreamStatusCallback = formParser(StreamStatusCallback);
export const parseDialAction = formParser(DialAction);
export const parseConnectAction = formParser(ConnectAction);
export const parseInboundMessage = formParser(InboundMessage);
export const parseMessageStatusCallback = formParser(MessageStatusCallback);

function formParser<T>(schema: z.ZodType<T>): (form: URLSearchParams) => FormResult<T> {
  return (form) => {
    const fields: Record<string, string> = {};
    for (const [name, value] of form) {
      // The first of a repeated field counts, as with URLSearchParams.get.
      if (value !== "" && !Object.hasOwn(fields, name)) fields[name] = value;
    }
    const parsed = schema.safeParse(fields);
    if (parsed.success) return { ok: true, value: parsed.data };
    const issues = parsed.error.issues.map((issue) => {
      const name = issue.path.join(".");
      return `${name}: ${Object.hasOwn(fields, name) ? issue.message : "is required"}`;
    });
    return { ok: false, issues };
  };
}
