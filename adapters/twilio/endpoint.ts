import { ConfigError } from "../../engine/errors.ts";

/**
 * Hosts of Twilio's processing regions (https://www.twilio.com/docs/global-infrastructure). The bare forms
 * such as `api.ie1.twilio.com` stopped on 2026-04-28, but the SDK still builds them from a region alone.
 */
const EDGE_OF_REGION: Readonly<Record<string, string>> = { us1: "", ie1: "dublin", au1: "sydney" };

export interface EndpointOptions {
  readonly region?: string | undefined;
  readonly edge?: string | undefined;
  readonly baseUrl?: string | undefined;
}

/** Origin and path prefix, without a trailing slash, under which `/2010-04-01/…` is found. */
export function resolveEndpoint(options: EndpointOptions): string {
  if (options.baseUrl !== undefined && options.baseUrl !== "") return checkBaseUrl(options.baseUrl);
  const region = options.region ?? "";
  const edge = options.edge ?? "";
  if (region !== "" && EDGE_OF_REGION[region] === undefined) {
    throw new ConfigError([
      {
        name: "TWILIO_REGION",
        problem: "is not a region that processes REST requests",
        fix: "use us1, ie1 or au1, or leave it out for us1",
      },
    ]);
  }
  if (edge !== "" && !/^[a-z]+(-[a-z]+)*$/.test(edge)) {
    throw new ConfigError([
      {
        name: "TWILIO_EDGE",
        problem: "is not the name of an edge",
        fix: "use dublin, sydney or leave it out",
      },
    ]);
  }
  // A region needs its edge in the host and an edge its region; us1 alone is the plain host.
  const edgeLabel = edge || (EDGE_OF_REGION[region] ?? "");
  return edgeLabel === ""
    ? "https://api.twilio.com"
    : `https://api.${edgeLabel}.${region === "" ? "us1" : region}.twilio.com`;
}

function checkBaseUrl(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  const http = url?.protocol === "https:" || url?.protocol === "http:";
  if (!url || !http || url.search !== "" || url.hash !== "" || url.username !== "") {
    throw new ConfigError([
      {
        name: "TWILIO_API_BASE_URL",
        problem: "is not an http(s) URL without user, query and fragment",
        fix: "give an origin with an optional path, such as http://127.0.0.1:4010",
      },
    ]);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** The same request at our endpoint, whatever host the SDK chose. */
export function atEndpoint(endpoint: string, uri: string): string {
  const { pathname, search } = new URL(uri);
  return `${endpoint}${pathname}${search}`;
}
