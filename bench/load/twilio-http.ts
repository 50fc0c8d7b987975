/** Requests as Twilio sends them, and what is read from the TwiML that answers them. */
import { InvariantError } from "../../engine/errors.ts";
import { signTwilioRequest } from "../../engine/http/twilio-signature.ts";
import type { StreamTarget } from "./carrier-stream.ts";

/** A signed form. Answers with the body. */
export async function postForm(
  url: string,
  authToken: string,
  fields: Readonly<Record<string, string>>,
): Promise<string> {
  const params = new URLSearchParams(fields);
  const bare = url.split("#", 1)[0] as string;
  const answer = await fetch(bare, {
    method: "POST",
    headers: {
      "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
      "x-twilio-signature": signTwilioRequest({ authToken, url: bare, params }),
    },
    body: params.toString(),
  });
  const text = await answer.text();
  if (!answer.ok) throw new InvariantError(`${new URL(bare).pathname} answered ${answer.status}: ${text}`);
  return text;
}

/** An attribute of the first element of that name; empty when there is none. */
export function attribute(twiml: string, element: string, name: string): string {
  const tag = new RegExp(`<${element}\\b[^>]*>`).exec(twiml)?.[0] ?? "";
  return unescape(new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? "");
}

/** The value of the n-th parameter of that name, from 0; empty when there is none. */
export function parameterOf(twiml: string, name: string, n: number): string {
  const found = [...twiml.matchAll(new RegExp(`<Parameter name="${name}" value="([^"]*)"`, "g"))];
  return unescape(found[n]?.[1] ?? "");
}

function unescape(text: string): string {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

export function streamTarget(
  url: string,
  signature: string | null,
  parameters: Readonly<Record<string, string>>,
): StreamTarget {
  const { hostname, port, pathname } = new URL(url);
  return { hostname, port: Number(port), path: pathname, signature, parameters };
}
