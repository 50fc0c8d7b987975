/**
 * Messages of Twilio's Media Streams WebSocket, both ways
 * (https://www.twilio.com/docs/voice/media-streams/websocket-messages).
 */
import { checkedBase64Bytes, checkedSliceBytes } from "./base64.ts";

/**
 * Everything before the payload, exactly as Twilio writes it. One compiled expression reads the fixed text
 * and the digits in a single pass. 15 digits are more than a stream can reach, and exact as a number.
 */
const HEAD =
  /\{"event":"media","sequenceNumber":"\d{1,15}","media":\{"track":"inbound","chunk":"\d{1,15}","timestamp":"\d{1,15}","payload":"/y;
/** From the last digit of the timestamp to the payload. */
const AFTER_TIMESTAMP = '","payload":"'.length;

/**
 * Cuts an inbound media message without parsing it. Only the exact text that Twilio sends is taken; the
 * fields below then hold what it said. Anything else is refused and left to {@link parseStreamMessage}.
 */
export class MediaTextReader {
  payload = "";
  payloadBytes = 0;
  timestampMs = 0;
  readonly #tail: string;

  constructor(streamSid: string) {
    this.#tail = `"},"streamSid":"${streamSid}"}`;
  }

  cut(text: string): boolean {
    HEAD.lastIndex = 0;
    if (!HEAD.test(text) || !text.endsWith(this.#tail)) return false;
    const from = HEAD.lastIndex;
    const payload = text.slice(from, text.length - this.#tail.length);
    // Reads every character of the payload, so nothing but base64 passes.
    const bytes = checkedSliceBytes(payload, text, from);
    if (bytes < 0) return false;
    let timestampMs = 0;
    let unit = 1;
    for (let at = from - AFTER_TIMESTAMP - 1; ; at--) {
      const digit = text.charCodeAt(at) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      timestampMs += digit * unit;
      unit *= 10;
    }
    this.payload = payload;
    this.payloadBytes = bytes;
    this.timestampMs = timestampMs;
    return true;
  }
}

/** A mark of ours that came back, exactly as Twilio writes it. */
const MARK =
  /\{"event":"mark","sequenceNumber":"\d{1,15}","streamSid":"([A-Za-z0-9_-]{1,64})","mark":\{"name":"(g\d{1,9}:\d{1,9})"\}\}/y;

/** The name of a mark of this stream's, cut without parsing the message; `null` for anything else. */
export function cutMark(text: string, streamSid: string): string | null {
  MARK.lastIndex = 0;
  const found = MARK.exec(text);
  return found && MARK.lastIndex === text.length && found[1] === streamSid ? (found[2] ?? null) : null;
}

/** Writes the engine's messages around what varies in them. */
export class MediaTextWriter {
  readonly clear: string;
  readonly #media: string;
  readonly #mark: string;

  /** @param streamSid goes into JSON text as it is: plain characters only. */
  constructor(streamSid: string) {
    this.clear = `{"event":"clear","streamSid":"${streamSid}"}`;
    this.#media = `{"event":"media","streamSid":"${streamSid}","media":{"payload":"`;
    this.#mark = `{"event":"mark","streamSid":"${streamSid}","mark":{"name":"`;
  }

  media(base64: string): string {
    return `${this.#media}${base64}"}}`;
  }

  mark(name: string): string {
    return `${this.#mark}${name}"}}`;
  }
}

export type StreamMessage =
  | { readonly event: "connected" }
  | { readonly event: "start"; readonly body: unknown }
  | {
      readonly event: "media";
      readonly streamSid: string | null;
      readonly track: string;
      readonly payload: string;
      readonly payloadBytes: number;
      /** `NaN` when the message names no usable time. */
      readonly timestampMs: number;
    }
  | { readonly event: "mark"; readonly streamSid: string | null; readonly name: string }
  | { readonly event: "dtmf"; readonly streamSid: string | null; readonly digit: string }
  | { readonly event: "stop"; readonly streamSid: string | null }
  | { readonly event: "unknown"; readonly name: string };

type Fields = Readonly<Record<string, unknown>>;

/** Reads any message by the book. `null` when it is not JSON, or an event we know in a shape we do not. */
export function parseStreamMessage(text: string): StreamMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isFields(value) || typeof value.event !== "string") return null;
  const streamSid = typeof value.streamSid === "string" ? value.streamSid : null;
  switch (value.event) {
    case "connected":
      return { event: "connected" };
    case "start":
      return { event: "start", body: value };
    case "media":
      return readMedia(value.media, streamSid);
    case "mark":
      if (!isFields(value.mark) || typeof value.mark.name !== "string") return null;
      return { event: "mark", streamSid, name: value.mark.name };
    case "dtmf":
      if (!isFields(value.dtmf) || typeof value.dtmf.digit !== "string") return null;
      return /^[0-9*#A-D]$/.test(value.dtmf.digit)
        ? { event: "dtmf", streamSid, digit: value.dtmf.digit }
        : null;
    case "stop":
      return { event: "stop", streamSid };
    default:
      return { event: "unknown", name: value.event };
  }
}

function readMedia(media: unknown, streamSid: string | null): StreamMessage | null {
  if (!isFields(media) || typeof media.payload !== "string") return null;
  const payloadBytes = checkedBase64Bytes(media.payload);
  if (payloadBytes < 0) return null;
  const track = typeof media.track === "string" ? media.track : "inbound";
  const { timestamp } = media;
  const usable = typeof timestamp === "number" || (typeof timestamp === "string" && /^\d+$/.test(timestamp));
  const timestampMs = usable ? Number(timestamp) : Number.NaN;
  return { event: "media", streamSid, track, payload: media.payload, payloadBytes, timestampMs };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
