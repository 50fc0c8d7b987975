/**
 * `/ack/{token}`: what a text or a push links to. The token is all the proof there is: it names one page and
 * ends with its day. A GET changes nothing, since previews and scanners fetch every link that they see.
 */
import type { EscalationsView, PageView } from "../call/escalations-view.ts";
import { needsWords, nextStep, type PageWording, UNMET_WORDS } from "../call/page-wording.ts";
import type { Clock, Log } from "../ports.ts";
import { ACK_HEADERS, ackHtml, type AckScreen } from "./ack-html.ts";
import type { AckTokens } from "./ack-tokens.ts";
import { answerPage } from "./answer-page.ts";
import { WrongTokens } from "./wrong-tokens.ts";

export interface AckPagesOptions {
  readonly escalations: EscalationsView;
  readonly tokens: AckTokens;
  readonly wording: PageWording;
  readonly clock: Clock;
  readonly log: Log;
}

/** What came of a request, for programs. */
type AckStatus =
  | "open"
  | "accepted"
  | "declined"
  | "taken"
  | "over"
  | "expired"
  | "unknown"
  | "failed"
  | "too_many"
  | "unclear"
  | "too_large";

interface Answer {
  readonly code: number;
  readonly status: AckStatus;
  readonly screen: AckScreen;
  readonly owner?: string;
}

const PREFIX = "/ack/";
const MAX_BODY_BYTES = 4096;
const MAX_WRONG_TOKENS = 20;
const WRONG_TOKENS_WINDOW_MS = 60_000;

export class AckPages {
  readonly #options: AckPagesOptions;
  readonly #wrong: WrongTokens;
  readonly #counters = { ackUnknown: 0, ackTooMany: 0 };

  constructor(options: AckPagesOptions) {
    this.#options = options;
    const { clock } = options;
    this.#wrong = new WrongTokens({ clock, limit: MAX_WRONG_TOKENS, windowMs: WRONG_TOKENS_WINDOW_MS });
  }

  get counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, ackAddressesForgotten: this.#wrong.forgotten };
  }

  /** `null` when the path is none of ours. `address` is where the request came from. */
  async handle(request: Request, url: URL, address: string | null): Promise<Response | null> {
    if (!url.pathname.startsWith(PREFIX)) return null;
    const { method } = request;
    if (method !== "GET" && method !== "HEAD" && method !== "POST") {
      return new Response(null, { status: 405, headers: { ...ACK_HEADERS, allow: "GET, HEAD, POST" } });
    }
    const token = url.pathname.slice(PREFIX.length);
    const grant = this.#options.tokens.open(token);
    if (!grant) return respond(request, this.#unknown(address, token));
    if (method !== "POST") {
      const page = grant.expired ? null : this.#options.escalations.page(grant.callSid, grant.label);
      return respond(request, grant.expired ? EXPIRED(200) : this.#shown(page));
    }
    const meant = await answerIn(request, url);
    if (meant === "too_large") return respond(request, TOO_LARGE);
    if (meant === "unclear") return respond(request, UNCLEAR);
    if (grant.expired) return respond(request, EXPIRED(410));
    return respond(request, this.#answered(grant.callSid, grant.label, meant === "decline"));
  }

  /** A right token is always served: behind a proxy many people have one address. */
  #unknown(address: string | null, token: string): Answer {
    this.#counters.ackUnknown++;
    if (this.#wrong.lockedForS(address) !== null) {
      this.#counters.ackTooMany++;
      return TOO_MANY;
    }
    if (this.#wrong.note(address, token)) this.#options.log.warn("ack.too_many_wrong_tokens");
    return UNKNOWN;
  }

  #shown(page: PageView | null): Answer {
    if (!page || page.standing === "over") return { ...over(page), code: 200 };
    if (page.standing === "taken") return { ...taken(page), code: 200 };
    if (page.standing === "yours") return this.#accepted(page);
    const reason = this.#options.wording.reason(page);
    const lines = [
      ...(reason === null ? [] : [`Reason: ${reason}`]),
      `You are asked as ${page.contactName} (${page.rungName}).`,
      page.followUp
        ? "The caller has left already. Whoever takes it calls back."
        : "The assistant is with the caller until somebody joins.",
    ];
    const screen = { title: titleOf(page), lines, take: "I take it", decline: "Decline" };
    return { code: 200, status: "open", screen };
  }

  #answered(callSid: string, label: string, decline: boolean): Answer {
    const { escalations, log } = this.#options;
    const answer = decline ? "declined" : "acknowledged";
    const page = answerPage(escalations, { callSid, label, answer });
    log.info("ack.answered", { callSid, label, answer, standing: page?.standing ?? "over" });
    if (!page || page.standing === "over") return over(page);
    if (page.standing === "yours") return this.#accepted(page);
    if (decline) return declined(page);
    return page.standing === "taken" ? taken(page) : FAILED;
  }

  #accepted(page: PageView): Answer {
    const tellsNumber = this.#options.wording.tellsOfCaller(page.channel);
    return plain(200, "accepted", "You have it.", nextStep(page, tellsNumber));
  }
}

