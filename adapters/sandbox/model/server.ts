/**
 * A local speech model that speaks the OpenAI Realtime GA protocol over a WebSocket on loopback.
 *
 * There is no speech recognition that can be had offline: it understands the speech the sandbox itself puts on a
 * line (see `recogniser.ts`). Real recordings and live microphones are heard as speech, take turns and can
 * interrupt, but have an empty transcript.
 */
import { isFromHere } from "../loopback.ts";
import { ZodError } from "zod";
import { ConfigError, errorText } from "../../../engine/errors.ts";
import {
  type Network,
  type Server,
  type ServerWebSocket,
  systemNetwork,
} from "../../../engine/platform/network.ts";
import type { Clock, Ids, Log } from "../../../engine/ports.ts";
import type { Hearing, Speech } from "../types.ts";
import { FaultBox, type FaultsPatch } from "./faults.ts";
import type { Persona } from "./persona.ts";
import { afterHours, PERSONAS } from "./personas.ts";
import { betaShapeDisabled, missingModel } from "./protocol-errors.ts";
import { Session } from "./session.ts";
import { TextEndpoint } from "./text/endpoint.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import type { ProtocolError } from "./wire.ts";

const DEFAULT_MAX_SESSIONS = 512;
const DEFAULT_SESSION_MS = 3_600_000;
/** An append of 15 MiB in base64, with room for its JSON. */
const MAX_MESSAGE_BYTES = 22 * 1024 * 1024;
/** A long transcript. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
/** A reader this far behind is cut off. */
const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;
const MODELS = "/v1/models/";
/** Names a key in the subprotocols, where a browser has no headers. */
const KEY_PROTOCOL = "openai-insecure-api-key.";

/** The exact bytes of a session, in order: `in` from the client, `out` to it. */
export interface TapFrame {
  readonly sessionId: string;
  readonly direction: "in" | "out";
  readonly data: string | Uint8Array;
}

export interface ModelOptions {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly speech: Speech;
  readonly hearing: Hearing;
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** When given, clients must bring it as Bearer token. */
  readonly apiKey?: string;
  readonly persona?: Persona | string;
  readonly sessionMaxMs?: number;
  /** Upgrades beyond this get 429; 512 by default. */
  readonly maxSessions?: number;
  readonly faults?: FaultsPatch;
  readonly tap?: (frame: TapFrame) => void;
  /** Default: the machine's own. */
  readonly network?: Network;
}

export interface Model {
  /** For `OPENAI_BASE_URL`: `http://127.0.0.1:PORT/v1`. */
  readonly url: string;
  readonly faults: FaultBox;
  /** The open sessions, oldest first. */
  sessions(): SessionSnapshot[];
  /** Totals since start. */
  counters(): Readonly<Record<string, number>>;
  /** Closes every session with 1001 and the port. */
  stop(): Promise<void>;
}

interface SocketData {
  readonly model: string;
  /** Why the socket is closed with 4000 as soon as it is open; `null` for a session. */
  readonly refusal: ProtocolError | null;
  session: Session | null;
}

type Socket = ServerWebSocket<SocketData>;

/** Starts the model on loopback. Rejects with `ConfigError` when an option is wrong. */
export async function startModel(options: ModelOptions): Promise<Model> {
  const persona = pickPersona(options.persona);
  const faults = new FaultBox();
  faults.set(options.faults ?? {});
  const host = new ModelServer(options, persona, faults);
  const { network = systemNetwork } = options;
  const server = network.serve<SocketData>({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    maxRequestBodySize: MAX_REQUEST_BYTES,
    fetch: (request, bun) => host.fetch(request, bun),
    error: (error) => {
      options.log.error("sandbox.model.request_failed", { error: errorText(error) });
      return refusal(500, "server_error", "The server had an error.");
    },
    websocket: {
      perMessageDeflate: false,
      maxPayloadLength: MAX_MESSAGE_BYTES,
      backpressureLimit: MAX_BACKLOG_BYTES,
      closeOnBackpressureLimit: true,
      idleTimeout: 120,
      sendPings: true,
      open: (ws) => host.open(ws),
      message: (ws, message) => host.message(ws, message),
      close: (ws) => host.close(ws),
    },
  });
  options.log.info("sandbox.model.started", { port: server.port, persona: persona.name });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    faults,
    sessions: () => host.snapshots(),
    counters: () => ({ ...host.counts, ...host.text.counts, sessions: host.sessions.size }),
    stop: async () => {
      host.stop();
      await server.stop(true);
    },
  };
}

