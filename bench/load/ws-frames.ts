/**
 * WebSocket frames (RFC 6455) by hand on raw sockets: what a library does per message beyond this would be
 * measured as if it were the system's under test.
 */
import { InvariantError } from "../../engine/errors.ts";

export const TEXT = 1;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

const FIN = 0x80;
const MASKED = 0x80;
const CONTINUATION = 0;

/** A whole text message. A client's frames must be masked; a key of zeros leaves the bytes as they are. */
export function textFrame(text: string, from: "client" | "server"): Buffer {
  return frame(TEXT, Buffer.from(text), from);
}

export function frame(opcode: number, payload: Uint8Array, from: "client" | "server"): Buffer {
  const mask = from === "client" ? 4 : 0;
  const head = headBytes(payload.length) + mask;
  const bytes = Buffer.alloc(head + payload.length);
  bytes[0] = FIN | opcode;
  if (payload.length < 126) {
    bytes[1] = payload.length;
  } else if (payload.length < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(payload.length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeUInt32BE(payload.length, 6);
  }
  if (mask > 0) bytes[1] = (bytes[1] as number) | MASKED;
  bytes.set(payload, head);
  return bytes;
}

/** Bytes before the payload of an unmasked frame. */
export function headBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return 2;
  return payloadBytes < 65_536 ? 4 : 10;
}

/** `at` to `end` is the payload, already unmasked. The bytes belong to the reader until the call returns. */
export type OnFrame = (opcode: number, bytes: Buffer, at: number, end: number) => void;

/** Cuts a stream of bytes into frames; what is not complete is kept for the next chunk. */
export class FrameReader {
  readonly #onFrame: OnFrame;
  #rest: Buffer | null = null;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** @throws InvariantError for a fragmented message: none of the systems measured here sends one. */
  feed(chunk: Buffer): void {
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = null;
    let at = 0;
    for (;;) {
      if (bytes.length - at < 2) break;
      const first = bytes[at] as number;
      const second = bytes[at + 1] as number;
      let length = second & 127;
      let start = at + 2;
      if (length === 126) {
        if (bytes.length - at < 4) break;
        length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
        start = at + 4;
      } else if (length === 127) {
        if (bytes.length - at < 10) break;
        length = bytes.readUInt32BE(at + 6);
        start = at + 10;
      }
      const masked = (second & MASKED) !== 0;
      if (masked) start += 4;
      const end = start + length;
      if (end > bytes.length) break;
      if ((first & FIN) === 0 || (first & 15) === CONTINUATION)
        throw new InvariantError("a fragmented WebSocket message");
      if (masked) unmask(bytes, start, end);
      this.#onFrame(first & 15, bytes, start, end);
      at = end;
    }
    // A copy: the chunk is the socket's.
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at));
  }
}

/**
 * In place. Four bytes at a time, and not by words: to view a chunk as words has its memory handed over from the
 * runtime, which costs more than the bytes do.
 */
function unmask(bytes: Buffer, start: number, end: number): void {
  const a = bytes[start - 4] as number;
  const b = bytes[start - 3] as number;
  const c = bytes[start - 2] as number;
  const d = bytes[start - 1] as number;
  if ((a | b | c | d) === 0) return;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    bytes[at] = (bytes[at] as number) ^ a;
    bytes[at + 1] = (bytes[at + 1] as number) ^ b;
    bytes[at + 2] = (bytes[at + 2] as number) ^ c;
    bytes[at + 3] = (bytes[at + 3] as number) ^ d;
  }
  for (; at < end; at++)
    bytes[at] = (bytes[at] as number) ^ (bytes[start - 4 + ((at - start) & 3)] as number);
}

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** `Sec-WebSocket-Accept` for a client's key. */
export function acceptKey(key: string): string {
  return new Bun.CryptoHasher("sha1").update(key + GUID).digest("base64");
}
