/** TwiML as data: the verbs that the sandbox carries out. Anything else is refused, never skipped. */
import type { JitterBufferSize } from "../../../../engine/ports.ts";
import { CarrierAlert } from "../alerts.ts";
import { bufferSize } from "../media/buffer-sizes.ts";
import { E164, type HttpMethod } from "../types.ts";
import { Attributes } from "./attributes.ts";
import { parseXml, XmlError, type XmlElement } from "./xml.ts";

export interface Say {
  readonly verb: "Say";
  readonly text: string;
  /** 0 = until stopped. */
  readonly loop: number;
}
export interface Play {
  readonly verb: "Play";
  readonly url: string;
  readonly loop: number;
}
export interface Pause {
  readonly verb: "Pause";
  readonly lengthMs: number;
}
export type Prompt = Say | Play | Pause;

export interface Gather {
  readonly verb: "Gather";
  readonly prompts: readonly Prompt[];
  readonly action: string | null;
  readonly method: HttpMethod;
  readonly numDigits: number | null;
  readonly timeoutMs: number;
  /** Empty: no key finishes. */
  readonly finishOnKey: string;
  readonly actionOnEmptyResult: boolean;
}

interface Dial {
  readonly verb: "Dial";
  readonly action: string | null;
  readonly method: HttpMethod;
  readonly timeLimitMs: number | null;
}

export interface DialConference extends Dial {
  readonly hangupOnStar: boolean;
  readonly conference: ConferenceNoun;
}

export interface DialNumber extends Dial {
  readonly number: string;
  /** What the rung phone shows; the caller's own number when it is `null`. */
  readonly callerId: string | null;
  readonly timeoutMs: number;
}

export interface ConferenceNoun {
  readonly name: string;
  readonly label: string | null;
  readonly muted: boolean;
  readonly beep: string;
  readonly startOnEnter: boolean;
  readonly endOnExit: boolean;
  readonly maxParticipants: number;
  readonly region: string | null;
  readonly jitterBufferSize: JitterBufferSize;
  readonly coach: string | null;
  readonly waitUrl: string | null;
  readonly waitMethod: HttpMethod;
  readonly statusCallback: string | null;
  readonly statusCallbackMethod: HttpMethod;
  /** Subscription names: `start end join …`. */
  readonly statusCallbackEvents: readonly string[];
}

export interface ConnectStream {
  readonly verb: "Connect";
  readonly action: string | null;
  readonly method: HttpMethod;
  readonly stream: StreamNoun;
}

/** What the leg says is streamed as well, and the next verb follows at once. */
export interface StartStream {
  readonly verb: "Start";
  readonly stream: StreamNoun;
}

export interface StopStream {
  readonly verb: "Stop";
  readonly name: string;
}

export interface StreamNoun {
  readonly url: string;
  readonly name: string | null;
  readonly track: string;
  readonly statusCallback: string | null;
  readonly statusCallbackMethod: HttpMethod;
  readonly parameters: Readonly<Record<string, string>>;
}

export type Verb =
  | Prompt
  | Gather
  | DialConference
  | DialNumber
  | ConnectStream
  | StartStream
  | StopStream
  | { readonly verb: "Hangup" }
  | { readonly verb: "Reject"; readonly reason: "rejected" | "busy" }
  | { readonly verb: "Redirect"; readonly url: string; readonly method: HttpMethod }
  | { readonly verb: "Message"; readonly to: string | null; readonly body: string };

/** Warnings are Twilio's 12200: the document is still carried out. */
export type Warn = (problem: string) => void;

/** Throws {@link CarrierAlert} 12100 when the text is not TwiML, or not TwiML that the sandbox knows. */
export function parseTwiml(source: string, warn: Warn): readonly Verb[] {
  let root: XmlElement;
  try {
    root = parseXml(source);
  } catch (error) {
    if (error instanceof XmlError) throw new CarrierAlert(12100, `document parse failure: ${error.message}`);
    throw error;
  }
  if (root.name !== "Response") throw refuse(`the root element is <${root.name}>, not <Response>`);
  return root.children.map((child) => parseVerb(child, warn));
}

function parseVerb(element: XmlElement, warn: Warn): Verb {
  const attributes = new Attributes(element, warn);
  switch (element.name) {
    case "Say":
    case "Play":
    case "Pause":
      return parsePrompt(element, attributes);
    case "Gather":
      return parseGather(element, attributes, warn);
    case "Dial":
      return parseDial(element, attributes, warn);
    case "Connect":
      return parseConnect(element, attributes, warn);
    case "Start":
      return { verb: "Start", stream: parseStream(element, warn) };
    case "Stop":
      return parseStop(element, warn);
    case "Hangup":
      return { verb: "Hangup" };
    case "Reject":
      return { verb: "Reject", reason: attributes.text("reason") === "busy" ? "busy" : "rejected" };
    case "Redirect":
      return { verb: "Redirect", url: element.text.trim(), method: attributes.method("method") };
    case "Message":
      return { verb: "Message", to: attributes.text("to"), body: messageBody(element) };
    default:
      throw refuse(`<${element.name}> is not a verb that this carrier knows`);
  }
}

