import { describe, expect, test } from "bun:test";
import { ConsoleAccess } from "../../../engine/http/access.ts";

const ORIGIN = "https://calls.example.com";

const TOKEN = "a-token-for-tests";
const request = (headers: Record<string, string> = {}, host = "console.example"): Request =>
  new Request(`http://${host}/api/calls`, { headers: { host, ...headers } });

describe("with a token", () => {
  const access = new ConsoleAccess({ consoleToken: TOKEN, sandbox: false, origin: ORIGIN });
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
        problem: "send Authorization: Bearer <TANDEM_CONSOLE_TOKEN>",
      });
    }
  });

  test("loopback alone opens nothing, not even in sandbox mode", () => {
    const sandbox = new ConsoleAccess({ consoleToken: TOKEN, sandbox: true, origin: ORIGIN });
    expect(sandbox.check(request({}, "localhost"), "127.0.0.1").ok).toBe(false);
  });

  test("counts whom it refuses", () => {
    const fresh = new ConsoleAccess({ consoleToken: TOKEN, sandbox: false, origin: ORIGIN });
    fresh.check(request(), null);
    fresh.check(request({ authorization: `Bearer ${TOKEN}` }), null);
    fresh.check(request(), null);
    expect(fresh.counters.refused).toBe(2);
  });
});

describe("the cookie", () => {
  const access = new ConsoleAccess({ consoleToken: TOKEN, sandbox: false, origin: ORIGIN });
  const cookie = access.signIn(TOKEN, true)?.split(";")[0] ?? "";

  test("is given for the right token alone", () => {
    expect(access.signIn("wrong", true)).toBeNull();
    expect(access.signIn("", true)).toBeNull();
    expect(
      new ConsoleAccess({ consoleToken: null, sandbox: true, origin: ORIGIN }).signIn("", true),
    ).toBeNull();
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
    const other = new ConsoleAccess({ consoleToken: "another-token", sandbox: false, origin: ORIGIN });
    expect(other.check(request({ cookie }), null).ok).toBe(false);
  });

  test("is of no use to a page of another origin", () => {
    expect(access.check(request({ cookie, origin: "http://console.example" }), null).ok).toBe(true);
    for (const origin of ["https://other.example", "http://console.example:8081", "null", "nonsense"]) {
      expect(access.check(request({ cookie, origin }), null).ok).toBe(false);
    }
  });
});

describe("without a token", () => {
  test("the console is off outside sandbox mode, and says how to turn it on", () => {
    const access = new ConsoleAccess({ consoleToken: null, sandbox: false, origin: ORIGIN });
    expect(access.check(request({}, "localhost"), "127.0.0.1")).toEqual({
      ok: false,
      status: 403,
      problem: "the console is off: set TANDEM_CONSOLE_TOKEN",
    });
  });

  const sandbox = new ConsoleAccess({ consoleToken: null, sandbox: true, origin: ORIGIN });
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
  const access = new ConsoleAccess({ consoleToken: TOKEN, sandbox: false, origin: ORIGIN });
  const cookie = access.signIn(TOKEN, true)?.split(";")[0] ?? "";
  const from = (origin: string): Request =>
    new Request("http://127.0.0.1:8080/api/calls", { headers: { cookie, origin, host: "127.0.0.1:8080" } });
  expect(access.check(from(ORIGIN), "10.0.0.1").ok).toBe(true);
  expect(access.check(from("https://other.example.com"), "10.0.0.1").ok).toBe(false);
});
