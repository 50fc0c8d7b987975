import { describe, expect, test } from "bun:test";
import { tokenHash } from "../../../engine/config/tokens-file.ts";
import { type AccessOptions, ConsoleAccess } from "../../../engine/http/access.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

const ORIGIN = "https://calls.example.com";

const TOKEN = "a-token-for-tests";
const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00.000Z"));
const accessOf = (consoleToken: string | null, sandbox = false, more: Partial<AccessOptions> = {}) =>
  new ConsoleAccess({ consoleToken, sandbox, origin: ORIGIN, clock, ...more });
const request = (headers: Record<string, string> = {}, host = "console.example"): Request =>
  new Request(`http://${host}/api/calls`, { headers: { host, ...headers } });

describe("with a token", () => {
  const access = accessOf(TOKEN);
  const allows = (headers: Record<string, string>, address: string | null = "203.0.113.9"): boolean =>
    access.check(request(headers), address).ok;

  test("the bearer of it is let in from anywhere", () => {
    expect(allows({ authorization: `Bearer ${TOKEN}` })).toBe(true);
    expect(allows({ authorization: `bearer ${TOKEN}` }, null)).toBe(true);
    expect(allows({ authorization: `Bearer ${TOKEN}`, origin: "https://other.example" })).toBe(true);
  });

  test("nobody else is, and is told what to send", () => {
    const wrong = [
      {},
      { authorization: TOKEN },
      { authorization: "Bearer " },
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: `Bearer ${TOKEN.slice(1)}` },
      { authorization: `Basic ${TOKEN}` },
      { cookie: `tandem_console=${TOKEN}` },
    ];
    for (const headers of wrong) {
      expect(access.check(request(headers), "127.0.0.1")).toEqual({
        ok: false,
        status: 401,
        problem: expect.stringContaining("send Authorization: Bearer <TANDEM_CONSOLE_TOKEN>") as string,
      });
    }
  });

  test("loopback alone opens nothing, not even in sandbox mode", () => {
    const sandbox = accessOf(TOKEN, true);
    expect(sandbox.check(request({}, "localhost"), "127.0.0.1").ok).toBe(false);
  });

  test("counts whom it refuses", () => {
    const fresh = accessOf(TOKEN);
    fresh.check(request(), null);
    fresh.check(request({ authorization: `Bearer ${TOKEN}` }), null);
    fresh.check(request(), null);
    expect(fresh.counters.refused).toBe(2);
  });
});

describe("the cookie", () => {
  const access = accessOf(TOKEN);
  const cookie = access.signIn(TOKEN, true)?.split(";")[0] ?? "";

  test("is given for the right token alone", () => {
    expect(access.signIn("wrong", true)).toBeNull();
    expect(access.signIn("", true)).toBeNull();
    expect(accessOf(null, true).signIn("", true)).toBeNull();
  });

  test("does not hold the token, is kept from scripts and other sites, and from plain http where there is https", () => {
    const secure = access.signIn(TOKEN, true);
    expect(secure).not.toContain(TOKEN);
    expect(secure?.split("; ").slice(1)).toEqual([
      "HttpOnly",
      "SameSite=Strict",
      "Path=/",
      "Max-Age=43200",
      "Secure",
    ]);
    expect(access.signIn(TOKEN, false)).not.toContain("Secure");
  });

  test("lets its browser in, among other cookies too", () => {
    for (const all of [cookie, `a=b; ${cookie}`, `${cookie}; a=b`, `a=b;${cookie}`]) {
      expect(access.check(request({ cookie: all }), null).ok).toBe(true);
    }
  });

  test("is of no use under another name or with another value", () => {
    for (const all of [`x${cookie}`, `${cookie}x`, cookie.toUpperCase(), "tandem_console="]) {
      expect(access.check(request({ cookie: all }), null).ok).toBe(false);
    }
    const other = accessOf("another-token");
    expect(other.check(request({ cookie }), null).ok).toBe(false);
  });

  test("is of no use to a page of another origin", () => {
    expect(access.check(request({ cookie, origin: "http://console.example" }), null).ok).toBe(true);
    for (const origin of ["https://other.example", "http://console.example:8081", "null", "nonsense"]) {
      expect(access.check(request({ cookie, origin }), null).ok).toBe(false);
    }
  });
});

