/** Who may use `/console` and `/api` (design contract: bearer token, or loopback in sandbox mode). */
import { createHmac } from "node:crypto";
import { type NamedToken, tokenHash } from "../config/tokens-file.ts";
import type { Who } from "../console/who.ts";
import { comesFromHere } from "../platform/loopback.ts";
import { sameText } from "../platform/same-text.ts";
import type { Clock, Log } from "../ports.ts";
import { RequestRates } from "./request-rates.ts";
import { WrongTokens } from "./wrong-tokens.ts";

export interface AccessOptions {
  /** The admin's. */
  readonly consoleToken: string | null;
  /** Of those who may look and not command; never without a console token. */
  readonly viewerToken?: string | null;
  /** Those of people and programs; never without a console token. */
  readonly tokens?: readonly NamedToken[];
  readonly sandbox: boolean;
  /** The public origin: what a browser names behind a proxy that rewrites the Host header. */
  readonly origin: string;
  readonly clock: Pick<Clock, "now" | "monotonicMs">;
  readonly log: Pick<Log, "warn">;
}

export interface Refusal {
  readonly ok: false;
  readonly status: 401 | 403 | 429;
  readonly problem: string;
  /** Of a 429. */
  readonly retryAfterS?: number;
}

/** What one sign-in gives. */
export interface Session {
  readonly id: string;
  readonly endsAtMs: number;
}

/** `session`: of whoever shows a cookie. */
export type Access = { readonly ok: true; readonly who: Who; readonly session?: Session } | Refusal;
export type SignedIn = { readonly ok: true; readonly cookie: string } | Refusal;

const COOKIE = "tandem_console";
const COOKIE_AGE_S = 43_200;
/** Different wrong ones from one address within the window: then it is locked for as long. */
const MAX_WRONG_TOKENS = 10;
const WRONG_TOKENS_WINDOW_MS = 60_000;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;
const SEND = "send Authorization: Bearer <TANDEM_CONSOLE_TOKEN>, or with another token that the engine knows";

const WRONG: Refusal = { ok: false, status: 401, problem: "the token is not right" };

export class ConsoleAccess {
  readonly #options: AccessOptions;
  readonly #tokens: readonly NamedToken[];
  readonly #cookieKey: Buffer;
  readonly #wrong: WrongTokens;
  readonly #rates: RequestRates;
  readonly #counters = { refused: 0, wrongTokens: 0, lockedOut: 0, tooOften: 0 };

