import { describe, expect, test } from "bun:test";
import { ClientAddresses } from "../../../engine/http/client-address.ts";
import { namesOf, load, REAL } from "../config/support.ts";

function clientOf(trusted: readonly string[], peer: string | null, forwarded?: string): string | null {
  const headers: Record<string, string> = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return new ClientAddresses(trusted).of(new Request("http://localhost/", { headers }), peer);
}

describe("where a request comes from", () => {
  test("is the other end of the connection, whatever is said, when nobody is trusted", () => {
    expect(clientOf([], "203.0.113.9", "198.51.100.1")).toBe("203.0.113.9");
    expect(clientOf([], null, "198.51.100.1")).toBeNull();
  });

  test("is what a trusted proxy has seen, and not what was said to it", () => {
    const said = "192.0.2.66, 198.51.100.1";
    expect(clientOf(["10.0.0.0/8"], "10.1.2.3", said)).toBe("198.51.100.1");
    expect(clientOf(["10.0.0.0/8"], "::ffff:10.1.2.3", said)).toBe("198.51.100.1");
    expect(clientOf(["10.0.0.0/8"], "11.1.2.3", said)).toBe("11.1.2.3");
  });

  test("is found behind several proxies, as far as all of them are trusted", () => {
    const trusted = ["127.0.0.1", "2001:db8::/32"];
    expect(clientOf(trusted, "127.0.0.1", "192.0.2.66, 198.51.100.1, [2001:db8::1]:443")).toBe(
      "198.51.100.1",
    );
    expect(clientOf(trusted, "127.0.0.1", "198.51.100.1:5678, 10.0.0.1")).toBe("10.0.0.1");
    expect(clientOf(trusted, "127.0.0.1", "198.51.100.1:5678")).toBe("198.51.100.1");
  });

  test("is the last that is known when the rest is missing, or is no address", () => {
    for (const forwarded of [undefined, "", "unknown", "198.51.100.1, "])
      expect(clientOf(["127.0.0.1"], "127.0.0.1", forwarded)).toBe("127.0.0.1");
  });
});

test("TANDEM_TRUSTED_PROXIES is a list of addresses and networks", async () => {
  const env = (value: string) => ({ ...REAL, TANDEM_TRUSTED_PROXIES: value });
  const { trustedProxies } = await load(env(" 127.0.0.1, 10.0.0.0/8,2001:db8::/32 "));
  expect(trustedProxies).toEqual(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]);
  new ClientAddresses(trustedProxies);
  for (const wrong of [
    "proxy.example",
    "10.0.0.0/33",
    "10.0.0.0/8;127.0.0.1",
    "127.0.0.1,",
    "10.0.0.0/",
    "fe80::1%eth0",
  ])
    expect(await namesOf(env(wrong))).toEqual(["TANDEM_TRUSTED_PROXIES"]);
});
