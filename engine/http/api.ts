/** `/api`: rows, logs and commands, for the console and for programs. */
import { z } from "zod";
import { LIVE_STATES, type UnstampedCallEvent } from "../../machines/events.ts";
import type { FollowUps } from "../call/follow-ups.ts";
import { present } from "../call/row.ts";
import type { Supervisor } from "../call/supervisor.ts";
import { errorText } from "../errors.ts";
import { isCallSid, postCallKey } from "../platform/call-key.ts";
import { CONTENT_TYPES, exportOf } from "./export.ts";
import { maySeeWords, type Who } from "../console/who.ts";
import { NOTHING_NEXT, nextSteps } from "../console/next.ts";
import type { Verifier } from "../console/verifier.ts";
import type { Viewed, Views } from "../console/views.ts";
import { redact } from "../platform/redact.ts";
import { type CallRow, isRecordingTrack } from "../ports.ts";
import type { Clock, Log, PrivateRecordings, PrivateStore, Recordings, Store } from "../ports.ts";
import { eraseCall } from "../privacy/erasure.ts";
import { Command, NEEDS } from "./commands.ts";
import { issuesOf, json, problem } from "./json-answers.ts";
import type { MachinesApi } from "./machines-api.ts";
import { recordingAnswer } from "./recording-answer.ts";
import { type RouteName, ROUTES, type Taken } from "./routes.ts";
import { streamOf } from "./stream-of.ts";

export interface ApiOptions {
  readonly supervisor: Supervisor;
  readonly followUps: Pick<FollowUps, "get">;
  readonly store: Store;
  readonly recordings: Recordings;
  /** Left out: nothing can be erased. */
  readonly privacy?: { readonly store: PrivateStore; readonly recordings: PrivateRecordings };
  readonly clock: Clock;
  /** Origin of the engine, as rows have it. */
  readonly node?: string;
  readonly machines: Pick<MachinesApi, "handle">;
  readonly log: Log;
  /** Names of the slots that the deployment has added. */
  readonly slots?: readonly string[];
  readonly views: Views;
  readonly verifier: Pick<Verifier, "verified">;
  /** What the console's page shows of the deployment. */
  readonly about: Readonly<Record<string, unknown>>;
  /** Where the sandbox's carrier is, when there is one. */
  readonly sandbox: Readonly<Record<string, unknown>> | null;
}

const MAX_BODY_BYTES = 16 * 1024;

const CallSid = z.string().refine(isCallSid, "must be a call sid: CA and 32 hexadecimal digits");

const Query = z.strictObject({
  state: z.enum([...LIVE_STATES, "ended"]).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  before: CallSid.optional(),
});

const time = z.union([z.iso.date(), z.iso.datetime({ offset: true })], {
  error: "must be a date or a time in ISO 8601, such as 2026-01-31 or 2026-01-31T18:00:00Z",
});
const ExportQuery = z.strictObject({
  format: z.enum(["ndjson", "csv"]).default("ndjson"),
  from: time.optional(),
  to: time.optional(),
});

type HttpRoute = Exclude<RouteName, "feed" | "switchboard">;

interface Asked {
  readonly request: Request;
  readonly url: URL;
  readonly who: Who;
  readonly callSid: string;
  readonly track: string;
}

type Answer = Promise<Response> | Response;

export class Api {
  readonly #options: ApiOptions;
  readonly #answers: Readonly<Record<HttpRoute, (asked: Asked) => Answer>> = {
    session: ({ who }) => json({ ...who, ...this.#options.about }),
    sandbox: () => (this.#options.sandbox ? json(this.#options.sandbox) : problem(404, "this is no sandbox")),
    machines: ({ url }) => this.#options.machines.handle(url),
    machinesOf: ({ url }) => this.#options.machines.handle(url),
    drawing: ({ url }) => this.#options.machines.handle(url),
    list: ({ url, who }) => this.#list(url, who),
    row: ({ callSid, who }) => this.#row(callSid, who),
    log: ({ callSid }) => this.#events(callSid),
    logAfter: ({ callSid }) => this.#events(callSid, postCallKey(callSid)),
    next: ({ callSid }) => this.#next(callSid),
    verify: ({ callSid }) => this.#verify(callSid),
    track: ({ request, callSid, track }) => this.#track(request, callSid, track),
    command: ({ request, callSid, who }) => this.#command(request, callSid, who),
    erase: ({ callSid, who }) => this.#erase(callSid, who),
    export: ({ url }) => this.#export(url),
  };

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** `route`: one that `who` may take. */
  async handle(route: Taken, request: Request, url: URL, who: Who): Promise<Response> {
    const { name, first: callSid, second: track } = route;
    const ofCall = ROUTES[name].path.includes("{callSid}");
    const sid = ofCall ? CallSid.safeParse(callSid) : null;
    if (sid?.error) return problem(400, `callSid: ${sid.error.issues[0]?.message ?? "is not a call sid"}`);
    try {
      const viewed = VIEWED[name];
      if (viewed) this.#options.views.note(who, viewed, ofCall ? callSid : null);
      return await this.#answers[name as HttpRoute]({ request, url, who, callSid, track });
    } catch (error) {
      this.#options.log.error("api.failed", { path: url.pathname, error: errorText(error) });
      return problem(503, "the store did not answer; try again");
    }
  }

  async #list(url: URL, who: Who): Promise<Response> {
    const query = Query.safeParse(Object.fromEntries(url.searchParams));
    if (!query.success) return problem(400, issuesOf(query.error));
    const { state, limit, before } = query.data;
    const rows = await this.#options.store.listCalls({
      limit,
      ...(state === undefined ? {} : { state }),
      ...(before === undefined ? {} : { before }),
    });
    return json(rows.map((row) => shown(this.#options.supervisor.get(row.callSid)?.row() ?? row, who)));
  }

  async #rowOf(callSid: string): Promise<CallRow | null> {
    return this.#options.supervisor.get(callSid)?.row() ?? (await this.#options.store.getCall(callSid));
  }

  async #row(callSid: string, who: Who): Promise<Response> {
    const row = await this.#rowOf(callSid);
    return row ? json(shown(row, who)) : problem(404, "there is no such call");
  }

