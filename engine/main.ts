/** The composition root: the only file that knows the adapters. */
import { createOpenAiExtractor } from "../adapters/openai/extractor.ts";
import { openAiLiveCheck } from "../adapters/openai/live-check.ts";
import { createOpenAiRealtime } from "../adapters/openai/realtime.ts";
import { OtlpExporter } from "../adapters/otlp/exporter.ts";
import { createPushSender } from "../adapters/push/push.ts";
import { createWebhookSender } from "../adapters/push/webhook.ts";
import { createRecordings } from "../adapters/recordings/recordings.ts";
import { type Sandbox, startSandbox } from "../adapters/sandbox/box.ts";
import { sqliteBackups } from "../adapters/store/backup.ts";
import { storeLiveCheck } from "../adapters/store/live-check.ts";
import { createFieldCipher } from "../adapters/store/protect.ts";
import { claimDatabase, type Ownership } from "../adapters/store/owner.ts";
import { claimNode } from "../adapters/store/postgres-claim.ts";
import { assertThere } from "../adapters/store/sqlite-file.ts";
import { createStore } from "../adapters/store/store.ts";
import { createTwilioCarrier } from "../adapters/twilio/carrier.ts";
import { twilioLiveCheck } from "../adapters/twilio/live-check.ts";
import { runBackup, runRestore } from "./backup/commands.ts";
import { leftBehind, type LeftBehind, type LeftBehindOptions, NOTHING_LEFT } from "./call/left-behind.ts";
import { closeLostCalls } from "./call/lost-calls.ts";
import { peopleOnCall } from "./config/deployment.ts";
import { describeConfig } from "./config/describe.ts";
import { loadConfig } from "./config/load.ts";
import { recordingsFolder } from "./config/recordings-folder.ts";
import type { Config } from "./config/types.ts";
import { makeConsole } from "./console/assets.ts";
import { Journal } from "./effects/journal.ts";
import { type Engine, startEngine } from "./engine.ts";
import { ConfigError, errorText, StoreError } from "./errors.ts";
import type { LiveCheck } from "./live-check-port.ts";
import { runOnKept } from "./privacy/commands.ts";
import { runPreflight } from "./preflight/run.ts";
import type { ErasureParts } from "./privacy/erasure.ts";
import { systemClock } from "./platform/clock.ts";
import { systemIds } from "./platform/ids.ts";
import { createLog } from "./platform/log.ts";
import { systemNetwork } from "./platform/network.ts";
import { SteadyClock } from "./platform/steady-clock.ts";
import { VERSION } from "./platform/version.ts";
import type { CallRow, Clock, CreateCall, CreateParticipant, Log } from "./ports.ts";
import { runUsage } from "./usage.ts";

interface Running {
  readonly engine: Engine;
  readonly sandbox: Sandbox | null;
  readonly claims: readonly Ownership[];
  readonly log: Log;
  /** How long live calls may go on after SIGTERM before they are handed over, or ended. */
  readonly drainMs: number;
}

