/**
 * A small stand-in for engine and carrier in one server: an agent that greets, answers each utterance with a
 * tone, ends the call after a goodbye, and can be joined by one person on call, who is found by ringing one
 * after the other. Ear frames are sent when microphone frames arrive, so that its only clock is the phones' own.
 */
import type { ServerWebSocket } from "bun";
import { toneUlaw } from "./signals.ts";

const SILENCE = new Uint8Array(160).fill(0xff);
/** Of the caller's microphone: how long a phone rings. */
const RING_FRAMES = 15;

/** A ladder of two. */
export const TWO_PEOPLE = {
  people: [
    { rung: "primary", name: "nurse", number: "+15550100" },
    { rung: "Fallback 1", name: "manager", number: "+15550101" },
  ],
  ackTimeoutMs: 300,
};

export const ONE_PERSON = {
  people: [{ rung: "primary", name: "on call", number: "+15550100" }],
  ackTimeoutMs: 5000,
};

export interface FakeOptions {
  readonly token?: string;
  /** What happens to a dial. */
  readonly dial?: "answer" | "error" | "busy" | "ignore";
  /** The agent says nothing. */
  readonly mute?: boolean;
  /** Wait music that is played before the agent comes. */
  readonly musicMs?: number;
  /** The agent goes on although it is interrupted. */
  readonly stubborn?: boolean;
  /** State of the row that is served after the call. */
  readonly finalState?: string;
  /** The feed is closed with the answer. */
  readonly dropFeed?: boolean;
  /** A `hangup` gets no answer. */
  readonly deaf?: boolean;
  /** What `/api/sandbox` tells of who is on call: one person by default. */
  readonly onCall?: Readonly<Record<string, unknown>>;
  /** SMS that are in everybody's inbox before the call. */
  readonly oldSms?: string;
}

interface PhoneData {
  readonly kind: "phone" | "feed";
  number: string;
  callSid: string | null;
  /** What the agent still has to say to this phone. */
  speech: Uint8Array[];
  /** Frames of an utterance that are still to come, and its text. */
  utterance: { frames: number; text: string } | null;
}

type Socket = ServerWebSocket<PhoneData>;

export class FakeSandbox {
  readonly received: Record<string, unknown>[] = [];
  readonly commands: unknown[] = [];
  readonly frames: Uint8Array[] = [];
  readonly sockets = new Set<Socket>();
  readonly #server: ReturnType<typeof Bun.serve>;
  readonly #options: FakeOptions;
  readonly #states = new Map<string, string>();
  /** Phones of people on call by number, in the order in which they are rung. */
  readonly #registered = new Map<string, Socket>();
  readonly acks: string[] = [];
  #ringing: { socket: Socket; frames: number } | null = null;
  #calls = 0;
  #onCall: Socket | null = null;
  #music = false;
  #caller: Socket | null = null;

