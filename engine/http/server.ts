/** The HTTP and WebSocket front of the engine. */
import type { Server, ServerWebSocket } from "bun";
import { errorText } from "../errors.ts";
import type { GatewaySocket, MediaGateway, MediaSocketData } from "../media/gateway.ts";
import type { Histogram } from "../platform/histogram.ts";
import type { Network } from "../platform/network.ts";
import type { Clock, Log } from "../ports.ts";
import { consoleAsset } from "../console/assets.ts";
import type { ViewerData, Viewers, ViewerSocket } from "../console/viewers.ts";
import type { ConsoleAccess, Refusal, Session } from "./access.ts";
import type { AckPages } from "./ack-pages.ts";
import type { Api } from "./api.ts";
import type { CookieSockets } from "./cookie-sockets.ts";
import type { Feed, FeedSocket, FeedSocketData } from "./feed.ts";
import type { ClientAddresses } from "./client-address.ts";
import { problem } from "./json-answers.ts";
import type { SocketCaps } from "./socket-caps.ts";
import type { PageCalls } from "./page-calls.ts";
import type { PageTexts } from "./page-texts.ts";
import { type Readiness, readinessAnswer } from "./readiness.ts";
import { take } from "./routes.ts";
import type { SignedForm, TwilioGuard } from "./twilio-guard.ts";
import { hangupTwiml, sayTwiml } from "./twiml.ts";
import type { Webhooks } from "./webhooks.ts";

type ConsoleSocketData = (FeedSocketData | ViewerData) & { readonly session?: Session };
export type SocketData = MediaSocketData | ConsoleSocketData;

export interface ServerOptions {
  readonly port: number;
  readonly hostname: string;
  readonly secure: boolean;
  readonly guard: TwilioGuard;
  readonly webhooks: Webhooks;
  readonly pageCalls: PageCalls;
  readonly pageTexts: PageTexts;
  readonly ackPages: AckPages;
  readonly gateway: MediaGateway;
  readonly access: ConsoleAccess;
  readonly clients: Pick<ClientAddresses, "of">;
  readonly api: Api;
  readonly feed: Feed;
  readonly viewers: Viewers;
  readonly socketCaps: SocketCaps;
  readonly cookieSockets: CookieSockets;
  readonly apology: string;
  readonly readiness: () => Readiness;
  readonly metricsText: () => string;
  /** Resolves when what was told so far is on disk, or has had its time. */
  readonly kept: () => Promise<unknown>;
  readonly network: Network;
  readonly clock: Clock;
  /** By the last part of the path: how long its answer took. */
  readonly twiml: Readonly<Record<string, Histogram>>;
  readonly log: Log;
}

const MAX_BODY_BYTES = 64 * 1024;
/** Above the gateway's own limit of 64 KiB, so that it is the gateway that counts and answers. */
const MAX_MESSAGE_BYTES = 128 * 1024;
const SOCKET_IDLE_TIMEOUT_S = 16;
/** Media messages are about 400 bytes and never sent far ahead, so little may pile up. */
const MAX_BACKPRESSURE_BYTES = 512 * 1024;

type Hook = (form: SignedForm) => Response;

/**
 * Somebody waits for these to hear anything at all. All others are answered when what they told is on disk: an
 * engine that dies before that has not answered, and Twilio tells the next one.
 */
const AT_ONCE: ReadonlySet<string> = new Set(["/twilio/voice", "/twilio/ai-leg", "/twilio/after-stream"]);

export function serve(options: ServerOptions): Server<SocketData> {
  const hooks = hookTable(options);
  const server = options.network.serve<SocketData>({
    port: options.port,
    hostname: options.hostname,
    maxRequestBodySize: MAX_BODY_BYTES,
    idleTimeout: 30,
    fetch: (request, bunServer) => route(options, hooks, request, bunServer),
    error: (error) => {
      options.log.error("http.failed", { error: errorText(error) });
      return new Response("internal error\n", { status: 500 });
    },
    websocket: {
      perMessageDeflate: false,
      maxPayloadLength: MAX_MESSAGE_BYTES,
      backpressureLimit: MAX_BACKPRESSURE_BYTES,
      closeOnBackpressureLimit: true,
      // With pings, which every client answers: a peer that is gone without a word is noticed in this time.
      idleTimeout: SOCKET_IDLE_TIMEOUT_S,
      sendPings: true,
      // A throw in one of these would end the process, and every call with it.
      open: (ws) => contained(options.log, ws, () => onOpen(options, ws)),
      // Hot path: no closure a message, so the gateway keeps what it throws to itself.
      message: (ws, data) => {
        if (isMedia(ws)) options.gateway.message(ws as GatewaySocket, data);
        else if (isViewer(ws)) contained(options.log, ws, () => options.viewers.message(ws, data));
      },
      drain: (ws) => contained(options.log, ws, () => onDrain(options, ws)),
      close: (ws, code, reason) => contained(options.log, ws, () => onClose(options, ws, code, reason)),
    },
  });
  options.feed.connect((topic, text) => server.publish(topic, text));
  return server;
}

