/**
 * Every HTTP request of a world passes through here: the carrier's webhooks and callbacks, the engine's REST
 * requests, pushes. What a path wants early, late, lost or refused is told from the rest by its text.
 */
import type { VirtualNetwork } from "../../sim/network.ts";

/** What becomes of a request. */
export type Fate =
  | "pass"
  /** Never arrives, and is never answered. */
  | "lost"
  /** Arrives; its answer is lost. */
  | "unanswered"
  /** Never arrives, though whoever sent it is told that it did. */
  | "swallowed"
  /** Arrives twice. */
  | "twice"
  /** Does not arrive, and is answered like this. */
  | { readonly refused: number; readonly code?: number; readonly retryAfterS?: number }
  /** Arrives, and is answered as if it had failed. */
  | { readonly failed: number };

/** A request's text holds all of these. */
export type Match = readonly string[];

interface Rule {
  readonly match: Match;
  readonly fate: Fate;
  left: number;
}

/** Requests that wait: for their way, or with their answer. */
export class Hold {
  readonly match: Match;
  readonly #waiting: ((fate: Fate) => void)[] = [];
  #fate: Fate | null = null;

  constructor(match: Match) {
    this.match = match;
  }

  get size(): number {
    return this.#waiting.length;
  }

  wait(): Promise<Fate> {
    if (this.#fate !== null) return Promise.resolve(this.#fate);
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Lets go of the one that has waited longest. */
  next(fate: Fate): void {
    this.#waiting.shift()?.(fate);
  }

  /** Lets go of all that waits, and of what comes. */
  release(fate: Fate = "pass"): void {
    this.#fate = fate;
    for (const go of this.#waiting.splice(0)) go(fate);
  }
}

type Fetch = VirtualNetwork["fetch"];

export class Wires {
  readonly #fetch: Fetch;
  readonly #rules: Rule[] = [];
  readonly #holds: Hold[] = [];
  readonly #answerHolds: Hold[] = [];
  /** Texts of all requests, oldest first. */
  readonly sent: string[] = [];

  constructor(network: VirtualNetwork) {
    this.#fetch = network.fetch.bind(network);
    network.fetch = (url, init) => this.#send(url, init);
  }

  /** So it goes with the next such requests. */
  rule(match: Match, fate: Fate, times = Number.POSITIVE_INFINITY): void {
    this.#rules.push({ match, fate, left: times });
  }

  /** Such requests wait before they arrive. */
  hold(...match: Match): Hold {
    const hold = new Hold(match);
    this.#holds.push(hold);
    return hold;
  }

  /** Such requests arrive; their answers wait. */
  holdAnswer(...match: Match): Hold {
    const hold = new Hold(match);
    this.#answerHolds.push(hold);
    return hold;
  }

  /** Everything goes its way again. */
  clear(): void {
    this.#rules.length = 0;
    for (const hold of [...this.#holds.splice(0), ...this.#answerHolds.splice(0)]) hold.release();
  }

  /** Somebody else's request, to which no rule applies. */
  aside(url: string, init: RequestInit): Promise<Response> {
    return this.#fetch(url, init);
  }

  async #send(url: string, init: RequestInit): Promise<Response> {
    const text = describe(url, init);
    this.sent.push(text);
    const holds = (match: Match): boolean => match.every((part) => text.includes(part));
    const fate = await this.#fateOf(holds, init);
    const answer = this.#answer(fate, url, init);
    const kept = this.#answerHolds.find((hold) => holds(hold.match));
    if (!kept) return await answer;
    const response = await answer;
    const release = await until(kept.wait(), init);
    return release === "pass" ? response : await this.#answer(release, url, init);
  }

  async #fateOf(holds: (match: Match) => boolean, init: RequestInit): Promise<Fate> {
    const hold = this.#holds.find((each) => holds(each.match));
    const fate = hold ? await until(hold.wait(), init) : "pass";
    if (fate !== "pass") return fate;
    const rule = this.#rules.find((each) => each.left > 0 && holds(each.match));
    if (!rule) return "pass";
    rule.left--;
    return rule.fate;
  }

  async #answer(fate: Fate, url: string, init: RequestInit): Promise<Response> {
    if (fate === "pass") return await this.#fetch(url, init);
    if (fate === "lost") return await never(init);
    if (fate === "swallowed") return new Response(null, { status: 204 });
    if (fate === "twice") void this.#fetch(url, init).catch(() => undefined);
    const refused = typeof fate === "object" && "refused" in fate;
    if (refused) return problem(fate.refused, fate.code, fate.retryAfterS);
    const response = await this.#fetch(url, init);
    if (fate === "unanswered") return await never(init);
    return typeof fate === "object" ? problem(fate.failed) : response;
  }
}

/** `POST /twilio/conference?call=… StatusCallbackEvent=participant-join ParticipantLabel=caller `. */
function describe(url: string, { method = "GET", body }: RequestInit): string {
  const { pathname, search } = new URL(url);
  const text = typeof body === "string" ? body : body instanceof URLSearchParams ? body.toString() : "";
  const fields = text.startsWith("{") ? [text] : decodeURIComponent(text.replaceAll("+", " ")).split("&");
  return `${method} ${pathname}${decodeURIComponent(search)} ${fields.join(" ")} `;
}

function problem(status: number, code = 0, retryAfterS?: number): Response {
  const headers = retryAfterS === undefined ? {} : { "retry-after": String(retryAfterS) };
  return Response.json({ code, message: "made to fail", status }, { status, headers });
}

function never(init: RequestInit): Promise<never> {
  return until(new Promise<never>(() => undefined), init);
}

/** Or until whoever asked waits no longer. */
function until<T>(promise: Promise<T>, { signal }: RequestInit): Promise<T> {
  if (!signal) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new DOMException("The operation was aborted.", "AbortError"));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  return Promise.race([promise, aborted]);
}