  constructor(options: FakeOptions = {}) {
    this.#options = options;
    this.#server = Bun.serve<PhoneData, never>({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, server) => {
        const path = new URL(request.url).pathname;
        const denied = path.startsWith("/api") && !this.#allowed(request);
        if (denied) return new Response("no", { status: 401 });
        if (path === "/api/feed" || path === "/sandbox/phone") {
          const kind = path === "/api/feed" ? "feed" : "phone";
          const data = { kind, number: "", callSid: null, speech: [], utterance: null } as const;
          return server.upgrade(request, { data: { ...data, speech: [] } })
            ? undefined
            : new Response(null, { status: 426 });
        }
        return this.#api(path, request);
      },
      websocket: {
        open: (socket) => void this.sockets.add(socket),
        close: (socket) => void this.sockets.delete(socket),
        message: (socket, data) => {
          if (typeof data === "string") this.#obey(socket, JSON.parse(data) as Record<string, string>);
          else this.#mic(socket, new Uint8Array(data));
        },
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Sends something to every connected phone. */
  toPhones(data: string | Uint8Array): void {
    for (const socket of this.sockets) if (socket.data.kind === "phone") socket.send(data);
  }

  dropPhones(): void {
    for (const socket of this.sockets) if (socket.data.kind === "phone") socket.terminate();
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  #allowed(request: Request): boolean {
    const { token } = this.#options;
    return token === undefined || request.headers.get("authorization") === `Bearer ${token}`;
  }

  async #api(path: string, request: Request): Promise<Response> {
    if (path === "/api/sandbox") {
      const onCall = this.#options.onCall ?? ONE_PERSON;
      return Response.json({ carrierUrl: this.url, number: "+15550123", ...onCall });
    }
    if (path === "/sandbox/messages") {
      return Response.json(this.#options.oldSms === undefined ? [] : [{ messageSid: "SM0" }]);
    }
    if (path.startsWith("/ack/")) {
      this.acks.push(request.method);
      if (request.method === "POST") this.#ring(this.#registered.values().next().value ?? null);
      return new Response("yours");
    }
    const [, callSid, command] = /^\/api\/calls\/(CA\d+)(\/commands)?$/.exec(path) ?? [];
    const state = this.#states.get(callSid ?? "");
    if (!callSid || !state) return new Response("unknown", { status: 404 });
    if (command) {
      const body = (await request.json()) as { command: string };
      this.commands.push(body);
      if (body.command === "coach") return new Response("nobody to coach", { status: 409 });
      this.#command(callSid, body.command);
      return Response.json({});
    }
    const shown = state === "ended" ? (this.#options.finalState ?? state) : state;
    return Response.json({
      callSid,
      state: shown,
      endedAt: state === "ended" ? "2026-01-01T00:00:00Z" : null,
    });
  }

  #command(callSid: string, command: string): void {
    if (command === "escalate") {
      this.#state(callSid, "escalating");
      const [first] = this.#registered.values();
      if (first) this.#text(first, "SM1", `Take the call: ${this.url}/ack/abc-1. Or reply 1.`);
      this.#ring(first ?? null);
    }
    if (command === "remove") this.#state(callSid, "removed");
    if (command === "restore") this.#state(callSid, "coaching");
  }

  #text(socket: Socket, messageSid: string, body: string): void {
    const to = socket.data.number;
    socket.send(JSON.stringify({ type: "sms", messageSid, from: "+15550123", to, body }));
  }