function hookTable({ webhooks, pageCalls, pageTexts }: ServerOptions): ReadonlyMap<string, Hook> {
  return new Map<string, Hook>([
    ["/twilio/voice", (form) => webhooks.voice(form)],
    ["/twilio/ai-leg", (form) => webhooks.aiLeg(form)],
    ["/twilio/after-stream", (form) => webhooks.afterStream(form)],
    ["/twilio/conference", (form) => webhooks.conference(form)],
    ["/twilio/leg-status", (form) => webhooks.legStatus(form)],
    ["/twilio/stream-status", (form) => webhooks.streamStatus(form)],
    ["/twilio/after-dial", (form) => webhooks.afterDial(form)],
    ["/twilio/after-fallback", (form) => webhooks.afterFallback(form)],
    ["/twilio/goodbye", (form) => webhooks.goodbye(form)],
    ["/twilio/human", (form) => pageCalls.human(form)],
    ["/twilio/human-key", (form) => pageCalls.humanKey(form)],
    ["/twilio/human-after-dial", (form) => pageCalls.humanAfterDial(form)],
    ["/twilio/human-menu", (form) => pageCalls.humanMenu(form)],
    ["/twilio/sms", (form) => pageTexts.sms(form)],
    ["/twilio/message-status", (form) => pageTexts.messageStatus(form)],
  ]);
}

async function route(
  options: ServerOptions,
  hooks: ReadonlyMap<string, Hook>,
  request: Request,
  server: Server<SocketData>,
): Promise<Response | undefined> {
  if (!URL.canParse(request.url)) return problem(400, "the Host header is not one");
  const url = new URL(request.url);
  const { pathname } = url;
  if (pathname.startsWith("/twilio/")) return await routeTwilio(options, hooks, request, server, pathname);
  if (pathname === "/healthz") return new Response("ok\n");
  if (pathname === "/readyz") return readinessAnswer(options.readiness());
  if (pathname === "/metrics") {
    return new Response(options.metricsText(), { headers: { "content-type": "text/plain; version=0.0.4" } });
  }
  if (pathname === "/") return Response.redirect("/console", 302);
  if (pathname === "/console" || pathname.startsWith("/console/") || pathname.startsWith("/api/")) {
    return await routeOperator(options, request, url, server);
  }
  const acknowledged = await options.ackPages.handle(request, url, addressOf(options, request, server));
  if (request.method === "POST") await options.kept();
  return acknowledged ?? problem(404, "there is nothing here");
}

async function routeTwilio(
  options: ServerOptions,
  hooks: ReadonlyMap<string, Hook>,
  request: Request,
  server: Server<SocketData>,
  pathname: string,
): Promise<Response | undefined> {
  if (pathname === "/twilio/media" || pathname === "/twilio/media/") {
    if (!options.guard.allowsUpgrade(request))
      return new Response("X-Twilio-Signature does not match\n", { status: 403 });
    const data = options.gateway.newSocketData(addressOf(options, request, server));
    if (server.upgrade(request, { data })) return undefined;
    return notASocket();
  }
  const hook = hooks.get(pathname);
  if (!hook) return problem(404, "there is no such webhook");
  if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
  const startMs = options.clock.monotonicMs();
  const opened = await options.guard.open(request);
  if (opened instanceof Response) return opened;
  try {
    const answer = hook(opened);
    options.twiml[pathname.slice("/twilio/".length)]?.record(options.clock.monotonicMs() - startMs);
    // Written at once either way, and not with what comes within the store's window.
    const kept = options.kept();
    if (!AT_ONCE.has(pathname)) await kept;
    return answer;
  } catch (error) {
    // A caller is waiting: never leave them with Twilio's own error message.
    options.log.error("webhook.failed", { path: pathname, error: errorText(error) });
    const xml = pathname === "/twilio/voice" ? sayTwiml(options.apology, "hangup") : hangupTwiml();
    return new Response(xml, { headers: { "content-type": "text/xml; charset=utf-8" } });
  }
}

