/**
 * Calls' media planes for a benchmark: a gateway behind a real WebSocket server on loopback, and a carrier
 * for each call that sends and takes audio as Twilio would. Carrier and engine share this process, so that
 * one clock times both ends; what is measured therefore holds the carrier's work as well.
 */
import type { Server, ServerWebSocket } from "bun";
import { invariant } from "../engine/errors.ts";
import { Bridge, type BridgeEvents } from "../engine/media/bridge.ts";
import { MediaGateway, type GatewaySocket, type MediaSocketData } from "../engine/media/gateway.ts";
import { type PacedSlot, PacingWheel } from "../engine/media/wheel.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock } from "../engine/ports.ts";
import { SilentModel } from "../test/support/fake-ports.ts";

const FRAME_MS = 20;
const FRAME = new Uint8Array(160).fill(0x55).toBase64();
const SPEECH = new Uint8Array(3200).fill(0x55).toBase64();
/** The model is ahead by that much, as it is in life: there is always something to cut. */
const SPEECH_PIECES = 20;
const SPEAK_AGAIN_MS = 4_000;
/** A frame is played about this long after it was sent: the engine's lead. */
const MARK_DELAY_MS = 160;
const GUARD_MS = 10_000;

const NO_EVENTS: BridgeEvents = {
  modelReady: () => undefined,
  modelReconnecting: () => undefined,
  modelWarning: () => undefined,
  modelFailed: () => undefined,
  toolCall: () => undefined,
  userSpeech: () => undefined,
  turn: () => undefined,
  bargedIn: () => undefined,
  transcript: () => undefined,
  drained: () => undefined,
  dtmf: () => undefined,
  usage: () => undefined,
  responseDone: () => undefined,
};

/** `prompt`: the socket on which a model would report; its messages name a line, or ask for an echo. */
type LineData = MediaSocketData | { readonly kind: "prompt" };

/** One call: the engine's bridge and the carrier's end of its stream. */
export class Line implements PacedSlot {
  readonly bridge: Bridge;
  readonly callSid: string;
  onClear: (() => void) | null = null;
  /** Frames that the carrier got. */
  frames = 0;
  /** Until when the carrier has something to play. */
  playEndMs = 0;
  readonly #clock: Clock;
  readonly #streamSid: string;
  #socket: WebSocket | null = null;
  #sent = 0;
  #responses = 0;
  #spokeAtMs = 0;

  constructor(index: number, clock: Clock, model: SilentModel) {
    const sids = seededIds(index);
    this.callSid = sids.sid("CA");
    this.#streamSid = sids.sid("MZ");
    this.#clock = clock;
    this.bridge = new Bridge({ callId: this.callSid, clock, log: silentLog, events: NO_EVENTS });
    const options = { callId: this.callSid, instructions: "", voice: "", tools: [], history: [] };
    this.bridge.attachSession(model.open({ ...options, turnDetection: { type: "server_vad" } }, this.bridge));
  }

