/** Puts the engine together from its ports: everything but the adapters. */
import { CarrierEffects } from "./call/effects.ts";
import { type CallLogic, callLogicOn } from "./call/deadline.ts";
import { LegKeys } from "./call/leg-keys.ts";
import { createLiveIndex } from "./call/live-index.ts";
import { createPaging } from "./call/paging.ts";
import { resumeUnfinished, type Unfinished } from "./call/restore.ts";
import { createGateway } from "./call/streams.ts";
import { Supervisor } from "./call/supervisor.ts";
import { LEG_TAPES_BYTES } from "./call/tracks.ts";
import { createUrls, type Urls } from "./call/urls.ts";
import { createWording } from "./call/wording.ts";
import { Charts } from "./charts/charts.ts";
import type { Deployment } from "./config/deployment.ts";
import type { NamedToken } from "./config/tokens-file.ts";
import { aboutOf } from "./console/about.ts";
import { Switchboard } from "./console/switchboard.ts";
import { Verifier } from "./console/verifier.ts";
import { Viewers } from "./console/viewers.ts";
import { Views } from "./console/views.ts";
import { Journal } from "./effects/journal.ts";
import { ConfigError, errorText } from "./errors.ts";
import { AckPages } from "./http/ack-pages.ts";
import { AckTokens } from "./http/ack-tokens.ts";
import { StrayRequests } from "./http/answers.ts";
import { ConsoleAccess } from "./http/access.ts";
import { Api } from "./http/api.ts";
import { ClientAddresses } from "./http/client-address.ts";
import { CookieSockets } from "./http/cookie-sockets.ts";
import { Feed } from "./http/feed.ts";
import { Forks } from "./http/forks.ts";
import { MachinesApi } from "./http/machines-api.ts";
import { engineMetrics } from "./http/metrics.ts";
import { PageCalls } from "./http/page-calls.ts";
import { PageTexts } from "./http/page-texts.ts";
import { readinessOf, type ReadinessSources } from "./http/readiness.ts";
import { serve } from "./http/server.ts";
import { SocketCaps } from "./http/socket-caps.ts";
import { TwilioGuard } from "./http/twilio-guard.ts";
import { Webhooks } from "./http/webhooks.ts";
import type { MediaGateway } from "./media/gateway.ts";
import { createMeasures, type Measures } from "./measures.ts";
import { TapeBudget } from "./media/tape.ts";
import { PacingWheel } from "./media/wheel.ts";
import { freePort } from "./platform/free-port.ts";
import { Histogram } from "./platform/histogram.ts";
import { LoopLateness } from "./platform/loop-lateness.ts";
import { type Network, systemNetwork } from "./platform/network.ts";
import type { SteadyClock } from "./platform/steady-clock.ts";
import { within } from "./platform/within.ts";
import type { Extractor } from "./extractor-port.ts";
import { PostCalls } from "./postcall/post-calls.ts";
import type { WebhookSender } from "./postcall-port.ts";
import type {
  CallRow,
  Carrier,
  Clock,
  Ids,
  Log,
  PrivateRecordings,
  PrivateStore,
  Recordings,
  SpeechModel,
  Store,
} from "./ports.ts";
import { Retention } from "./privacy/retention.ts";
import type { PushSender } from "./push-port.ts";
import type { SpanExporter } from "./tracing-port.ts";

