/**
 * Which attributes each TwiML element has, and their values. As at Twilio, an unknown attribute or a bad value
 * is warning 12200: it is ignored, and the default holds.
 */
import type { XmlElement } from "./xml.ts";

type Check = (value: string) => boolean;

const any: Check = () => true;
const bool: Check = (v) => v === "true" || v === "false";
const method: Check = (v) => v === "GET" || v === "POST";
const absoluteUrl: Check = (v) => /^https?:\/\//.test(v) && URL.canParse(v);
const oneOf =
  (...values: string[]): Check =>
  (v) =>
    values.includes(v);
const words =
  (...values: string[]): Check =>
  (v) =>
    v.trim() !== "" &&
    v
      .trim()
      .split(/\s+/)
      .every((word) => values.includes(word));
const int =
  (min: number, max: number): Check =>
  (v) =>
    /^\d{1,9}$/.test(v) && Number(v) >= min && Number(v) <= max;

const recording = {
  recordingStatusCallback: any,
  recordingStatusCallbackMethod: method,
  recordingStatusCallbackEvent: words("in-progress", "completed", "absent"),
  recordingConfigurationId: any,
};

const ELEMENTS = {
  Response: {},
  Say: { voice: any, language: any, loop: int(0, 1000) },
  Play: { loop: int(0, 1000) },
  Pause: { length: int(0, 3600) },
  Gather: {
    action: any,
    method,
    numDigits: int(1, 1000),
    timeout: (v) => v === "auto" || int(0, 3600)(v),
    finishOnKey: (v) => /^[0-9*#]?$/.test(v),
    actionOnEmptyResult: bool,
    input: words("dtmf"),
  },
  Dial: {
    action: any,
    method,
    timeLimit: int(1, 86_400),
    hangupOnStar: bool,
    timeout: int(1, 600),
    callerId: any,
    record: any,
    trim: oneOf("trim-silence", "do-not-trim"),
    answerOnBridge: bool,
    referUrl: any,
    referMethod: method,
    ...recording,
  },
  Conference: {
    muted: bool,
    beep: oneOf("true", "false", "onEnter", "onExit"),
    startConferenceOnEnter: bool,
    endConferenceOnExit: bool,
    participantLabel: any,
    jitterBufferSize: oneOf("off", "small", "medium", "large"),
    waitUrl: any,
    waitMethod: method,
    maxParticipants: int(2, 250),
    record: oneOf("do-not-record", "record-from-start"),
    region: oneOf("us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1"),
    trim: oneOf("trim-silence", "do-not-trim"),
    coach: any,
    statusCallback: absoluteUrl,
    statusCallbackEvent: words(
      "start",
      "end",
      "join",
      "leave",
      "mute",
      "hold",
      "modify",
      "speaker",
      "announcement",
    ),
    statusCallbackMethod: method,
    eventCallbackUrl: any,
    ...recording,
  },
  Connect: { action: any, method },
  Start: { action: any, method },
  Stop: {},
  // `track` is judged by the stream itself: a wrong one is error 31941, not a warning.
  Stream: { url: any, name: any, track: any, statusCallback: absoluteUrl, statusCallbackMethod: method },
  Parameter: { name: any, value: any },
  Hangup: {},
  Reject: { reason: oneOf("rejected", "busy") },
  Redirect: { method },
  Message: { to: any, from: any, action: any, method, statusCallback: any },
} satisfies Record<string, Record<string, Check>>;

export type ElementName = keyof typeof ELEMENTS;

export function isKnownElement(name: string): name is ElementName {
  return Object.hasOwn(ELEMENTS, name);
}

/** The attributes of one element that are known and good. */
export class Attributes {
  readonly #values: ReadonlyMap<string, string>;

  constructor(element: XmlElement, warn: (problem: string) => void) {
    const known: Readonly<Record<string, Check>> = isKnownElement(element.name) ? ELEMENTS[element.name] : {};
    const values = new Map<string, string>();
    for (const [name, value] of element.attributes) {
      const check = Object.hasOwn(known, name) ? known[name] : undefined;
      if (!check) warn(`<${element.name}> has no attribute ${name}`);
      else if (check(value)) values.set(name, value);
      else warn(`the attribute ${name} of <${element.name}> cannot be "${value}"`);
    }
    this.#values = values;
  }

  text(name: string): string | null {
    return this.#values.get(name) ?? null;
  }

  bool(name: string, fallback: boolean): boolean {
    const value = this.#values.get(name);
    return value === undefined ? fallback : value === "true";
  }

  int(name: string, fallback: number): number {
    const value = this.#values.get(name);
    return value === undefined ? fallback : Number(value);
  }

  method(name: string): "GET" | "POST" {
    return this.#values.get(name) === "GET" ? "GET" : "POST";
  }
}