async function start(config: Config): Promise<Running> {
  const clock = new SteadyClock(systemClock);
  const ids = systemIds;
  const log = createLog({ level: config.logLevel, clock });
  const database = claimDatabase(config.databaseUrl);
  const { store, recordings } = await openKept(config, log, clock);
  const { callsPerSecond } = config.carrier;
  const sandbox = await sandboxOf(config);
  const account = accountOf(config, sandbox);
  const carrier = createTwilioCarrier({ ...account, callsPerSecond, priorityOf, clock, ids, log });
  const connectTimeoutMs = config.deployment.limits.modelReadyTimeoutMs;
  const { audioFormat } = config.deployment.agent;
  const modelOptions = { ...modelOf(config, sandbox), audioFormat, connectTimeoutMs };
  const model = createOpenAiRealtime({ ...modelOptions, clock, ids, log });
  const journal = new Journal({ store, clock, log });
  const { alone } = database;
  // The sandbox's calls died with its carrier.
  const left = { store, callsDied: sandbox !== null, journal, clock, log };
  const { unfinished, lost, node } = alone
    ? { ...(await leftBehind(left)), node: null }
    : await leftByNode(left, config);
  const engine = startEngine({
    port: config.port,
    // The sandbox is for this machine alone.
    hostname: sandbox ? "127.0.0.1" : "0.0.0.0",
    publicUrl: config.publicUrl,
    account,
    deployment: config.deployment,
    ...accessOf(config),
    provider: config.model.provider,
    modelName: config.model.model,
    sandbox: sandbox && sandboxFacts(sandbox, config),
    carrier,
    model,
    store,
    pushes: createPushSender({ clock, ids, log }),
    recordings,
    privacy: { store: store.privacy, recordings },
    ...afterCalls(config, sandbox, log),
    ...tracerOf(config, clock, log),
    clock,
    steady: clock,
    ids,
    log,
    unfinished,
    journal,
    reach: { carrier: carrier.reach, model: model.reach },
    shared: !alone,
    handOver: alone && !sandbox && config.deployment.limits.onDrainEnd === "hand-over",
  });
  await sandbox?.configure(phonesSetting(config, engine));
  // The SDK takes a moment to load: not while the first caller waits.
  await carrier.warm();
  void closeLostCalls([...lost, ...engine.notRestored], {
    store,
    carrier,
    clock,
    log,
    apology: config.deployment.agent.apology,
  });
  // The sandbox has nobody to wait for.
  return {
    engine,
    sandbox,
    claims: node ? [database, node] : [database],
    log,
    drainMs: sandbox ? 0 : config.deployment.limits.drainMs,
  };
}

async function sandboxOf({ carrier, logLevel, port }: Config): Promise<Sandbox | null> {
  if (carrier.kind !== "sandbox") return null;
  return await startSandbox({
    ids: systemIds,
    logLevel: logLevel === "info" ? "warn" : logLevel,
    callsPerSecond: carrier.callsPerSecond,
    carrierPort: besides(port),
  });
}

/** Whom the console and the API let in. */
function accessOf({ consoleToken, viewerToken, tokens, trustedProxies }: Config) {
  return { consoleToken, viewerToken, tokens, trustedProxies };
}

/** All that is kept of calls. */
async function openKept(config: Config, log: Log, clock: Clock) {
  const { encryptionKey: key, previousEncryptionKey: previousKey, databaseUrl: url } = config;
  const parts = { key, previousKey, clock, ids: systemIds, log };
  const store = await createStore({ ...parts, url, cipher: createFieldCipher(parts) });
  const recordings = createRecordings({ ...parts, folder: recordingsFolder(url), calls: store.privacy });
  return { store, recordings };
}

/** What `bun run preflight --live` asks: all that is real. */
function liveChecks(config: Config): readonly LiveCheck[] {
  const { carrier, model, deployment, databaseUrl: url, publicUrl } = config;
  const { encryptionKey: key, previousEncryptionKey: previousKey } = config;
  const network = systemNetwork;
  const texts = deployment.escalation.rungs.some(({ contacts }) => contacts.some(({ sms }) => sms));
  const { extract, model: reader } = deployment.postCall;
  const checks: LiveCheck[] = [storeLiveCheck({ url, key, previousKey, clock: systemClock })];
  if (carrier.kind === "twilio" && publicUrl !== null) {
    checks.push(twilioLiveCheck({ ...accountOf(config, null), publicUrl, texts, network }));
  }
  if (model.provider === "openai") {
    const models = { "which speaks": model.model, ...(extract && { "which reads transcripts": reader }) };
    checks.push(openAiLiveCheck({ ...model, models, network }));
  }
  return checks;
}

