/** Where a host of a URL leads, as far as its text tells. A name is not resolved. */
export type HostKind = "loopback" | "private" | "public";

/** [first octets, prefix length in bits, kind] of RFC 6890's special-purpose blocks. */
const IPV4_BLOCKS: readonly (readonly [string, number, HostKind])[] = [
  ["127.0.0.0", 8, "loopback"],
  ["0.0.0.0", 8, "private"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "private"],
  ["169.254.0.0", 16, "private"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "private"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "private"],
  ["224.0.0.0", 3, "private"],
];

function ipv4Number(text: string): number | null {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return null;
  return text.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function ipv4Kind(address: number): HostKind {
  for (const [base, bits, kind] of IPV4_BLOCKS) {
    const size = 2 ** (32 - bits);
    const start = ipv4Number(base) ?? 0;
    if (address >= start && address < start + size) return kind;
  }
  return "public";
}

/** The eight groups of an IPv6 address as `URL` writes it (compressed, without a dotted tail). */
function ipv6Groups(text: string): number[] {
  const [head = "", tail] = text.split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const left = groups(head);
  if (tail === undefined) return left;
  const right = groups(tail);
  return [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => 0), ...right];
}

function ipv6Kind(text: string): HostKind {
  const g = ipv6Groups(text);
  const at = (index: number): number => g[index] ?? 0;
  const zeroUpTo = (end: number): boolean => g.slice(0, end).every((group) => group === 0);
  if (zeroUpTo(7) && at(7) === 1) return "loopback";
  if (zeroUpTo(7) && at(7) === 0) return "private";
  const embedded = at(6) * 65_536 + at(7);
  // ::ffff:a.b.c.d (mapped), ::ffff:0:a.b.c.d (translated), ::a.b.c.d (compatible), 64:ff9b::a.b.c.d (NAT64) and
  // 2002:a.b.c.d:: (6to4) lead to an IPv4 address; 64:ff9b:1:: is some network's own NAT64, and Teredo (2001:0::)
  // leads to hosts behind a NAT.
  if (zeroUpTo(5) && at(5) === 0xffff) return ipv4Kind(embedded);
  if (zeroUpTo(4) && at(4) === 0xffff && at(5) === 0) return ipv4Kind(embedded);
  if (zeroUpTo(6)) return ipv4Kind(embedded);
  if (at(0) === 0x64 && at(1) === 0xff9b) return at(2) === 0 ? ipv4Kind(embedded) : "private";
  if (at(0) === 0x2002) return ipv4Kind(at(1) * 65_536 + at(2));
  if (at(0) === 0x2001 && at(1) === 0) return "private";
  const first = at(0);
  // fc00::/7, fe80::/10 with what was site-local once, and ff00::/8.
  const local = (first & 0xfe00) === 0xfc00 || (first & 0xff80) === 0xfe80 || (first & 0xff00) === 0xff00;
  return local ? "private" : "public";
}

/** Kind of `hostname` as `URL` gives it: lower case, IPv4 in four decimal octets, IPv6 in brackets. */
export function hostKind(hostname: string): HostKind {
  if (hostname.startsWith("[")) return ipv6Kind(hostname.slice(1, -1));
  const name = hostname.replace(/\.$/, "");
  const address = ipv4Number(name);
  if (address !== null) return ipv4Kind(address);
  if (name === "localhost" || name.endsWith(".localhost")) return "loopback";
  return name.endsWith(".local") || name.endsWith(".internal") ? "private" : "public";
}

/** What counts as one visitor: an IPv4 address, or an IPv6 network of 64 bits, all of which one customer has. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(":")) return address;
  const groups = ipv6Groups(address).slice(0, 4);
  return groups.map((group) => group.toString(16)).join(":");
}

/** Parses an absolute http(s) URL; `null` for anything else. */
export function parseHttpUrl(text: string): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && (url.protocol === "https:" || url.protocol === "http:") && url.hostname !== "" ? url : null;
}
