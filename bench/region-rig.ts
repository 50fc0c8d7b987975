/**
 * The engine in a process of its own, between the sandbox's carrier and model in this one, with callers who
 * take turns. Carrier, model and callers share this process and so one clock, which times every boundary.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Subprocess } from "bun";
import { type CarrierServer, startCarrier } from "../adapters/sandbox/carrier/carrier.ts";
import type { FaultsPatch } from "../adapters/sandbox/carrier/faults.ts";
import type { StreamTapFrame } from "../adapters/sandbox/carrier/types.ts";
import { type Model, startModel, type TapFrame } from "../adapters/sandbox/model/server.ts";
import type { Hearing, Speech } from "../adapters/sandbox/types.ts";
import { InvariantError, invariant } from "../engine/errors.ts";
import { pause } from "../engine/platform/clock.ts";
import { freePort } from "../engine/platform/free-port.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock } from "../engine/ports.ts";
import { noise } from "../test/support/world.ts";
import { onCore } from "./cores.ts";
import { Caller, SPEECH_MS } from "./region-caller.ts";
import { runDelayMs } from "./run-delay.ts";

const ENGINE = new URL("../engine/main.ts", import.meta.url).pathname;
const ECHO = new URL("./region-echo.ts", import.meta.url).pathname;
const NUMBER = "+15550123";
const ACCOUNT = {
  accountSid: "AC00000000000000000000000000000001",
  authToken: "a-token-for-benchmarks-only",
  twimlAppSid: "AP00000000000000000000000000000002",
};
const MODEL_KEY = "a-key-for-benchmarks-only";
const CALLS_PER_SECOND = 100;
/** Two milliseconds between two groups of rooms. */
const TICK_PHASES = 10;
const GUARD_MS = 30_000;
const PROBE_EVERY_MS = 20;
/** About as long as a media message. */
const PROBE_TEXT = "p".repeat(380);
const PAYLOAD = '"payload":"';
const AUDIO = '"audio":"';
const MEDIA = '{"event":"media"';
const DELTA = '{"type":"response.output_audio.delta"';
/** Understands nothing: what was said does not matter here. */
const DEAF: Hearing = { note: () => undefined, lookup: () => [] };

interface Frame {
  readonly caller: Caller;
  readonly index: number;
}

