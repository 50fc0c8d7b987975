/** WebSockets without sockets: the client's and the server's end, joined by two wires. */
import type { ServerWebSocket, WebSocketHandler } from "bun";
import type { Clock } from "../../engine/ports.ts";
import { Wire } from "./wire.ts";

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;
const ABNORMAL = 1006;

/** Told of each text that a server sends or receives. */
export type SocketTap = (end: { readonly url: string }, direction: "in" | "out", text: string) => void;

/** How long each message of a connection takes. */
export type Latency = () => number;

interface Listeners {
  open: (() => void)[];
  message: ((event: { readonly data: string | Uint8Array }) => void)[];
  error: ((event: { readonly message: string }) => void)[];
  close: ((event: { readonly code: number; readonly reason: string }) => void)[];
  pong: (() => void)[];
}

/** The client's end, in the shape of Bun's `WebSocket`. */
export class ClientEnd {
  readyState = CONNECTING;
  readonly bufferedAmount = 0;
  binaryType = "nodebuffer";
  onopen: Listeners["open"][number] | null = null;
  onmessage: Listeners["message"][number] | null = null;
  onerror: Listeners["error"][number] | null = null;
  onclose: Listeners["close"][number] | null = null;
  /** The other end, once the server has taken the connection. */
  peer: ServerEnd<unknown> | null = null;
  readonly #listeners: Listeners = { open: [], message: [], error: [], close: [], pong: [] };

  addEventListener<E extends keyof Listeners>(type: E, listener: Listeners[E][number]): void {
    (this.#listeners[type] as Listeners[E][number][]).push(listener);
  }

  send(data: string | Uint8Array): void {
    if (this.readyState === OPEN) this.peer?.fromClient(data);
  }

  ping(): void {
    if (this.readyState === OPEN) this.peer?.pingFromClient();
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState >= CLOSING) return;
    if (this.readyState === CONNECTING) {
      this.peer?.closeFromClient(ABNORMAL, "");
      this.fail("closed before it was open");
      return;
    }
    this.readyState = CLOSING;
    this.peer?.closeFromClient(code, reason);
  }

  /** What was sent, and the close frame of `close`, still arrive. */
  terminate(): void {
    if (this.readyState === CLOSED) return;
    if (this.readyState !== CLOSING) this.peer?.closeFromClient(ABNORMAL, "");
    const wasConnecting = this.readyState === CONNECTING;
    this.readyState = CLOSED;
    this.peer?.client.cut();
    if (wasConnecting) this.#emitClose(ABNORMAL, "");
  }

  opened(): void {
    if (this.readyState !== CONNECTING) return;
    this.readyState = OPEN;
    this.onopen?.();
    for (const listener of this.#listeners.open) listener();
  }

  message(data: string | Uint8Array): void {
    if (this.readyState !== OPEN) return;
    const event = { data };
    this.onmessage?.(event);
    for (const listener of this.#listeners.message) listener(event);
  }

  pong(): void {
    if (this.readyState === OPEN) for (const listener of this.#listeners.pong) listener();
  }

  /** It never opened. */
  fail(message: string): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.onerror?.({ message });
    for (const listener of this.#listeners.error) listener({ message });
    this.#emitClose(ABNORMAL, "");
  }

  closed(code: number, reason: string): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#emitClose(code, reason);
  }

  #emitClose(code: number, reason: string): void {
    this.onclose?.({ code, reason });
    for (const listener of this.#listeners.close) listener({ code, reason });
  }
}

/** The server's end, in the shape of Bun's `ServerWebSocket`; as there, `close` tells the handler at once. */
export class ServerEnd<Data> {
  readonly data: Data;
  readonly remoteAddress = "127.0.0.1";
  readonly url: string;
  /** To the client. */
  readonly client: Wire;
  readyState = OPEN;
  readonly topics = new Set<string>();
  readonly #server: Wire;
  readonly #end: ClientEnd;
  readonly #handlers: WebSocketHandler<Data>;
  readonly #tap: SocketTap;
  readonly #onGone: (end: ServerEnd<Data>) => void;

  constructor(options: {
    readonly url: string;
    readonly data: Data;
    readonly end: ClientEnd;
    readonly handlers: WebSocketHandler<Data>;
    readonly clock: Clock;
    readonly latency: Latency;
    readonly tap: SocketTap;
    readonly onGone: (end: ServerEnd<Data>) => void;
  }) {
    this.url = options.url;
    this.data = options.data;
    this.#end = options.end;
    this.#handlers = options.handlers;
    this.#tap = options.tap;
    this.#onGone = options.onGone;
    this.client = new Wire(options.clock, options.latency);
    this.#server = new Wire(options.clock, options.latency);
  }

  open(): void {
    void this.#handlers.open?.(this.#self());
  }

  send(data: string | Uint8Array): number {
    if (this.readyState !== OPEN) return 0;
    if (typeof data === "string") this.#tap(this, "out", data);
    this.client.push(() => this.#end.message(data));
    return data.length;
  }

  cork(work: () => void): void {
    work();
  }

  getBufferedAmount(): number {
    return 0;
  }

  subscribe(topic: string): void {
    this.topics.add(topic);
  }

  close(code = 1000, reason = ""): void {
    if (this.readyState !== OPEN) return;
    this.#tellClosed(code, reason);
    this.#gone(code, reason);
  }

  terminate(): void {
    this.close(ABNORMAL);
  }

  fromClient(data: string | Uint8Array): void {
    if (this.readyState === OPEN)
      this.#server.push(() => {
        if (this.readyState !== OPEN) return;
        if (typeof data === "string") this.#tap(this, "in", data);
        void this.#handlers.message?.(this.#self(), data as string);
      });
  }

  pingFromClient(): void {
    this.#server.push(() => {
      if (this.readyState === OPEN) this.client.push(() => this.#end.pong());
    });
  }

  closeFromClient(code: number, reason: string): void {
    if (this.readyState === OPEN)
      this.#server.push(() => {
        if (this.readyState !== OPEN) return;
        this.#tellClosed(code, reason);
        this.#gone(code, reason);
      });
  }

  /** Nothing arrives for so long, and then all of it. */
  stall(ms: number): void {
    this.client.stall(ms);
    this.#server.stall(ms);
  }

  /** The connection breaks: what is under way is lost, and each end learns of it by itself. */
  drop(): void {
    if (this.readyState !== OPEN) return;
    this.#server.cut();
    this.client.cut();
    this.#tellClosed(ABNORMAL, "");
    this.#server.push(() => {
      if (this.readyState === OPEN) this.#gone(ABNORMAL, "");
    });
  }

  #tellClosed(code: number, reason: string): void {
    if (this.#end.readyState !== CLOSED) this.client.push(() => this.#end.closed(code, reason));
  }

  #gone(code: number, reason: string): void {
    this.readyState = CLOSED;
    this.#server.cut();
    this.#onGone(this);
    void this.#handlers.close?.(this.#self(), code, reason);
  }

  #self(): ServerWebSocket<Data> {
    return this as unknown as ServerWebSocket<Data>;
  }
}
