/** Where a request comes from, behind proxies too: as far as those who say so are trusted, which nobody is by default. */
import { BlockList, isIP } from "node:net";

/** Each proxy adds the address that it has seen to the end; what stands before may be anybody's invention. */
const HEADER = "x-forwarded-for";

export class ClientAddresses {
  readonly #trusted = new BlockList();

  /** `trusted`: addresses of proxies, or networks of them (`10.0.0.0/8`). */
  constructor(trusted: readonly string[]) {
    for (const each of trusted) {
      const [address = "", prefix] = each.split("/");
      const family = familyOf(address);
      if (prefix === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(prefix), family);
    }
  }

  /** `peer`: the other end of the connection. */
  of(request: Request, peer: string | null): string | null {
    let client = peer;
    const told = (request.headers.get(HEADER) ?? "").split(",").map((entry) => bare(entry.trim()));
    while (client !== null && this.#isTrusted(client)) {
      const next = told.pop();
      if (next === undefined || isIP(next) === 0) break;
      client = next;
    }
    return client;
  }

  #isTrusted(address: string): boolean {
    return isIP(address) !== 0 && this.#trusted.check(address, familyOf(address));
  }
}

/** Without the port and the brackets that some proxies write. */
function bare(entry: string): string {
  return /^\[(.+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
