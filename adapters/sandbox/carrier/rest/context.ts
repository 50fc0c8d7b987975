import type { Calls } from "../call/registry.ts";
import type { Dialer } from "../call/dialer.ts";
import type { SessionParts } from "../session/scope.ts";
import type { Messages } from "../messages.ts";
import { encodeForm } from "../form.ts";
import type { Fields } from "../types.ts";
import { renderPage, type Json } from "./render.ts";
import { Values, validate, type Table } from "./parameters.ts";

/** What the REST operations act on. */
export interface RestContext extends SessionParts {
  readonly calls: Calls;
  readonly dialer: Dialer;
  readonly messages: Messages;
}

/** One request, already authorised. */
export interface RestRequest {
  /** The path as it was asked for. */
  readonly path: string;
  /** Variable parts of the path, percent-decoded, in order. */
  readonly ids: readonly string[];
  /** The form of a POST, else the query. */
  readonly fields: Fields;
}

export interface RestAnswer {
  readonly status: number;
  readonly body: Json | null;
}

export type Operation = (context: RestContext, request: RestRequest) => RestAnswer;

const DEFAULT_PAGE_SIZE = 50;

/** A list answer: `select` picks and renders the items that match the checked query. */
export function listAnswer(
  request: RestRequest,
  table: Table,
  key: string,
  select: (query: Values) => readonly Json[],
): RestAnswer {
  const values = validate(table, request.fields);
  const query = new URLSearchParams(encodeForm(request.fields));
  const size = values.int("PageSize") ?? DEFAULT_PAGE_SIZE;
  const page = values.int("Page") ?? 0;
  return {
    status: 200,
    body: renderPage(key, select(values), { path: request.path, query, size, page }),
  };
}

/** Whether `atMs` satisfies the filters `name`, `name<` and `name>` (both inclusive, as at Twilio). */
export function inDates(values: Values, name: string, atMs: number | null): boolean {
  const exact = values.text(name);
  const until = values.text(`${name}<`);
  const from = values.text(`${name}>`);
  if (exact === null && until === null && from === null) return true;
  if (atMs === null) return false;
  const at = new Date(atMs).toISOString();
  const cut = (bound: string): string => at.slice(0, bound.replace(/Z$/, "").length);
  const plain = (bound: string): string => bound.replace(/Z$/, "");
  if (exact !== null && cut(exact) !== plain(exact)) return false;
  if (until !== null && cut(until) > plain(until)) return false;
  return from === null || cut(from) >= plain(from);
}

/** The callback address of a request, if it has one. */
export function callbackTarget(
  values: Values,
  name: string,
): { readonly url: string; readonly method: "GET" | "POST" } | null {
  const url = values.text(name);
  return url === null ? null : { url, method: values.method(`${name}Method`) };
}
