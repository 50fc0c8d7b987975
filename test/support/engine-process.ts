/**
 * An engine as a process of its own, on one database, and around it what outlives it: the carrier, the model and
 * the phones, in this process. All over real sockets.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CarrierServer, startCarrier } from "../../adapters/sandbox/carrier/carrier.ts";
import { createHearing } from "../../adapters/sandbox/hearing.ts";
import { type Model, type ModelOptions, startModel } from "../../adapters/sandbox/model/server.ts";
import { FrameTicker } from "../../adapters/sandbox/phone/frame-ticker.ts";
import { connectPhone, type Phone, type PhoneOptions } from "../../adapters/sandbox/phone/phone.ts";
import type { DeploymentInput } from "../../engine/config/deployment.ts";
import { pause } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { patientClock } from "./patient-clock.ts";
import { until } from "./until.ts";
import { ACCOUNT, MODEL_KEY, NUMBER, noiseSpeech } from "./world.ts";

const MAIN = new URL("../../engine/main.ts", import.meta.url).pathname;
export const CONSOLE_TOKEN = "a-console-token-for-tests";
/** When the engine has been asked too often. */
const ASK_AGAIN_MS = 20;

export interface OutsideOptions {
  readonly deployment?: DeploymentInput;
  readonly tap?: ModelOptions["tap"];
  /** Of the engine, beside what it always has. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where engines look for the model, when it is not the sandbox's that they find: given its URL. */
  readonly modelUrl?: (sandboxUrl: string) => string;
  /** Of the carrier's sids: two carriers are not to give the same. */
  readonly seed?: number;
}

/** What an engine does not take with it when it dies. */
export interface Outside {
  readonly carrier: CarrierServer;
  readonly model: Model;
  readonly databaseUrl: string;
  /** Its file. */
  readonly databasePath: string;
  /** With which engines are started. */
  readonly env: Readonly<Record<string, string>>;
  /** What engines said on standard error, of all of them. */
  readonly said: string[];
  /**
   * Starts an engine on the database; by the words of `under`, which end where its own begin, and with `more` in its
   * environment. Resolves when it listens, and rejects with `EngineRefused` when it ends before.
   */
  start(under?: readonly string[], more?: Readonly<Record<string, string>>): Promise<EngineProcess>;
  phone(number: string, options?: Partial<PhoneOptions>): Promise<Phone>;
  readonly until: typeof until;
  /** Of the engine's API. */
  readonly origin: string;
  readonly token: string;
  api<T = Record<string, unknown>>(path: string): Promise<T>;
  command(callSid: string, body: Readonly<Record<string, unknown>>): Promise<number>;
  stop(): Promise<void>;
}

export class EngineRefused extends Error {
  readonly code: number;
  /** All that it said. */
  readonly said: string;

  constructor(code: number, said: string) {
    super(`the engine ended with ${code} before it listened: ${said}`);
    this.code = code;
    this.said = said;
  }
}

export interface EngineProcess {
  readonly pid: number;
  /** As `SIGKILL` and `SIGTERM`; resolves with the exit code once it is gone. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<number>;
  /** Does not wait. */
  signal(signal: "SIGTERM"): void;
  readonly exited: Promise<number>;
}