function titleOf(page: PageView): string {
  return `${page.agent}: ${needsWords(page)}`;
}

function plain(code: number, status: AckStatus, title: string, line: string): Answer {
  return { code, status, screen: { title, lines: [line], take: null, decline: null } };
}

const OVER = plain(410, "over", "It is over.", "Nobody is needed any more. Thank you.");
const UNMET = plain(410, "over", "The call is over.", UNMET_WORDS);
/** What follows it begins when nothing of it is left at the carrier. */
const ENDING = plain(503, "failed", "The call is ending.", "To call the caller back, try again in a minute.");
/** An engine remembers what is over for a day at most, and not beyond its own end. */
const FORGOTTEN = plain(
  410,
  "over",
  "It is over.",
  "The call is not known here any more. If you have taken it, see the console.",
);
const EXPIRED = (code: number): Answer =>
  plain(code, "expired", "This link is too old.", "It was good for one day.");
const UNKNOWN = plain(404, "unknown", "There is nothing here.", "This link is not complete, or not ours.");
const TOO_MANY = plain(429, "too_many", "Too many wrong links.", "Wait a minute, then try again.");
const TOO_LARGE = plain(413, "too_large", "Too large.", "An answer has no need for so much.");
const UNCLEAR = plain(
  400,
  "unclear",
  "That was not understood.",
  "Post nothing to take it, or decline=1 to decline.",
);
const FAILED = plain(503, "failed", "That did not work.", "Go back and try once more.");

function over(page: PageView | null): Answer {
  if (page === null) return FORGOTTEN;
  if (!page.unmet) return OVER;
  return page.followUp ? UNMET : ENDING;
}

function taken(page: PageView): Answer {
  const owner = page.ownerName ?? "Somebody else";
  return { ...plain(409, "taken", `${owner} has it.`, "You need not do anything. Thank you."), owner };
}

function declined(page: PageView): Answer {
  const line =
    page.standing === "taken" ? `${page.ownerName ?? "Somebody else"} has it.` : "Others are asked.";
  return plain(200, "declined", "Thank you.", line);
}

const DECLINES: ReadonlySet<string> = new Set(["1", "true", "yes"]);
const TAKES: ReadonlySet<string> = new Set(["0", "false", "no"]);

/** What a POST wants. Programs say it in other forms than a browser: none of them may take what it declines. */
async function answerIn(request: Request, url: URL): Promise<"take" | "decline" | "unclear" | "too_large"> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) return "too_large";
  const body = await request.text();
  if (body.length > MAX_BODY_BYTES) return "too_large";
  try {
    const said = (await declineIn(body, request.headers)) ?? url.searchParams.get("decline");
    if (said === null) return "take";
    const word = typeof said === "string" ? said.toLowerCase() : JSON.stringify(said);
    if (DECLINES.has(word)) return "decline";
    return TAKES.has(word) ? "take" : "unclear";
  } catch {
    return "unclear";
  }
}

/** The field `decline`, whatever is in it. Rejects when the body cannot be read. JSON often comes as plain text. */
async function declineIn(body: string, headers: Headers): Promise<unknown> {
  const type = headers.get("content-type") ?? "";
  if (body.trimStart().startsWith("{")) return (JSON.parse(body) as { readonly decline?: unknown }).decline;
  if (type.startsWith("multipart/form-data")) {
    const form = await new Response(body, { headers: { "content-type": type } }).formData();
    return form.get("decline");
  }
  return new URLSearchParams(body).get("decline");
}

function respond(request: Request, answer: Answer): Response {
  const accept = request.headers.get("accept") ?? "";
  const wantsJson = accept.includes("application/json") && !accept.includes("text/html");
  const { title, lines } = answer.screen;
  const text = wantsJson
    ? JSON.stringify({
        status: answer.status,
        message: [title, ...lines].join(" "),
        ...(answer.owner === undefined ? {} : { owner: answer.owner }),
      })
    : ackHtml(answer.screen);
  const type = wantsJson ? "application/json" : "text/html; charset=utf-8";
  const body = request.method === "HEAD" ? null : text;
  return new Response(body, { status: answer.code, headers: { ...ACK_HEADERS, "content-type": type } });
}