  /** Opens the stream, as the carrier. Resolves once it was let in and its first frame has come back. */
  async connect(url: string, token: string): Promise<void> {
    const socket = new WebSocket(url);
    this.#socket = socket;
    const started = Promise.withResolvers<void>();
    socket.addEventListener("open", () => {
      const { callSid } = this;
      const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 };
      const start = { streamSid: this.#streamSid, callSid, mediaFormat, customParameters: { token } };
      socket.send('{"event":"connected","protocol":"Call","version":"1.0.0"}');
      socket.send(JSON.stringify({ event: "start", sequenceNumber: "1", start, streamSid: this.#streamSid }));
    });
    socket.addEventListener("close", () => started.reject(new Error(`${this.callSid}: the stream closed`)));
    socket.addEventListener("message", ({ data }) => {
      this.#onText(String(data));
      if (this.frames > 0) started.resolve();
    });
    await within(this.#clock, started.promise, "a stream to start");
  }

  /** The model answers at length. */
  speak(): void {
    this.#spokeAtMs = this.#clock.monotonicMs();
    const responseId = `${this.callSid}-${++this.#responses}`;
    this.bridge.responseStarted(responseId);
    for (let i = 0; i < SPEECH_PIECES; i++) {
      this.bridge.audio({ responseId, itemId: `${responseId}-item`, contentIndex: 0, base64: SPEECH });
    }
  }

  /** 20 ms of the caller's voice; and the model goes on before it runs dry. */
  onSlot(nowMs: number): void {
    if (nowMs - this.#spokeAtMs > SPEAK_AGAIN_MS) this.speak();
    const n = ++this.#sent;
    this.#socket?.send(
      `{"event":"media","sequenceNumber":"${n + 1}","media":{"track":"inbound","chunk":"${n}","timestamp":"${n * 20}","payload":"${FRAME}"},"streamSid":"${this.#streamSid}"}`,
    );
  }

  close(): void {
    this.#socket?.close();
    this.bridge.close();
  }

  #onText(text: string): void {
    if (text.startsWith('{"event":"media"')) {
      this.frames++;
      this.playEndMs = Math.max(this.playEndMs, this.#clock.monotonicMs()) + FRAME_MS;
    } else if (text.startsWith('{"event":"clear"')) {
      this.playEndMs = Math.min(this.playEndMs, this.#clock.monotonicMs());
      this.onClear?.();
    } else if (text.startsWith('{"event":"mark"'))
      this.#clock.setTimeout(() => this.#returnMark(text), MARK_DELAY_MS);
  }

  #returnMark(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }
}

/** Calls in full swing: each hears its caller and speaks, 50 frames a second both ways. */
export class Lines {
  readonly lines: readonly Line[];
  /** Milliseconds that the bridge took for the newest edge, until the `clear` was handed to the socket. */
  lastCutMs = 0;
  readonly #clock: Clock;
  readonly #gateway: MediaGateway;
  readonly #engineWheel: PacingWheel;
  readonly #carrierWheel: PacingWheel;
  readonly #server: Server<LineData>;
  #prompt: WebSocket | null = null;
  #onEcho: (() => void) | null = null;

  constructor(count: number, clock: Clock) {
    const model = new SilentModel();
    const lines = Array.from({ length: count }, (_, i) => new Line(i, clock, model));
    const byCall = new Map(lines.map((line) => [line.callSid, line]));
    this.lines = lines;
    this.#clock = clock;
    this.#engineWheel = new PacingWheel({ clock });
    this.#carrierWheel = new PacingWheel({ clock });
    this.#gateway = new MediaGateway({
      clock,
      secret: "a-secret-of-the-bench",
      log: silentLog,
      wheel: this.#engineWheel,
      onStream: ({ callSid, leg }) => {
        byCall.get(callSid)?.bridge.attachLeg(leg);
        return true;
      },
      onStreamClosed: () => undefined,
    });
    this.#server = this.#serve();
  }

  async start(): Promise<void> {
    const origin = `ws://127.0.0.1:${this.#server.port}`;
    for (const line of this.lines) {
      line.speak();
      const token = this.#gateway.issueToken({ callSid: line.callSid, legKey: "ai-1" });
      await line.connect(`${origin}/media`, token);
      this.#carrierWheel.add(line);
    }
    const prompt = new WebSocket(`${origin}/prompt`);
    this.#prompt = prompt;
    const opened = Promise.withResolvers<void>();
    prompt.addEventListener("open", () => opened.resolve());
    prompt.addEventListener("message", () => this.#onEcho?.());
    await within(this.#clock, opened.promise, "the prompt socket");
  }

  /** Milliseconds of a message to the engine and back. */
  async echo(): Promise<number> {
    return await this.#timed("echo", (done) => (this.#onEcho = done));
  }

  /**
   * Milliseconds from the edge's message to the engine until the carrier has the `clear`, and until it plays
   * no more of what was cut: seen after one more echo, in which anything sent after the `clear` would show.
   */
  async bargeIn(index: number): Promise<{ readonly clearMs: number; readonly staleMs: number }> {
    const line = this.lines[index] as Line;
    const startMs = this.#clock.monotonicMs();
    const clearMs = await this.#timed(String(index), (done) => (line.onClear = done));
    await this.echo();
    const staleMs = Math.max(0, line.playEndMs - startMs);
    line.bridge.speechStopped();
    line.speak();
    return { clearMs, staleMs };
  }

  async stop(): Promise<void> {
    for (const line of this.lines) {
      this.#carrierWheel.remove(line);
      line.close();
    }
    this.#prompt?.close();
    this.#gateway.stop();
    this.#engineWheel.stop();
    this.#carrierWheel.stop();
    await this.#server.stop(true);
  }

  async #timed(message: string, listen: (done: () => void) => void): Promise<number> {
    const answered = Promise.withResolvers<number>();
    listen(() => answered.resolve(this.#clock.monotonicMs()));
    const startMs = this.#clock.monotonicMs();
    this.#prompt?.send(message);
    return (await within(this.#clock, answered.promise, `the answer to "${message}"`)) - startMs;
  }

  #onPrompt(ws: ServerWebSocket<LineData>, text: string): void {
    if (text === "echo") {
      ws.send(text);
      return;
    }
    const startMs = this.#clock.monotonicMs();
    this.lines[Number(text)]?.bridge.speechStarted();
    this.lastCutMs = this.#clock.monotonicMs() - startMs;
  }

  /** As `engine/http/server.ts` serves Media Streams. */
  #serve(): Server<LineData> {
    const gateway = this.#gateway;
    return Bun.serve<LineData>({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, server) => {
        const isMedia = new URL(request.url).pathname === "/media";
        const data: LineData = isMedia ? gateway.newSocketData() : { kind: "prompt" };
        return server.upgrade(request, { data }) ? undefined : new Response(null, { status: 426 });
      },
      websocket: {
        perMessageDeflate: false,
        open: (ws) => {
          if (isMedia(ws)) gateway.open(ws);
        },
        message: (ws, text) => {
          if (isMedia(ws)) gateway.message(ws, text);
          else this.#onPrompt(ws, String(text));
        },
        drain: (ws) => {
          if (isMedia(ws)) gateway.drain(ws);
        },
        close: (ws, code, reason) => {
          if (isMedia(ws)) gateway.close(ws, code, reason);
        },
      },
    });
  }
}

function isMedia(ws: ServerWebSocket<LineData>): ws is ServerWebSocket<LineData> & GatewaySocket {
  return ws.data.kind === "media";
}

/** A benchmark that waits for ever would hide what broke. */
async function within<T>(clock: Clock, promise: Promise<T>, what: string): Promise<T> {
  let timer: unknown;
  const late = new Promise<null>((resolve) => {
    timer = clock.setTimeout(() => resolve(null), GUARD_MS);
  });
  const wrapped = promise.then((value) => ({ value }));
  try {
    const outcome = await Promise.race([wrapped, late]);
    invariant(outcome !== null, `waited ${GUARD_MS} ms for ${what}`);
    return outcome.value;
  } finally {
    clock.clearTimeout(timer);
  }
}
