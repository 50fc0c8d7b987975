/** The server's end of a media stream, as far as the tests of the carrier's end need one. */
import type { Server, ServerWebSocket } from "bun";

export type Json = Record<string, unknown> & { readonly event: string };

export interface MediaServerOptions {
  /** Answers the upgrade request instead of taking it. */
  readonly answer?: () => Response | Promise<Response>;
}

/** Takes streams, keeps every message and lets a test wait for what it expects. */
export class MediaServer {
  readonly messages: Json[] = [];
  readonly texts: string[] = [];
  headers: Headers | null = null;
  requestUrl = "";
  closeCode: number | null = null;
  socket: ServerWebSocket<undefined> | null = null;
  readonly #server: Server<undefined>;
  readonly #waiting = new Set<() => void>();

  constructor(options: MediaServerOptions = {}) {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (req, server) => {
        this.headers = req.headers;
        this.requestUrl = req.url;
        if (options.answer) return options.answer();
        return server.upgrade(req) ? undefined : new Response("", { status: 426 });
      },
      websocket: {
        open: (socket) => {
          this.socket = socket;
          this.#notify();
        },
        message: (_, data) => {
          this.texts.push(String(data));
          this.messages.push(JSON.parse(String(data)) as Json);
          this.#notify();
        },
        close: (_, code) => {
          this.closeCode = code;
          this.#notify();
        },
      },
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#server.port}/twilio/media`;
  }

  events(event: string): Json[] {
    return this.messages.filter((message) => message.event === event);
  }

  /** Resolves as soon as `condition` holds; it is looked at whenever something arrives. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  send(message: unknown): void {
    this.socket?.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Also for things that a test sees happen elsewhere and waits for here. */
  readonly poke = (): void => this.#notify();

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  #notify(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
