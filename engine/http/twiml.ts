import { invariant } from "../errors.ts";
import type { JitterBufferSize, MixerRegion } from "../ports.ts";

/**
 * TwiML documents as pure functions. Every value is escaped. What breaks a limit of Twilio's is a mistake of
 * our own and throws `InvariantError`: Twilio would only fail the live call.
 */

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';

/** All conference events the engine acts on; `speaker` fires too often to be of use. */
export const CONFERENCE_EVENTS = "start end join leave mute hold modify";

type AttributeValue = string | number | boolean | undefined;

export interface ConferenceTwiml {
  /** The conference's name: 1 to 128 characters, without `/` and `?` so that REST can address it. */
  readonly name: string;
  /** Unique in the conference, at most 128 characters, not in the form of a call sid. */
  readonly participantLabel: string;
  /** Requested when this leg leaves the conference. Without it and without a next verb the call ends. */
  readonly actionUrl?: string;
  readonly answerOnBridge?: boolean;
  /** Said to this leg alone before it enters. */
  readonly say?: string;
  /** `*` leads out of the conference, to `actionUrl`. */
  readonly hangupOnStar?: boolean;
  readonly startConferenceOnEnter?: boolean;
  readonly endConferenceOnExit?: boolean;
  readonly muted?: boolean;
  readonly jitterBufferSize?: JitterBufferSize;
  /** Counts only on the first participant. `us2` exists in REST but not in TwiML. */
  readonly region?: Exclude<MixerRegion, "us2">;
  /** What is heard until the conference starts; `""` is silence. Twilio's music when left out. */
  readonly waitUrl?: string;
  /** Counts only on the first participant. */
  readonly statusCallback?: string;
  readonly statusCallbackEvent?: string;
  readonly record?: "record-from-start" | "do-not-record";
  readonly recordingStatusCallback?: string;
  /** What this leg says is streamed to us, too, from just before it enters. */
  readonly fork?: ForkTwiml;
}

/** Puts the call into a conference: `<Dial><Conference>`, without beeps, which would reach the AI. */
export function conferenceTwiml(options: ConferenceTwiml): string {
  checkName(options.name);
  checkLabel(options.participantLabel);
  const dial = attributes({
    action: options.actionUrl,
    method: options.actionUrl === undefined ? undefined : "POST",
    answerOnBridge: options.answerOnBridge,
    hangupOnStar: options.hangupOnStar,
  });
  const callback = options.statusCallback;
  const conference = attributes({
    startConferenceOnEnter: options.startConferenceOnEnter ?? true,
    endConferenceOnExit: options.endConferenceOnExit ?? false,
    muted: options.muted,
    beep: "false",
    participantLabel: options.participantLabel,
    jitterBufferSize: options.jitterBufferSize ?? "small",
    region: options.region,
    waitUrl: options.waitUrl,
    record: options.record,
    recordingStatusCallback: options.recordingStatusCallback,
    statusCallback: callback,
    statusCallbackEvent:
      callback === undefined ? undefined : (options.statusCallbackEvent ?? CONFERENCE_EVENTS),
    statusCallbackMethod: callback === undefined ? undefined : "POST",
  });
  const say = options.say === undefined ? "" : sayVerb(options.say);
  const name = escapeText(options.name);
  const fork = options.fork === undefined ? "" : forkVerb(options.fork);
  return response(`${say}${fork}<Dial${dial}><Conference${conference}>${name}</Conference></Dial>`);
}

