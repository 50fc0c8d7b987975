/**
 * `X-Twilio-Signature` as Twilio's security guide describes it: HMAC-SHA1, in base64, over the URL and, for a
 * form, every field's name and value, sorted by name.
 */
import { createHmac } from "node:crypto";
import type { Fields } from "./types.ts";

/** A repeated name's values are de-duplicated and sorted, as the `twilio` package expects. */
export function sign(authToken: string, url: string, fields: Fields): string {
  const byName = new Map<string, Set<string>>();
  for (const [name, value] of fields) {
    const values = byName.get(name);
    if (values) values.add(value);
    else byName.set(name, new Set([value]));
  }
  let text = url;
  for (const name of [...byName.keys()].toSorted()) {
    for (const value of [...(byName.get(name) as Set<string>)].toSorted()) text += name + value;
  }
  return createHmac("sha1", authToken).update(text, "utf8").digest("base64");
}

/**
 * The form of `url` that is signed: no fragment, no user info; a voice request over HTTPS also loses its
 * port, while SMS and plain HTTP keep it.
 */
export function signedUrl(url: string, product: "voice" | "sms"): string {
  const withoutFragment = url.split("#", 1)[0] as string;
  const withoutUser = withoutFragment.replace(/^(\w+:\/\/)[^/?#@]*@/, "$1");
  if (product === "sms") return withoutUser;
  return withoutUser.replace(/^(https:\/\/(?:\[[^\]]*\]|[^/:?#]+)):\d+/, "$1");
}