async function routeOperator(
  options: ServerOptions,
  request: Request,
  url: URL,
  server: Server<SocketData>,
): Promise<Response | undefined> {
  const address = addressOf(options, request, server);
  if (url.pathname === "/console/sign-in" && request.method === "POST")
    return await signIn(options, request, address);
  if (url.pathname === "/console/sign-out" && request.method === "POST") {
    const session = options.access.sessionOf(request);
    if (session) options.cookieSockets.signOut(session);
    const headers = { "set-cookie": options.access.signOut(options.secure) };
    return new Response(null, { status: 204, headers });
  }
  // The page itself holds no data, so that it can be shown to somebody who has yet to sign in.
  const asset = request.method === "GET" ? await consoleAsset(url.pathname) : null;
  if (asset) return asset;
  if (!url.pathname.startsWith("/api/")) return problem(404, "there is nothing here");
  const access = options.access.check(request, address);
  if (!access.ok) return refused(access);
  const { who, session } = access;
  const route = take(request.method, url.pathname, who);
  if (route instanceof Response) return route;
  if (route.name === "feed" || route.name === "switchboard") {
    const data = route.name === "feed" ? ({ kind: "feed", who } as const) : options.viewers.admit(who);
    if (!data) return tooMany();
    return upgraded(options, request, server, { ...data, ...(session && { session }) }, address);
  }
  const answer = await options.api.handle(route, request, url, who);
  if (request.method === "POST") await options.kept();
  return answer;
}

/** A socket of the console or of a program, if there is a place for it. */
function upgraded(
  options: ServerOptions,
  request: Request,
  server: Server<SocketData>,
  data: ConsoleSocketData,
  address: string | null,
): Response | undefined {
  const { socketCaps } = options;
  if (!socketCaps.take(data, address)) return tooMany();
  if (server.upgrade(request, { data })) return undefined;
  socketCaps.release(data);
  return notASocket();
}

function tooMany(): Response {
  return problem(503, "there are as many viewers as may be; try again later");
}

function notASocket(): Response {
  return new Response("this is a WebSocket endpoint\n", { status: 426, headers: { upgrade: "websocket" } });
}

async function signIn(options: ServerOptions, request: Request, address: string | null): Promise<Response> {
  const form = new URLSearchParams(await request.text());
  const signedIn = options.access.signIn(form.get("token") ?? "", options.secure, address);
  if (!signedIn.ok) return refused(signedIn);
  return new Response(null, { status: 204, headers: { "set-cookie": signedIn.cookie } });
}

function refused({ status, problem: text, retryAfterS }: Refusal): Response {
  const answer = problem(status, text);
  if (retryAfterS !== undefined) answer.headers.set("retry-after", String(retryAfterS));
  return answer;
}

function addressOf({ clients }: ServerOptions, request: Request, server: Server<SocketData>): string | null {
  return clients.of(request, server.requestIP(request)?.address ?? null);
}

function contained(log: Log, ws: ServerWebSocket<SocketData>, handler: () => void): void {
  try {
    handler();
  } catch (error) {
    log.error("socket.failed", { kind: ws.data.kind, error: errorText(error) });
    try {
      ws.close(1011, "internal error");
    } catch {
      // Already closed: nothing is left to do for this socket.
    }
  }
}

function isMedia(ws: ServerWebSocket<SocketData>): ws is ServerWebSocket<MediaSocketData> {
  return ws.data.kind === "media";
}

function isViewer(ws: ServerWebSocket<SocketData>): ws is ServerWebSocket<SocketData> & ViewerSocket {
  return ws.data.kind === "viewer";
}

function isFeed(ws: ServerWebSocket<SocketData>): ws is ServerWebSocket<SocketData> & FeedSocket {
  return ws.data.kind === "feed";
}

function onOpen(options: ServerOptions, ws: ServerWebSocket<SocketData>): void {
  if (isMedia(ws)) return options.gateway.open(ws as GatewaySocket);
  options.cookieSockets.open(ws as ServerWebSocket<ConsoleSocketData>);
  if (isViewer(ws)) options.viewers.open(ws);
  else if (isFeed(ws)) options.feed.open(ws);
}

function onDrain(options: ServerOptions, ws: ServerWebSocket<SocketData>): void {
  if (isMedia(ws)) options.gateway.drain(ws as GatewaySocket);
}

function onClose(
  options: ServerOptions,
  ws: ServerWebSocket<SocketData>,
  code: number,
  reason: string,
): void {
  if (isMedia(ws)) return options.gateway.close(ws as GatewaySocket, code, reason);
  options.socketCaps.release(ws.data);
  options.cookieSockets.close(ws as ServerWebSocket<ConsoleSocketData>);
  if (isViewer(ws)) options.viewers.close(ws);
  else if (isFeed(ws)) options.feed.close(ws);
}