class ModelServer {
  readonly sessions = new Set<Session>();
  readonly counts = {
    opened: 0,
    closed: 0,
    unauthorized: 0,
    refused: 0,
    full: 0,
    tapFailures: 0,
    failures: 0,
  };
  readonly text: TextEndpoint;
  readonly #options: ModelOptions;
  readonly #persona: Persona;
  readonly #faults: FaultBox;

  constructor(options: ModelOptions, persona: Persona, faults: FaultBox) {
    this.#options = options;
    this.#persona = persona;
    this.#faults = faults;
    this.text = new TextEndpoint({ ...options, takeFault: () => faults.take("textResponse") });
  }

  snapshots(): SessionSnapshot[] {
    return [...this.sessions].map((session) => session.snapshot());
  }

  stop(): void {
    for (const session of this.sessions) session.end(1001, "server is stopping");
    this.sessions.clear();
  }

  async fetch(request: Request, server: Server<SocketData>): Promise<Response | undefined> {
    if (!isFromHere(request, server.requestIP(request)?.address ?? null)) {
      return refusal(403, "forbidden", "The sandbox is for this machine alone: use http://127.0.0.1.");
    }
    const url = new URL(request.url);
    if (request.method === "GET" && url.pathname.startsWith(MODELS)) {
      return this.#authorized(request, []) ? modelAnswer(url.pathname) : this.#unauthorized();
    }
    switch (url.pathname) {
      case "/v1/realtime":
        return this.#upgrade(request, url, server);
      case "/v1/responses":
        return this.#authorized(request, []) ? await this.text.answer(request) : this.#unauthorized();
      case "/sandbox/faults":
        return this.#faultsRequest(request);
      case "/sandbox/sessions":
        return Response.json(this.snapshots());
      default:
        return refusal(404, "not_found", `Invalid URL (${request.method} ${url.pathname})`);
    }
  }