/** A command beside engines, such as `preflight --live`: its exit code, and all that it printed. */
export async function runCommand(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly text: string }> {
  const child = Bun.spawn([process.execPath, MAIN, ...words], { env, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, text: out + err };
}

export async function startOutside(options: OutsideOptions = {}): Promise<Outside> {
  const folder = mkdtempSync(join(tmpdir(), "tandem-outside-"));
  const clock = patientClock();
  const parts = {
    clock,
    ids: seededIds(options.seed ?? 12),
    log: silentLog,
    hearing: createHearing(),
    speech: noiseSpeech(),
  };
  const { tap } = options;
  const model = await startModel({ ...parts, apiKey: MODEL_KEY, ...(tap && { tap }) });
  const carrier = await startCarrier({ ...parts, ...ACCOUNT, callsPerSecond: 100 });
  const port = freePort();
  const origin = `http://127.0.0.1:${port}`;
  carrier.configure({
    numbers: [{ number: NUMBER, voiceUrl: `${origin}/twilio/voice`, smsUrl: `${origin}/twilio/sms` }],
    appVoiceUrl: `${origin}/twilio/ai-leg`,
  });
  writeFileSync(join(folder, "deployment.json"), JSON.stringify(options.deployment ?? {}));
  const databasePath = join(folder, "calls.db");
  const databaseUrl = `sqlite://${databasePath}`;
  const env = {
    PATH: Bun.env["PATH"] ?? "",
    HOME: folder,
    PORT: String(port),
    PUBLIC_URL: origin,
    TWILIO_ACCOUNT_SID: ACCOUNT.accountSid,
    TWILIO_AUTH_TOKEN: ACCOUNT.authToken,
    TWILIO_TWIML_APP_SID: ACCOUNT.twimlAppSid,
    TWILIO_NUMBER: NUMBER,
    TWILIO_API_BASE_URL: carrier.url,
    TWILIO_CALLS_PER_SECOND: "100",
    OPENAI_API_KEY: MODEL_KEY,
    OPENAI_BASE_URL: options.modelUrl?.(model.url) ?? model.url,
    DATABASE_URL: databaseUrl,
    TANDEM_CONFIG: join(folder, "deployment.json"),
    TANDEM_CONSOLE_TOKEN: CONSOLE_TOKEN,
    LOG_LEVEL: "warn",
    ...options.env,
  };
  const said: string[] = [];
  const engines = new Set<EngineProcess>();
  const phones: Phone[] = [];
  const ticker = new FrameTicker({ clock, log: silentLog });
  const headers = { authorization: `Bearer ${CONSOLE_TOKEN}` };
  return {
    carrier,
    model,
    databaseUrl,
    databasePath,
    env,
    said,
    until,
    start: async (under = [], more = {}) => {
      const engine = await spawn([...under, process.execPath, MAIN], { ...env, ...more }, said);
      engines.add(engine);
      return engine;
    },
    phone: async (number, more = {}) => {
      const phone = await connectPhone({
        carrierUrl: carrier.url,
        number,
        clock,
        log: silentLog,
        ticker,
        ...more,
      });
      phones.push(phone);
      return phone;
    },
    origin,
    token: CONSOLE_TOKEN,
    api: async <T>(path: string) => {
      for (;;) {
        const answer = await fetch(`${origin}/api/${path}`, { headers });
        if (answer.status !== 429) return (await answer.json()) as T;
        // Whoever polls as fast as they can asks more often than one token may.
        await pause(clock, ASK_AGAIN_MS);
      }
    },
    command: async (callSid, body) => {
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      return (await fetch(`${origin}/api/calls/${callSid}/commands`, init)).status;
    },
    stop: async () => {
      for (const phone of phones) phone.close();
      await Promise.all(phones.map((phone) => phone.closed));
      await Promise.all([...engines].map((engine) => engine.end("SIGKILL")));
      await carrier.stop();
      await model.stop();
      clock.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function spawn(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  said: string[],
): Promise<EngineProcess> {
  const child = Bun.spawn([...command], { env, stdout: "pipe", stderr: "pipe" });
  const before = said.length;
  const err = readAll(child.stderr, (text) => void said.push(text));
  const running = Promise.withResolvers<void>();
  let text = "";
  const out = readAll(child.stdout, (more) => {
    text += more;
    if (text.includes("Tandem is running.")) running.resolve();
    else said.push(more);
  });
  void Promise.all([out, err, child.exited]).then(([, , code]) =>
    running.reject(new EngineRefused(code, said.slice(before).join(""))),
  );
  await running.promise;
  return {
    pid: child.pid,
    end: async (signal) => {
      child.kill(signal);
      return await child.exited;
    },
    signal: (signal) => child.kill(signal),
    exited: child.exited,
  };
}

async function readAll(stream: ReadableStream<Uint8Array>, onText: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) onText(decoder.decode(bytes, { stream: true }));
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
