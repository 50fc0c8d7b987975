/**
 * Stands between the engine and the sandbox's model: hands both on to each other, or, while a script is set, plays
 * the model itself.
 */
import type { Server, ServerWebSocket } from "bun";

/** One session of a model that is played. */
export interface Script {
  opened(socket: Played): void;
  /** Of the engine. */
  text(text: string, socket: Played): void;
}

export interface Played {
  send(message: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  /** Without a word. */
  terminate(): void;
}

interface Data {
  readonly script: Script | null;
  readonly upstream: WebSocket | null;
}

type FrontSocket = ServerWebSocket<Data>;

export class ModelFront {
  /** Called for each socket that the engine opens; `null`: the sandbox's model is spoken to. */
  script: ((nth: number) => Script) | null = null;
  /** What the text endpoint is answered with; `null`: the sandbox's answer. */
  answer: (() => Response) | null = null;
  /** Sockets that the engine has open. */
  open = 0;
  readonly #server: Server<Data>;
  readonly #upstream: string;
  #nth = 0;

  /** `upstream`: `http://…/v1`. */
  constructor(upstream: string) {
    this.#upstream = upstream;
    this.#server = Bun.serve<Data>({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, server) => this.#fetch(request, server),
      websocket: {
        perMessageDeflate: false,
        maxPayloadLength: 64 * 1024 * 1024,
        idleTimeout: 120,
        open: (socket) => this.#opened(socket),
        message: (socket, message) => {
          if (typeof message !== "string") return;
          if (socket.data.script) socket.data.script.text(message, played(socket));
          else whenOpen(socket.data.upstream, message);
        },
        close: (socket) => {
          this.open--;
          socket.data.upstream?.close();
        },
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/v1`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #fetch(request: Request, server: Server<Data>): Promise<Response | undefined> {
    const { pathname, search } = new URL(request.url);
    const headers = { authorization: request.headers.get("authorization") ?? "" };
    const target = `${this.#upstream}${pathname.slice("/v1".length)}${search}`;
    if (request.headers.get("upgrade") === null) {
      const body = await request.text();
      if (this.answer) return this.answer();
      const init = { method: request.method, headers: { ...headers, "content-type": "application/json" } };
      return await fetch(target, { ...init, body });
    }
    const script = this.script?.(this.#nth++) ?? null;
    const upstream = script ? null : new WebSocket(target.replace(/^http/, "ws"), { headers });
    if (server.upgrade(request, { data: { script, upstream } })) return undefined;
    return new Response("not a socket", { status: 426 });
  }

  #opened(socket: FrontSocket): void {
    this.open++;
    const { script, upstream } = socket.data;
    script?.opened(played(socket));
    upstream?.addEventListener("message", ({ data }) => void socket.send(data as string));
    upstream?.addEventListener("close", () => socket.close());
    upstream?.addEventListener("error", () => socket.close());
  }
}

function whenOpen(upstream: WebSocket | null, message: string): void {
  if (!upstream) return;
  if (upstream.readyState === WebSocket.OPEN) upstream.send(message);
  else upstream.addEventListener("open", () => upstream.send(message), { once: true });
}

function played(socket: FrontSocket): Played {
  return {
    send: (message) => void socket.send(message),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}
