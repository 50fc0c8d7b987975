/** Which hosts a push may go to. */
import { lookup } from "node:dns/promises";
import { hostKind, parseHttpUrl } from "../../engine/config/addresses.ts";
import { PushError } from "../../engine/errors.ts";

/** Addresses of a host name, IPv4 and IPv6 as text. Rejects when there are none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export const systemResolve: Resolve = async (hostname) =>
  (await lookup(hostname, { all: true })).map(({ address }) => address);

/**
 * Whether a push may be sent to `url`: https, or http to this machine, and never to a private or link-local
 * address, be it written in the URL or what the name leads to now. `fetch` resolves the name once more, so a
 * name whose owner changes it in between is not caught: the URLs are the deployment's own.
 *
 * @throws PushError retryable only when the name could not be resolved.
 */
export async function checkReceiver(text: string, resolve: Resolve): Promise<void> {
  const url = parseHttpUrl(text);
  if (!url) throw refused("is no http(s) URL");
  const kind = hostKind(url.hostname);
  if (kind === "private") throw refused("leads to a private address");
  if (kind === "loopback") return;
  if (url.protocol !== "https:") throw refused("is plain http");
  if (isAddress(url.hostname)) return;
  let addresses: readonly string[];
  try {
    addresses = await resolve(url.hostname);
  } catch {
    throw new PushError("the name of the push receiver could not be resolved", {
      status: 0,
      retryable: true,
    });
  }
  if (addresses.some((address) => kindOf(address) !== "public")) throw refused("leads to a private address");
}

/** Nothing was sent: it may not go there. */
export class ReceiverRefused extends PushError {}

function refused(why: string): ReceiverRefused {
  return new ReceiverRefused(`the URL of the push receiver ${why}`, { status: 0, retryable: false });
}

const isAddress = (hostname: string): boolean => hostname.startsWith("[") || /^[\d.]+$/.test(hostname);

/** An address with a zone (`fe80::1%eth0`) is no host of a URL, and link-local. */
function kindOf(address: string): ReturnType<typeof hostKind> {
  const host = address.includes(":") ? `[${address}]` : address;
  return URL.canParse(`http://${host}`) ? hostKind(new URL(`http://${host}`).hostname) : "private";
}