  #next(callSid: string): Response {
    const { supervisor, followUps } = this.#options;
    const acting = supervisor.get(callSid) ?? followUps.get(callSid);
    if (acting) return json(nextSteps(acting));
    // Whoever watches it to its end asks once too often.
    return supervisor.isOver(callSid) ? json(NOTHING_NEXT) : problem(404, "there is no such live call");
  }

  async #verify(callSid: string): Promise<Response> {
    const row = await this.#rowOf(callSid);
    if (!row) return problem(404, "there is no such call");
    if (row.endedAt === null) return problem(409, "the call goes on: its log has no end yet");
    const { verifier, store } = this.#options;
    const text = await verifier.verified(row, store.events(callSid));
    if (text === null) return problem(429, "another log is being verified; try again");
    return new Response(text, {
      headers: { "content-type": "application/json", "cache-control": "no-store" },
    });
  }

  #export(url: URL): Response {
    const query = ExportQuery.safeParse(Object.fromEntries(url.searchParams));
    if (!query.success) return problem(400, issuesOf(query.error));
    const { format, from, to } = query.data;
    const { store, slots = [] } = this.#options;
    const msOf = (text: string | undefined) => (text === undefined ? null : Date.parse(text));
    const lines = exportOf(store, { format, fromMs: msOf(from), toMs: msOf(to), slots });
    const encoder = new TextEncoder();
    const headers = {
      "content-type": CONTENT_TYPES[format],
      "content-disposition": `attachment; filename="calls.${format}"`,
      "cache-control": "no-store",
    };
    return new Response(
      streamOf(lines, (line) => encoder.encode(line)),
      { headers },
    );
  }

  /** `key`: of its own log, or that of what came after it. */
  async #events(callSid: string, key = callSid): Promise<Response> {
    const { supervisor, store } = this.#options;
    // A log may be kept for longer than the row.
    const known = supervisor.get(callSid) ?? (await store.getCall(callSid)) ?? (await store.lastEvent(key));
    if (!known) return problem(404, "there is no such call");
    const encoder = new TextEncoder();
    const body = streamOf(this.#options.store.events(key), (entry) =>
      encoder.encode(`${JSON.stringify(entry)}\n`),
    );
    return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
  }

  async #track(request: Request, callSid: string, track: string): Promise<Response> {
    if (!isRecordingTrack(track)) return problem(404, "there is nothing here");
    const file = await this.#options.recordings.read(callSid, track);
    if (!file) return problem(404, "there is no such recording");
    return await recordingAnswer(file, `${callSid}-${track}.wav`, request.headers.get("range"));
  }

  async #command(request: Request, callSid: string, who: Who): Promise<Response> {
    const text = await request.text();
    if (text.length > MAX_BODY_BYTES) return problem(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      return problem(400, "the body is not JSON");
    }
    const command = Command.safeParse(body);
    if (!command.success) return problem(400, issuesOf(command.error));
    const { supervisor, followUps, log } = this.#options;
    const session = supervisor.get(callSid) ?? followUps.get(callSid);
    if (!session) return await this.#elsewhere(callSid);
    const { command: name, ...fields } = command.data;
    const event = { type: `op.${name}`, ...fields } as UnstampedCallEvent;
    if (!session.accepts(event)) {
      return problem(409, `${name} is not possible while the call is ${session.state}: ${NEEDS[name]}`);
    }
    const { name: by, role, via } = who;
    log.info("operator.command", { callSid, command: name, by, role, via });
    session.noteCommand({ command: name, by, role, via });
    session.deliver(event);
    return json({ accepted: true, state: session.state }, 202);
  }

  /** Of a call that is not live here. */
  async #elsewhere(callSid: string): Promise<Response> {
    const row = this.#options.supervisor.isOver(callSid) ? null : await this.#options.store.getCall(callSid);
    const node = row?.endedAt === null ? row.node : undefined;
    if (node === undefined || node === this.#options.node) return problem(404, "there is no such live call");
    return problem(
      409,
      `the call is with the engine at ${node}, or was when that died; fix: give the command there`,
    );
  }

  async #erase(callSid: string, { name: by, role, via }: Who): Promise<Response> {
    const { privacy, store, clock, log } = this.#options;
    if (!privacy) return problem(501, "this engine keeps nothing that it could erase");
    const { store: kept, recordings } = privacy;
    const erased = await eraseCall(callSid, { store, privacy: kept, recordings, clock });
    const { outcome } = erased;
    if (outcome === "unknown") return problem(404, "there is no such call");
    if (outcome === "live")
      return problem(409, "the call is not over, or somebody is still sought for its caller");
    log.info("call.erased", { callSid, by, role, via });
    return json(erased);
  }
}

/** What is noted of who looked at what; the sockets note it themselves. */
const VIEWED: Readonly<Partial<Record<RouteName, Viewed>>> = {
  list: "list",
  row: "row",
  log: "log",
  logAfter: "log",
  verify: "verify",
  track: "recording",
  export: "export",
};

/** As whoever asks may see it. */
function shown(row: CallRow, who: Who): Readonly<Record<string, unknown>> {
  return present(maySeeWords(who) ? row : { ...row, protected: redact(row.protected) });
}
