/** A client of the engine's live feed (`/api/feed`), where every call's changes are told as they happen. */
import { z } from "zod";
import { CarrierError, errorText } from "../../../engine/errors.ts";
import { type Clock, type Log, SPEAKERS } from "../../../engine/ports.ts";
import type { EngineApi } from "./engine-api.ts";

const CONNECT_TIMEOUT_MS = 5000;

const feedMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("state"),
    callSid: z.string(),
    state: z.string(),
    from: z.string().nullish(),
  }),
  z.object({
    type: z.literal("transcript"),
    callSid: z.string(),
    speaker: z.enum(SPEAKERS),
    text: z.string(),
    heardText: z.string().optional(),
  }),
  z.object({ type: z.literal("effect"), callSid: z.string(), name: z.string(), outcome: z.string() }),
  z.looseObject({ type: z.literal("note"), callSid: z.string() }),
]);

/** Messages about one call; types that are not known here are left out. */
export type FeedMessage = z.infer<typeof feedMessage>;

export interface EngineFeed {
  /** Returns what ends the subscription. `onLost` is called when the connection is lost. */
  subscribe(listener: (message: FeedMessage) => void, onLost: () => void): () => void;
  /** The connection is gone. */
  readonly lost: boolean;
  close(): void;
}

/** Rejects with {@link CarrierError} when the engine refuses or does not answer. */
export function connectFeed(options: {
  readonly api: EngineApi;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<EngineFeed> {
  const url = `${options.api.engineUrl.replace(/^http/, "ws")}/api/feed`;
  const { promise, resolve, reject } = Promise.withResolvers<EngineFeed>();
  const socket = new WebSocket(url, { headers: { ...options.api.headers } });
  const refuse = (problem: string): void => {
    options.clock.clearTimeout(timer);
    socket.terminate();
    const init = { status: 0, code: 0, retryable: true, ambiguous: false, operation: "feed.connect" };
    reject(new CarrierError(`no connection to the engine's live feed at ${url}: ${problem}`, init));
  };
  const timer = options.clock.setTimeout(
    () => refuse(`no answer within ${CONNECT_TIMEOUT_MS} ms`),
    CONNECT_TIMEOUT_MS,
  );
  socket.onerror = (event) => refuse(errorText((event as ErrorEvent).message || "connection failed"));
  socket.onclose = (event) => refuse(`closed with ${event.code}`);
  socket.onopen = () => {
    options.clock.clearTimeout(timer);
    resolve(new SocketFeed(socket, options.log));
  };
  return promise;
}

interface Subscriber {
  readonly listener: (message: FeedMessage) => void;
  readonly onLost: () => void;
}

class SocketFeed implements EngineFeed {
  lost = false;
  readonly #socket: WebSocket;
  readonly #subscribers = new Set<Subscriber>();

  constructor(socket: WebSocket, log: Log) {
    this.#socket = socket;
    socket.onerror = () => undefined;
    // A throw in a socket handler would end the process.
    const guard = (handle: () => void): void => {
      try {
        handle();
      } catch (error) {
        log.error("feed.handler_failed", { problem: errorText(error) });
      }
    };
    socket.onmessage = (event) => guard(() => this.#receive(event.data as unknown));
    socket.onclose = () => {
      this.lost = true;
      for (const subscriber of this.#subscribers) guard(() => subscriber.onLost());
    };
  }

  subscribe(listener: (message: FeedMessage) => void, onLost: () => void): () => void {
    const subscriber = { listener, onLost };
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }

  close(): void {
    this.#subscribers.clear();
    this.#socket.close(1000);
  }

  #receive(data: unknown): void {
    if (typeof data !== "string") return;
    const parsed = feedMessage.safeParse(JSON.parse(data));
    if (!parsed.success) return;
    for (const { listener } of this.#subscribers) listener(parsed.data);
  }
}
