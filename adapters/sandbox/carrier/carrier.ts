/**
 * A Twilio in a box, on loopback: the REST API, TwiML, signed webhooks, conferences with real mixing, media
 * streams, SMS, and phones.
 */
import { errorText } from "../../../engine/errors.ts";
import { type Server, systemNetwork } from "../../../engine/platform/network.ts";
import { Alerts } from "./alerts.ts";
import { Callbacks } from "./callbacks.ts";
import { Calls } from "./call/registry.ts";
import { Dialer } from "./call/dialer.ts";
import { acceptInbound } from "./call/inbound.ts";
import { Conferences } from "./conference/registry.ts";
import { handleControl } from "./control.ts";
import { Faults } from "./faults.ts";
import { Messages } from "./messages.ts";
import { Phones } from "./media/phones.ts";
import { Pushes } from "./pushes.ts";
import { TaintBook } from "./media/taint.ts";
import { SpreadTicker } from "./media/ticker.ts";
import type { RestContext } from "./rest/context.ts";
import { REST_PREFIX, RestApi } from "./rest/router.ts";
import { Streams } from "./session/streams.ts";
import { carrierState, type CarrierState } from "./state.ts";
import { Tally } from "./tally.ts";
import { Timers } from "./timers.ts";
import type { CarrierOptions, Core, Routing } from "./types.ts";
import { Webhooks } from "./webhooks.ts";
import { FRAME_MS } from "../types.ts";
import { isFromHere } from "../loopback.ts";
import { PhonePages, type PhonesSetting } from "../web/phone-pages.ts";

export type { CarrierOptions, Routing, ServiceNumber } from "./types.ts";
export type { CarrierState } from "./state.ts";

export interface CarrierServer {
  /** `http://127.0.0.1:{port}`, without a slash at the end. */
  readonly url: string;
  readonly faults: Faults;
  /** Sets webhook addresses; what is left out stays as it is. */
  configure(routing: Routing): void;
  /** Tells the browser phones at `/phones` whom they can be. */
  setPhones(setting: PhonesSetting): void;
  state(): CarrierState;
  /** The phones, for scripted ones and inboxes. */
  readonly phones: Phones;
  /** What came at `/sandbox/push/{name}`. */
  readonly pushes: Pushes;
  /** What each phone has heard of traced streams; `null` without `taintOf`. */
  readonly taints: TaintBook | null;
  /** Ends every call, closes every socket and leaves no timer. Callbacks that would be due are not sent. */
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 256 * 1024;

/** Starts a carrier on 127.0.0.1. Rejects when the port is taken. */
export async function startCarrier(options: CarrierOptions): Promise<CarrierServer> {
  const phones = new Phones({
    clock: options.clock,
    log: options.log,
    hearing: options.hearing,
    speech: options.speech,
  });
  const ticker = new SpreadTicker({
    clock: options.clock,
    periodMs: FRAME_MS,
    phases: options.tickPhases ?? 1,
    onError: (error) => options.log.error("carrier.tick.crashed", { error: errorText(error) }),
  });
  const core = createCore(options, phones, ticker);
  const context = createContext(core);
  const api = new RestApi(context);
  phones.onDial = (line, to) => acceptInbound(context, context.calls, line, to);
  const state = (): CarrierState =>
    carrierState(context, { ticking: ticker.size, phones: phones.counters() });
  const configure = (routing: Routing): void => {
    if (routing.numbers) core.routing.numbers = routing.numbers;
    if (routing.appVoiceUrl !== undefined) core.routing.appVoiceUrl = routing.appVoiceUrl;
  };
  const pushes = new Pushes(core);
  const smsNumber = (): string | null => core.routing.numbers[0]?.number ?? null;
  const pages = new PhonePages({ ...options, number: smsNumber });
  const control = { faults: core.faults, phones, pushes, smsNumber, state, configure };
  const server = core.network.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    // A held request (a fault) must outlive the default of ten seconds; 255 s is the most that Bun allows.
    idleTimeout: 255,
    maxRequestBodySize: MAX_BODY_BYTES,
    websocket: phones.websocket,
    fetch: async (request, self) => {
      if (!isFromHere(request, self.requestIP(request)?.address ?? null)) {
        return Response.json({ error: "the sandbox is for this machine alone" }, { status: 403 });
      }
      const path = new URL(request.url).pathname;
      if (path === "/sandbox/phone") return phones.upgrade(request, self);
      const answer =
        (await pages.handle(request, path, `http://127.0.0.1:${self.port}`)) ??
        (path.startsWith("/sandbox/")
          ? await handleControl(control, request, path)
          : await serveRest(api, request, path));
      // Bun closes the connection when asked to, but does not say so, and pooled clients then fail.
      if (request.headers.get("connection")?.toLowerCase() === "close") {
        answer.headers.set("connection", "close");
      }
      return answer;
    },
    error: (error) => {
      options.log.error("carrier.http.crashed", { error: errorText(error) });
      return Response.json({ error: "internal error" }, { status: 500 });
    },
  });
  options.log.info("carrier.started", { port: server.port });
  let stopped: Promise<void> | null = null;
  return {
    url: `http://127.0.0.1:${server.port}`,
    faults: core.faults,
    phones,
    pushes,
    taints: core.taints,
    configure,
    setPhones: (setting) => pages.set(setting),
    state,
    stop: () => (stopped ??= stopAll(context, phones, ticker, server)),
  };
}

function createCore(options: CarrierOptions, phones: Phones, ticker: SpreadTicker): Core {
  const { clock, ids, log, network = systemNetwork } = options;
  const tally = new Tally();
  const timers = new Timers(clock, (error) =>
    log.error("carrier.timer.crashed", { error: errorText(error) }),
  );
  const alerts = new Alerts(clock, log);
  const faults = new Faults(ids);
  const webhooks = new Webhooks({ authToken: options.authToken, network, clock, ids, log, tally });
  return {
    network,
    clock,
    ids,
    log,
    options,
    accountSid: options.accountSid,
    routing: { numbers: options.numbers ?? [], appVoiceUrl: options.appVoiceUrl ?? "" },
    speech: options.speech,
    hearing: options.hearing,
    phones,
    ticker,
    timers,
    alerts,
    tally,
    faults,
    webhooks,
    callbacks: new Callbacks({ webhooks, timers, faults, alerts, tally, ids, log }),
    taints: options.taintOf ? new TaintBook(options.taintOf) : null,
  };
}

function createContext(core: Core): RestContext {
  const calls = new Calls(core);
  const parts = { core, calls, conferences: new Conferences(core), streams: new Streams(core) };
  return { ...parts, dialer: new Dialer(parts, calls), messages: new Messages(core) };
}

async function serveRest(api: RestApi, request: Request, path: string): Promise<Response> {
  if (path.startsWith(REST_PREFIX)) return await api.handle(request);
  return Response.json(
    { code: 20404, message: `The requested resource ${path} was not found`, status: 404 },
    { status: 404 },
  );
}

async function stopAll(
  context: RestContext,
  phones: Phones,
  ticker: SpreadTicker,
  server: Pick<Server<unknown>, "stop">,
): Promise<void> {
  const { core } = context;
  const quiet = Promise.all([core.callbacks.stop(), core.webhooks.stop()]);
  context.dialer.stop();
  for (const call of context.calls.live()) call.end("completed");
  for (const conference of context.conferences.active()) conference.endViaApi();
  phones.stop();
  core.timers.stop();
  ticker.stop();
  await Promise.all([quiet, context.streams.stop()]);
  await server.stop(true);
}
