/**
 * Calls' media planes for a benchmark: a gateway behind a real WebSocket server on loopback, and a carrier
 * for each call that sends and takes audio as Twilio would: in this process, so that one clock times both ends, or
 * in another.
 */
import type { Server, ServerWebSocket } from "bun";
import { Bridge, type BridgeEvents } from "../engine/media/bridge.ts";
import { MediaGateway, type GatewaySocket, type MediaSocketData } from "../engine/media/gateway.ts";
import { PacingWheel } from "../engine/media/wheel.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock } from "../engine/ports.ts";
import { SilentModel } from "../test/support/fake-ports.ts";
import { CarrierLine, ECHO, LOOP_CLOCK, Prompt, STEP, type StreamNames } from "./carrier-line.ts";
import { threadCpuMs } from "./load/thread-cpu.ts";

const SPEECH = new Uint8Array(3200).fill(0x55).toBase64();
/** The model is ahead by that much, as it is in life: there is always something to cut. */
const SPEECH_PIECES = 20;
/** The pieces are 8 s: no line runs dry, and hardly more is kept each time. */
const SPEAK_AGAIN_MS = 7_800;

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

/** `prompt`: the socket on which a model would report; its messages name a line, or are {@link ECHO}, {@link LOOP_CLOCK} or {@link STEP}. */
type LineData = MediaSocketData | { readonly kind: "prompt" };

/** The engine's end of one call. */
class EngineLine implements StreamNames {
  readonly bridge: Bridge;
  readonly callSid: string;
  readonly streamSid: string;
  #responses = 0;

  constructor(index: number, clock: Clock, model: SilentModel) {
    const sids = seededIds(index);
    this.callSid = sids.sid("CA");
    this.streamSid = sids.sid("MZ");
    this.bridge = new Bridge({ callId: this.callSid, clock, log: silentLog, events: NO_EVENTS });
    const options = { callId: this.callSid, instructions: "", voice: "", tools: [], history: [] };
    this.bridge.attachSession(model.open({ ...options, turnDetection: { type: "server_vad" } }, this.bridge));
  }

  /** The model answers at length. */
  speak(): void {
    const responseId = `${this.callSid}-${++this.#responses}`;
    this.bridge.responseStarted(responseId);
    for (let i = 0; i < SPEECH_PIECES; i++) {
      this.bridge.audio({ responseId, itemId: `${responseId}-item`, contentIndex: 0, base64: SPEECH });
    }
  }
}

/** Calls in full swing, but for their carriers: each hears its caller and speaks, 50 frames a second both ways. */
export class EngineLines {
  readonly lines: readonly EngineLine[];
  /** Milliseconds that the bridge took for the newest edge, until the `clear` was handed to the socket. */
  lastCutMs = 0;
  /** A webhook or a model's event came, on which some call takes a step. */
  onStep: (() => void) | null = null;
  readonly #clock: Clock;
  readonly #gateway: MediaGateway;
  readonly #wheel: PacingWheel;
  readonly #server: Server<LineData>;
  /** Of what speaks next: one after the other, so that they do not all begin at once. */
  #speaker = 0;
  #timer: unknown = null;