  #upgrade(request: Request, url: URL, server: Server<SocketData>): Response | undefined {
    const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((p) => p.trim());
    if (!this.#authorized(request, offered)) {
      return this.#unauthorized();
    }
    const fault = this.#faults.take("refuseUpgrade");
    if (fault) {
      this.counts.refused++;
      return refusal(fault.status, "sandbox_fault", "The sandbox was told to refuse this.");
    }
    const maxSessions = this.#options.maxSessions ?? DEFAULT_MAX_SESSIONS;
    if (this.sessions.size >= maxSessions) {
      this.counts.full++;
      return refusal(429, "rate_limit_exceeded", `At most ${maxSessions} sessions can be open.`);
    }
    if (url.searchParams.has("intent") || url.searchParams.has("call_id")) {
      return refusal(400, "unsupported", "The sandbox has speech sessions by ?model= only.");
    }
    const model = url.searchParams.get("model") ?? "";
    const beta = (request.headers.get("openai-beta") ?? "").includes("realtime=v1");
    const wrong = beta || offered.includes("openai-beta.realtime-v1") ? betaShapeDisabled : null;
    const data: SocketData = { model, refusal: wrong ?? (model === "" ? missingModel : null), session: null };
    const headers = offered.includes("realtime") ? { "Sec-WebSocket-Protocol": "realtime" } : {};
    if (server.upgrade(request, { data, headers })) return undefined;
    return refusal(426, "upgrade_required", "Connect to this path with a WebSocket.");
  }

  #unauthorized(): Response {
    this.counts.unauthorized++;
    return refusal(401, "invalid_api_key", "Incorrect API key provided.");
  }

  #authorized(request: Request, offered: readonly string[]): boolean {
    const { apiKey } = this.#options;
    if (apiKey === undefined) return true;
    if (offered.includes(KEY_PROTOCOL + apiKey)) return true;
    return request.headers.get("authorization") === `Bearer ${apiKey}`;
  }

  /** `application/json` only: a page in a browser cannot send that across origins without being asked for. */
  async #faultsRequest(request: Request): Promise<Response> {
    if (request.method === "DELETE") this.#faults.clear();
    else if (request.method === "POST") {
      if (!(request.headers.get("content-type") ?? "").startsWith("application/json")) {
        return refusal(415, "unsupported_media_type", "Send the faults as application/json.");
      }
      try {
        this.#faults.set((await request.json()) as FaultsPatch);
      } catch (error) {
        const issue = error instanceof ZodError ? error.issues[0] : undefined;
        const where = issue ? `${issue.path.join(".") || "faults"}: ` : "";
        return refusal(400, "invalid_value", where + (issue?.message ?? errorText(error)));
      }
    } else if (request.method !== "GET")
      return refusal(405, "method_not_allowed", "Use GET, POST or DELETE.");
    return Response.json(this.#faults.current);
  }

  open(ws: Socket): void {
    this.#guarded(() => {
      const { data } = ws;
      if (data.refusal) {
        const { ids } = this.#options;
        const error = { ...data.refusal, event_id: null };
        ws.send(JSON.stringify({ type: "error", event_id: ids.sid("event_"), error }));
        ws.close(4000, data.refusal.code ?? "");
        return;
      }
      const session = this.#session(ws);
      data.session = session;
      this.sessions.add(session);
      this.counts.opened++;
      session.open();
    });
  }

  message(ws: Socket, message: string | Uint8Array): void {
    this.#guarded(() => {
      const { session } = ws.data;
      if (!session) return;
      this.#tap(session.id, "in", message);
      session.receive(message);
    });
  }

  close(ws: Socket): void {
    this.#guarded(() => {
      const { session } = ws.data;
      if (!session) return;
      session.close();
      this.sessions.delete(session);
      this.counts.closed++;
    });
  }

  #session(ws: Socket): Session {
    const { clock, ids, log, speech, hearing, sessionMaxMs } = this.#options;
    const session: Session = new Session({
      clock,
      ids,
      log,
      speech,
      hearing,
      faults: this.#faults,
      model: ws.data.model,
      persona: this.#persona,
      maxMs: sessionMaxMs ?? DEFAULT_SESSION_MS,
      write: (text) => {
        this.#tap(session.id, "out", text);
        return ws.send(text) !== 0;
      },
      hangUp: (code, reason) => {
        if (code === null) ws.terminate();
        else ws.close(code, reason);
      },
    });
    return session;
  }

  #tap(sessionId: string, direction: "in" | "out", data: string | Uint8Array): void {
    try {
      this.#options.tap?.({ sessionId, direction, data });
    } catch (error) {
      this.counts.tapFailures++;
      this.#options.log.warn("sandbox.model.tap_failed", { error: errorText(error) });
    }
  }

  /** A throw in a socket handler would end the process. */
  #guarded(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.counts.failures++;
      this.#options.log.error("sandbox.model.socket_failed", { error: errorText(error) });
    }
  }
}

function pickPersona(wanted: Persona | string | undefined): Persona {
  if (wanted === undefined) return afterHours;
  if (typeof wanted !== "string") return wanted;
  const persona = PERSONAS.get(wanted);
  if (persona) return persona;
  const fix = `use one of ${[...PERSONAS.keys()].join(", ")}`;
  throw new ConfigError([{ name: "persona", problem: `there is no persona '${wanted}'`, fix }]);
}

/** It takes any name, and so knows any. */
function modelAnswer(pathname: string): Response {
  const id = decodeURIComponent(pathname.slice(MODELS.length));
  return Response.json({ id, object: "model", created: 0, owned_by: "sandbox" });
}

function refusal(status: number, code: string, message: string): Response {
  const type = status >= 500 ? "server_error" : "invalid_request_error";
  return Response.json({ error: { message, type, param: null, code } }, { status });
}