export interface EngineOptions {
  /** 0 = any free port. */
  readonly port: number;
  readonly hostname: string;
  /** Origin that Twilio reaches; `null`: this server itself, on loopback. */
  readonly publicUrl: string | null;
  readonly account: { readonly authToken: string; readonly number: string; readonly twimlAppSid: string };
  readonly deployment: Deployment;
  readonly consoleToken: string | null;
  /** Of those who may only look; default: none. */
  readonly viewerToken?: string | null;
  /** The speech model's name, by which its prices are found; default: unknown. */
  readonly modelName?: string;
  /** Of people and programs, hashed; default: none. */
  readonly tokens?: readonly NamedToken[];
  /** Whose word counts of where a request comes from; default: nobody's. */
  readonly trustedProxies?: readonly string[];
  /** Who speaks: named in each call's row. */
  readonly provider: string;
  /** What `GET /api/sandbox` tells; `null` outside sandbox mode. */
  readonly sandbox: Readonly<Record<string, unknown>> | null;
  readonly carrier: Carrier;
  readonly model: SpeechModel;
  readonly store: Store;
  readonly pushes: PushSender;
  readonly recordings: Recordings;
  /** Reads the transcripts of calls that are over; nobody when left out. */
  readonly extractor?: Extractor;
  /** Hands their rows on; nobody when left out. */
  readonly rowSender?: WebhookSender;
  /** What lets go of what is kept; left out: nothing is let go. */
  readonly privacy?: { readonly store: PrivateStore; readonly recordings: PrivateRecordings };
  readonly clock: Clock;
  /** When `clock` is one: it is set right while there are no calls. */
  readonly steady?: Pick<SteadyClock, "machineAheadMs" | "tick">;
  readonly ids: Ids;
  readonly log: Log;
  /** Default: the machine's own. */
  readonly network?: Network;
  /** The call machine; default: the one of every call, on `clock`. */
  readonly logic?: CallLogic;
  /** Takes the spans of calls; nobody when left out. */
  readonly tracer?: SpanExporter;
  /** Calls that another engine left, to be gone on with before any request is answered. */
  readonly unfinished?: readonly Unfinished[];
  /** That has read what they had begun; default: an empty one. */
  readonly journal?: Journal;
  /** Whether they answer, for `/readyz`; left out: nobody knows. */
  readonly reach?: NonNullable<ReadinessSources["reach"]>;
  /** Other engines use the database, too: none goes on with what another leaves. */
  readonly shared?: boolean;
  /** Another engine will go on with the calls that are live when this one stops: they are left as they are. */
  readonly handOver?: boolean;
}

export interface Engine {
  readonly port: number;
  readonly origin: string;
  readonly supervisor: Supervisor;
  readonly gateway: MediaGateway;
  /** Calls of {@link EngineOptions.unfinished} that could not be taken up. */
  readonly notRestored: readonly CallRow[];
  /**
   * Takes no new calls; live ones may finish within `limitMs`, then they are handed over, or ended; then
   * everything stops.
   */
  stop(limitMs: number): Promise<void>;
  /** Waits for nothing but the disk. */
  stopNow(): Promise<void>;
}

/** How long the last recordings may take to reach the disk when the engine stops. */
const RECORDINGS_LIMIT_MS = 10_000;
/** How long an answer may wait for the disk: Twilio, and a person with a phone, do not wait for ever. */
const KEPT_LIMIT_MS = 500;
/** How long the disk may take when nobody wants to wait. */
const HURRY_LIMIT_MS = 5000;
/** How long the last spans may take to reach the collector. */
const TRACER_LIMIT_MS = 3000;
/** How long the ending of calls itself may take when the engine stops. */
const ENDING_LIMIT_MS = 40_000;

