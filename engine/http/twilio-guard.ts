/** Nothing under `/twilio/` acts before the request has proven that it comes from Twilio. */
import type { Log } from "../ports.ts";
import { verifyTwilioSignature } from "./twilio-signature.ts";

export interface TwilioGuardOptions {
  readonly authToken: string;
  /** Public origin: Twilio signs the URL as it saw it. */
  readonly origin: string;
  readonly log: Log;
}

export interface SignedForm {
  readonly form: URLSearchParams;
  readonly query: URLSearchParams;
  /** The same for every retry of one request, when Twilio sent it. */
  readonly idempotencyToken: string | null;
}

/** Twilio's own requests are a few kilobytes; a speech result may be larger. */
const MAX_BODY_BYTES = 64 * 1024;

export class TwilioGuard {
  readonly #options: TwilioGuardOptions;
  readonly counters = { refusedSignature: 0, refusedBody: 0, lostBody: 0 };

  constructor(options: TwilioGuardOptions) {
    this.#options = options;
  }

  /** The form of a correctly signed POST, or the answer that refuses it. */
  async open(request: Request): Promise<SignedForm | Response> {
    const length = Number(request.headers.get("content-length") ?? 0);
    if (length > MAX_BODY_BYTES) return this.#tooLarge();
    // It rejects when the client goes away, or takes so long that the server has closed the connection.
    const body = await request.text().catch(() => null);
    if (body === null) return this.#lost();
    if (body.length > MAX_BODY_BYTES) return this.#tooLarge();
    const url = new URL(request.url);
    const form = new URLSearchParams(body);
    if (!this.#verify(request, `${this.#options.origin}${pathOf(request)}`, form)) return this.#refuse(url);
    return {
      form,
      query: url.searchParams,
      idempotencyToken: request.headers.get("i-twilio-idempotency-token"),
    };
  }

  /** Whether a WebSocket upgrade is signed. Twilio signs the `wss` URL, with or without a final slash. */
  allowsUpgrade(request: Request): boolean {
    const url = new URL(request.url);
    const wsOrigin = this.#options.origin.replace(/^http/, "ws");
    if (this.#verify(request, `${wsOrigin}${pathOf(request)}`, [])) return true;
    this.counters.refusedSignature++;
    this.#options.log.warn("twilio.refused", { path: url.pathname, reason: "signature" });
    return false;
  }

  #verify(request: Request, url: string, params: URLSearchParams | []): boolean {
    const signature = request.headers.get("x-twilio-signature") ?? "";
    return verifyTwilioSignature({ authToken: this.#options.authToken, signature, url, params });
  }

  #refuse(url: URL): Response {
    this.counters.refusedSignature++;
    this.#options.log.warn("twilio.refused", { path: url.pathname, reason: "signature" });
    return new Response("X-Twilio-Signature does not match: check TWILIO_AUTH_TOKEN and PUBLIC_URL\n", {
      status: 403,
    });
  }

  #lost(): Response {
    this.counters.lostBody++;
    return new Response("the body did not come whole\n", { status: 400 });
  }

  #tooLarge(): Response {
    this.counters.refusedBody++;
    return new Response(`the body is larger than ${MAX_BODY_BYTES} bytes\n`, { status: 413 });
  }
}

/** Path and query as they came, not re-encoded: the signature is over these very characters. */
function pathOf(request: Request): string {
  return request.url.slice(request.url.indexOf("/", request.url.indexOf("//") + 2));
}
