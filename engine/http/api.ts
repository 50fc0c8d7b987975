/** `/api`: rows, logs and commands, for the console and for programs. */
import { z } from "zod";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import { LIVE_STATES, URGENCIES } from "../../machines/events.ts";
import { isCallSid } from "../audit/args.ts";
import type { FollowUps } from "../call/follow-ups.ts";
import { present } from "../call/row.ts";
import type { Supervisor } from "../call/supervisor.ts";
import { E164 } from "../config/deployment.ts";
import { errorText } from "../errors.ts";
import { postCallKey } from "../platform/call-key.ts";
import { CONTENT_TYPES, exportOf } from "./export.ts";
import { mayCommand, type Who } from "../console/who.ts";
import { NOTHING_NEXT, nextSteps } from "../console/next.ts";
import type { Verifier } from "../console/verifier.ts";
import type { Viewed, Views } from "../console/views.ts";
import { redact } from "../platform/redact.ts";
import type { CallRow, Log, Recordings, Store } from "../ports.ts";
import { issuesOf, json, notAllowed, problem } from "./json-answers.ts";
import type { MachinesApi } from "./machines-api.ts";
import { recordingAnswer } from "./recording-answer.ts";
import { streamOf } from "./stream-of.ts";

export { json, problem };

export interface ApiOptions {
  readonly supervisor: Supervisor;
  readonly followUps: Pick<FollowUps, "get">;
  readonly store: Store;
  readonly recordings: Recordings;
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

const Command = z.discriminatedUnion("command", [
  z.strictObject({
    command: z.literal("escalate"),
    to: z
      .string()
      .regex(E164, "must be a phone number in E.164 form, like +15550100")
      .nullable()
      .default(null),
    reason: z.string().trim().min(1).max(1000).nullable().default(null),
    urgency: z.enum(URGENCIES).default("normal"),
  }),
  z.strictObject({ command: z.literal("coach") }),
  z.strictObject({ command: z.literal("remove") }),
  z.strictObject({ command: z.literal("restore") }),
  z.strictObject({ command: z.literal("hold") }),
  z.strictObject({ command: z.literal("resume") }),
  z.strictObject({ command: z.literal("hangup") }),
]);

/** What each command needs, for whoever gave it at the wrong time. */
const NEEDS: Readonly<Record<z.output<typeof Command>["command"], string>> = {
  escalate: "it needs a call with the AI in which nobody is sought yet",
  coach: "it needs a person in the room whom the AI does not coach",
  remove: "it needs a person in the room, and the AI with them",
  restore: "it needs a caller whom the AI does not have to itself",
  hold: "it needs a person in the room with the AI, and a caller who is not on hold",
  resume: "it needs a caller who is on hold",
  hangup: "it ends already",
};

export class Api {
  readonly #options: ApiOptions;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** `null` when the path is none of ours. */
  async handle(request: Request, url: URL, who: Who): Promise<Response | null> {
    const parts = url.pathname.split("/").slice(2);
    try {
      if (parts[0] === "session" && parts.length === 1) return json({ ...who, ...this.#options.about });
      if (parts[0] === "sandbox" && parts.length === 1 && this.#options.sandbox)
        return mayCommand(who) ? json(this.#options.sandbox) : onlyOperators();
      if (parts[0] === "machines") return await this.#options.machines.handle(request, url);
      if (parts[0] === "export" && parts.length === 1)
        return request.method === "GET" ? this.#export(url, who) : notAllowed("GET");
      if (parts[0] !== "calls") return null;
      if (parts.length === 1)
        return request.method === "GET" ? await this.#list(url, who) : notAllowed("GET");
      return await this.#call(request, parts.slice(1), who);
    } catch (error) {
      this.#options.log.error("api.failed", { path: url.pathname, error: errorText(error) });
      return problem(503, "the store did not answer; try again");
    }
  }

  async #call(request: Request, parts: readonly string[], who: Who): Promise<Response | null> {
    const [callSid = "", action] = parts;
    const sid = CallSid.safeParse(callSid);
    if (!sid.success) return problem(400, `callSid: ${sid.error.issues[0]?.message ?? "is not a call sid"}`);
    if (action === "commands")
      return request.method === "POST" ? await this.#command(request, callSid, who) : notAllowed("POST");
    const look = this.#looks(request, callSid, who).get(parts.slice(1).join("/"));
    if (!look) return null;
    return request.method === "GET" ? await look() : notAllowed("GET");
  }

  /** What may be looked at of a call, by the rest of its path. */
  #looks(
    request: Request,
    callSid: string,
    who: Who,
  ): ReadonlyMap<string, () => Promise<Response> | Response> {
    const noted = (what: Viewed, look: () => Promise<Response>) => () => {
      this.#options.views.note(who, what, callSid);
      return look();
    };
    const track = noted("recording", () => this.#coachTrack(request, callSid));
    return new Map<string, () => Promise<Response> | Response>([
      ["", noted("row", () => this.#row(callSid, who))],
      ["events", noted("log", () => this.#events(callSid))],
      ["postcall/events", noted("log", () => this.#events(callSid, postCallKey(callSid)))],
      ["next", () => this.#next(callSid)],
      ["verify", noted("verify", () => this.#verify(callSid))],
      ["recordings/coach.wav", mayCommand(who) ? track : onlyOperators],
    ]);
  }

  async #list(url: URL, who: Who): Promise<Response> {
    const query = Query.safeParse(Object.fromEntries(url.searchParams));
    if (!query.success) return problem(400, issuesOf(query.error));
    const { state, limit, before } = query.data;
    this.#options.views.note(who, "list");
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

  #export(url: URL, who: Who): Response {
    if (!mayCommand(who)) return onlyOperators();
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

  async #coachTrack(request: Request, callSid: string): Promise<Response> {
    const file = await this.#options.recordings.read(callSid, "coach");
    if (!file) return problem(404, "there is no such recording");
    return await recordingAnswer(file, `${callSid}-coach.wav`, request.headers.get("range"));
  }

  async #command(request: Request, callSid: string, who: Who): Promise<Response> {
    if (!mayCommand(who)) return onlyOperators();
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
    if (!session) return problem(404, "there is no such live call");
    const { command: name, ...fields } = command.data;
    const event = { type: `op.${name}`, ...fields } as UnstampedCallEvent;
    if (!session.accepts(event)) {
      return problem(409, `${name} is not possible while the call is ${session.state}: ${NEEDS[name]}`);
    }
    const { role: by, via } = who;
    log.info("operator.command", { callSid, command: name, by, via });
    session.noteCommand({ command: name, by, via });
    session.deliver(event);
    return json({ accepted: true, state: session.state }, 202);
  }
}

/** As whoever asks may see it. */
function shown(row: CallRow, who: Who): Readonly<Record<string, unknown>> {
  return present(mayCommand(who) ? row : { ...row, protected: redact(row.protected) });
}

function onlyOperators(): Response {
  return problem(403, "this takes the console token, and not that of a viewer");
}
