import type { Fields } from "./types.ts";

/** Parses `application/x-www-form-urlencoded`; the empty text has no fields. */
export function parseForm(text: string): Fields {
  return [...new URLSearchParams(text)];
}

export function encodeForm(fields: Fields): string {
  const form = new URLSearchParams();
  for (const [name, value] of fields) form.append(name, value);
  return form.toString();
}

/** Adds `fields` to the query of `url`, before its fragment. */
export function withQuery(url: string, fields: Fields): string {
  if (fields.length === 0) return url;
  const [address = "", fragment] = url.split("#", 2);
  const joined = `${address}${address.includes("?") ? "&" : "?"}${encodeForm(fields)}`;
  return fragment === undefined ? joined : `${joined}#${fragment}`;
}