/** A one-way stream of what a leg says. It goes on until it is stopped by its name, or the call ends. */
export interface ForkTwiml {
  /** Unique among the streams of this leg that are open at once. */
  readonly name: string;
  /** As {@link StreamTwiml.streamUrl}. */
  readonly streamUrl: string;
  readonly statusCallback?: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** `<Start><Stream>`: the next verb follows at once, and a stream that does not come about harms nobody. */
function forkVerb({ name, streamUrl, statusCallback, parameters }: ForkTwiml): string {
  checkStream(streamUrl, statusCallback);
  const stream = attributes({
    name,
    url: streamUrl,
    track: "inbound_track",
    statusCallback,
    statusCallbackMethod: statusCallback === undefined ? undefined : "POST",
  });
  return `<Start><Stream${stream}>${parameterNouns(parameters)}</Stream></Start>`;
}

export interface StreamTwiml {
  /** `wss://…` (or `ws://…` on loopback), without query or fragment: Twilio drops them or fails. */
  readonly streamUrl: string;
  /** Absolute URL. */
  readonly statusCallback?: string;
  /**
   * Parameters of the stream, once per try: delivered in `start.customParameters`; a name and its value together
   * have under 500 characters. The second try follows at once when a stream is over, or was not let in; each
   * further one after a pause of a second.
   */
  readonly tries: readonly Readonly<Record<string, string>>[];
  /** After the last. */
  readonly otherwise: TwimlNext;
}

/**
 * Connects the leg to a bidirectional Media Stream: `<Connect><Stream>`, again and again. Without an `action`,
 * whose request would end the leg while nobody listens: an engine that comes back finds the leg waiting.
 */
export function streamTwiml(options: StreamTwiml): string {
  const { streamUrl, statusCallback, tries, otherwise } = options;
  checkStream(streamUrl, statusCallback);
  invariant(tries.length > 0, "streamTwiml: there must be a try");
  const stream = attributes({
    url: streamUrl,
    statusCallback,
    statusCallbackMethod: statusCallback === undefined ? undefined : "POST",
  });
  const verbs = tries.map((parameters, index) => {
    const connect = `<Connect><Stream${stream}>${parameterNouns(parameters)}</Stream></Connect>`;
    return index < 2 ? connect : `<Pause length="1"/>${connect}`;
  });
  return response(verbs.join("") + nextVerb(otherwise));
}

function checkStream(streamUrl: string, statusCallback: string | undefined): void {
  invariant(
    /^wss?:\/\/[^/?#\s]+[^?#\s]*$/.test(streamUrl),
    "streamTwiml: streamUrl must be wss://host/path without query or fragment",
  );
  invariant(
    statusCallback === undefined || /^https?:\/\/[^/]/.test(statusCallback),
    "streamTwiml: statusCallback must be an absolute http(s) URL",
  );
}

function parameterNouns(parameters: Readonly<Record<string, string>>): string {
  let nouns = "";
  for (const [name, value] of Object.entries(parameters)) {
    const chars = name.length + value.length;
    invariant(name !== "", "streamTwiml: a parameter needs a name");
    invariant(
      chars < 500,
      `streamTwiml: name and value of a parameter must be under 500 characters together, not ${chars}`,
    );
    nouns += `<Parameter${attributes({ name, value })}/>`;
  }
  return nouns;
}

/** What a document does after its last spoken word. */
export type TwimlNext = "hangup" | { readonly redirect: string };

/** Says a text, then hangs up or goes on at another URL. */
export function sayTwiml(text: string, next: TwimlNext): string {
  return response(`${sayVerb(text)}${nextVerb(next)}`);
}

/** Waits without a sound, then goes on. `endFork`: the name of a fork that ends before; unknown ones do no harm. */
export function pauseTwiml(seconds: number, next: TwimlNext, endFork?: string): string {
  invariant(
    Number.isInteger(seconds) && seconds >= 1,
    "pauseTwiml: seconds must be a whole number, 1 or more",
  );
  const stop = endFork === undefined ? "" : `<Stop><Stream${attributes({ name: endFork })}/></Stop>`;
  return response(`${stop}<Pause length="${seconds}"/>${nextVerb(next)}`);
}

/** Answers a message with one. */
export function messageTwiml(text: string): string {
  return response(`<Message>${escapeText(text)}</Message>`);
}

export interface DialTwiml {
  /** E.164. Twilio shows it the caller's own number. */
  readonly number: string;
  /** Requested when the dialled leg is over, or was never answered: `DialCallStatus` says which. */
  readonly actionUrl: string;
  /** How long it may ring, in seconds. */
  readonly timeoutS: number;
}

/** Puts the caller through to a phone: `<Dial>`. */
export function dialTwiml(options: DialTwiml): string {
  const { number, actionUrl, timeoutS } = options;
  invariant(/^\+[1-9]\d{1,14}$/.test(number), "dialTwiml: number must be in E.164 form");
  const dial = attributes({ action: actionUrl, method: "POST", timeout: timeoutS });
  return response(`<Dial${dial}>${number}</Dial>`);
}

export interface GatherTwiml {
  /** Said while listening; a digit interrupts it. */
  readonly prompt: string;
  /** Gets `Digits`. Not requested when no digit comes. */
  readonly actionUrl: string;
  readonly numDigits?: number;
  /** Silence after the prompt before `otherwise`, in seconds. */
  readonly timeoutS?: number;
  /** How often the prompt is said, 1..10. */
  readonly repeat?: number;
  /** When no digit came. */
  readonly otherwise: TwimlNext;
}

/** Asks for keys, such as "press 1 to take this call". */
export function gatherTwiml(options: GatherTwiml): string {
  const repeat = options.repeat ?? 1;
  invariant(Number.isInteger(repeat) && repeat >= 1 && repeat <= 10, "gatherTwiml: repeat must be 1..10");
  const gather = attributes({
    input: "dtmf",
    numDigits: options.numDigits ?? 1,
    timeout: options.timeoutS,
    action: options.actionUrl,
    method: "POST",
  });
  const prompt = sayVerb(options.prompt);
  return response(`<Gather${gather}>${prompt}</Gather>`.repeat(repeat) + nextVerb(options.otherwise));
}

/** Ends the call. */
export function hangupTwiml(): string {
  return response("<Hangup/>");
}

/** Refuses an inbound call without answering it, which is not billed. */
export function rejectTwiml(reason: "rejected" | "busy" = "rejected"): string {
  return response(`<Reject reason="${reason}"/>`);
}

/** Does nothing: the answer to an inbound SMS that gets no reply. Ends a call. */
export function emptyTwiml(): string {
  return `${DECLARATION}<Response/>`;
}

function response(body: string): string {
  return `${DECLARATION}<Response>${body}</Response>`;
}

function sayVerb(text: string): string {
  return `<Say>${escapeText(text)}</Say>`;
}

function nextVerb(next: TwimlNext): string {
  return next === "hangup" ? "<Hangup/>" : `<Redirect method="POST">${escapeText(next.redirect)}</Redirect>`;
}

function checkName(name: string): void {
  invariant(
    name.length >= 1 && name.length <= 128 && !/[/?]/.test(name) && name.trim() === name,
    "conferenceTwiml: name must be 1..128 characters without '/', '?' or outer white space",
  );
}

function checkLabel(label: string): void {
  invariant(
    label.length >= 1 && label.length <= 128 && !/\/|%2f/i.test(label) && !/^CA[0-9a-f]{32}$/.test(label),
    "conferenceTwiml: participantLabel must be 1..128 characters, without '/', not in the form of a call sid",
  );
}

function attributes(values: Readonly<Record<string, AttributeValue>>): string {
  let text = "";
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) text += ` ${name}="${escapeAttribute(String(value))}"`;
  }
  return text;
}

// What XML 1.0 cannot express in any spelling: most control characters, lone surrogates, two non-characters.
const NOT_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;
const SPECIAL = /[&<>"'\t\n\r]/g;
const ENTITY: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  // A parser would turn these into spaces in an attribute, and a bare CR into LF anywhere.
  "\t": "&#9;",
  "\n": "&#10;",
  "\r": "&#13;",
};

function escapeAttribute(value: string): string {
  return value.replace(NOT_XML, "").replace(SPECIAL, (character) => ENTITY[character] ?? character);
}

function escapeText(value: string): string {
  return value.replace(NOT_XML, "").replace(/[&<>\r]/g, (character) => ENTITY[character] ?? character);
}
