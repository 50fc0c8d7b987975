/**
 * The network as a port: servers, requests and client sockets. Whoever is handed another one runs without
 * sockets, as a simulation does; in production these are the runtime's own objects, with nothing in between.
 */
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";

/** What a server listens as and answers with: as much of the options of `Bun.serve` as is used. */
export interface ServeOptions<Data> {
  readonly hostname: string;
  /** 0: any free one. */
  readonly port: number;
  readonly maxRequestBodySize: number;
  /** Seconds without a byte after which a connection is closed. */
  readonly idleTimeout?: number;
  /** `undefined`: the request was upgraded. */
  fetch(request: Request, server: Server<Data>): Response | undefined | Promise<Response | undefined>;
  /** The answer when `fetch` threw. */
  error(error: Error): Response;
  readonly websocket: WebSocketHandler<Data>;
}

/** A client's end of a WebSocket: as much of it as is used. */
export type ClientSocket = Pick<
  WebSocket,
  | "addEventListener"
  | "binaryType"
  | "bufferedAmount"
  | "close"
  | "onclose"
  | "onerror"
  | "onmessage"
  | "onopen"
  | "ping"
  | "readyState"
  | "send"
  | "terminate"
>;

export interface Network {
  /** Throws when the port is taken. */
  serve<Data>(options: ServeOptions<Data>): Server<Data>;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Starts to connect; throws at once for an unusable URL or header. Messages go out as they are: audio in base64 does not compress. */
  connect(url: string, headers: Readonly<Record<string, string>>): ClientSocket;
}

export type { Server, ServerWebSocket };

/** The machine's own network. */
export const systemNetwork: Network = {
  serve: (options) => Bun.serve(options),
  fetch: (url, init) => fetch(url, init),
  connect: (url, headers) => new WebSocket(url, { headers, perMessageDeflate: false }),
};
