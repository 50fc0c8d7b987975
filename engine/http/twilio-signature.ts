import { timingSafeEqual } from "node:crypto";
import { parse as parseQuery, stringify as stringifyQuery } from "node:querystring";
import { invariant } from "../errors.ts";
import { sameText } from "../platform/same-text.ts";

/** Decoded form fields in any order; a name may occur more than once. */
export type FormParams = URLSearchParams | readonly (readonly [name: string, value: string])[];

export interface TwilioRequest {
  /** The account's primary auth token: Twilio signs with it even when REST uses an API key. */
  readonly authToken: string;
  /** Absolute, as Twilio saw it: built from the public origin, never from the Host header. */
  readonly url: string;
  /** Fields of a form POST. Leave out for GET, for a WebSocket upgrade and for a JSON body. */
  readonly params?: FormParams | undefined;
}

export interface SignedTwilioRequest extends TwilioRequest {
  /** The `X-Twilio-Signature` header as received. */
  readonly signature: string | null | undefined;
  /** The body as received when it is not a form; checked against `bodySHA256` of the URL. */
  readonly rawBody?: string | Uint8Array | undefined;
}

/**
 * Whether Twilio signed this request (https://www.twilio.com/docs/usage/security). Tries the URL forms that
 * Twilio is known to sign: with and without a port, with and without a trailing slash and as `wss` or
 * `https` for a WebSocket upgrade, and with an escaped query as older back ends do. Never throws.
 */
export function verifyTwilioSignature(request: SignedTwilioRequest): boolean {
  const { authToken, signature } = request;
  if (authToken === "" || typeof signature !== "string") return false;
  const given = Buffer.from(signature);
  // The base64 of a SHA-1 is always this long; its length is no secret.
  if (given.length !== 28) return false;
  if (request.params === undefined && !bodyMatches(request.url, request.rawBody)) return false;
  const fields = request.params === undefined ? "" : signedFields(request.params);
  const matches = (url: string): boolean =>
    timingSafeEqual(given, Buffer.from(hmacSha1(authToken, url + fields)));
  const asReceived = urlForms(request.url);
  if (asReceived.some(matches)) return true;
  return escapedForms(request.url).some((url) => !asReceived.includes(url) && matches(url));
}

/** The signature Twilio would send with this request. A `#…` fragment is not part of what is signed. */
export function signTwilioRequest(request: TwilioRequest): string {
  invariant(request.authToken !== "", "signTwilioRequest: authToken is empty");
  const fields = request.params === undefined ? "" : signedFields(request.params);
  return hmacSha1(request.authToken, withoutFragment(request.url) + fields);
}

/** The URL that Twilio requests and signs when the body is not a form: with the hash of the body in it. */
export function withBodySha256(url: string, rawBody: string | Uint8Array): string {
  const base = withoutFragment(url);
  return `${base}${base.includes("?") ? "&" : "?"}bodySHA256=${sha256Hex(rawBody)}`;
}

function hmacSha1(key: string, text: string): string {
  return new Bun.CryptoHasher("sha1", key).update(text).digest("base64");
}

function sha256Hex(body: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(body).digest("hex");
}

/** Names sorted, then each distinct value of a name, sorted: what the SDK appends to the URL. */
function signedFields(params: FormParams): string {
  const byName = new Map<string, Set<string>>();
  for (const [name, value] of params) {
    const values = byName.get(name);
    if (values) values.add(value);
    else byName.set(name, new Set([value]));
  }
  let text = "";
  // Default sort on purpose: Twilio orders by code unit, case-sensitive.
  for (const name of [...byName.keys()].toSorted()) {
    for (const value of [...(byName.get(name) ?? [])].toSorted()) text += name + value;
  }
  return text;
}

/** A body that is no form is bound to the signature only by its hash in the URL. */
function bodyMatches(url: string, rawBody: string | Uint8Array | undefined): boolean {
  const hash = /[?&]bodySHA256=([^&#]*)/.exec(url)?.[1];
  if (hash === undefined) return rawBody === undefined || rawBody.length === 0;
  return sameText(hash.toLowerCase(), sha256Hex(rawBody ?? ""));
}

interface UrlParts {
  readonly scheme: string;
  readonly userInfo: string;
  readonly host: string;
  readonly port: string;
  readonly path: string;
  readonly query: string;
}

const DEFAULT_PORT: Readonly<Record<string, string>> = { http: ":80", ws: ":80", https: ":443", wss: ":443" };

/** Splits without normalising: `new URL()` would change characters that Twilio signed as they were. */
function splitUrl(url: string): UrlParts | null {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?/i.exec(url);
  if (!match) return null;
  const [, scheme = "", authority = "", path = "", query = ""] = match;
  const at = authority.lastIndexOf("@") + 1;
  const hostAndPort = authority.slice(at);
  // In an IPv6 literal only a colon after the bracket begins the port.
  const colon = hostAndPort.indexOf(":", hostAndPort.lastIndexOf("]") + 1);
  return {
    scheme: scheme.toLowerCase(),
    userInfo: authority.slice(0, at),
    host: colon === -1 ? hostAndPort : hostAndPort.slice(0, colon),
    port: colon === -1 ? "" : hostAndPort.slice(colon),
    path,
    query,
  };
}

function withoutFragment(url: string): string {
  const hash = url.indexOf("#");
  return hash === -1 ? url : url.slice(0, hash);
}

/** Every spelling of the URL that Twilio may have signed, the likely ones first. */
function urlForms(url: string): readonly string[] {
  const parts = splitUrl(url);
  if (!parts) return [withoutFragment(url)];
  const upgrade = parts.scheme === "wss" || parts.scheme === "ws";
  const schemes = upgrade ? [parts.scheme, parts.scheme.replace("ws", "http")] : [parts.scheme];
  const paths = upgrade ? slashForms(parts.path) : [parts.path];
  const forms = new Set<string>();
  for (const scheme of schemes) {
    for (const path of paths) {
      // Voice over https drops the port, everything else keeps it; user info is dropped by the rule and
      // kept by the SDK.
      for (const port of ["", parts.port || (DEFAULT_PORT[scheme] ?? "")]) {
        forms.add(`${scheme}://${parts.host}${port}${path}${parts.query}`);
        forms.add(`${scheme}://${parts.userInfo}${parts.host}${port}${path}${parts.query}`);
      }
    }
  }
  return [...forms];
}

function slashForms(path: string): readonly string[] {
  if (path === "" || path === "/") return ["", "/"];
  return path.endsWith("/") ? [path, path.slice(0, -1)] : [path, `${path}/`];
}

/** The URL escaped as `new URL()` does it, and its query as Node's `querystring` does it. */
function escapedForms(url: string): readonly string[] {
  if (!URL.canParse(url)) return [];
  return urlForms(new URL(url).href).flatMap((form) => {
    const start = form.indexOf("?");
    if (start === -1 || start === form.length - 1) return [form];
    return [form, `${form.slice(0, start)}?${stringifyQuery(parseQuery(form.slice(start + 1)))}`];
  });
}