  constructor(options: AccessOptions) {
    this.#options = options;
    const { consoleToken, viewerToken = null, tokens = [] } = options;
    const own = (name: string, role: NamedToken["role"], token: string | null): readonly NamedToken[] =>
      token === null ? [] : [{ name, role, sha256: tokenHash(token) }];
    this.#tokens = [
      ...own("console", "admin", consoleToken),
      ...own("viewer", "viewer", viewerToken),
      ...tokens,
    ];
    // Not made of what is kept of a token: whoever reads the file of hashes could make cookies.
    this.#cookieKey = createHmac("sha256", consoleToken ?? "")
      .update("cookies")
      .digest();
    const { clock } = options;
    this.#wrong = new WrongTokens({ clock, limit: MAX_WRONG_TOKENS, windowMs: WRONG_TOKENS_WINDOW_MS });
    this.#rates = new RequestRates(clock);
  }

  get counters(): Readonly<Record<string, number>> {
    const { forgotten: addressesForgotten } = this.#wrong;
    return { ...this.#counters, addressesForgotten, askersForgotten: this.#rates.forgotten };
  }

  /** `address`: where the request comes from, which counts what is wrong or too much by it. */
  check(request: Request, address: string | null): Access {
    const access =
      this.#options.consoleToken === null ? this.#loopback(request, address) : this.#token(request, address);
    if (!access.ok) {
      this.#counters.refused++;
      return access;
    }
    if (access.who.name === "local" || this.#rates.take(access.who.name, address)) return access;
    this.#counters.tooOften++;
    return { ok: false, status: 429, problem: "too many requests; try again in 1 s", retryAfterS: 1 };
  }

  /** The cookie for a browser that signs in with a token that is right. */
  signIn(given: string, secure: boolean, address: string | null): SignedIn {
    if (this.#options.consoleToken === null) return WRONG;
    const known = this.#attempt(given, address);
    if ("ok" in known) return known;
    const expiresAtS = Math.floor(this.#options.clock.now() / 1000) + COOKIE_AGE_S;
    const flags = `HttpOnly; SameSite=Strict; Path=/; Max-Age=${COOKIE_AGE_S}${secure ? "; Secure" : ""}`;
    const value = `${expiresAtS}.${this.#seal(expiresAtS, known)}.${known.name}`;
    return { ok: true, cookie: `${COOKIE}=${value}; ${flags}` };
  }

  /** The cookie that takes the one of {@link signIn} back. */
  signOut(secure: boolean): string {
    return `${COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0${secure ? "; Secure" : ""}`;
  }

  /** Of the cookie that a request has, if it is ours and its time is not over. */
  sessionOf(request: Request): Session | null {
    return this.#signedIn(request)?.session ?? null;
  }

  #token(request: Request, address: string | null): Access {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const borne = bearer === undefined ? null : this.#attempt(bearer, address);
    if (borne && !("ok" in borne)) return { ok: true, who: whoOf(borne, "api") };
    // Nobody guesses a seal: whoever is signed in stays so, whatever others at their address try.
    const kept = this.#signedIn(request);
    // A cookie goes along with every request of the browser: only those of our own pages count.
    if (kept && this.#isOwnOrigin(request)) {
      return { ok: true, who: whoOf(kept.known, "console"), session: kept.session };
    }
    return borne?.status === 429 ? borne : { ok: false, status: 401, problem: SEND };
  }

  /** What somebody shows as a token; not even a right one counts from an address that is locked. */
  #attempt(given: string, address: string | null): NamedToken | Refusal {
    const retryAfterS = this.#wrong.lockedForS(address);
    if (retryAfterS !== null) {
      this.#counters.lockedOut++;
      const problem = `too many wrong tokens came from this address; try again in ${retryAfterS} s`;
      return { ok: false, status: 429, problem, retryAfterS };
    }
    const known = this.#knownBy(given);
    if (known) return known;
    this.#counters.wrongTokens++;
    if (this.#wrong.note(address, given)) this.#options.log.warn("console.address_locked");
    return WRONG;
  }

  /** All are compared, whichever it is. */
  #knownBy(given: string): NamedToken | null {
    const hash = tokenHash(given);
    let found: NamedToken | null = null;
    for (const token of this.#tokens) if (sameText(hash, token.sha256)) found = token;
    return found;
  }

  /** Whose cookie it is. A token that was taken out, or made anew under its name, takes its cookies along. */
  #signedIn(request: Request): { readonly known: NamedToken; readonly session: Session } | null {
    const cookie = new RegExp(`(?:^|;\\s*)${COOKIE}=([^;]+)`).exec(request.headers.get("cookie") ?? "")?.[1];
    const [, expires = "", seal = "", name] = /^(\d{1,12})\.([\w-]{43})\.(.+)$/.exec(cookie ?? "") ?? [];
    const known = this.#tokens.find((token) => token.name === name);
    const endsAtMs = Number(expires) * 1000;
    if (!known || endsAtMs <= this.#options.clock.now()) return null;
    return sameText(seal, this.#seal(Number(expires), known))
      ? { known, session: { id: seal, endsAtMs } }
      : null;
  }

  #seal(expiresAtS: number, { name, sha256 }: NamedToken): string {
    return createHmac("sha256", this.#cookieKey)
      .update(`${expiresAtS}.${name}.${sha256}`)
      .digest("base64url");
  }

  #isOwnOrigin(request: Request): boolean {
    const origin = request.headers.get("origin");
    if (origin === null || origin === this.#options.origin) return true;
    return URL.canParse(origin) && new URL(origin).host === request.headers.get("host");
  }

  #loopback(request: Request, address: string | null): Access {
    if (!this.#options.sandbox) {
      return { ok: false, status: 403, problem: "the console is off: set TANDEM_CONSOLE_TOKEN" };
    }
    // The Host header is looked at as well, or a web page could reach us through a name of its own.
    const host = request.headers.get("host") ?? "";
    const local = comesFromHere(request, address) && LOOPBACK_HOST.test(host);
    // Browsers say of each request whence it comes, programs do not.
    const via = request.headers.has("sec-fetch-site") ? "console" : "api";
    if (local && this.#isOwnOrigin(request)) return { ok: true, who: { name: "local", role: "admin", via } };
    return { ok: false, status: 403, problem: "without TANDEM_CONSOLE_TOKEN only loopback is answered" };
  }
}

function whoOf({ name, role }: NamedToken, via: Who["via"]): Who {
  return { name, role, via };
}
