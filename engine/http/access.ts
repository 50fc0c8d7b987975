/** Who may use `/console` and `/api` (design contract: bearer token, or loopback in sandbox mode). */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Who } from "../console/who.ts";

export interface AccessOptions {
  readonly consoleToken: string | null;
  /** Of those who may look and not command; never without a console token. */
  readonly viewerToken?: string | null;
  readonly sandbox: boolean;
  /** The public origin: what a browser names behind a proxy that rewrites the Host header. */
  readonly origin: string;
}

export type Access =
  | { readonly ok: true; readonly who: Who }
  | { readonly ok: false; readonly status: 401 | 403; readonly problem: string };

const COOKIE = "tandem_console";
const LOOPBACK_ADDRESS = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

export class ConsoleAccess {
  readonly #options: AccessOptions;
  /** The roles by their tokens. */
  readonly #tokens: readonly { readonly role: "operator" | "viewer"; readonly token: string }[];
  readonly counters = { refused: 0 };

  constructor(options: AccessOptions) {
    this.#options = options;
    const { consoleToken, viewerToken = null } = options;
    this.#tokens = [
      ...(consoleToken === null ? [] : [{ role: "operator" as const, token: consoleToken }]),
      ...(viewerToken === null ? [] : [{ role: "viewer" as const, token: viewerToken }]),
    ];
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
    const known = this.#tokens.find(({ token }) => same(given, token));
    if (!known) return null;
    const flags = `HttpOnly; SameSite=Strict; Path=/; Max-Age=43200${secure ? "; Secure" : ""}`;
    return `${COOKIE}=${cookieValue(known.token)}; ${flags}`;
  }

  /** The cookie that takes the one of {@link signIn} back. */
  signOut(secure: boolean): string {
    return `${COOKIE}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0${secure ? "; Secure" : ""}`;
  }

  #token(request: Request): Access {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const cookie = new RegExp(`(?:^|;\\s*)${COOKIE}=([^;]+)`).exec(request.headers.get("cookie") ?? "")?.[1];
    for (const { role, token } of this.#tokens) {
      if (bearer !== undefined && same(bearer, token)) return { ok: true, who: { role, via: "api" } };
      // A cookie goes along with every request of the browser: only those of our own pages count.
      if (cookie !== undefined && same(cookie, cookieValue(token)) && this.#isOwnOrigin(request))
        return { ok: true, who: { role, via: "console" } };
    }
    return { ok: false, status: 401, problem: "send Authorization: Bearer <TANDEM_CONSOLE_TOKEN>" };
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
    if (local && this.#isOwnOrigin(request)) return { ok: true, who: { role: "local", via } };
    return { ok: false, status: 403, problem: "without TANDEM_CONSOLE_TOKEN only loopback is answered" };
  }
}

function cookieValue(token: string): string {
  return createHmac("sha256", token).update("console").digest("base64url");
}

function same(given: string, expected: string): boolean {
  const a = createHmac("sha256", "compare").update(given).digest();
  const b = createHmac("sha256", "compare").update(expected).digest();
  return timingSafeEqual(a, b);
}
