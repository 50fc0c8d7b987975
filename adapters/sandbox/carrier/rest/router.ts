/** The REST API: authentication, routing, faults, and the form of answers and errors. */
import { errorText } from "../../../../engine/errors.ts";
import { sameText } from "../../../../engine/platform/same-text.ts";
import { parseForm } from "../form.ts";
import { hold } from "../hold.ts";
import { API_VERSION, type Fields } from "../types.ts";
import type { RequestTrouble } from "../faults.ts";
import { fetchAccount, fetchApplication, listNumbers } from "./account.ts";
import { createCall, fetchCall, listCalls, updateCall } from "./calls.ts";
import { fetchConference, listConferences, updateConference } from "./conferences.ts";
import type { Operation, RestAnswer, RestContext } from "./context.ts";
import { invalid, notFound, RestError } from "./errors.ts";
import { createMessage, fetchMessage, listMessages } from "./messages.ts";
import {
  createParticipant,
  fetchParticipant,
  listParticipants,
  removeParticipant,
  updateParticipant,
} from "./participants.ts";

type Method = "GET" | "POST" | "DELETE";

/** `*` stands for one variable part of the path below the account; the empty path is the account itself. */
const ROUTES: readonly (readonly [path: string, operations: Partial<Record<Method, Operation>>])[] = [
  ["", { GET: fetchAccount }],
  ["Applications/*", { GET: fetchApplication }],
  ["IncomingPhoneNumbers", { GET: listNumbers }],
  ["Calls", { GET: listCalls, POST: createCall }],
  ["Calls/*", { GET: fetchCall, POST: updateCall }],
  ["Conferences", { GET: listConferences }],
  ["Conferences/*", { GET: fetchConference, POST: updateConference }],
  ["Conferences/*/Participants", { GET: listParticipants, POST: createParticipant }],
  [
    "Conferences/*/Participants/*",
    { GET: fetchParticipant, POST: updateParticipant, DELETE: removeParticipant },
  ],
  ["Messages", { GET: listMessages, POST: createMessage }],
  ["Messages/*", { GET: fetchMessage }],
];

export const REST_PREFIX = `/${API_VERSION}/`;

export class RestApi {
  readonly #context: RestContext;
  #concurrent = 0;

  constructor(context: RestContext) {
    this.#context = context;
  }

  async handle(request: Request): Promise<Response> {
    const { core } = this.#context;
    const url = new URL(request.url);
    this.#concurrent++;
    core.tally.add("rest.requests");
    const headers = {
      "content-type": "application/json",
      "twilio-request-id": core.ids.sid("RQ"),
      "twilio-concurrent-requests": String(this.#concurrent),
    };
    try {
      const answer = await this.#answer(request, url);
      return answer.body === null
        ? new Response(null, { status: answer.status, headers })
        : Response.json(answer.body, { status: answer.status, headers });
    } catch (error) {
      const refused =
        error instanceof RestError
          ? error
          : new RestError(500, 20500, `An internal server error has occurred: ${errorText(error)}`);
      core.tally.add(`rest.status.${refused.status}`);
      if (refused.status === 500 && !(error instanceof RestError)) {
        core.log.error("carrier.rest.crashed", { error: errorText(error), path: url.pathname });
      }
      return Response.json(refused.body(), {
        status: refused.status,
        headers:
          refused.status === 401 ? { ...headers, "www-authenticate": 'Basic realm="Twilio API"' } : headers,
      });
    } finally {
      this.#concurrent--;
    }
  }

  async #answer(request: Request, url: URL): Promise<RestAnswer> {
    const { core } = this.#context;
    this.#authenticate(request);
    const method = request.method;
    const trouble = core.faults.takeRest(method, url.pathname);
    if (trouble?.phase === "before") await this.#fail(request, trouble);
    const { operation, ids } = this.#route(method, url);
    const fields = method === "POST" ? await readForm(request) : parseForm(url.search.slice(1));
    const answer = operation(this.#context, { path: url.pathname, ids, fields });
    if (trouble?.phase === "after") await this.#fail(request, trouble);
    return answer;
  }

  /** Account sid and auth token, or an API key and its secret. */
  #authenticate(request: Request): void {
    const { options } = this.#context.core;
    const [scheme = "", encoded = ""] = (request.headers.get("authorization") ?? "").split(" ", 2);
    const given = scheme.toLowerCase() === "basic" ? Buffer.from(encoded, "base64").toString("utf8") : "";
    const allowed = [`${options.accountSid}:${options.authToken}`];
    if (options.apiKey && options.apiSecret) allowed.push(`${options.apiKey}:${options.apiSecret}`);
    if (!allowed.some((pair) => sameText(pair, given))) throw new RestError(401, 20003, "Authenticate");
  }

  #route(method: string, url: URL): { operation: Operation; ids: readonly string[] } {
    const prefix = `${REST_PREFIX}Accounts/${this.#context.core.accountSid}`;
    const rest = url.pathname.slice(prefix.length);
    if (!url.pathname.startsWith(prefix) || !/^(\/.*)?\.json$/.test(rest)) throw notFound(url.pathname);
    const parts = rest.slice(1, -".json".length).split("/");
    for (const [path, operations] of ROUTES) {
      const pattern = path.split("/");
      if (pattern.length !== parts.length) continue;
      if (!pattern.every((part, i) => part === "*" || part === parts[i])) continue;
      const operation = Object.hasOwn(operations, method) ? operations[method as Method] : undefined;
      if (!operation) throw new RestError(405, 20004, "Method not allowed");
      const ids = parts.filter((_, i) => pattern[i] === "*").map((part) => decode(part, url.pathname));
      return { operation, ids };
    }
    throw notFound(url.pathname);
  }

  async #fail(request: Request, trouble: RequestTrouble): Promise<never> {
    const { core } = this.#context;
    core.tally.add(`rest.fault.${trouble.kind}`);
    if (trouble.kind === "status") {
      throw new RestError(
        trouble.status,
        trouble.code,
        trouble.status === 429 ? "Too Many Requests" : "Service unavailable",
      );
    }
    await hold(core.timers, request.signal, trouble.holdMs);
    throw new RestError(504, 20504, "No answer in time");
  }
}

async function readForm(request: Request): Promise<Fields> {
  const text = await request.text();
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (text !== "" && type !== "application/x-www-form-urlencoded") {
    throw invalid("The body must be application/x-www-form-urlencoded");
  }
  return parseForm(text);
}

function decode(part: string, path: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw notFound(path);
  }
}