function parsePrompt(element: XmlElement, attributes: Attributes): Prompt {
  noChildren(element);
  const loop = attributes.int("loop", 1);
  if (element.name === "Say") return { verb: "Say", text: element.text.trim(), loop };
  if (element.name === "Pause") return { verb: "Pause", lengthMs: attributes.int("length", 1) * 1000 };
  const url = element.text.trim();
  if (url === "") throw refuse("<Play> needs the URL of a sound file");
  return { verb: "Play", url, loop };
}

function parseGather(element: XmlElement, attributes: Attributes, warn: Warn): Gather {
  const timeout = attributes.text("timeout");
  return {
    verb: "Gather",
    prompts: element.children.map((child) => {
      if (child.name !== "Say" && child.name !== "Play" && child.name !== "Pause") {
        throw refuse(`<${child.name}> cannot be inside <Gather>`);
      }
      return parsePrompt(child, new Attributes(child, warn));
    }),
    action: attributes.text("action"),
    method: attributes.method("method"),
    numDigits: attributes.text("numDigits") === null ? null : attributes.int("numDigits", 0),
    timeoutMs: (timeout === null || timeout === "auto" ? 5 : Number(timeout)) * 1000,
    finishOnKey: attributes.text("finishOnKey") ?? "#",
    actionOnEmptyResult: attributes.bool("actionOnEmptyResult", false),
  };
}

function parseDial(element: XmlElement, attributes: Attributes, warn: Warn): DialConference | DialNumber {
  const [noun, ...rest] = element.children;
  const number = element.text.trim();
  const timeLimit = attributes.int("timeLimit", 0);
  const dial: Dial = {
    verb: "Dial",
    action: attributes.text("action"),
    method: attributes.method("method"),
    timeLimitMs: timeLimit === 0 ? null : timeLimit * 1000,
  };
  if (!noun && E164.test(number)) {
    const callerId = attributes.text("callerId");
    return { ...dial, number, callerId, timeoutMs: attributes.int("timeout", 30) * 1000 };
  }
  if (noun?.name !== "Conference" || rest.length > 0 || number !== "") {
    throw refuse("<Dial> must hold one <Conference> or one phone number: this carrier dials nothing else");
  }
  return {
    ...dial,
    hangupOnStar: attributes.bool("hangupOnStar", false),
    conference: parseConference(noun, warn),
  };
}

function parseConference(element: XmlElement, warn: Warn): ConferenceNoun {
  noChildren(element);
  const attributes = new Attributes(element, warn);
  const name = element.text.trim();
  if (name === "" || name.length > 128) {
    throw new CarrierAlert(13236, "<Conference> needs a room name of 1 to 128 characters");
  }
  return {
    name,
    label: attributes.text("participantLabel"),
    muted: attributes.bool("muted", false),
    beep: attributes.text("beep") ?? "true",
    startOnEnter: attributes.bool("startConferenceOnEnter", true),
    endOnExit: attributes.bool("endConferenceOnExit", false),
    maxParticipants: attributes.int("maxParticipants", 250),
    region: attributes.text("region"),
    jitterBufferSize: bufferSize(attributes.text("jitterBufferSize")),
    coach: attributes.text("coach"),
    waitUrl: attributes.text("waitUrl"),
    waitMethod: attributes.method("waitMethod"),
    statusCallback: attributes.text("statusCallback"),
    statusCallbackMethod: attributes.method("statusCallbackMethod"),
    statusCallbackEvents: (attributes.text("statusCallbackEvent") ?? "start end").trim().split(/\s+/),
  };
}

function parseConnect(element: XmlElement, attributes: Attributes, warn: Warn): ConnectStream {
  return {
    verb: "Connect",
    action: attributes.text("action"),
    method: attributes.method("method"),
    stream: parseStream(element, warn),
  };
}

function parseStop(element: XmlElement, warn: Warn): StopStream {
  const name = new Attributes(onlyStream(element), warn).text("name");
  if (name === null) throw refuse("<Stop><Stream> needs the name of a stream");
  return { verb: "Stop", name };
}

function onlyStream(element: XmlElement): XmlElement {
  const [noun, ...rest] = element.children;
  if (noun?.name === "Stream" && rest.length === 0) return noun;
  throw refuse(`<${element.name}> must hold exactly one <Stream>: this carrier streams nothing else`);
}

function parseStream(element: XmlElement, warn: Warn): StreamNoun {
  const noun = onlyStream(element);
  const stream = new Attributes(noun, warn);
  const parameters: Record<string, string> = {};
  for (const child of noun.children) {
    if (child.name !== "Parameter") throw refuse(`<${child.name}> cannot be inside <Stream>`);
    const values = new Attributes(child, warn);
    const name = values.text("name");
    if (name === null || name === "") throw refuse("<Parameter> needs a name");
    parameters[name] = values.text("value") ?? "";
  }
  return {
    url: stream.text("url") ?? "",
    name: stream.text("name"),
    track: stream.text("track") ?? "inbound_track",
    statusCallback: stream.text("statusCallback"),
    statusCallbackMethod: stream.method("statusCallbackMethod"),
    parameters,
  };
}

function messageBody(element: XmlElement): string {
  const body = element.children.find((child) => child.name === "Body");
  return (body ?? element).text.trim();
}

function noChildren(element: XmlElement): void {
  const child = element.children[0];
  if (child) throw refuse(`<${child.name}> cannot be inside <${element.name}>`);
}

function refuse(problem: string): CarrierAlert {
  return new CarrierAlert(12100, problem);
}
