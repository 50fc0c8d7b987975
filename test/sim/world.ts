/**
 * One world: the whole engine, the sandbox's carrier and model, in one process, on virtual time and without
 * sockets. Nothing in it waits for anything but its clock, so the same plan gives the same world, event by
 * event.
 */
import { drainMicrotasks } from "bun:jsc";
import { createPushSender } from "../../adapters/push/push.ts";
import { createOpenAiRealtime } from "../../adapters/openai/realtime.ts";
import { type CarrierServer, startCarrier } from "../../adapters/sandbox/carrier/carrier.ts";
import type { Persona } from "../../adapters/sandbox/model/persona.ts";
import { type Model, startModel } from "../../adapters/sandbox/model/server.ts";
import { createTwilioCarrier } from "../../adapters/twilio/carrier.ts";
import { type CallLogic, callLogicOn } from "../../engine/call/deadline.ts";
import { type Deployment, deploymentSchema } from "../../engine/config/deployment.ts";
import { type Engine, type EngineOptions, startEngine } from "../../engine/engine.ts";
import { VirtualClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import type {
  AuditEntry,
  CallRow,
  Clock,
  Ids,
  JournalEntry,
  LogFields,
  LogLevel,
  Recordings,
} from "../../engine/ports.ts";
import { FAKE_ACCOUNT, MemoryStore } from "../support/fake-ports.ts";
import { MemoryRecordings } from "../support/fake-recordings.ts";
import { CrashingEngine } from "./crashes.ts";
import { VirtualNetwork } from "./network.ts";
import { nameOf, numberOf, type Plan, PUSH_PORT, pushUrlOf } from "./plan.ts";
import { type EnginePorts, type Seat, settled } from "./seat.ts";
import { Trace, toldLog } from "./trace.ts";
import { simHearing, simPersona, simSpeech, taintOf } from "./voices.ts";

export const NUMBER = FAKE_ACCOUNT.number;
export const ACCOUNT = { accountSid: "AC00000000000000000000000000000001", ...FAKE_ACCOUNT };
const MODEL_KEY = "a-key-for-tests-only";
export const CONSOLE_TOKEN = "a-console-token-for-tests-only";
const UPDATED = '{"type":"session.updated"';
const ENGINE_PORT = 8080;
export const REST_TIMEOUT_MS = 3000;

/** Who is told what happens. */
export interface Observer {
  log(source: "engine" | "carrier" | "model", level: LogLevel, event: string, fields: LogFields): void;
  audit(entry: AuditEntry): void;
  row(row: CallRow): void;
  journal?(entry: JournalEntry): void;
  /** An engine has ended, by a crash or for another to go on. */
  engineEnded?(): void;
  /** The model has put a session under these instructions. */
  instructed(instructions: string): void;
  /** What the carrier plays of the AI's speech, piece by piece. */
  played(streamSid: string, ulaw: Uint8Array): void;
}

/** What a mutant replaces. */
export interface Tampering {
  readonly logic?: MakeLogic;
  readonly engine?: (options: EngineOptions) => EngineOptions;
  readonly persona?: Persona;
}

export interface World {
  readonly plan: Plan;
  readonly clock: VirtualClock;
  readonly trace: Trace;
  readonly network: VirtualNetwork;
  readonly store: MemoryStore;
  readonly seat: Seat;
  /** The one that runs, or ran last. */
  readonly engine: Engine;
  readonly carrier: CarrierServer;
  readonly model: Model;
  readonly deployment: Deployment;
  /** A push has come. */
  onPush: (person: number, body: string) => void;
  /** What the next pushes are answered, in place of 204. */
  pushAnswers: number[];
}

/** The clock of the engine that runs now. */
const present = {
  clock: new VirtualClock() as Clock,
  now: () => present.clock.now(),
  monotonicMs: () => present.clock.monotonicMs(),
  setTimeout: (fn: () => void, delayMs: number) => present.clock.setTimeout(fn, delayMs),
  clearTimeout: (handle: unknown) => present.clock.clearTimeout(handle),
};

type MakeLogic = (clock: Clock) => CallLogic;
const logics = new Map<MakeLogic, CallLogic>();

/** Made once for all worlds: making a machine costs as much as a tenth of a world. */
function logicOf(make: MakeLogic): CallLogic {
  const logic = logics.get(make) ?? make(present);
  logics.set(make, logic);
  return logic;
}

class ToldStore extends MemoryStore {
  readonly #observer: Observer;
  readonly #trace: Trace;

  constructor(observer: Observer, trace: Trace) {
    super();
    this.#observer = observer;
    this.#trace = trace;
  }

  override saveCall(row: CallRow): void {
    super.saveCall(row);
    this.#observer.row(row);
  }

  override appendEvents(entries: readonly AuditEntry[]): void {
    super.appendEvents(entries);
    for (const entry of entries) {
      this.#trace.add("audit", `${entry.kind} ${entry.name}`, entry.data);
      this.#observer.audit(entry);
    }
  }

  override appendJournal(entries: readonly JournalEntry[]): void {
    super.appendJournal(entries);
    for (const entry of entries) this.#observer.journal?.(entry);
  }
}

export function buildWorld(plan: Plan, observer: Observer, tampering: Tampering = {}): World {
  const clock = new VirtualClock();
  const trace = new Trace(clock);
  const ids = seededIds(plan.seed ^ 0x51ed270b);
  const network = new VirtualNetwork({
    clock,
    random: seededIds(~plan.seed).random,
    latencyMs: plan.latencyMs,
  });
  const logOf = (source: "engine" | "carrier" | "model") =>
    toldLog((level, event, fields) => {
      trace.add(source, event, fields);
      observer.log(source, level, event, fields);
    });
  const shared = { clock, ids, network, speech: simSpeech, hearing: simHearing };
  const log = logOf("engine");
  const model = settled(
    startModel({
      ...shared,
      log: logOf("model"),
      apiKey: MODEL_KEY,
      persona: tampering.persona ?? simPersona,
      tap: ({ direction, data }) => {
        if (direction === "in" || typeof data !== "string" || !data.startsWith(UPDATED)) return;
        observer.instructed(/"instructions":"([^"]*)/.exec(data)?.[1] ?? "");
      },
    }),
  );
  const { callsPerSecond } = plan;
  const played = (streamSid: string, ulaw: Uint8Array): void => observer.played(streamSid, ulaw);
  const carrier = settled(
    startCarrier({
      ...shared,
      ...ACCOUNT,
      log: logOf("carrier"),
      callsPerSecond,
      onPlayed: played,
      framesPerMessage: 10,
      taintOf,
    }),
  );
  const deployment = deploymentOf(plan);
  const store = new ToldStore(observer, trace);
  const facts = { deployment, carrierUrl: carrier.url, modelUrl: model.url, callsPerSecond, ids };
  const recordings = new MemoryRecordings();
  const start = (ports: EnginePorts): { readonly engine: Engine; readonly options: EngineOptions } => {
    present.clock = ports.clock;
    const untouched = engineOptions({ ...facts, recordings }, ports, logicOf(tampering.logic ?? callLogicOn));
    const options = tampering.engine?.(untouched) ?? untouched;
    return { engine: startEngine(options), options };
  };
  const ports = { clock, log, store, network };
  const seat = plan.crashes
    ? new CrashingEngine({
        ...ports,
        plan,
        crashes: plan.crashes,
        trace,
        start,
        onEnd: () => observer.engineEnded?.(),
      })
    : onlyEngine(start(ports).engine);
  const { engine } = seat;
  carrier.configure({
    numbers: [
      { number: NUMBER, voiceUrl: `${engine.origin}/twilio/voice`, smsUrl: `${engine.origin}/twilio/sms` },
    ],
    appVoiceUrl: `${engine.origin}/twilio/ai-leg`,
  });
  const world: World = {
    plan,
    clock,
    trace,
    network,
    store,
    seat,
    get engine() {
      return seat.engine;
    },
    carrier,
    model,
    deployment,
    onPush: () => undefined,
    pushAnswers: [],
  };
  receivePushes(world);
  return world;
}

