/** The speech model's WebSocket server, on raw sockets. */
import type { Socket, TCPSocketListener } from "bun";
import { Outbox } from "./outbox.ts";
import { CLOSE, FrameReader, PING, PONG, TEXT, acceptKey, frame, textFrame } from "./ws-frames.ts";

export interface ModelSocketListener {
  /** A text message; hot path. The bytes are good until this returns. */
  text(bytes: Buffer, at: number, end: number): void;
  closed(): void;
}

/** One client's connection to the model. */
export class ModelSocket {
  readonly #outbox = new Outbox();
  readonly #socket: Socket<ModelSocket>;
  readonly #accepted: (socket: ModelSocket) => ModelSocketListener;
  readonly #reader: FrameReader;
  readonly #asksKey: boolean;
  #listener: ModelSocketListener | null = null;
  #head = "";

  /** `asksKey`: a client without an API key is refused, as the model refuses it. */
  constructor(
    socket: Socket<ModelSocket>,
    accepted: (socket: ModelSocket) => ModelSocketListener,
    asksKey = true,
  ) {
    this.#asksKey = asksKey;
    this.#socket = socket;
    this.#accepted = accepted;
    this.#outbox.attach(socket);
    this.#reader = new FrameReader((opcode, bytes, at, end) => this.#onFrame(opcode, bytes, at, end));
  }

  /** A frame as it is; it may be used again when this returns. */
  write(bytes: Buffer): void {
    this.#outbox.write(bytes);
  }

  send(event: Readonly<Record<string, unknown>>): void {
    this.#outbox.write(textFrame(JSON.stringify(event), "server"));
  }

  /** As when the network fails. */
  drop(): void {
    this.closed();
    this.#socket.terminate();
  }

  data(chunk: Buffer): void {
    if (this.#listener) this.#reader.feed(chunk);
    else this.#onHandshake(chunk);
  }

  drain(): void {
    this.#outbox.drain();
  }

  closed(): void {
    this.#outbox.close();
    const listener = this.#listener;
    this.#listener = null;
    listener?.closed();
  }

  #onHandshake(chunk: Buffer): void {
    this.#head += chunk.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return;
    const key = /^sec-websocket-key:\s*(\S+)/im.exec(this.#head)?.[1];
    const hasKey = !this.#asksKey || /^authorization:\s*Bearer \S/im.test(this.#head);
    if (key === undefined || !hasKey) {
      this.#outbox.write(Buffer.from("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"));
      this.#socket.end();
      return;
    }
    // A client that asked for a subprotocol fails without an answer to it.
    const asked = /^sec-websocket-protocol:\s*([^,\r\n]+)/im.exec(this.#head)?.[1];
    const protocol = asked === undefined ? "" : `Sec-WebSocket-Protocol: ${asked.trim()}\r\n`;
    this.#outbox.write(
      Buffer.from(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${protocol}Sec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
      ),
    );
    const rest = this.#head.slice(end + 4);
    this.#listener = this.#accepted(this);
    if (rest !== "") this.#reader.feed(Buffer.from(rest, "latin1"));
  }

  #onFrame(opcode: number, bytes: Buffer, at: number, end: number): void {
    if (opcode === TEXT) {
      this.#listener?.text(bytes, at, end);
    } else if (opcode === PING) {
      this.#outbox.write(frame(PONG, bytes.subarray(at, end), "server"));
    } else if (opcode === CLOSE) {
      this.#outbox.write(frame(CLOSE, bytes.subarray(at, end), "server"));
      this.#socket.end();
    }
  }
}

export function listenAsModel(
  accepted: (socket: ModelSocket) => ModelSocketListener,
): TCPSocketListener<ModelSocket> {
  return Bun.listen<ModelSocket>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.setNoDelay(true);
        socket.data = new ModelSocket(socket, accepted);
      },
      data: (socket, chunk) => socket.data.data(chunk),
      drain: (socket) => socket.data.drain(),
      close: (socket) => socket.data.closed(),
      error: (socket) => socket.data.closed(),
    },
  });
}
