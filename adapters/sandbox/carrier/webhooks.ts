/** Requests of the carrier to the customer: signed, with timeouts, retries and redirects as Twilio does them. */
import type { Clock, Ids, Log } from "../../../engine/ports.ts";
import type { Network } from "../../../engine/platform/network.ts";
import { errorText } from "../../../engine/errors.ts";
import { CarrierAlert } from "./alerts.ts";
import { encodeForm, withQuery } from "./form.ts";
import { parseOverrides, type Overrides } from "./overrides.ts";
import { sign, signedUrl } from "./signature.ts";
import type { Tally } from "./tally.ts";
import type { Fields, HttpMethod } from "./types.ts";

export interface WebhookRequest {
  readonly url: string;
  readonly method: HttpMethod;
  readonly fields: Fields;
  readonly product: "voice" | "sms";
  /** The same for every delivery and retry of one request; made here when absent. */
  readonly idempotencyToken?: string;
  readonly signal?: AbortSignal;
  /** Larger answers are refused (11750). Default 64 KiB, Twilio's limit for TwiML. */
  readonly maxBytes?: number;
}

export interface WebhookAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** Where the answer came from in the end, without fragment: relative URLs in it resolve against this. */
  readonly url: string;
}

type Failure = "ct" | "rt" | "4xx" | "5xx";

class Attempt extends CarrierAlert {
  readonly failure: Failure;
  constructor(code: number, message: string, failure: Failure) {
    super(code, message);
    this.failure = failure;
  }
}

const MAX_REDIRECTS = 10;
const TWIML_BYTES = 64 * 1024;

export class Webhooks {
  readonly #authToken: string;
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #log: Log;
  readonly #tally: Tally;
  readonly #live = new Map<AbortController, Promise<void>>();
  #stopped = false;

  constructor(options: {
    authToken: string;
    network: Network;
    clock: Clock;
    ids: Ids;
    log: Log;
    tally: Tally;
  }) {
    this.#authToken = options.authToken;
    this.#network = options.network;
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#log = options.log;
    this.#tally = options.tally;
  }

  get inFlight(): number {
    return this.#live.size;
  }

  /**
   * Resolves with an answer of status 2xx. Rejects with {@link CarrierAlert}: 11200 for another status, 11205
   * when no answer came in time, 11750 when it is too large, 11100 for a bad URL.
   */
  async request(request: WebhookRequest): Promise<WebhookAnswer> {
    const overrides = parseOverrides(request.url);
    const token = request.idempotencyToken ?? this.#ids.token();
    const deadline = this.#clock.monotonicMs() + overrides.totalTimeoutMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(request, overrides, token, deadline);
      } catch (error) {
        const retry =
          error instanceof Attempt &&
          overrides.retryOn.has(error.failure) &&
          attempt < overrides.retryCount &&
          !this.#stopped &&
          !request.signal?.aborted &&
          this.#clock.monotonicMs() < deadline;
        if (!retry) throw error;
        this.#tally.add("webhook.retries");
      }
    }
  }

  /** Abandons every request; resolves when none is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const live = [...this.#live.values()];
    for (const controller of this.#live.keys()) controller.abort();
    await Promise.all(live);
  }

  async #attempt(
    request: WebhookRequest,
    overrides: Overrides,
    token: string,
    deadline: number,
  ): Promise<WebhookAnswer> {
    if (this.#stopped) throw new CarrierAlert(11205, "the carrier is stopping");
    const controller = new AbortController();
    const limitMs = Math.min(overrides.readTimeoutMs, deadline - this.#clock.monotonicMs());
    let timedOut = false;
    const timer = this.#clock.setTimeout(
      () => {
        timedOut = true;
        controller.abort();
      },
      Math.max(0, limitMs),
    );
    const onAbort = (): void => controller.abort();
    request.signal?.addEventListener("abort", onAbort, { once: true });
    if (request.signal?.aborted) controller.abort();
    const over = Promise.withResolvers<void>();
    this.#live.set(controller, over.promise);
    this.#tally.add("webhook.requests");
    try {
      return await this.#follow(request, token, controller.signal);
    } catch (error) {
      if (error instanceof CarrierAlert) throw error;
      this.#log.debug("carrier.webhook.failed", { error: errorText(error), timedOut });
      if (timedOut) throw new Attempt(11205, `no answer from ${bare(request.url)} in time`, "rt");
      throw new Attempt(11205, `cannot connect to ${bare(request.url)}`, "ct");
    } finally {
      this.#clock.clearTimeout(timer);
      request.signal?.removeEventListener("abort", onAbort);
      this.#live.delete(controller);
      over.resolve();
    }
  }

  /** Redirects are followed as GET and lose the form fields, as at Twilio. */
  async #follow(request: WebhookRequest, token: string, signal: AbortSignal): Promise<WebhookAnswer> {
    let { url, method, fields } = request;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await this.#send({ ...request, url, method, fields }, token, signal);
      const location = response.headers.get("location");
      if (response.status < 300 || response.status > 399 || location === null) {
        return await readAnswer(response, url, request.maxBytes ?? TWIML_BYTES);
      }
      await response.body?.cancel();
      if (!URL.canParse(location, url)) throw new CarrierAlert(11100, `redirected to a bad URL: ${location}`);
      url = new URL(location, url).href;
      method = "GET";
      fields = [];
    }
    throw new CarrierAlert(11215, `more than ${MAX_REDIRECTS} redirects from ${bare(request.url)}`);
  }

  #send(request: WebhookRequest, token: string, signal: AbortSignal): Promise<Response> {
    const isGet = request.method === "GET";
    const target = isGet ? withQuery(request.url, request.fields) : request.url;
    const parsed = URL.canParse(target) ? new URL(target) : null;
    if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") {
      throw new CarrierAlert(11100, `invalid URL: ${bare(target)}`);
    }
    const headers: Record<string, string> = {
      "x-twilio-signature": sign(
        this.#authToken,
        signedUrl(target, request.product),
        isGet ? [] : request.fields,
      ),
      "i-twilio-idempotency-token": token,
      "user-agent": "TwilioProxy/1.1",
      accept: "*/*",
    };
    if (!isGet) headers["content-type"] = "application/x-www-form-urlencoded; charset=UTF-8";
    return this.#network.fetch(target.split("#", 1)[0] as string, {
      method: request.method,
      headers,
      redirect: "manual",
      signal,
      ...(isGet ? {} : { body: encodeForm(request.fields) }),
    });
  }
}

async function readAnswer(response: Response, url: string, maxBytes: number): Promise<WebhookAnswer> {
  if (response.status < 200 || response.status > 299) {
    await response.body?.cancel();
    const failure = response.status >= 500 ? "5xx" : "4xx";
    throw new Attempt(11200, `${bare(url)} answered with HTTP ${response.status}`, failure);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes)
      throw new CarrierAlert(11750, `the answer of ${bare(url)} exceeds ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const contentType =
    (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return {
    status: response.status,
    contentType,
    body: Buffer.concat(chunks),
    url: url.split("#", 1)[0] as string,
  };
}

/** A URL without query and fragment, for messages: a query may carry what must not be logged. */
function bare(url: string): string {
  return url.split(/[?#]/, 1)[0] as string;
}
