/** The carrier's end of one Media Stream, on a raw socket. */
import type { Socket } from "bun";
import { InvariantError } from "../../engine/errors.ts";
import { Outbox } from "./outbox.ts";
import { TAG_CHARS, putDigits, putTag } from "./tags.ts";
import { CLOSE, FrameReader, PING, PONG, TEXT, frame, textFrame } from "./ws-frames.ts";

export interface StreamListener {
  /** Hot path. Base64 from `at` to `end`. */
  media(bytes: Buffer, at: number, end: number): void;
  mark(name: string): void;
  clear(): void;
  /** Once; not after {@link CarrierStream.stop} or {@link CarrierStream.drop}. */
  closed(): void;
}

export interface StreamTarget {
  readonly hostname: string;
  readonly port: number;
  readonly path: string;
  /** `X-Twilio-Signature`, where the other side wants one. */
  readonly signature: string | null;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface StreamIdentity {
  readonly accountSid: string;
  readonly callSid: string;
  readonly streamSid: string;
  /** Written into each frame beside the frame's own number. */
  readonly callNumber: number;
}

/** Counts begin here, and a stream lasts at most some hours: the digits stay as many as they are. */
const FIRST = 100_000;
const FIRST_TIMESTAMP_MS = 1_000_000;
const FRAME_MS = 20;
const MAX_FRAMES = 440_000;
const FRAME_BYTES = 160;
/** `{"event":"m`, then `edia` or `ark`. */
const EVENT_AT = 10;
const M = 109;
const E = 101;
const QUOTE = 34;

/** A loud tone of 400 Hz: told from silence after any resampling. */
const LOUD = Uint8Array.from({ length: FRAME_BYTES }, (_, i) => (i % 20 < 10 ? 0x80 : 0x00));
const QUIET = new Uint8Array(FRAME_BYTES).fill(0xff);
/** Any byte of it is loud, so that no detector takes it for silence. */
const VOICE = Uint8Array.from({ length: FRAME_BYTES }, (_, i) => (i & 1 ? 0x2a : 0xaa) + (i % 16));

export class CarrierStream {
  readonly #identity: StreamIdentity;
  readonly #listener: StreamListener;
  readonly #outbox = new Outbox();
  readonly #reader: FrameReader;
  readonly #voice: MediaFrame;
  readonly #loud: MediaFrame;
  readonly #quiet: MediaFrame;
  #socket: Socket<unknown> | null = null;
  #upgraded = false;
  #head = "";
  #over = false;
  #sent = 0;
  /** Where the payload was in the last media message: every one of a stream looks much the same. */
  #payloadAt = 0;
  #payloadChars = 0;

  constructor(identity: StreamIdentity, listener: StreamListener) {
    this.#identity = identity;
    this.#listener = listener;
    this.#reader = new FrameReader((opcode, bytes, at, end) => this.#onFrame(opcode, bytes, at, end));
    this.#voice = new MediaFrame(identity, VOICE);
    this.#loud = new MediaFrame(identity, LOUD);
    this.#quiet = new MediaFrame(identity, QUIET);
  }

