import { CarrierAlert } from "../alerts.ts";
import type { Call } from "../call/call.ts";
import type { Calls } from "../call/registry.ts";
import type { Conferences } from "../conference/registry.ts";
import type { Core, Fields, HttpMethod } from "../types.ts";
import type { Streams } from "./streams.ts";

/** Where a call's next TwiML comes from. */
export type Target =
  | { readonly kind: "url"; readonly url: string; readonly method: HttpMethod; readonly fields: Fields }
  | { readonly kind: "twiml"; readonly twiml: string };

/** What a verb leads to: the next verb, another document, or the end of the call. */
export type Next = "continue" | "end" | Target;

export interface SessionParts {
  readonly core: Core;
  readonly calls: Calls;
  readonly conferences: Conferences;
  readonly streams: Streams;
}

/** What a verb is carried out in. */
export interface Scope extends SessionParts {
  readonly call: Call;
  /** Aborted when the call ends or is sent to other TwiML. */
  readonly signal: AbortSignal;
  /** Address of the document that is carried out; `null` for TwiML that came in a REST request. */
  readonly documentUrl: string | null;
}

/** The address of `action` and the like: relative ones resolve against the document, absolute ones stay as given. */
export function resolveUrl(scope: Scope, url: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(url)) return url;
  const base = scope.documentUrl;
  if (base === null || !URL.canParse(url, base)) {
    throw new CarrierAlert(
      11100,
      `the URL "${url}" is relative, and there is no document to resolve it against`,
    );
  }
  return new URL(url, base).href;
}

export function goTo(scope: Scope, url: string, method: HttpMethod, fields: Fields): Target {
  return { kind: "url", url: resolveUrl(scope, url), method, fields };
}
