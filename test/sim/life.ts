/**
 * The life of one engine's process: its clock, its network and its log end with it. Whatever the engine still does
 * when it is dead, in the middle of a step, reaches nobody.
 */
import type { Server } from "bun";
import type { ClientSocket, Network, ServeOptions } from "../../engine/platform/network.ts";
import type { Clock, Log, LogFields } from "../../engine/ports.ts";
import type { Crash } from "./plan.ts";
import type { VirtualNetwork } from "./network.ts";

export type Moment = NonNullable<Crash["on"]>["moment"];

export interface LifeOptions {
  readonly clock: Clock;
  readonly network: VirtualNetwork;
  readonly log: Log;
  /** Told of what the engine does, when it does it. */
  readonly onMoment: (moment: Moment, what: string) => void;
}

const never = (): Promise<never> => new Promise(() => undefined);

export class Life {
  readonly clock: Clock;
  readonly network: Network;
  readonly log: Log;
  dead = false;
  readonly #options: LifeOptions;
  readonly #timers = new Set<unknown>();
  readonly #servers = new Set<Server<unknown>>();
  readonly #clients = new Set<ClientSocket>();
  readonly #over = new AbortController();
  /** Requests that wait for an answer of this engine. */
  readonly #ended = Promise.withResolvers<undefined>();

  constructor(options: LifeOptions) {
    const { clock } = options;
    this.#options = options;
    this.clock = {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      setTimeout: (fn, delayMs) => this.#setTimeout(fn, delayMs),
      clearTimeout: (timer) => {
        this.#timers.delete(timer);
        clock.clearTimeout(timer);
      },
    };
    this.network = {
      serve: (served) => this.#serve(served),
      fetch: (url, init) => this.#fetch(url, init),
      connect: (url, headers) => this.#connect(url, headers),
    };
    this.log = this.#logOf(options.log);
  }

  /** The process is no more: its timers and sockets are gone, and who waits for an answer gets none. */
  end(): void {
    if (this.dead) return;
    this.dead = true;
    for (const timer of this.#timers) this.#options.clock.clearTimeout(timer);
    this.#timers.clear();
    for (const server of this.#servers) void server.stop(true);
    for (const client of this.#clients) client.terminate();
    this.#over.abort();
    this.#ended.resolve(undefined);
  }

  #setTimeout(fn: () => void, delayMs: number): unknown {
    if (this.dead) return null;
    const timer = this.#options.clock.setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, delayMs);
    this.#timers.add(timer);
    return timer;
  }

  #serve<Data>(options: ServeOptions<Data>): Server<Data> {
    const { websocket } = options;
    const { open, message, close } = websocket;
    const server = this.#options.network.serve<Data>({
      ...options,
      fetch: (request, self) => {
        this.#options.onMoment("asked", new URL(request.url).pathname);
        if (this.dead) return undefined;
        const answer = Promise.resolve(options.fetch(request, self));
        return Promise.race([this.#ended.promise, answer]);
      },
      websocket: {
        ...websocket,
        open: (ws) => (this.dead ? undefined : open?.(ws)),
        message: (ws, data) => (this.dead ? undefined : message?.(ws, data as string)),
        close: (ws, code, reason) => (this.dead ? undefined : close?.(ws, code, reason)),
      },
    });
    this.#servers.add(server as unknown as Server<unknown>);
    return server;
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    if (this.dead) return await never();
    const { network, onMoment } = this.#options;
    const { signal } = this.#over;
    const either = init.signal ? AbortSignal.any([init.signal, signal]) : signal;
    const answer = network.fetch(url, { ...init, signal: either });
    onMoment("sent", `${init.method ?? "GET"} ${url}`);
    try {
      const response = await answer;
      onMoment("answered", `${init.method ?? "GET"} ${url}`);
      return this.dead ? await never() : response;
    } catch (error) {
      if (this.dead) return await never();
      throw error;
    }
  }

  #connect(url: string, headers: Readonly<Record<string, string>>): ClientSocket {
    const client = this.#options.network.connect(url, headers);
    if (this.dead) client.terminate();
    this.#clients.add(client);
    client.addEventListener("close", () => void this.#clients.delete(client));
    return client;
  }

  #logOf(log: Log): Log {
    const at =
      (level: "debug" | "info" | "warn" | "error") =>
      (event: string, fields?: LogFields): void => {
        if (!this.dead) log[level](event, fields);
      };
    const child = (fields: LogFields): Log => this.#logOf(log.child(fields));
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child };
  }
}