export function startEngine(options: EngineOptions): Engine {
  // The URLs hold the port, and are needed before the server listens.
  const port = options.port === 0 ? freePort(options.hostname) : options.port;
  const origin = options.publicUrl ?? `http://127.0.0.1:${port}`;
  const { clock } = options;
  const measures = createMeasures(options);
  const wheel = new PacingWheel({ clock, lateness: measures.mediaMetrics.wheelLateness });
  const calls = startCalls(options, createUrls(origin), wheel, measures);
  const { supervisor, gateway } = calls;
  const { log, store, carrier, recordings, deployment } = options;
  if (deployment.recording !== "none" && !recordings.enabled) {
    log.warn("recordings.off", { track: "coach", reason: "TANDEM_ENCRYPTION_KEY is not set" });
  }
  const guard = new TwilioGuard({ authToken: options.account.authToken, origin, log });
  const access = new ConsoleAccess({ ...options, sandbox: options.sandbox !== null, origin });
  const retention = startRetention(options);
  const onSecond = (lateMs: number): void => {
    supervisor.observeLateness(lateMs);
    options.steady?.tick(supervisor.size + calls.followUps.size === 0, log);
  };
  const lateness = new LoopLateness({ clock, onSecond });
  const charts = new Charts({ store, clock, log });
  charts.save();
  const twiml = { voice: new Histogram(), "ai-leg": new Histogram() };
  const socketCaps = new SocketCaps();
  const readiness = () => readinessOf({ ...options, supervisor, lateness });
  const measured = { guard, access, socketCaps, readiness, charts, lateness, ...measures, twiml, retention };
  const server = listen({
    port,
    hostname: options.hostname,
    secure: origin.startsWith("https:"),
    guard,
    ...calls,
    access,
    clients: new ClientAddresses(options.trustedProxies ?? []),
    socketCaps,
    cookieSockets: new CookieSockets(clock),
    api: apiOf(options, calls, charts),
    apology: deployment.agent.apology,
    readiness,
    kept: () => within(clock, store.durable(), KEPT_LIMIT_MS).catch(() => false),
    metricsText: () => engineMetrics({ ...calls, ...options, ...measured }),
    network: options.network ?? systemNetwork,
    clock,
    twiml,
    log,
  });
  const resuming = { ...calls, carrier, log };
  const notRestored = resumeUnfinished(options.unfinished ?? [], resuming).map(({ row }) => row);
  const stopAll = { ...options, ...calls, charts, lateness, wheel, server, retention };
  return {
    port,
    origin,
    supervisor,
    gateway,
    notRestored,
    stop: (limitMs) => stop(stopAll, limitMs),
    stopNow: () => stopNow(stopAll),
  };
}

function apiOf(options: EngineOptions, calls: ReturnType<typeof startCalls>, charts: Charts): Api {
  const { deployment, sandbox } = options;
  return new Api({
    ...options,
    ...calls,
    machines: new MachinesApi(charts),
    slots: deployment.postCall.slots.map(({ name }) => name),
    about: aboutOf(deployment, sandbox),
  });
}

type Stopping = EngineOptions &
  ReturnType<typeof startCalls> & {
    readonly charts: Charts;
    readonly lateness: LoopLateness;
    readonly wheel: PacingWheel;
    readonly retention: Retention | null;
    readonly server: ReturnType<typeof serve>;
  };

async function stop(all: Stopping, limitMs: number): Promise<void> {
  const { supervisor, followUps, clock, carrier, recordings, log } = all;
  const drained = supervisor.drain();
  const over = await within(clock, drained, limitMs);
  if (all.handOver === true) {
    leave(all);
  } else {
    if (!over) await endCalls(supervisor, clock, drained);
    followUps.stop();
  }
  all.pushes.close();
  all.charts.stop();
  all.retention?.stop();
  all.lateness.stop();
  all.viewers.stop();
  all.verifier.stop();
  all.gateway.stop();
  all.wheel.stop();
  await all.server.stop(true);
  await carrier
    .close()
    .catch((error: unknown) => log.error("carrier.close_failed", { error: errorText(error) }));
  // Whatever did not end in time: its row is made from what is known.
  supervisor.abandonAll();
  // Their rows name them once they are on disk.
  await within(clock, recordings.close(), RECORDINGS_LIMIT_MS);
  all.postCalls.stop();
  await closeStore(all.store, log);
  if (all.tracer) await within(clock, all.tracer.close(), TRACER_LIMIT_MS);
}

/** A stop that is under way already loses its race: what it was still waiting for does not matter any more. */
async function stopNow(all: Stopping): Promise<void> {
  // Nobody would go on with what an abandoned call begins.
  if (all.handOver !== true) all.followUps.stop();
  if (all.handOver === true) leave(all);
  else all.supervisor.abandonAll();
  all.charts.stop();
  all.verifier.stop();
  all.postCalls.stop();
  all.retention?.stop();
  all.gateway.stop();
  await within(all.clock, closeStore(all.store, all.log), HURRY_LIMIT_MS);
}

function leave({ supervisor, followUps }: Stopping): void {
  supervisor.handOverAll();
  followUps.handOver();
}

function listen(options: Parameters<typeof serve>[0]): ReturnType<typeof serve> {
  try {
    return serve(options);
  } catch (error) {
    const problem = `cannot listen on ${options.hostname}:${options.port}: ${errorText(error)}`;
    throw new ConfigError([
      { name: "PORT", problem, fix: "stop what uses it, or choose another; 0 picks a free one" },
    ]);
  }
}