function onlyEngine(engine: Engine): Seat {
  return { engine, isDown: false, startedMs: 0, unwritten: 0, stop: () => engine.stop(0) };
}

interface EngineFacts {
  readonly deployment: Deployment;
  readonly carrierUrl: string;
  readonly modelUrl: string;
  readonly callsPerSecond: number;
  readonly ids: Ids;
  readonly recordings: Recordings;
}

function engineOptions(facts: EngineFacts, ports: EnginePorts, logic: CallLogic): EngineOptions {
  const { deployment, carrierUrl, modelUrl, callsPerSecond, ids, recordings } = facts;
  const shared = { clock: ports.clock, log: ports.log, network: ports.network, ids };
  return {
    ...ports,
    port: ENGINE_PORT,
    hostname: "127.0.0.1",
    publicUrl: null,
    account: ACCOUNT,
    deployment,
    consoleToken: CONSOLE_TOKEN,
    provider: "sandbox",
    sandbox: {},
    carrier: createTwilioCarrier({
      ...ACCOUNT,
      ...shared,
      baseUrl: carrierUrl,
      callsPerSecond,
      timeoutMs: REST_TIMEOUT_MS,
      priorityOf: (input) => (input.to.startsWith("app:") ? 1 : 0),
    }),
    model: createOpenAiRealtime({
      ...shared,
      apiKey: MODEL_KEY,
      baseUrl: modelUrl,
      model: "gpt-realtime-2.1",
      connectTimeoutMs: deployment.limits.modelReadyTimeoutMs,
    }),
    pushes: createPushSender(shared),
    recordings,
    ids,
    logic,
  };
}