  #ring(socket: Socket | null): void {
    this.#ringing = socket && { socket, frames: 0 };
    socket?.send(JSON.stringify({ type: "incoming", callSid: "CA999", from: "+15550123" }));
  }

  #ringNext(): void {
    const sockets = [...this.#registered.values()];
    const at = sockets.findIndex((socket) => socket === this.#ringing?.socket);
    this.#ring(sockets[at + 1] ?? null);
  }

  #ringOn(): void {
    if (!this.#ringing || ++this.#ringing.frames <= RING_FRAMES) return;
    this.#ringing.socket.send(JSON.stringify({ type: "cancelled", callSid: "CA999" }));
    this.#ringNext();
  }

  #obey(socket: Socket, message: Record<string, string>): void {
    this.received.push(message);
    const tell = (value: object) => socket.send(JSON.stringify(value));
    switch (message["type"]) {
      case "dial":
        return this.#dial(socket, message["from"] ?? "");
      case "register":
        socket.data.number = message["number"] ?? "";
        this.#registered.set(socket.data.number, socket);
        if (this.#options.oldSms !== undefined) this.#text(socket, "SM0", this.#options.oldSms);
        return;
      case "decline":
        return this.#ringNext();
      case "sms":
        return this.#ring(socket);
      case "answer":
        this.#ringing = null;
        this.#onCall = socket;
        socket.data.callSid = "CA999";
        socket.data.speech.push(toneUlaw(500, 600));
        return void tell({ type: "answered", callSid: "CA999" });
      case "digits":
        return this.#state(this.#caller?.data.callSid ?? "", "coaching");
      case "utterance":
        socket.data.utterance = {
          frames: Math.ceil(Buffer.from(message["audio"] ?? "", "base64").length / 160),
          text: message["text"] ?? "",
        };
        if (!this.#options.stubborn) socket.data.speech = [];
        return;
      case "hangup":
        if (!this.#options.deaf) this.#end(socket, "hangup");
        return;
      default:
        return;
    }
  }

  #dial(socket: Socket, from: string): void {
    const tell = (value: object) => socket.send(JSON.stringify(value));
    const how = this.#options.dial ?? "answer";
    if (how === "ignore") return;
    if (how === "error") return void tell({ type: "error", message: "there is no such number" });
    const callSid = `CA${++this.#calls}`;
    socket.data.number = from;
    socket.data.callSid = callSid;
    this.#caller = socket;
    // Told before the phone knows the call, as a real engine may.
    this.#state(callSid, "arriving");
    tell({ type: "dialing", callSid });
    if (how === "busy") return this.#end(socket, "busy");
    tell({ type: "answered", callSid });
    this.#feed({ type: "mystery", callSid, what: "a newer engine" });
    this.#music = this.#options.musicMs !== undefined;
    if (this.#music) socket.data.speech.push(toneUlaw(300, this.#options.musicMs ?? 0));
    else this.#join(socket, callSid);
    if (!this.#options.dropFeed) return;
    for (const feed of this.sockets) if (feed.data.kind === "feed") feed.close(1001);
  }

  #join(socket: Socket, callSid: string): void {
    this.#state(callSid, "streaming");
    if (!this.#options.mute) this.#say(socket, "Hello.", 400);
  }

  #say(socket: Socket, text: string, ms: number): void {
    socket.data.speech.push(toneUlaw(400, ms));
    this.#feed({ type: "transcript", callSid: socket.data.callSid, speaker: "agent", text });
  }

  #mic(socket: Socket, frame: Uint8Array): void {
    const { data } = socket;
    if (data.callSid === null) return;
    this.frames.push(frame);
    if (data === this.#caller?.data) this.#ringOn();
    const bridged = data === this.#onCall?.data ? this.#caller : this.#onCall;
    if (bridged?.data.callSid && frame.some((code) => code !== 0xff)) {
      bridged.data.speech.push(frame);
    }
    const heard = data.utterance;
    if (heard && --heard.frames === 0) {
      data.utterance = null;
      this.#understood(socket, heard.text);
    }
    socket.send(this.#earFrame(data));
    if (this.#music && data.speech.length === 0) {
      this.#music = false;
      this.#join(socket, data.callSid);
    }
    if (data.speech.length === 0 && /goodbye/i.test(data.number)) this.#end(socket, "completed");
  }

  #earFrame(data: PhoneData): Uint8Array {
    const clip = data.speech[0];
    if (!clip) return SILENCE;
    if (clip.length <= 160) data.speech.shift();
    else data.speech[0] = clip.subarray(160);
    return clip.subarray(0, 160);
  }

  #understood(socket: Socket, text: string): void {
    this.#feed({ type: "transcript", callSid: socket.data.callSid, speaker: "caller", text });
    if (socket.data.callSid === "CA999" || this.#onCall?.data.callSid) return;
    // A long answer to a wish for one, so that there is something to interrupt.
    if (!this.#options.mute) this.#say(socket, "Certainly.", /explain/i.test(text) ? 4000 : 400);
    if (/goodbye/i.test(text)) socket.data.number = "goodbye";
  }

  #end(socket: Socket, reason: string): void {
    const { callSid } = socket.data;
    if (callSid === null) return;
    socket.data.callSid = null;
    socket.send(JSON.stringify({ type: "ended", callSid, reason }));
    if (socket === this.#onCall) {
      this.#state(this.#caller?.data.callSid ?? "", "streaming");
      return;
    }
    this.#state(callSid, "wrapUp");
    this.#state(callSid, "ended");
  }

  #state(callSid: string, state: string): void {
    const from = this.#states.get(callSid) ?? null;
    this.#states.set(callSid, state);
    this.#feed({ type: "state", callSid, state, from, at: "2026-01-01T00:00:00.000Z" });
  }

  #feed(message: object): void {
    for (const socket of this.sockets) if (socket.data.kind === "feed") socket.send(JSON.stringify(message));
  }
}