describe("tokens with names", () => {
  const ann = { name: "ann@desk", role: "operator", sha256: tokenHash("the-token-of-ann") } as const;
  const bob = { name: "bob", role: "viewer", sha256: tokenHash("the-token-of-bob") } as const;
  const access = accessOf(TOKEN, false, { viewerToken: "the-viewers-token", tokens: [ann, bob] });
  const whoBears = (token: string) => access.check(request({ authorization: `Bearer ${token}` }), null);
  const cookieOf = (token: string, of = access): string => of.signIn(token, true)?.split(";")[0] ?? "";
  const whoKeeps = (cookie: string, of = access) => of.check(request({ cookie }), null);

  test("say who it is, and their role", () => {
    const who = (name: string, role: string) => ({ ok: true, who: { name, role, via: "api" } });
    expect(whoBears("the-token-of-ann")).toEqual(who("ann@desk", "operator") as never);
    expect(whoBears("the-token-of-bob")).toEqual(who("bob", "viewer") as never);
    expect(whoBears("the-viewers-token")).toEqual(who("viewer", "viewer") as never);
    expect(whoBears(TOKEN)).toEqual(who("console", "admin") as never);
  });

  test("are not what is kept of them", () => {
    for (const { sha256 } of [ann, bob]) {
      expect(whoBears(sha256).ok).toBe(false);
      expect(access.signIn(sha256, true)).toBeNull();
    }
  });

  test("are exchanged for a cookie that says the same", () => {
    const who = { name: "ann@desk", role: "operator", via: "console" } as const;
    expect(whoKeeps(cookieOf("the-token-of-ann"))).toEqual({ ok: true, who });
  });

  test("give a cookie that is nobody else's, and of no use once it is too old", () => {
    const cookie = cookieOf("the-token-of-ann");
    expect(whoKeeps(cookie.replace("ann@desk", "bob")).ok).toBe(false);
    expect(whoKeeps(cookie.replace("ann@desk", "console")).ok).toBe(false);
    const [, expiresAtS = ""] = /=(\d+)\./.exec(cookie) ?? [];
    expect(whoKeeps(cookie.replace(expiresAtS, String(Number(expiresAtS) + 1))).ok).toBe(false);
    clock.advance(43_199_000);
    expect(whoKeeps(cookie).ok).toBe(true);
    clock.advance(1000);
    expect(whoKeeps(cookie).ok).toBe(false);
  });

  test("that are taken out, or made anew, take their cookies with them", () => {
    const cookie = cookieOf("the-token-of-ann");
    const again = accessOf(TOKEN, false, { tokens: [ann, bob] });
    expect(whoKeeps(cookie, again).ok).toBe(true);
    expect(whoKeeps(cookie, accessOf(TOKEN, false, { tokens: [bob] })).ok).toBe(false);
    const anew = { ...ann, sha256: tokenHash("another-token-of-ann") };
    expect(whoKeeps(cookie, accessOf(TOKEN, false, { tokens: [anew, bob] })).ok).toBe(false);
    expect(whoKeeps(cookie, accessOf("another-console-token", false, { tokens: [ann] })).ok).toBe(false);
  });
});

describe("without a token", () => {
  test("the console is off outside sandbox mode, and says how to turn it on", () => {
    const access = accessOf(null);
    expect(access.check(request({}, "localhost"), "127.0.0.1")).toEqual({
      ok: false,
      status: 403,
      problem: "the console is off: set TANDEM_CONSOLE_TOKEN",
    });
  });

  const sandbox = accessOf(null, true);
  const allows = (host: string, address: string | null, headers: Record<string, string> = {}): boolean =>
    sandbox.check(request(headers, host), address).ok;

  test("sandbox mode answers loopback by its own names", () => {
    const hosts = [
      "localhost",
      "localhost:8080",
      "LOCALHOST:8080",
      "127.0.0.1:8080",
      "127.1.2.3",
      "[::1]:8080",
    ];
    for (const host of hosts) expect(allows(host, "127.0.0.1")).toBe(true);
    for (const address of ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]) {
      expect(allows("localhost:8080", address)).toBe(true);
    }
  });

  test("sandbox mode answers no other address", () => {
    for (const address of ["203.0.113.9", "::ffff:203.0.113.9", "10.0.0.1", "1127.0.0.1", null]) {
      expect(allows("localhost:8080", address)).toBe(false);
    }
  });

  test("a name that was made to lead to loopback is not answered", () => {
    for (const host of ["rebound.example", "localhost.example", "127.0.0.1.example", "x-localhost"]) {
      expect(allows(host, "127.0.0.1")).toBe(false);
    }
  });

  test("a page of another origin is not answered", () => {
    const origin = (value: string): boolean => allows("localhost:8080", "127.0.0.1", { origin: value });
    expect(origin("http://localhost:8080")).toBe(true);
    expect(origin("http://localhost:9999")).toBe(false);
    expect(origin("https://other.example")).toBe(false);
    expect(origin("null")).toBe(false);
  });
});

test("behind a proxy that rewrites the Host header, the public origin is our own", () => {
  const access = accessOf(TOKEN);
  const cookie = access.signIn(TOKEN, true)?.split(";")[0] ?? "";
  const from = (origin: string): Request =>
    new Request("http://127.0.0.1:8080/api/calls", { headers: { cookie, origin, host: "127.0.0.1:8080" } });
  expect(access.check(from(ORIGIN), "10.0.0.1").ok).toBe(true);
  expect(access.check(from("https://other.example.com"), "10.0.0.1").ok).toBe(false);
});
