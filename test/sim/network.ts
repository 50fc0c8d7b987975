/**
 * The network of a simulation: servers and clients in one process, on the virtual clock. Every message takes
 * a seeded time; the messages of one socket keep their order, requests do not.
 */
import type { Server } from "bun";
import type { ClientSocket, Network, ServeOptions } from "../../engine/platform/network.ts";
import type { Clock } from "../../engine/ports.ts";
import { ClientEnd, ServerEnd, type SocketTap } from "./sockets.ts";

export interface VirtualNetworkOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** One way, the least and the most. */
  readonly latencyMs: readonly [number, number];
}

/** What goes wrong with one request. `lost`: nobody ever answers. */
export type RequestTrouble = "refused" | "lost-before" | "lost-after" | { readonly delayMs: number };

export interface SentRequest {
  readonly method: string;
  readonly url: string;
  /** Empty when it is not text. */
  readonly body: string;
}

const FIRST_PORT = 10_000;

export class VirtualNetwork implements Network {
  readonly #options: VirtualNetworkOptions;
  readonly #listeners = new Map<number, Listener<unknown>>();
  readonly #inFlight = new Set<object>();
  #nextPort = FIRST_PORT;
  /** Asked before each request. */
  onRequest: (method: string, url: string) => RequestTrouble | null = () => null;
  /** Asked before each connection: whether it is refused. */
  onConnect: (url: string) => boolean = () => false;

  /** Told of each request when it leaves its client, and when its server has made the answer. */
  onSent: (request: SentRequest) => void = () => undefined;
  onHandled: (request: SentRequest, status: number) => void = () => undefined;
  /** Told of each text that a server sends or receives. */
  tap: SocketTap = () => undefined;

  constructor(options: VirtualNetworkOptions) {
    this.#options = options;
  }

  /** Requests that are on their way or wait for an answer, and open sockets. */
  get pending(): { readonly requests: number; readonly sockets: number } {
    let sockets = 0;
    for (const listener of this.#listeners.values()) sockets += listener.ends.size;
    return { requests: this.#inFlight.size, sockets };
  }

  serve<Data>(options: ServeOptions<Data>): Server<Data> {
    const port = options.port === 0 ? this.#nextPort++ : options.port;
    if (this.#listeners.has(port)) throw new Error(`port ${port} is taken`);
    const listener = new Listener(options, port, () => this.#listeners.delete(port));
    this.#listeners.set(port, listener as unknown as Listener<unknown>);
    return listener.server;
  }

  fetch(url: string, init: RequestInit): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const request = new Request(url, init);
    const sent = { method: request.method, url, body: typeof init.body === "string" ? init.body : "" };
    if (!init.signal?.aborted) this.onSent(sent);
    const trouble = this.onRequest(request.method, url);
    const exchange = {};
    this.#inFlight.add(exchange);
    const travelling = {};
    if (trouble !== "lost-before") this.#inFlight.add(travelling);
    const over = (): void => {
      this.#inFlight.delete(exchange);
      init.signal?.removeEventListener("abort", onAbort);
    };
    const onAbort = (): void => {
      over();
      reject(new DOMException("The operation was aborted.", "AbortError"));
    };
    init.signal?.addEventListener("abort", onAbort);
    if (init.signal?.aborted) onAbort();
    const fail = (code: string): void => {
      over();
      reject(Object.assign(new Error(`${code}: ${new URL(url).pathname}`), { code }));
    };
    if (trouble === "lost-before") return promise;
    const extraMs = typeof trouble === "object" && trouble !== null ? trouble.delayMs : 0;
    this.#later(extraMs, () => {
      this.#inFlight.delete(travelling);
      const listener = this.#listeners.get(portOf(url));
      if (!listener || trouble === "refused") {
        fail("ECONNREFUSED");
        return;
      }
      void listener.handle(request).then((answer) => {
        this.onHandled(sent, answer?.status ?? 0);
        if (trouble === "lost-after") return;
        this.#later(0, () => {
          over();
          if (answer) resolve(answer);
          else reject(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" }));
        });
      });
    });
    return promise;
  }