export class Rig {
  readonly #clock: Clock;
  readonly #folder = mkdtempSync(join(tmpdir(), "tandem-region-"));
  readonly #ids = seededIds(29);
  readonly #answer = noise("An answer.", SPEECH_MS);
  readonly #frames = new Map<string, Frame>();
  readonly #bySession = new Map<string, Caller>();
  readonly #byStream = new Map<string, Caller>();
  readonly #children: Subprocess[] = [];
  #callers: Caller[] = [];
  #origin = "";
  #carrier: CarrierServer | null = null;
  #model: Model | null = null;
  #probe: Probe | null = null;

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts all; the engine and the bare echo on `engineCore`, if there is one. */
  static async start(options: { readonly clock: Clock; readonly engineCore: number | null }): Promise<Rig> {
    const rig = new Rig(options.clock);
    try {
      await rig.#start(options.engineCore);
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  get engineOrigin(): string {
    return this.#origin;
  }

  /** Of the engine's main thread, since it started; `null` where the system does not tell. */
  engineRunDelayMs(): number | null {
    const engine = this.#children[0];
    return engine === undefined ? null : runDelayMs(engine.pid);
  }

  get probe(): Probe {
    invariant(this.#probe !== null, "the rig has not been started");
    return this.#probe;
  }

  /**
   * Calls in groups of one path each, all at once within a group. Resolves when every caller has heard the
   * model.
   *
   * @returns the callers of each group.
   */
  async dial(groups: readonly CallGroup[]): Promise<readonly (readonly Caller[])[]> {
    const carrier = this.#carrier as CarrierServer;
    const dialled: Caller[][] = [];
    for (const { calls, faults } of groups) {
      // It holds for streams opened from now on: the next group waits until these are.
      carrier.faults.set(faults);
      const callers = Array.from({ length: calls }, () => this.#newCaller());
      for (const caller of callers) carrier.phones.onDial(caller, NUMBER);
      await this.#until("every caller to hear the model", () => callers.every(({ ready }) => ready));
      dialled.push(callers);
    }
    return dialled;
  }

  /** Ends all calls, and waits until nothing is left of them. */
  async hangUp(): Promise<void> {
    for (const caller of this.#callers) caller.onHangup();
    const { calls, streams } = (this.#carrier as CarrierServer).state();
    if (calls.length + streams.length > 0) {
      await this.#until("the calls to end", () => {
        const left = (this.#carrier as CarrierServer).state();
        return left.calls.length + left.streams.length === 0 && this.#model?.sessions().length === 0;
      });
    }
    this.#callers = [];
    for (const map of [this.#frames, this.#bySession, this.#byStream]) map.clear();
  }

  async stop(): Promise<void> {
    this.#probe?.stop();
    for (const child of this.#children) child.kill();
    await Promise.all(this.#children.map((child) => child.exited));
    await this.#carrier?.stop();
    await this.#model?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(engineCore: number | null): Promise<void> {
    const answer = this.#answer;
    const speech: Speech = { say: () => Promise.resolve(answer), close: () => undefined };
    const base = { clock: this.#clock, ids: this.#ids, log: silentLog, speech, hearing: DEAF };
    this.#model = await startModel({
      ...base,
      apiKey: MODEL_KEY,
      persona: { name: "answers", reply: () => ({ say: "An answer." }) },
      tap: (frame) => this.#onModel(frame),
    });
    this.#carrier = await startCarrier({
      ...base,
      ...ACCOUNT,
      callsPerSecond: CALLS_PER_SECOND,
      tickPhases: TICK_PHASES,
      tap: (frame) => this.#onStream(frame),
    });
    // The engine's own address must be known before it starts: it goes into what Twilio signs.
    const port = freePort("127.0.0.1");
    const origin = `http://127.0.0.1:${port}`;
    this.#origin = origin;
    this.#carrier.configure({
      numbers: [{ number: NUMBER, voiceUrl: `${origin}/twilio/voice`, smsUrl: `${origin}/twilio/sms` }],
      appVoiceUrl: `${origin}/twilio/ai-leg`,
    });
    await this.#spawn(engineCore, ENGINE, await this.#environment(port, origin));
    const echoUrl = await this.#spawn(engineCore, ECHO, {});
    this.#probe = await Probe.connect(this.#clock, echoUrl);
  }

  /** As a deployment has it, with its log on; nothing of this process's own environment. */
  async #environment(port: number, origin: string): Promise<Record<string, string>> {
    const config = join(this.#folder, "deployment.json");
    const agent = { greeting: "Hello.", turnDetection: { type: "server_vad", silenceMs: 200 } };
    // How many calls are let in while the loop is late is another benchmark's matter.
    const overload = { loopLatenessMs: 0 };
    // Nobody is on the line who would have to be told.
    const limits = { drainMs: 0 };
    await Bun.write(config, JSON.stringify({ agent, overload, limits }));
    return {
      PORT: String(port),
      PUBLIC_URL: origin,
      TWILIO_ACCOUNT_SID: ACCOUNT.accountSid,
      TWILIO_AUTH_TOKEN: ACCOUNT.authToken,
      TWILIO_TWIML_APP_SID: ACCOUNT.twimlAppSid,
      TWILIO_NUMBER: NUMBER,
      TWILIO_CALLS_PER_SECOND: String(CALLS_PER_SECOND),
      TWILIO_API_BASE_URL: (this.#carrier as CarrierServer).url,
      OPENAI_API_KEY: MODEL_KEY,
      OPENAI_BASE_URL: (this.#model as Model).url,
      DATABASE_URL: `sqlite://${join(this.#folder, "calls.db")}`,
      TANDEM_CONFIG: config,
    };
  }

  /** Starts a program of the repository and resolves with the first line that it prints. */
  async #spawn(core: number | null, file: string, env: Record<string, string>): Promise<string> {
    const log = join(this.#folder, `${basename(file)}.log`);
    const child = Bun.spawn(onCore(core, [process.execPath, file]), {
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: Bun.file(log),
    });
    this.#children.push(child);
    for await (const chunk of child.stdout) return Buffer.from(chunk).toString().split("\n", 1)[0] ?? "";
    throw new InvariantError(`${file} did not start: ${readFileSync(log, "utf8").slice(-500)}`);
  }

  #newCaller(): Caller {
    const number = `+1555${String(1000 + this.#callers.length)}`;
    const caller = new Caller({ number, clock: this.#clock, ids: this.#ids, answer: this.#answer });
    this.#callers.push(caller);
    caller.payloads.forEach((payload, index) => this.#frames.set(payload, { caller, index }));
    return caller;
  }

  #onStream({ streamSid, direction, text }: StreamTapFrame): void {
    if (!text.startsWith(MEDIA)) return;
    const nowMs = this.#clock.monotonicMs();
    if (direction === "in") {
      this.#byStream.get(streamSid)?.arrived(nowMs);
      return;
    }
    const frame = this.#frames.get(between(text, PAYLOAD));
    if (!frame) return;
    this.#byStream.set(streamSid, frame.caller);
    frame.caller.sent(frame.index, nowMs);
  }

  #onModel({ sessionId, direction, data }: TapFrame): void {
    const nowMs = this.#clock.monotonicMs();
    const text = String(data);
    if (direction === "out") {
      if (text.startsWith(DELTA)) this.#bySession.get(sessionId)?.delta(nowMs);
      return;
    }
    const frame = this.#frames.get(between(text, AUDIO));
    if (!frame) return;
    this.#bySession.set(sessionId, frame.caller);
    frame.caller.appended(frame.index, nowMs);
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + GUARD_MS;
    while (!holds()) {
      invariant(this.#clock.monotonicMs() < deadlineMs, `waited in vain for ${what}`);
      await pause(this.#clock, 20);
    }
  }
}

export interface CallGroup {
  readonly calls: number;
  readonly faults: FaultsPatch;
}

/** Sends a text to the bare echo fifty times a second, and times it. */
export class Probe {
  #values: number[] = [];
  readonly #clock: Clock;
  readonly #socket: WebSocket;
  #timer: unknown = null;
  #sentAtMs = 0;

  private constructor(clock: Clock, socket: WebSocket) {
    this.#clock = clock;
    this.#socket = socket;
    socket.addEventListener("message", () => {
      this.#values.push(clock.monotonicMs() - this.#sentAtMs);
      this.#timer = clock.setTimeout(() => this.#send(), PROBE_EVERY_MS);
    });
  }

  static async connect(clock: Clock, url: string): Promise<Probe> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new InvariantError(`no bare echo at ${url}`)));
    });
    const probe = new Probe(clock, socket);
    probe.#send();
    return probe;
  }

  /** Milliseconds there and back, of all since the last time; forgets them. */
  take(): readonly number[] {
    const values = this.#values;
    this.#values = [];
    return values;
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#socket.close();
  }

  #send(): void {
    this.#sentAtMs = this.#clock.monotonicMs();
    this.#socket.send(PROBE_TEXT);
  }
}

/** What stands between `head` and the next quote. */
function between(text: string, head: string): string {
  const at = text.indexOf(head);
  return at < 0 ? "" : text.slice(at + head.length, text.indexOf('"', at + head.length));
}
