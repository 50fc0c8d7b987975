/**
 * A whole world over real sockets, in one process: the engine, the sandbox's carrier and model, and phones.
 * Speech is noise instead of synthesis: quick, loud, and different in every frame, so that audio can be
 * told apart by its bytes.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOpenAiRealtime } from "../../adapters/openai/realtime.ts";
import { createRecordings } from "../../adapters/recordings/recordings.ts";
import { createPushSender } from "../../adapters/push/push.ts";
import { type CarrierServer, startCarrier } from "../../adapters/sandbox/carrier/carrier.ts";
import { createHearing } from "../../adapters/sandbox/hearing.ts";
import { type Model, type ModelOptions, startModel } from "../../adapters/sandbox/model/server.ts";
import { connectPhone, type Phone, type PhoneEvent } from "../../adapters/sandbox/phone/phone.ts";
import type { Hearing, Speech } from "../../adapters/sandbox/types.ts";
import { createFieldCipher } from "../../adapters/store/protect.ts";
import { createStore } from "../../adapters/store/store.ts";
import { createTwilioCarrier } from "../../adapters/twilio/carrier.ts";
import { type Deployment, type DeploymentInput, deploymentSchema } from "../../engine/config/deployment.ts";
import { type Engine, startEngine } from "../../engine/engine.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import type { ErasureParts } from "../../engine/privacy/erasure.ts";
import { createLog } from "../../engine/platform/log.ts";
import type { SpanExporter } from "../../engine/tracing-port.ts";
import type { AuditEntry, CallRow, Carrier, Log, Store } from "../../engine/ports.ts";
import { patientClock } from "./patient-clock.ts";
import { until } from "./until.ts";

export const NUMBER = "+15550123";
export const CALLER = "+15550142";
export const ON_CALL = "+15550100";
export const ACCOUNT = {
  accountSid: "AC00000000000000000000000000000001",
  authToken: "a-token-for-tests-only",
  twimlAppSid: "AP00000000000000000000000000000002",
};
export const MODEL_KEY = "a-key-for-tests-only";

export interface WorldOptions {
  readonly deployment?: DeploymentInput;
  readonly persona?: ModelOptions["persona"];
  readonly tap?: ModelOptions["tap"];
  readonly modelFaults?: ModelOptions["faults"];
  readonly reconnectAttempts?: number;
  readonly callsPerSecond?: number;
  readonly consoleToken?: string;
  readonly tracer?: SpanExporter;
  /** Where the engine listens; default: on loopback. */
  readonly hostname?: string;
  /** Every line of the engine's log, also those below `warn`. */
  readonly onLine?: (line: string) => void;
}

export interface World {
  readonly engine: Engine;
  readonly carrier: CarrierServer;
  /** The engine's own client of it. */
  readonly restCarrier: Carrier;
  readonly model: Model;
  readonly store: Store;
  readonly hearing: Hearing;
  readonly speech: Speech;
  readonly authToken: string;
  /** What the engine logs with. */
  readonly engineLog: Log;
  /** Where the engine keeps what it keeps. */
  readonly folder: string;
  readonly erasure: ErasureParts;
  /** Lines of the log at `warn` and above, as objects. */
  readonly warnings: readonly Record<string, unknown>[];
  phone(number: string, options?: Partial<Parameters<typeof connectPhone>[0]>): Promise<TestPhone>;
  /** Resolves when the condition holds; looked at after every event of the engine and the carrier. */
  readonly until: typeof until;
  state(callSid: string): Promise<string>;
  row(callSid: string): Promise<CallRow | null>;
  log(callSid: string): Promise<readonly AuditEntry[]>;
  command(callSid: string, body: Readonly<Record<string, unknown>>): Promise<Response>;
  /** Ends a leg as Twilio's console would: the engine learns of it by callbacks. */
  hangUpAtCarrier(callSid: string): Promise<void>;
  stop(): Promise<void>;
}

