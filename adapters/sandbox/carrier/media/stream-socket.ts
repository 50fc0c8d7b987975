import type { ClientSocket, Network } from "../../../../engine/platform/network.ts";
import type { Clock } from "../../../../engine/ports.ts";

/** Twilio's stream error and warning codes (https://www.twilio.com/docs/api/errors). */
export const StreamCode = {
  invalidUrl: 11_100,
  connectTimeout: 31_901,
  brokenPipe: 31_903,
  handshake: 31_920,
  serverClosed: 31_921,
  slowReader: 31_930,
  bufferFull: 31_931,
  invalidMessage: 31_951,
} as const;

/** Beyond this much unsent audio Twilio discards frames (31930). */
const SLOW_READER_BYTES = 256 * 1024;
/** A server that reads nothing but makes us answer marks: the connection is given up. */
const BROKEN_BYTES = 8 * 1024 * 1024;
/** How long the server has to answer the closing handshake. */
const CLOSE_TIMEOUT_MS = 1_000;
const MEDIA_PREFIX = '{"event":"media"';

/** Why Twilio would not even try this URL, as an error code, or `null`. A query makes its handshake fail. */
export function connectionRefusal(url: string): number | null {
  if (!URL.canParse(url)) return StreamCode.invalidUrl;
  const { protocol, search, hash } = new URL(url);
  if ((protocol !== "ws:" && protocol !== "wss:") || hash !== "") return StreamCode.invalidUrl;
  return search === "" ? null : StreamCode.handshake;
}

export interface StreamSocketOptions {
  readonly url: string;
  readonly signature: string;
  readonly network: Network;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  onOpen(): void;
  /** `null`: a binary message. */
  onMessage(text: string | null): void;
  /** The open socket was closed; 1006 without a closing handshake. */
  onClosed(code: number): void;
  /** It never opened, or the far end stopped reading altogether. */
  onFailed(errorCode: number): void;
  onSlowReader(): void;
}

/** A client socket with limits on time and memory. After `terminate` nothing more is told. */
export class StreamSocket {
  readonly #options: StreamSocketOptions;
  readonly #socket: ClientSocket;
  #timer: unknown;
  #opened = false;
  #over = false;
  #discarded = 0;

  /** Starts to connect. */
  constructor(options: StreamSocketOptions) {
    this.#options = options;
    const socket = options.network.connect(options.url, { "X-Twilio-Signature": options.signature });
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#onOpen();
    socket.onmessage = (event) => {
      if (!this.#over) options.onMessage(typeof event.data === "string" ? event.data : null);
    };
    // A failed handshake is told by `close` as well; without a listener Bun would report it as uncaught.
    socket.onerror = () => undefined;
    socket.onclose = (event) => this.#onClose(event.code);
    this.#socket = socket;
    this.#timer = options.clock.setTimeout(
      () => this.#fail(StreamCode.connectTimeout),
      options.connectTimeoutMs,
    );
  }

  /** Media messages discarded because the server read too slowly. */
  get discarded(): number {
    return this.#discarded;
  }

  send(text: string): void {
    if (this.#over || this.#socket.readyState !== WebSocket.OPEN) return;
    const waitingBytes = this.#socket.bufferedAmount;
    if (waitingBytes > BROKEN_BYTES) {
      this.#fail(StreamCode.brokenPipe);
    } else if (waitingBytes > SLOW_READER_BYTES && text.startsWith(MEDIA_PREFIX)) {
      this.#discarded++;
      this.#options.onSlowReader();
    } else {
      this.#socket.send(text);
    }
  }

  /**
   * Closes in order; `onClosed` follows, at the latest after a second. `false` when it was not open any more.
   */
  close(): boolean {
    if (this.#over || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.close(1000);
    this.#timer = this.#options.clock.setTimeout(() => this.#onClose(1006), CLOSE_TIMEOUT_MS);
    return true;
  }

  terminate(): void {
    if (this.#over) return;
    this.#over = true;
    this.#disarm();
    this.#socket.terminate();
  }

  #onOpen(): void {
    if (this.#over) return;
    this.#disarm();
    this.#opened = true;
    this.#options.onOpen();
  }

  #onClose(code: number): void {
    if (this.#over) return;
    this.terminate();
    if (this.#opened) this.#options.onClosed(code);
    else this.#options.onFailed(StreamCode.handshake);
  }

  #fail(errorCode: number): void {
    if (this.#over) return;
    this.terminate();
    this.#options.onFailed(errorCode);
  }

  #disarm(): void {
    this.#options.clock.clearTimeout(this.#timer);
  }
}