/** Where the pushes go: `/push/{person}`. */
function receivePushes(world: World): void {
  world.network.serve({
    hostname: "127.0.0.1",
    port: PUSH_PORT,
    maxRequestBodySize: 10_000,
    fetch: async (request) => {
      const status = world.pushAnswers.shift() ?? 204;
      if (status < 300) world.onPush(Number(request.url.split("/push/")[1]), await request.text());
      return new Response(null, { status });
    },
    error: () => new Response(null, { status: 500 }),
    websocket: { message: () => undefined },
  });
}

function deploymentOf(plan: Plan): Deployment {
  return deploymentSchema.parse({
    agent: {
      instructions: "Help.",
      greeting: "Hello there, how can I help?",
      coachInstructions: "Whisper.",
      apology: "I am sorry.",
    },
    escalation: {
      ...plan.ladder,
      ringTimeoutMs: 5000,
      rungs: plan.ladder.rungs.map((contacts, index) => ({
        name: `rung ${index}`,
        contacts: contacts.map(({ person, channels }) => ({
          name: nameOf(person),
          ...(channels.includes("voice") && { voice: numberOf(person) }),
          ...(channels.includes("sms") && { sms: numberOf(person) }),
          ...(channels.includes("push") && { push: pushUrlOf(person) }),
        })),
      })),
    },
    recording: plan.recording,
    limits: { modelReadyTimeoutMs: 5000, arriveTimeoutMs: 20_000 },
    media: { leadMs: 200, chunkMs: 200, markEveryMs: 200 },
  });
}

/** Runs what is due at this very moment, and one timer if there is none: `false` when none is due any more. */
export function step(world: World, untilMs: number): boolean {
  drainMicrotasks();
  const moved = world.clock.step(untilMs);
  drainMicrotasks();
  return moved;
}

/** What modules load by themselves when first used is loaded now: a world must not wait for a disk. */
export async function warmUp(): Promise<void> {
  await import("../../adapters/twilio/rest-client.ts");
}