function startRetention({ privacy, deployment, clock, log }: EngineOptions): Retention | null {
  if (!privacy) return null;
  const retention = new Retention({ ...privacy, days: deployment.privacy.retention, clock, log });
  retention.start();
  return retention;
}

/** The control and the data plane, joined. */
function startCalls(options: EngineOptions, urls: Urls, wheel: PacingWheel, metrics: Measures) {
  const { clock, log, store, carrier, deployment, account } = options;
  const index = createLiveIndex();
  const views = new Views(clock, log);
  const feed = new Feed(index, views);
  const legKeys = new LegKeys(account.authToken);
  const tokens = new AckTokens({ secret: account.authToken, clock });
  const { journal = new Journal({ store, clock, log }) } = options;
  const { wording, ...paging } = createPaging({
    ...options,
    journal,
    claims: journal.claims,
    tracing: metrics.tracing,
    urls,
    number: account.number,
    ackUrl: (callSid, label) => urls.ack(tokens.issue(callSid, label)),
    feed: (message) => feed.tell(message),
    onEntry: (entry) => viewers.entry(entry),
    call: (callSid) => supervisor.get(callSid),
  });
  const { escalations } = paging;
  const postCalls = createPostCalls(options, journal, feed, metrics);
  const switchboard = new Switchboard({ calls: () => supervisor.all(), escalations });
  const call = (callSid: string) => supervisor.get(callSid);
  const verifier = new Verifier(clock);
  const viewers: Viewers = new Viewers({ switchboard, call, views, clock, log });
  const supervisor: Supervisor = new Supervisor({
    ...options,
    journal,
    legTapes: new TapeBudget(LEG_TAPES_BYTES),
    modelName: options.modelName ?? null,
    node: urls.origin,
    effects: new CarrierEffects({ carrier, clock, urls, legKeys, deployment, ...account }),
    ...paging,
    postCalls,
    logic: options.logic ?? callLogicOn(clock),
    wording: createWording(deployment.agent),
    ...metrics,
    index,
    feed: (message) => feed.tell(message),
    onEntry: (entry) => viewers.entry(entry),
    legKeys,
    usedTokens: (callSid) => gateway.usedTokens(callSid),
    onCallEnded: (callSid) => {
      gateway.forget(callSid);
      webhooks.forget(callSid);
    },
  });
  const gateway = createGateway({
    clock,
    secret: account.authToken,
    log,
    wheel,
    metrics: metrics.mediaMetrics,
    pacing: deployment.media,
    call,
  });
  const strays = new StrayRequests({ isOver: (callSid) => supervisor.isOver(callSid), log });
  const forks = new Forks({ deployment, gateway, urls });
  const common = { escalations, urls, forks, strays };
  const webhooks = new Webhooks({ ...common, supervisor, legKeys, gateway, deployment, log });
  const pageCalls = new PageCalls({ ...common, wording });
  const pageTexts = new PageTexts({ escalations, wording, strays, log });
  const ackPages = new AckPages({ escalations, tokens, wording, clock, log });
  const { origin: node } = urls;
  const hooks = { webhooks, pageCalls, pageTexts, ackPages, views, viewers, verifier };
  return { node, index, feed, journal, supervisor, gateway, strays, postCalls, ...hooks, ...paging };
}

function createPostCalls(
  options: EngineOptions,
  journal: Journal,
  feed: Feed,
  { costMetrics, tracing }: Measures,
): PostCalls {
  return new PostCalls({
    ...options,
    journal,
    costMetrics,
    tracing,
    feed: (message) => feed.tell(message),
    extractor: options.extractor ?? null,
    sender: options.rowSender ?? null,
    followed: options.shared !== true,
  });
}

async function endCalls(supervisor: Supervisor, clock: Clock, drained: Promise<void>): Promise<void> {
  supervisor.endAll();
  await within(clock, drained, ENDING_LIMIT_MS);
}

async function closeStore(store: Store, log: Log): Promise<void> {
  try {
    await store.close();
  } catch (error) {
    log.error("store.close_failed", { error: errorText(error) });
  }
}
