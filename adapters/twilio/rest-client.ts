import http from "node:http";
import RequestClient from "twilio/lib/base/RequestClient.js";
import type TwilioResponse from "twilio/lib/http/response.js";
import Twilio from "twilio/lib/rest/Twilio.js";
import { errorText } from "../../engine/errors.ts";
import type { Network } from "../../engine/platform/network.ts";
import type { Clock } from "../../engine/ports.ts";
import { atEndpoint } from "./endpoint.ts";
import {
  closedFailure,
  failureError,
  httpFailure,
  thrownFailure,
  timeoutFailure,
  unreadableFailure,
} from "./failure.ts";

// The one file that loads the SDK (about 100 ms and 35 MB, nearly all of it axios). It is imported when the
// first request is made, or by `warm()`, never at process start.

export interface RestClientOptions {
  readonly accountSid: string;
  /** Account sid and auth token, or API key and secret. */
  readonly username: string;
  readonly password: string;
  /** Origin and path prefix of every request. */
  readonly endpoint: string;
  /** From the first byte sent to the last byte received. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Carries the requests instead of sockets of the SDK's own. */
  readonly network?: Network | undefined;
}

/** Twilio's account resource, and the way to end its sockets. */
export interface RestConnection {
  readonly account: Twilio["api"]["v2010"]["account"];
  close(): void;
}

export function connectTwilio(options: RestClientOptions): RestConnection {
  const httpClient = new EndpointClient(options);
  const client = new Twilio(options.username, options.password, {
    accountSid: options.accountSid,
    httpClient,
    // Empty, not absent: the SDK would read TWILIO_REGION, TWILIO_EDGE and TWILIO_LOG_LEVEL by itself.
    region: "",
    edge: "",
    logLevel: "",
  });
  return { account: client.api.v2010.account, close: () => httpClient.close() };
}

/** The SDK's HTTP client, whose package is none of ours. */
type Adapter = Extract<RequestClient["axios"]["defaults"]["adapter"], (...args: never[]) => unknown>;

const MAX_SOCKETS = 200;
const MAX_FREE_SOCKETS = 50;

/**
 * The SDK's transport at our endpoint, with a deadline on the whole exchange (the SDK's own timeout is one of
 * idleness, which a trickling answer never meets), and with failures typed before the SDK loses their headers.
 */
class EndpointClient extends RequestClient {
  readonly #endpoint: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #inFlight = new Set<AbortController>();
  /** The SDK hands the headers object on as it is; with it the signal finds its way to axios. */
  readonly #signals = new WeakMap<object, AbortSignal>();
  readonly #httpAgent = new http.Agent({
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    maxTotalSockets: MAX_SOCKETS,
    maxFreeSockets: MAX_FREE_SOCKETS,
  });
  #closed = false;

  constructor({ endpoint, timeoutMs, clock, network }: RestClientOptions) {
    super({
      timeout: timeoutMs,
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      maxTotalSockets: MAX_SOCKETS,
      maxFreeSockets: MAX_FREE_SOCKETS,
      autoRetry: false,
    });
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    // The SDK sets an agent for https only; a local carrier speaks http.
    this.axios.defaults.httpAgent = this.#httpAgent;
    if (network) this.axios.defaults.adapter = (config) => this.#exchange(network, config);
    this.axios = new Proxy(this.axios, {
      apply: (target, self, [config]: [{ headers?: object }]) => {
        const signal = config.headers && this.#signals.get(config.headers);
        return Reflect.apply(target, self, [signal ? { ...config, signal } : config]);
      },
    });
  }

  override async request<TData>(
    options: RequestClient.RequestOptions<TData>,
  ): Promise<TwilioResponse<TData>> {
    if (this.#closed) throw failureError(closedFailure(false));
    const abort = new AbortController();
    let expired = false;
    const deadline = this.#clock.setTimeout(() => {
      expired = true;
      abort.abort();
    }, this.#timeoutMs);
    this.#inFlight.add(abort);
    const headers = { ...options.headers };
    this.#signals.set(headers, abort.signal);
    try {
      const uri = atEndpoint(this.#endpoint, options.uri);
      return checked(await super.request<TData>({ ...options, uri, headers, logLevel: "" }));
    } catch (error) {
      if (expired) throw failureError(timeoutFailure());
      if (this.#closed) throw failureError(closedFailure(true));
      throw failureError(thrownFailure(error));
    } finally {
      this.#clock.clearTimeout(deadline);
      this.#inFlight.delete(abort);
    }
  }

  /** One request over `network`; what it throws has the form of the SDK's own transport. */
  async #exchange(network: Network, config: Parameters<Adapter>[0]): ReturnType<Adapter> {
    const headers = config.headers.toJSON(true) as Record<string, string>;
    const { method = "get", data, signal } = config;
    try {
      const answer = await network.fetch(this.axios.getUri(config), {
        method: method.toUpperCase(),
        headers,
        redirect: "manual",
        ...(data === undefined ? {} : { body: data as string }),
        ...(signal ? { signal: signal as AbortSignal } : {}),
      });
      const { status, statusText } = answer;
      const answered = Object.fromEntries(answer.headers);
      return { status, statusText, headers: answered, data: await answer.text(), config };
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      throw Object.assign(new Error(errorText(error)), { isAxiosError: true, code });
    }
  }

  /** Breaks off what is in flight and ends the sockets. */
  close(): void {
    this.#closed = true;
    for (const abort of this.#inFlight) abort.abort();
    this.#httpAgent.destroy();
    (this.axios.defaults.httpsAgent as { destroy?: () => void } | undefined)?.destroy?.();
  }
}

function checked<TData>(response: TwilioResponse<TData>): TwilioResponse<TData> {
  const { statusCode, body } = response;
  if (statusCode < 200 || statusCode >= 300) {
    const headers = response.headers as Record<string, unknown>;
    throw failureError(httpFailure(statusCode, body, headers["retry-after"]));
  }
  if (statusCode !== 204 && (typeof body !== "object" || body === null)) {
    throw failureError(unreadableFailure(statusCode, `HTTP ${statusCode} with a body that is not JSON`));
  }
  return response;
}
