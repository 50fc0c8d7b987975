/**
 * Messages of Twilio Media Streams, bidirectional (https://www.twilio.com/docs/voice/media-streams/websocket-
 * messages).
 */

export type ServerMessage =
  | { readonly event: "media"; readonly ulaw: Uint8Array }
  | { readonly event: "mark"; readonly name: string }
  | { readonly event: "clear" };

/** Ten minutes of audio in base64 and its envelope: more could not be played from one message. */
const MAX_MESSAGE_CHARS = 6_500_000;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasExactly(value: Record<string, unknown>, keys: readonly string[]): boolean {
  const own = Object.keys(value);
  return own.length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function decodeBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return null;
  }
}

/**
 * What the server may say: `media`, `mark` and `clear` of this stream with exactly the documented fields.
 * `null` for all else: Twilio warns of it (31951) and ignores it.
 */
export function parseServerMessage(text: string, streamSid: string): ServerMessage | null {
  if (text.length > MAX_MESSAGE_CHARS) return null;
  const message = parseObject(text);
  if (!message || message["streamSid"] !== streamSid) return null;
  switch (message["event"]) {
    case "clear":
      return hasExactly(message, ["event", "streamSid"]) ? { event: "clear" } : null;
    case "mark": {
      const name = onlyString(message, "mark", "name");
      return name === null || name === "" ? null : { event: "mark", name };
    }
    case "media": {
      const payload = onlyString(message, "media", "payload");
      const ulaw = payload === null ? null : decodeBase64(payload);
      return ulaw === null ? null : { event: "media", ulaw };
    }
    default:
      return null;
  }
}

/**
 * The one string field `key` of the one object field `part`, or `null` if the message has any other shape.
 */
function onlyString(message: Record<string, unknown>, part: string, key: string): string | null {
  const inner = message[part];
  if (!hasExactly(message, ["event", "streamSid", part])) return null;
  if (!isRecord(inner) || !hasExactly(inner, [key])) return null;
  const value = inner[key];
  return typeof value === "string" ? value : null;
}

export const CONNECTED_MESSAGE = JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" });

export interface StreamIdentity {
  readonly accountSid: string;
  readonly callSid: string;
  readonly streamSid: string;
}

/** Writes the carrier's messages and counts them: `connected` is outside the count, `start` is number 1. */
export class MessageWriter {
  readonly #identity: StreamIdentity;
  readonly #mediaTail: string;
  #sequence = 0;
  #chunk = 0;

  constructor(identity: StreamIdentity) {
    this.#identity = identity;
    this.#mediaTail = `"},"streamSid":${JSON.stringify(identity.streamSid)}}`;
  }

  get chunks(): number {
    return this.#chunk;
  }

  start(customParameters: Readonly<Record<string, string>>): string {
    const { accountSid, callSid, streamSid } = this.#identity;
    return JSON.stringify({
      event: "start",
      sequenceNumber: this.#next(),
      start: {
        accountSid,
        streamSid,
        callSid,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
        customParameters,
      },
      streamSid,
    });
  }

  /** `timestampMs` is whole milliseconds from the start of the stream. */
  media(frame: Uint8Array, timestampMs: number): string {
    const sequence = this.#next();
    const payload = frame.toBase64();
    // Put together by hand: 50 a second for every call, and base64 needs no escaping.
    return `{"event":"media","sequenceNumber":"${sequence}","media":{"track":"inbound","chunk":"${++this.#chunk}","timestamp":"${timestampMs}","payload":"${payload}${this.#mediaTail}`;
  }

  dtmf(digit: string): string {
    const { streamSid } = this.#identity;
    const dtmf = { track: "inbound_track", digit };
    return JSON.stringify({ event: "dtmf", streamSid, sequenceNumber: this.#next(), dtmf });
  }

  mark(name: string): string {
    const { streamSid } = this.#identity;
    return JSON.stringify({ event: "mark", sequenceNumber: this.#next(), streamSid, mark: { name } });
  }

  stop(): string {
    const { accountSid, callSid, streamSid } = this.#identity;
    const stop = { accountSid, callSid };
    return JSON.stringify({ event: "stop", sequenceNumber: this.#next(), stop, streamSid });
  }

  #next(): string {
    return String(++this.#sequence);
  }
}

/** `X-Twilio-Signature` of a WebSocket upgrade: the URL exactly as configured, no parameters. */
export function signUpgrade(authToken: string, url: string): string {
  return new Bun.CryptoHasher("sha1", authToken).update(url).digest("base64");
}
