/**
 * Messages of Twilio's Media Streams WebSocket, carrier to engine
 * (https://www.twilio.com/docs/voice/media-streams/websocket-messages).
 */
import { checkedBase64Bytes } from "./base64.ts";

const PREFIX = '{"event":"media","sequenceNumber":"';
const TRACK = '","media":{"track":"inbound","chunk":"';
const TIMESTAMP = '","timestamp":"';
const PAYLOAD = '","payload":"';
/** More digits than a stream can reach, few enough to be exact as a number. */
const MAX_DIGITS = 15;

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
    if (!text.startsWith(PREFIX) || !text.endsWith(this.#tail)) return false;
    let at = skipDigits(text, PREFIX.length);
    if (at < 0 || !text.startsWith(TRACK, at)) return false;
    at = skipDigits(text, at + TRACK.length);
    if (at < 0 || !text.startsWith(TIMESTAMP, at)) return false;
    const timestampAt = at + TIMESTAMP.length;
    at = skipDigits(text, timestampAt);
    if (at < 0 || !text.startsWith(PAYLOAD, at)) return false;
    const payload = text.slice(at + PAYLOAD.length, text.length - this.#tail.length);
    const bytes = checkedBase64Bytes(payload);
    if (bytes < 0) return false;
    let timestampMs = 0;
    for (let i = timestampAt; i < at; i++) timestampMs = timestampMs * 10 + text.charCodeAt(i) - 48;
    this.payload = payload;
    this.payloadBytes = bytes;
    this.timestampMs = timestampMs;
    return true;
  }
}

/** Index after 1 to 15 digits from `from`, or -1. */
function skipDigits(text: string, from: number): number {
  let at = from;
  for (; at - from <= MAX_DIGITS; at++) {
    const code = text.charCodeAt(at);
    if (!(code >= 48 && code <= 57)) break;
  }
  const digits = at - from;
  return digits >= 1 && digits <= MAX_DIGITS ? at : -1;
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