  /** Resolves once `start` is sent. Rejects when the other side refuses. */
  async open(target: StreamTarget): Promise<void> {
    const opened = Promise.withResolvers<void>();
    await Bun.connect({
      hostname: target.hostname,
      port: target.port,
      socket: {
        open: (socket) => {
          if (this.#over) {
            socket.end();
            return;
          }
          this.#socket = socket;
          socket.setNoDelay(true);
          this.#outbox.attach(socket);
          this.#outbox.write(Buffer.from(upgradeRequest(target)));
        },
        data: (_, chunk) => {
          if (this.#over) return;
          if (this.#upgraded) this.#reader.feed(chunk);
          else this.#onHandshake(chunk, target, opened);
        },
        drain: () => this.#outbox.drain(),
        close: () => {
          opened.reject(new InvariantError("the stream was closed before it began"));
          this.#lost();
        },
        error: () => this.#lost(),
      },
    });
    await opened.promise;
  }

  /** The next 20 ms. `tag` comes back with the audio when it is passed on as it is. */
  sendTagged(tag: number): void {
    this.#voice.tag(tag, this.#identity.callNumber);
    this.#send(this.#voice);
  }

  /** The next 20 ms, for ways that change every sample. */
  sendTone(loud: boolean): void {
    this.#send(loud ? this.#loud : this.#quiet);
  }

  sendMark(name: string): void {
    if (this.#over || !this.#upgraded) return;
    const { streamSid } = this.#identity;
    this.#sendJson({ event: "mark", sequenceNumber: String(FIRST + this.#sent), streamSid, mark: { name } });
  }

  /** As when the caller hangs up. */
  stop(): void {
    if (this.#over) return;
    if (!this.#upgraded) {
      this.drop();
      return;
    }
    const { accountSid, callSid, streamSid } = this.#identity;
    const stop = { accountSid, callSid };
    this.#sendJson({ event: "stop", sequenceNumber: String(FIRST + this.#sent), stop, streamSid });
    this.#outbox.write(frame(CLOSE, new Uint8Array([0x03, 0xe8]), "client"));
    this.#over = true;
    this.#socket?.end();
  }

  /** As when the network fails: no `stop`, no closing handshake. */
  drop(): void {
    this.#over = true;
    this.#outbox.close();
    this.#socket?.terminate();
  }

  #send(media: MediaFrame): void {
    // A stream that takes the place of a lost one is paced already while it is being opened.
    if (this.#over || !this.#upgraded) return;
    if (++this.#sent > MAX_FRAMES) throw new InvariantError("the stream lasts longer than its numbers do");
    this.#outbox.write(media.bytes(this.#sent));
  }

  #sendJson(message: Readonly<Record<string, unknown>>): void {
    this.#outbox.write(textFrame(JSON.stringify(message), "client"));
  }

  #onHandshake(chunk: Buffer, target: StreamTarget, opened: PromiseWithResolvers<void>): void {
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (!this.#head.startsWith("HTTP/1.1 101")) {
      opened.reject(new InvariantError(`the stream was refused: ${this.#head.split("\r\n", 1)[0]}`));
      this.drop();
      return;
    }
    this.#upgraded = true;
    this.#sendJson({ event: "connected", protocol: "Call", version: "1.0.0" });
    this.#sendJson(startMessage(this.#identity, target.parameters));
    opened.resolve();
    const rest = this.#head.slice(end + 4);
    if (rest !== "") this.#reader.feed(Buffer.from(rest, "latin1"));
  }

  #onFrame(opcode: number, bytes: Buffer, at: number, end: number): void {
    if (this.#over) return;
    if (opcode === TEXT) this.#onText(bytes, at, end);
    else if (opcode === PING) this.#outbox.write(frame(PONG, bytes.subarray(at, end), "client"));
    else if (opcode === CLOSE) this.#lost();
  }

  #onText(bytes: Buffer, at: number, end: number): void {
    if (bytes[at + EVENT_AT] === M && bytes[at + EVENT_AT + 1] === E) {
      const from = this.#payloadOf(bytes, at);
      const to = from + this.#payloadCharsAt(bytes, from);
      if (from > 0 && to < end) {
        this.#listener.media(bytes, from, to);
        return;
      }
    }
    this.#onJson(bytes.toString("utf8", at, end));
  }

  /** Where the payload begins, or 0. */
  #payloadOf(bytes: Buffer, at: number): number {
    const known = at + this.#payloadAt;
    if (this.#payloadAt > 0 && bytes[known - 1] === QUOTE && bytes[known - 3] === QUOTE) return known;
    const found = bytes.indexOf('"payload":"', at) + 11;
    if (found < 11) return 0;
    this.#payloadAt = found - at;
    return found;
  }

  #payloadCharsAt(bytes: Buffer, from: number): number {
    if (bytes[from + this.#payloadChars] !== QUOTE) {
      this.#payloadChars = Math.max(0, bytes.indexOf(QUOTE, from) - from);
    }
    return this.#payloadChars;
  }

  #onJson(text: string): void {
    const message = JSON.parse(text) as {
      readonly event?: string;
      readonly mark?: { readonly name: string };
      readonly media?: { readonly payload: string };
    };
    if (message.event === "clear") this.#listener.clear();
    else if (message.mark) this.#listener.mark(message.mark.name);
    else if (message.media) {
      const payload = Buffer.from(message.media.payload);
      this.#listener.media(payload, 0, payload.length);
    }
  }

  #lost(): void {
    if (this.#over) return;
    this.#over = true;
    this.#outbox.close();
    this.#socket?.end();
    this.#listener.closed();
  }
}

/** One `media` message, made once; each time only its numbers are written anew. */
class MediaFrame {
  readonly #bytes: Buffer;
  readonly #sequenceEnd: number;
  readonly #chunkEnd: number;
  readonly #timestampEnd: number;
  readonly #payloadAt: number;

  constructor({ streamSid }: StreamIdentity, audio: Uint8Array) {
    const text = `{"event":"media","sequenceNumber":"${FIRST}","media":{"track":"inbound","chunk":"${FIRST}","timestamp":"${FIRST_TIMESTAMP_MS}","payload":"${audio.toBase64()}"},"streamSid":"${streamSid}"}`;
    const bytes = textFrame(text, "client");
    this.#sequenceEnd = bytes.indexOf('","media"');
    this.#chunkEnd = bytes.indexOf('","timestamp"');
    this.#timestampEnd = bytes.indexOf('","payload"');
    this.#payloadAt = bytes.indexOf('"payload":"') + 11;
    this.#bytes = bytes;
  }

  tag(tag: number, callNumber: number): void {
    putTag(this.#bytes, this.#payloadAt, tag);
    putTag(this.#bytes, this.#payloadAt + TAG_CHARS, callNumber);
  }

  bytes(count: number): Buffer {
    putDigits(this.#bytes, this.#sequenceEnd, FIRST + count + 1);
    putDigits(this.#bytes, this.#chunkEnd, FIRST + count);
    putDigits(this.#bytes, this.#timestampEnd, FIRST_TIMESTAMP_MS + (count - 1) * FRAME_MS);
    return this.#bytes;
  }
}

function upgradeRequest({ hostname, port, path, signature }: StreamTarget): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${hostname}:${port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    // Any 16 bytes will do: it proves no secret.
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "User-Agent: Twilio.TmeWs/1.0",
  ];
  if (signature !== null) lines.push(`X-Twilio-Signature: ${signature}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function startMessage(identity: StreamIdentity, customParameters: Readonly<Record<string, string>>) {
  const { accountSid, callSid, streamSid } = identity;
  const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 };
  const start = { accountSid, streamSid, callSid, tracks: ["inbound"], mediaFormat, customParameters };
  return { event: "start", sequenceNumber: "1", start, streamSid };
}
