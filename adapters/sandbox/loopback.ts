/** Who may use the sandbox: this machine, and nobody else. One question, asked of every request to any part of it. */
import { comesFromHere } from "../../engine/platform/loopback.ts";

/** As `URL` writes the host. */
export const LOOPBACK_NAMES: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Whether a request comes from this machine, for a loopback name, from a page of one or from a program, and was not
 * handed on by a proxy. The servers listen on loopback anyway; but a web page from elsewhere may point a name of its
 * own at this machine, and a tunnel may make the world's requests come from it.
 *
 * @param address where the connection comes from; `null`: it is not known, and then the answer is no.
 */
export function isFromHere(request: Request, address: string | null): boolean {
  if (!comesFromHere(request, address) || !isLoopbackUrl(request.url)) return false;
  const origin = request.headers.get("origin");
  return origin === null || isLoopbackUrl(origin);
}

/** The server puts the Host header into the URL of a request. */
function isLoopbackUrl(url: string): boolean {
  return URL.canParse(url) && LOOPBACK_NAMES.has(new URL(url).hostname);
}