/** The commands that are no engine; `null` when there is none. Resolves to the exit code. */
function commandOf([command, ...argv]: readonly string[]): (() => Promise<number>) | null {
  const out = (text: string): void => void process.stdout.write(text);
  if (command === undefined) return null;
  if (command === "backup" || command === "restore") {
    const run = command === "backup" ? runBackup : runRestore;
    const backups = async () => sqliteBackups((await loadConfig({ env: process.env })).databaseUrl);
    return () => run(argv, { backups, clock: systemClock, out });
  }
  if (command === "preflight") {
    return () => runPreflight(argv, { env: process.env, liveChecks, clock: systemClock, out });
  }
  if (command === "erase" || command === "rewrap") return () => runOnKept(command, argv, { onKept, out });
  return async () => runUsage(command, out);
}

/** Works on what an engine has kept: nothing is made anew where a path is wrong. */
async function onKept(
  run: (parts: ErasureParts) => Promise<number>,
  check?: (config: Config) => void,
): Promise<number> {
  const config = await loadConfig({ env: process.env });
  check?.(config);
  assertThere(config.databaseUrl);
  const log = createLog({ level: "warn", clock: systemClock });
  const { store, recordings } = await openKept(config, log, systemClock);
  try {
    return await run({ store, privacy: store.privacy, recordings, clock: systemClock });
  } finally {
    await recordings.close();
    await store.close();
  }
}

/** The next port, so that the phones have an address that stays; 0: any. */
function besides(port: number): number {
  return port === 0 || port === 65_535 ? 0 : port + 1;
}

/** What the browser phones of the sandbox are told. */
function phonesSetting({ deployment, model }: Config, { origin, port }: Engine) {
  return {
    origin,
    people: peopleOnCall(deployment),
    understandsSpeech: model.provider !== "sandbox",
    consoleUrl: consoleUrl(port),
  };
}

function consoleUrl(port: number): string {
  return `http://127.0.0.1:${port}/console`;
}

/** What `GET /api/sandbox` tells. */
function sandboxFacts({ carrierUrl, phonesUrl, number }: Sandbox, { deployment }: Config) {
  return {
    carrierUrl,
    phonesUrl,
    number,
    people: peopleOnCall(deployment),
    ackTimeoutMs: deployment.escalation.ackTimeoutMs,
  };
}

/** Where other engines are, too: what one with our address has left. What the others have open may be live. */
async function leftByNode(
  options: LeftBehindOptions,
  { databaseUrl: url, publicUrl }: Config,
): Promise<LeftBehind & { readonly node: Ownership }> {
  const { callsDied, clock, log } = options;
  const node = await claimNode({ url, node: callsDied ? null : publicUrl, clock, log });
  if (!node.alone) return { ...NOTHING_LEFT, node };
  const isOurs = (row: CallRow): boolean => row.node === publicUrl;
  return { ...(await leftBehind({ ...options, isOurs })), node };
}

/** A caller waits for the AI's leg: it goes before all pages, which are rung in the order of the ladder. */
function priorityOf(input: CreateCall | CreateParticipant): number {
  return input.to.startsWith("app:") ? 1 : 0;
}

function accountOf(config: Config, sandbox: Sandbox | null) {
  if (config.carrier.kind === "sandbox") {
    if (!sandbox) throw new StoreError("the sandbox has not been started");
    const { accountSid, authToken, twimlAppSid, number, carrierUrl } = sandbox;
    return { accountSid, authToken, twimlAppSid, number, baseUrl: carrierUrl };
  }
  const { accountSid, authToken, twimlAppSid, number, apiKey, region, edge, apiBaseUrl } = config.carrier;
  return {
    accountSid,
    authToken,
    twimlAppSid,
    number,
    apiKey: apiKey?.sid,
    apiSecret: apiKey?.secret,
    region: region ?? undefined,
    edge: edge ?? undefined,
    baseUrl: apiBaseUrl ?? undefined,
  };
}