export interface TestPhone {
  readonly phone: Phone;
  readonly events: PhoneEvent[];
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "tandem-world-"));
  const warnings: Record<string, unknown>[] = [];
  const clock = patientClock();
  const ids = seededIds(11);
  const write = (line: string): void => void warnings.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLog({ level: "warn", clock, write });
  const hearing = createHearing();
  const speech = noiseSpeech();
  const base = { clock, ids, log };
  const { onLine } = options;
  const engineLog = onLine ? createLog({ level: "debug", clock, write: onLine }) : log;
  const ours = { ...base, log: engineLog };
  const model = await startModel({
    ...base,
    speech,
    hearing,
    apiKey: MODEL_KEY,
    ...(options.persona === undefined ? {} : { persona: options.persona }),
    ...(options.tap === undefined ? {} : { tap: options.tap }),
    ...(options.modelFaults === undefined ? {} : { faults: options.modelFaults }),
  });
  const callsPerSecond = options.callsPerSecond ?? 100;
  const carrierServer = await startCarrier({ ...base, ...ACCOUNT, speech, hearing, callsPerSecond });
  const key = new Uint8Array(32).fill(7);
  const cipher = createFieldCipher({ ...ours, key });
  const store = await createStore({ ...ours, url: `sqlite://${join(folder, "calls.db")}`, cipher });
  const maxAttempts = options.reconnectAttempts ?? 3;
  const restCarrier = createTwilioCarrier({
    ...ours,
    ...ACCOUNT,
    baseUrl: carrierServer.url,
    callsPerSecond,
    timeoutMs: 30_000,
  });
  const deployment: Deployment = deploymentSchema.parse(options.deployment ?? {});
  const speechModel = createOpenAiRealtime({
    ...ours,
    apiKey: MODEL_KEY,
    baseUrl: model.url,
    model: "gpt-realtime-2.1",
    audioFormat: deployment.agent.audioFormat,
    connectTimeoutMs: 2000,
    reconnect: { maxAttempts, baseMs: 20, maxMs: 100 },
  });
  const recordings = createRecordings({
    ...ours,
    folder: join(folder, "recordings"),
    key,
    calls: store.privacy,
  });
  const engine = startEngine({
    ...ours,
    port: 0,
    hostname: options.hostname ?? "127.0.0.1",
    publicUrl: null,
    account: { ...ACCOUNT, number: NUMBER },
    deployment,
    consoleToken: options.consoleToken ?? null,
    ...(options.tracer && { tracer: options.tracer }),
    provider: "sandbox",
    modelName: "gpt-realtime-2.1",
    sandbox: {
      carrierUrl: carrierServer.url,
      number: NUMBER,
      people: [{ rung: "primary", name: "on call", number: ON_CALL }],
      ackTimeoutMs: deployment.escalation.ackTimeoutMs,
    },
    carrier: restCarrier,
    model: speechModel,
    reach: { carrier: restCarrier.reach, model: speechModel.reach },
    store,
    pushes: createPushSender(ours),
    recordings,
    privacy: { store: store.privacy, recordings },
  });
  carrierServer.configure({
    numbers: [
      { number: NUMBER, voiceUrl: `${engine.origin}/twilio/voice`, smsUrl: `${engine.origin}/twilio/sms` },
    ],
    appVoiceUrl: `${engine.origin}/twilio/ai-leg`,
  });
  const phones: Phone[] = [];
  return {
    engine,
    carrier: carrierServer,
    restCarrier,
    model,
    store,
    hearing,
    speech,
    authToken: ACCOUNT.authToken,
    engineLog,
    folder,
    erasure: { store, privacy: store.privacy, recordings, clock },
    warnings,
    until,
    phone: async (number, more = {}) => {
      const events: PhoneEvent[] = [];
      const onEvent = (event: PhoneEvent): void => void events.push(event);
      const phone = await connectPhone({
        carrierUrl: carrierServer.url,
        number,
        clock,
        log,
        onEvent,
        ...more,
      });
      phones.push(phone);
      return { phone, events };
    },
    state: async (callSid) =>
      engine.supervisor.get(callSid)?.state ?? (await store.getCall(callSid))?.state ?? "unknown",
    row: async (callSid) => await store.getCall(callSid),
    log: async (callSid) => await Array.fromAsync(store.events(callSid)),
    command: async (callSid, body) =>
      await fetch(`${engine.origin}/api/calls/${callSid}/commands`, {
        method: "POST",
        body: JSON.stringify(body),
      }),
    hangUpAtCarrier: async (callSid) => {
      const { accountSid, authToken } = ACCOUNT;
      const url = `${carrierServer.url}/2010-04-01/Accounts/${accountSid}/Calls/${callSid}.json`;
      const authorization = `Basic ${btoa(`${accountSid}:${authToken}`)}`;
      const body = new URLSearchParams({ Status: "completed" });
      const answer = await fetch(url, { method: "POST", headers: { authorization }, body });
      if (!answer.ok) throw new Error(`the carrier answered ${answer.status}`);
    },
    stop: async () => {
      for (const phone of phones) phone.close();
      await Promise.all(phones.map((phone) => phone.closed));
      await engine.stop(0);
      await carrierServer.stop();
      await model.stop();
      clock.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** 40 ms of noise per character, each text with frames of its own; no byte of it is silence (0xff, 0x7f). */
export function noiseSpeech(): Speech {
  return { say: (text) => Promise.resolve(noise(text, text.length * 40)), close: () => undefined };
}

export function noise(seedText: string, ms: number): Uint8Array {
  const ids = seededIds(Bun.hash.crc32(seedText));
  // Code words below 0x40 and from 0x80 to 0xbf are loud: any detector of speech takes them for it.
  return Uint8Array.from({ length: ms * 8 }, () => {
    const code = Math.floor(ids.random() * 64);
    return ids.random() < 0.5 ? code : 0x80 + code;
  });
}
