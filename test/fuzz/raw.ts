/** HTTP and WebSocket by hand on raw sockets: a library would not send what is sent here. */
import { connect, type Socket } from "node:net";
import { systemClock } from "../../engine/platform/clock.ts";
import { Broken } from "./edge.ts";

/** Longer than anything that the engine lets a client wait for on purpose. */
const BOUND_MS = 60_000;

export interface Address {
  readonly port: number;
  /** Of the machine's loopback addresses the one to come from. */
  readonly from: string;
}

export interface Answer {
  readonly status: number;
  /** As they came. */
  readonly head: string;
  readonly body: string;
}

export interface RawOptions {
  /** Sent in two pieces, the first of so many bytes, as a network may; 0: in one. */
  readonly cutAt?: number;
  /** The client is gone after this many bytes, and no answer is waited for. */
  readonly dropAfter?: number;
}

/** Sends the bytes; `null`: the connection was closed without an answer, which a client may deserve. */
export async function rawRequest(
  bytes: Buffer,
  { port, from }: Address,
  { cutAt = 0, dropAfter }: RawOptions = {},
): Promise<Answer | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer | null>();
  const socket = connect({ port, host: "127.0.0.1", localAddress: from });
  const chunks: Buffer[] = [];
  const end = (answer: Answer | null): void => {
    systemClock.clearTimeout(timer);
    socket.destroy();
    resolve(answer);
  };
  const timer = systemClock.setTimeout(() => {
    socket.destroy();
    reject(new Broken(`no answer within ${BOUND_MS} ms`));
  }, BOUND_MS);
  socket.on("data", (chunk) => {
    chunks.push(Buffer.from(chunk));
    const answer = answerIn(Buffer.concat(chunks), false);
    if (answer) end(answer);
  });
  socket.on("error", () => end(answerIn(Buffer.concat(chunks), true)));
  socket.on("close", () => end(answerIn(Buffer.concat(chunks), true)));
  socket.on("connect", () => {
    if (dropAfter !== undefined) socket.write(bytes.subarray(0, dropAfter), () => end(null));
    else if (cutAt > 0) {
      socket.write(bytes.subarray(0, cutAt), () => socket.write(bytes.subarray(cutAt)));
    } else socket.write(bytes);
  });
  return await promise;
}

/** The answer, once it is whole; with `closed`, whatever of it came. */
function answerIn(bytes: Buffer, closed: boolean): Answer | null {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const head = text.slice(0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  const rest = text.slice(end + 4);
  const length = /^content-length:\s*(\d+)/im.exec(head)?.[1];
  const chunked = /^transfer-encoding:\s*chunked/im.test(head);
  const whole =
    closed ||
    status === 204 ||
    status === 304 ||
    (length !== undefined && rest.length >= Number(length)) ||
    (chunked && rest.endsWith("0\r\n\r\n"));
  return whole ? { status, head, body: Buffer.from(rest, "latin1").toString("utf8") } : null;
}

export interface Upgrade {
  readonly path: string;
  readonly headers: readonly string[];
}

/** A client's end of a WebSocket that may break every rule of the protocol. */
export class RawSocket {
  /** Why the engine said no, when it did. */
  status = 0;
  /** What came after the upgrade, as it came. */
  readonly received: Buffer[] = [];
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #opened = Promise.withResolvers<boolean>();

  constructor({ path, headers }: Upgrade, { port, from }: Address) {
    const closed = Promise.withResolvers<void>();
    this.closed = closed.promise;
    const socket = connect({ port, host: "127.0.0.1", localAddress: from });
    this.#socket = socket;
    const timer = systemClock.setTimeout(() => socket.destroy(), BOUND_MS);
    let head = "";
    socket.on("connect", () => {
      const lines = [
        `GET ${path} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        ...headers,
      ];
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    });
    socket.on("data", (chunk) => {
      if (this.status === 101) {
        this.received.push(Buffer.from(chunk));
        return;
      }
      head += Buffer.from(chunk).toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
      this.received.push(Buffer.from(head.slice(end + 4), "latin1"));
      this.#opened.resolve(this.status === 101);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      systemClock.clearTimeout(timer);
      this.#opened.resolve(false);
      closed.resolve();
    });
  }

  /** Whether the engine took the socket. */
  async opened(): Promise<boolean> {
    return await this.#opened.promise;
  }

  /** Resolves once the bytes are handed over, or the socket is gone. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.#socket.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.write(bytes, () => resolve());
    await Promise.race([promise, this.closed]);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly opcode?: number;
  readonly fin?: boolean;
  /** The three bits that no extension has given a meaning. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** The length that it says, when it is not the payload's. */
  readonly claims?: number;
}

/** A client's frame (RFC 6455), right or wrong. */
export function frameOf(payload: Uint8Array, options: FrameOptions = {}): Buffer {
  const { opcode = OPCODE.text, fin = true, reserved = 0, masked = true, claims = payload.length } = options;
  const head = [(fin ? 0x80 : 0) | ((reserved & 7) << 4) | (opcode & 15)];
  const mask = masked ? 0x80 : 0;
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(claims));
  if (claims < 126) head.push(mask | claims);
  else if (claims < 65_536) head.push(mask | 126, ...length.subarray(6));
  else head.push(mask | 127, ...length);
  // A key of zeros leaves the bytes as they are.
  if (masked) head.push(0, 0, 0, 0);
  return Buffer.concat([Buffer.from(head), payload]);
}
