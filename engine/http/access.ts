/** Who may use `/console` and `/api` (design contract: bearer token, or loopback in sandbox mode). */
import { createHmac, timingSafeEqual } from "node:crypto";
import { type NamedToken, tokenHash } from "../config/tokens-file.ts";
import type { Who } from "../console/who.ts";
import type { Clock } from "../ports.ts";

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
  readonly clock: Pick<Clock, "now">;
}

export type Access =
  | { readonly ok: true; readonly who: Who }
  | { readonly ok: false; readonly status: 401 | 403; readonly problem: string };

const COOKIE = "tandem_console";
const COOKIE_AGE_S = 43_200;
const LOOPBACK_ADDRESS = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;
const SEND = "send Authorization: Bearer <TANDEM_CONSOLE_TOKEN>, or with another token that the engine knows";

export class ConsoleAccess {
  readonly #options: AccessOptions;
  readonly #tokens: readonly NamedToken[];
  readonly #cookieKey: Buffer;
  readonly counters = { refused: 0 };

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
  }

  check(request: Request, address: string | null): Access {
    const access =
      this.#options.consoleToken === null ? this.#loopback(request, address) : this.#token(request);
    if (!access.ok) this.counters.refused++;
    return access;
  }

  /** The cookie for a browser that signed in with the right token, or null. */
  signIn(given: string, secure: boolean): string | null {
    if (this.#options.consoleToken === null) return null;
    const known = this.#knownBy(given);
    if (!known) return null;
    const expiresAtS = Math.floor(this.#options.clock.now() / 1000) + COOKIE_AGE_S;
    const flags = `HttpOnly; SameSite=Strict; Path=/; Max-Age=${COOKIE_AGE_S}${secure ? "; Secure" : ""}`;
    return `${COOKIE}=${expiresAtS}.${this.#seal(expiresAtS, known)}.${known.name}; ${flags}`;
  }

  /** The cookie that takes the one of {@link signIn} back. */
  signOut(secure: boolean): string {
    return `${COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0${secure ? "; Secure" : ""}`;
  }

  #token(request: Request): Access {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const byBearer = bearer === undefined ? null : this.#knownBy(bearer);
    if (byBearer) return { ok: true, who: { name: byBearer.name, role: byBearer.role, via: "api" } };
    const cookie = new RegExp(`(?:^|;\\s*)${COOKIE}=([^;]+)`).exec(request.headers.get("cookie") ?? "")?.[1];
    const byCookie = cookie === undefined ? null : this.#signedIn(cookie);
    // A cookie goes along with every request of the browser: only those of our own pages count.
    if (byCookie && this.#isOwnOrigin(request))
      return { ok: true, who: { name: byCookie.name, role: byCookie.role, via: "console" } };
    return { ok: false, status: 401, problem: SEND };
  }

  /** All are compared, whichever it is. */
  #knownBy(given: string): NamedToken | null {
    const hash = tokenHash(given);
    let found: NamedToken | null = null;
    for (const token of this.#tokens) if (same(hash, token.sha256)) found = token;
    return found;
  }

  /** Whose cookie it is. A token that was taken out, or made anew under its name, takes its cookies along. */
  #signedIn(cookie: string): NamedToken | null {
    const [, expires = "", seal = "", name] = /^(\d{1,12})\.([\w-]{43})\.(.+)$/.exec(cookie) ?? [];
    const known = this.#tokens.find((token) => token.name === name);
    if (!known || Number(expires) * 1000 <= this.#options.clock.now()) return null;
    return same(seal, this.#seal(Number(expires), known)) ? known : null;
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
    const local = address !== null && LOOPBACK_ADDRESS.test(address) && LOOPBACK_HOST.test(host);
    // Browsers say of each request whence it comes, programs do not.
    const via = request.headers.has("sec-fetch-site") ? "console" : "api";
    if (local && this.#isOwnOrigin(request)) return { ok: true, who: { name: "local", role: "admin", via } };
    return { ok: false, status: 403, problem: "without TANDEM_CONSOLE_TOKEN only loopback is answered" };
  }
}

/** In a time that does not tell where they differ; both are of a length that everybody knows. */
function same(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