function modelOf(config: Config, sandbox: Sandbox | null) {
  const { model } = config;
  if (model.provider === "openai")
    return { apiKey: model.apiKey, baseUrl: model.baseUrl, model: model.model };
  if (!sandbox) throw new StoreError("the sandbox has not been started");
  return { apiKey: sandbox.modelKey, baseUrl: sandbox.modelUrl, model: model.model };
}

/** Who reads the transcripts of calls that are over, and who hands their rows on. */
function afterCalls(config: Config, sandbox: Sandbox | null, log: Log) {
  const clock = systemClock;
  const { extract, model, timeoutMs, webhook } = config.deployment.postCall;
  const reader = { ...modelOf(config, sandbox), model, timeoutMs, clock, log };
  const secret = config.webhookSecret;
  return {
    ...(extract && { extractor: createOpenAiExtractor(reader) }),
    ...(webhook &&
      secret !== null && {
        rowSender: createWebhookSender({ secret, timeoutMs: webhook.timeoutMs, clock }),
      }),
  };
}

/** Spans are off unless a collector is named. */
function tracerOf({ tracing }: Config, clock: Clock, log: Log) {
  if (!tracing) return {};
  const { endpoint, headers, serviceName } = tracing;
  const service = { name: serviceName, version: VERSION };
  return { tracer: new OtlpExporter({ endpoint, headers, service, clock, log }) };
}

/**
 * `bun run` hands on what a terminal, or an init system, has sent to the whole group already: the same signal
 * again within this time is its echo, and not somebody who has lost patience.
 */
const SIGNAL_ECHO_MS = 1000;

function stopOnSignals({ engine, sandbox, claims, log, drainMs }: Running): void {
  let stoppingSinceMs: number | null = null;
  const stop = async (signal: string): Promise<void> => {
    const nowMs = systemClock.monotonicMs();
    if (stoppingSinceMs !== null) {
      if (nowMs - stoppingSinceMs < SIGNAL_ECHO_MS) return;
      log.warn("engine.stopped_at_once", { signal });
      await engine.stopNow();
      process.exit(130);
    }
    stoppingSinceMs = nowMs;
    log.info("engine.draining", { signal, calls: engine.supervisor.size, limitMs: drainMs });
    await engine.stop(drainMs);
    await sandbox?.stop();
    for (const claim of claims) claim.release();
    log.info("engine.stopped");
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop("SIGTERM"));
  process.on("SIGINT", () => void stop("SIGINT"));
}

/** A fault that nobody caught is logged; the calls that it did not touch go on. */
function survive(log: Log): void {
  process.on("uncaughtException", (error) => log.error("process.uncaught", { error: errorText(error) }));
  process.on("unhandledRejection", (error) => log.error("process.unhandled", { error: errorText(error) }));
}

/**
 * What the log is written to may be full, or closed: then its lines are lost, and no call. An error that nobody
 * listens for would be an uncaught one, which is logged, and so on without end.
 */
function surviveFullLog(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}

async function main(): Promise<void> {
  const config = await loadConfig({ env: process.env });
  // Bundled before there are calls that it could hold up.
  await makeConsole();
  const running = await start(config);
  survive(running.log);
  stopOnSignals(running);
  const { engine, sandbox } = running;
  const lines = [
    "Tandem is running.",
    ...describeConfig(config).map((line) => `  ${line}`),
    `  voice webhook  ${engine.origin}/twilio/voice`,
    `  app webhook    ${engine.origin}/twilio/ai-leg`,
    `  console        ${consoleUrl(engine.port)}`,
  ];
  if (sandbox) {
    lines.push(
      `  phones         ${sandbox.phonesUrl}`,
      "Open the phones in a browser and press Call, or place a call from another terminal: bun run call",
    );
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}

try {
  surviveFullLog();
  const command = commandOf(process.argv.slice(2));
  if (command) process.exitCode = await command();
  else await main();
} catch (error) {
  const known = error instanceof ConfigError || error instanceof StoreError;
  process.stderr.write(`${known ? error.message : errorText(error)}\n`);
  process.exit(known ? 2 : 1);
}