  constructor(count: number, clock: Clock) {
    const model = new SilentModel();
    const lines = Array.from({ length: count }, (_, i) => new EngineLine(i, clock, model));
    const byCall = new Map(lines.map((line) => [line.callSid, line]));
    this.lines = lines;
    this.#clock = clock;
    this.#wheel = new PacingWheel({ clock });
    this.#gateway = new MediaGateway({
      clock,
      secret: "a-secret-of-the-bench",
      log: silentLog,
      wheel: this.#wheel,
      onStream: ({ callSid, leg }) => {
        byCall.get(callSid)?.bridge.attachLeg(leg);
        return true;
      },
      onStreamClosed: () => undefined,
    });
    this.#server = this.#serve();
  }

  get origin(): string {
    return `ws://127.0.0.1:${this.#server.port}`;
  }

  /** Lets a line's stream in, once. */
  token({ callSid }: StreamNames): string {
    return this.#gateway.issueToken({ callSid, legKey: "ai-1" });
  }

  /** From now on nobody is silent. */
  start(): void {
    for (const line of this.lines) line.speak();
    const everyMs = SPEAK_AGAIN_MS / this.lines.length;
    let dueMs = this.#clock.monotonicMs();
    const next = (): void => {
      dueMs += everyMs;
      this.#timer = this.#clock.setTimeout(
        () => {
          this.lines[this.#speaker++ % this.lines.length]?.speak();
          next();
        },
        Math.max(0, dueMs - this.#clock.monotonicMs()),
      );
    };
    next();
  }

  async stop(): Promise<void> {
    this.#clock.clearTimeout(this.#timer);
    for (const line of this.lines) line.bridge.close();
    this.#gateway.stop();
    this.#wheel.stop();
    await this.#server.stop(true);
  }

  #onPrompt(ws: ServerWebSocket<LineData>, text: string): void {
    if (text === ECHO) ws.send(text);
    else if (text === LOOP_CLOCK) ws.send(String(threadCpuMs("own")));
    else if (text === STEP) this.onStep?.();
    else this.#cut(text);
  }

  /** The caller of the line speaks. */
  #cut(line: string): void {
    const startMs = this.#clock.monotonicMs();
    this.lines[Number(line)]?.bridge.speechStarted();
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

/** The same with their carriers in this process. */
export class Lines {
  readonly #clock: Clock;
  readonly #engine: EngineLines;
  readonly #carriers: readonly CarrierLine[];
  readonly #wheel: PacingWheel;
  readonly #prompt: Prompt;

  constructor(count: number, clock: Clock) {
    this.#clock = clock;
    this.#engine = new EngineLines(count, clock);
    this.#carriers = this.#engine.lines.map((line) => new CarrierLine(line, clock));
    this.#wheel = new PacingWheel({ clock });
    this.#prompt = new Prompt(clock);
  }

  /** See {@link EngineLines.lastCutMs}. */
  get lastCutMs(): number {
    return this.#engine.lastCutMs;
  }

  async start(): Promise<void> {
    const { origin } = this.#engine;
    this.#engine.start();
    for (const [index, carrier] of this.#carriers.entries()) {
      await carrier.connect(`${origin}/media`, this.#engine.token(this.#engine.lines[index] as StreamNames));
      this.#wheel.add(carrier);
    }
    await this.#prompt.open(origin);
  }

  /** Milliseconds of a message to the engine and back. */
  async echo(): Promise<number> {
    return await this.#prompt.echo();
  }

  /**
   * Milliseconds from the edge's message to the engine until the carrier has the `clear`, and until it plays
   * no more of what was cut: seen after one more echo, in which anything sent after the `clear` would show.
   */
  async bargeIn(index: number): Promise<{ readonly clearMs: number; readonly staleMs: number }> {
    const carrier = this.#carriers[index] as CarrierLine;
    const line = this.#engine.lines[index] as EngineLine;
    const startMs = this.#clock.monotonicMs();
    const clearMs = await this.#prompt.timed(String(index), (done) => (carrier.onClear = done));
    await this.echo();
    const staleMs = Math.max(0, carrier.playEndMs - startMs);
    line.bridge.speechStopped();
    line.speak();
    return { clearMs, staleMs };
  }

  async stop(): Promise<void> {
    for (const carrier of this.#carriers) {
      this.#wheel.remove(carrier);
      carrier.close();
    }
    this.#prompt.close();
    this.#wheel.stop();
    await this.#engine.stop();
  }
}

function isMedia(ws: ServerWebSocket<LineData>): ws is ServerWebSocket<LineData> & GatewaySocket {
  return ws.data.kind === "media";
}