  connect(url: string, headers: Readonly<Record<string, string>>): ClientSocket {
    const end = new ClientEnd();
    const { clock, random } = this.#options;
    const baseMs = this.#latencyMs();
    // Of a single connection the way is nearly always the same.
    const latency = (): number => baseMs + random() * random() * random() * baseMs;
    this.#later(0, () => {
      if (end.readyState !== 0) return;
      const listener = this.#listeners.get(portOf(url));
      if (!listener || this.onConnect(url)) {
        end.fail(`WebSocket connection to '${url}' failed: Failed to connect`);
        return;
      }
      const request = new Request(url.replace(/^ws/, "http"), { headers });
      void listener.upgrade(request, { end, clock, latency, tap: this.tap }).then((status) => {
        if (status !== null)
          this.#later(0, () => end.fail(`WebSocket connection failed: Expected 101 status code: ${status}`));
      });
    });
    return end as unknown as ClientSocket;
  }

  /** Breaks the sockets whose address contains `part`; returns how many there were. */
  drop(part: string): number {
    const ends = this.#ends(part);
    for (const end of ends) end.drop();
    return ends.length;
  }

  /** What goes through these sockets from now on arrives `ms` from now at the earliest, in order. */
  stall(part: string, ms: number): void {
    for (const end of this.#ends(part)) end.stall(ms);
  }

  #ends(part: string): readonly ServerEnd<unknown>[] {
    const all = [...this.#listeners.values()].flatMap((listener) => [...listener.ends]);
    return all.filter((end) => end.url.includes(part));
  }

  #latencyMs(): number {
    const [min, max] = this.#options.latencyMs;
    return min + this.#options.random() * (max - min);
  }

  #later(extraMs: number, fn: () => void): void {
    this.#options.clock.setTimeout(fn, extraMs + this.#latencyMs());
  }
}

interface Upgrade {
  readonly end: ClientEnd;
  readonly clock: Clock;
  readonly latency: () => number;
  readonly tap: SocketTap;
}

class Listener<Data> {
  readonly server: Server<Data>;
  readonly ends = new Set<ServerEnd<Data>>();
  readonly #options: ServeOptions<Data>;
  readonly #upgrades = new Map<Request, Upgrade>();

  constructor(options: ServeOptions<Data>, port: number, onStop: () => void) {
    this.#options = options;
    const server = {
      port,
      hostname: options.hostname,
      upgrade: (request: Request, more: { data: Data }) => this.#accept(request, more.data),
      publish: (topic: string, text: string) => {
        for (const end of this.ends) if (end.topics.has(topic)) end.send(text);
        return text.length;
      },
      requestIP: () => ({ address: "127.0.0.1", port: 1, family: "IPv4" }),
      stop: () => {
        onStop();
        for (const end of this.ends) end.terminate();
        return Promise.resolve();
      },
    };
    this.server = server as unknown as Server<Data>;
  }

  async handle(request: Request): Promise<Response | undefined> {
    try {
      return await this.#options.fetch(request, this.server);
    } catch (error) {
      return this.#options.error(error as Error);
    }
  }

  /** The status of a refusal, or `null`: the client is connected. */
  async upgrade(request: Request, upgrade: Upgrade): Promise<number | null> {
    this.#upgrades.set(request, upgrade);
    const answer = await this.handle(request);
    this.#upgrades.delete(request);
    return answer ? answer.status : null;
  }

  #accept(request: Request, data: Data): boolean {
    const upgrade = this.#upgrades.get(request);
    if (!upgrade) return false;
    const end: ServerEnd<Data> = new ServerEnd({
      url: request.url,
      data,
      ...upgrade,
      handlers: this.#options.websocket,
      onGone: () => this.ends.delete(end),
    });
    upgrade.end.peer = end as ServerEnd<unknown>;
    this.ends.add(end);
    end.client.push(() => upgrade.end.opened());
    end.open();
    return true;
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}
