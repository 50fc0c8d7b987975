/** A customer of the carrier for tests: a server that records what it is sent and answers as told. */
import twilio from "twilio";
import { systemClock } from "../../../../engine/platform/clock.ts";
import { seededIds } from "../../../../engine/platform/ids.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import {
  startCarrier,
  type CarrierOptions,
  type CarrierServer,
} from "../../../../adapters/sandbox/carrier/carrier.ts";
import type { Hearing, Speech } from "../../../../adapters/sandbox/types.ts";

export const ACCOUNT = "AC00000000000000000000000000000001";
export const TOKEN = "not-a-real-token";
export const APP = "AP00000000000000000000000000000002";
export const NUMBER = "+15550123";
export const GUARD_MS = 10_000;

export interface Received {
  readonly path: string;
  readonly method: string;
  readonly fields: URLSearchParams;
  readonly headers: Headers;
  readonly url: string;
}

type Answer = string | Response | Promise<Response>;

export class Customer {
  readonly #answers = new Map<string, (request: Received) => Answer>();
  readonly #received: Received[] = [];
  readonly #taken = new Set<Received>();
  readonly #waiting = new Set<() => void>();
  readonly media: MediaSocket[] = [];
  readonly #server: Bun.Server<{ socket: MediaSocket }>;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => this.#handle(request, server),
      websocket: {
        data: {} as { socket: MediaSocket },
        open: (ws) => {
          ws.data.socket.ws = ws;
          this.media.push(ws.data.socket);
          this.#changed();
        },
        message: (ws, text) => {
          ws.data.socket.messages.push(JSON.parse(String(text)));
          this.#changed();
        },
        close: (ws) => {
          ws.data.socket.closed = true;
          this.#changed();
        },
      },
    });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  get all(): readonly Received[] {
    return this.#received;
  }

  /** TwiML (or any response) for POSTs and GETs of a path. */
  on(path: string, answer: string | ((request: Received) => Answer)): this {
    this.#answers.set(path, typeof answer === "string" ? () => answer : answer);
    return this;
  }

  /** The first request that fits, past or to come; each is handed out once. */
  async next(
    path: string,
    fits: (fields: URLSearchParams, request: Received) => boolean = () => true,
  ): Promise<Received> {
    return await this.until(() => {
      const found = this.#received.find((r) => r.path === path && !this.#taken.has(r) && fits(r.fields, r));
      if (found) this.#taken.add(found);
      return found;
    }, `a request to ${path}`);
  }

  /** Waits until `look` finds something; looks again after each request and each media message. */
  async until<T>(look: () => T | undefined | false | null, what: string): Promise<T> {
    const guard = Promise.withResolvers<never>();
    const timer = setTimeout(() => guard.reject(new Error(`waited for ${what} in vain`)), GUARD_MS);
    try {
      for (;;) {
        const found = look();
        if (found) return found;
        const change = Promise.withResolvers<void>();
        this.#waiting.add(change.resolve);
        await Promise.race([change.promise, guard.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  /** Looks again: something outside the server has changed. */
  #changed(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async #handle(
    request: Request,
    server: Bun.Server<{ socket: MediaSocket }>,
  ): Promise<Response | undefined> {
    const url = new URL(request.url);
    if (request.headers.get("upgrade") === "websocket") {
      const socket: MediaSocket = { ws: null, messages: [], closed: false };
      return server.upgrade(request, { data: { socket } }) ? undefined : new Response("", { status: 426 });
    }
    const received: Received = {
      path: url.pathname,
      method: request.method,
      fields: request.method === "GET" ? url.searchParams : new URLSearchParams(await request.text()),
      headers: request.headers,
      url: request.url,
    };
    this.#received.push(received);
    this.#changed();
    const answer = await this.#answers.get(url.pathname)?.(received);
    if (answer === undefined) return new Response(null, { status: 204 });
    if (typeof answer !== "string") return answer;
    return new Response(answer, { headers: { "content-type": "text/xml" } });
  }
}

export interface MediaSocket {
  ws: { send(text: string): unknown; close(code?: number): void } | null;
  messages: { event: string; [key: string]: unknown }[];
  closed: boolean;
}

/** Says everything in 40 ms, with a code word that depends on the text's length. */
export const briefSpeech: Speech = {
  say: (text) => Promise.resolve(new Uint8Array(320).fill(text.length % 100)),
  close: () => undefined,
};

export const deafHearing: Hearing = { note: () => undefined, lookup: () => [] };

export interface World {
  readonly carrier: CarrierServer;
  readonly customer: Customer;
  readonly client: twilio.Twilio;
  /** A raw REST request below the account. */
  rest(
    method: string,
    path: string,
    form?: Record<string, string> | string,
  ): Promise<{ status: number; json: any; headers: Headers }>;
  stop(): Promise<void>;
}

export async function startWorld(options: Partial<CarrierOptions> = {}): Promise<World> {
  const customer = new Customer();
  const carrier = await startCarrier({
    clock: systemClock,
    ids: seededIds(1),
    log: silentLog,
    speech: briefSpeech,
    hearing: deafHearing,
    accountSid: ACCOUNT,
    authToken: TOKEN,
    twimlAppSid: APP,
    callsPerSecond: 1000,
    amdDelayMs: 1,
    numbers: [{ number: NUMBER, voiceUrl: `${customer.origin}/voice`, smsUrl: `${customer.origin}/sms` }],
    appVoiceUrl: `${customer.origin}/app`,
    ...options,
  });
  const client = twilio(ACCOUNT, TOKEN);
  client.api.baseUrl = carrier.url;
  return {
    carrier,
    customer,
    client,
    rest: async (method, path, form) => {
      const response = await fetch(`${carrier.url}/2010-04-01/Accounts/${ACCOUNT}/${path}`, {
        method,
        headers: {
          authorization: `Basic ${btoa(`${ACCOUNT}:${TOKEN}`)}`,
          ...(form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
        },
        ...(form === undefined
          ? {}
          : { body: typeof form === "string" ? form : new URLSearchParams(form).toString() }),
      });
      const text = await response.text();
      return {
        status: response.status,
        json: text === "" ? null : JSON.parse(text),
        headers: response.headers,
      };
    },
    stop: async () => {
      await carrier.stop();
      await customer.stop();
    },
  };
}

/** A phone over the sandbox's own socket. */
export class TestPhone {
  readonly #ws: WebSocket;
  readonly events: { type: string; [key: string]: any }[] = [];
  readonly #open: Promise<void>;
  readonly #waiting = new Set<() => void>();
  frames = 0;
  lastFrame: Uint8Array = new Uint8Array(0);

  constructor(carrierUrl: string) {
    this.#ws = new WebSocket(`${carrierUrl.replace("http", "ws")}/sandbox/phone`);
    this.#ws.binaryType = "arraybuffer";
    const open = Promise.withResolvers<void>();
    this.#open = open.promise;
    this.#ws.addEventListener("open", () => open.resolve());
    this.#ws.addEventListener("message", (message) => {
      if (typeof message.data === "string") this.events.push(JSON.parse(message.data));
      else {
        this.frames++;
        this.lastFrame = new Uint8Array(message.data as ArrayBuffer);
      }
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    });
  }

  async send(command: Record<string, unknown>): Promise<void> {
    await this.#open;
    this.#ws.send(JSON.stringify(command));
  }

  /** One frame of the microphone's, 160 bytes of this code word. */
  speak(code: number): void {
    this.#ws.send(new Uint8Array(160).fill(code));
  }

  async dial(from: string, to = NUMBER): Promise<string> {
    await this.send({ type: "dial", from, to });
    return (await this.event("dialing"))["callSid"] as string;
  }

  async event(type: string): Promise<Record<string, any>> {
    return await this.until(() => {
      const index = this.events.findIndex((e) => e.type === type);
      return index < 0 ? undefined : this.events.splice(index, 1)[0];
    }, `the event ${type}`);
  }

  async until<T>(look: () => T | undefined | false, what: string): Promise<T> {
    const guard = Promise.withResolvers<never>();
    const timer = setTimeout(() => guard.reject(new Error(`the phone waited for ${what} in vain`)), GUARD_MS);
    try {
      for (;;) {
        const found = look();
        if (found) return found;
        const change = Promise.withResolvers<void>();
        this.#waiting.add(change.resolve);
        await Promise.race([change.promise, guard.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#ws.close();
  }
}

/** TwiML of a caller going into a conference. */
export function conferenceTwiml(name: string, attributes = ""): string {
  return `<Response><Dial><Conference ${attributes}>${name}</Conference></Dial></Response>`;
}
