import { describe, expect, test } from "bun:test";
import { tokenHash } from "../../../engine/config/tokens-file.ts";
import { type AccessOptions, ConsoleAccess } from "../../../engine/http/access.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

const ORIGIN = "https://calls.example.com";

const TOKEN = "a-token-for-tests";
const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00.000Z"));
const accessOf = (consoleToken: string | null, sandbox = false, more: Partial<AccessOptions> = {}) =>
  new ConsoleAccess({ consoleToken, sandbox, origin: ORIGIN, clock, log: silentLog, ...more });
const cookieFrom = (access: ConsoleAccess, token: string, secure = true): string | null => {
  const signedIn = access.signIn(token, secure, null);
  return signedIn.ok ? signedIn.cookie : null;
};
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
  const cookie = cookieFrom(access, TOKEN, true)?.split(";")[0] ?? "";

  test("is given for the right token alone", () => {
    expect(cookieFrom(access, "wrong", true)).toBeNull();
    expect(cookieFrom(access, "", true)).toBeNull();
    expect(cookieFrom(accessOf(null, true), "", true)).toBeNull();
  });

  test("does not hold the token, is kept from scripts and other sites, and from plain http where there is https", () => {
    const secure = cookieFrom(access, TOKEN, true);
    expect(secure).not.toContain(TOKEN);
    expect(secure?.split("; ").slice(1)).toEqual([
      "HttpOnly",
      "SameSite=Strict",
      "Path=/",
      "Max-Age=43200",
      "Secure",
    ]);
    expect(cookieFrom(access, TOKEN, false)).not.toContain("Secure");
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
  const cookieOf = (token: string, of = access): string => cookieFrom(of, token, true)?.split(";")[0] ?? "";
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
      expect(cookieFrom(access, sha256, true)).toBeNull();
    }
  });

  test("are exchanged for a cookie that says the same", () => {
    const who = { name: "ann@desk", role: "operator", via: "console" } as const;
    const session = { id: expect.any(String) as string, endsAtMs: clock.now() + 43_200_000 };
    expect(whoKeeps(cookieOf("the-token-of-ann"))).toEqual({ ok: true, who, session });
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

describe("wrong tokens", () => {
  const HERE = "198.51.100.7";
  const ELSEWHERE = "198.51.100.8";

  function make() {
    const lines: string[] = [];
    const time = new VirtualClock(0);
    const log = { warn: (event: string) => void lines.push(event) };
    const access = accessOf(TOKEN, false, { clock: time, log });
    const ask = (token: string, address: string | null = HERE) =>
      access.check(request({ authorization: `Bearer ${token}` }), address);
    const guess = (times: number, address = HERE): void => {
      for (let n = 0; n < times; n++) ask(`a-guess-${n}`, address);
    };
    return { access, time, lines, ask, guess };
  }

  test("lock their address, for the right one too, and say for how long", () => {
    const { access, time, lines, ask, guess } = make();
    guess(9);
    expect(ask(TOKEN).ok).toBe(true);
    guess(10);
    const locked = { ok: false, status: 429, retryAfterS: 60 };
    expect(ask(TOKEN)).toMatchObject(locked);
    expect(access.signIn(TOKEN, true, HERE)).toMatchObject(locked);
    time.advance(59_500);
    expect(ask(TOKEN)).toMatchObject({ status: 429, retryAfterS: 1 });
    time.advance(500);
    expect(ask(TOKEN).ok).toBe(true);
    expect(access.counters).toMatchObject({ wrongTokens: 19, lockedOut: 3 });
    expect(lines).toEqual(["console.address_locked"]);
  });

  test("at sign-in count as well", () => {
    const { access, ask } = make();
    for (let n = 0; n < 10; n++)
      expect(access.signIn(`a-guess-${n}`, true, HERE)).toMatchObject({ status: 401 });
    expect(ask(TOKEN)).toMatchObject({ status: 429 });
  });

  test("lock nobody else, and nobody who is signed in", () => {
    const { access, ask, guess } = make();
    const cookie = cookieFrom(access, TOKEN)?.split(";")[0] ?? "";
    guess(20);
    expect(ask(TOKEN).ok).toBe(false);
    expect(ask(TOKEN, ELSEWHERE).ok).toBe(true);
    expect(access.check(request({ cookie }), HERE).ok).toBe(true);
    // Without a token nothing was guessed.
    expect(access.check(request({}), HERE)).toMatchObject({ status: 401 });
  });

  test("that are one and the same stale token lock nobody", () => {
    const { ask } = make();
    for (let n = 0; n < 100; n++) expect(ask("a-stale-token")).toMatchObject({ status: 401 });
    expect(ask(TOKEN).ok).toBe(true);
  });

  test("are counted by network where one visitor has a whole network", () => {
    const { ask, guess } = make();
    guess(9, "2001:db8:1:2::1");
    ask("another", "2001:db8:1:2:ffff::2");
    expect(ask(TOKEN, "2001:db8:1:2::3")).toMatchObject({ status: 429 });
    expect(ask(TOKEN, "2001:db8:1:3::3").ok).toBe(true);
    guess(10, "::ffff:192.0.2.1");
    expect(ask(TOKEN, "192.0.2.1")).toMatchObject({ status: 429 });
    expect(ask(TOKEN, "::ffff:192.0.2.2").ok).toBe(true);
  });

  test("of a thousand addresses are counted, and then the oldest is forgotten, which is counted", () => {
    const { access, ask, guess } = make();
    guess(10);
    for (let n = 0; n < 999; n++) ask("a-guess", `10.0.${n >> 8}.${n & 255}`);
    expect(ask(TOKEN)).toMatchObject({ status: 429 });
    expect(access.counters["addressesForgotten"]).toBe(0);
    ask("a-guess", ELSEWHERE);
    expect(access.counters["addressesForgotten"]).toBe(1);
    expect(ask(TOKEN).ok).toBe(true);
  });
});

describe("requests with one token", () => {
  const ann = { name: "ann", role: "operator", sha256: tokenHash("the-token-of-ann") } as const;

  function make() {
    const time = new VirtualClock(0);
    const access = accessOf(TOKEN, false, { clock: time, tokens: [ann] });
    const ask = (token: string, address: string) =>
      access.check(request({ authorization: `Bearer ${token}` }), address);
    return { access, time, ask };
  }

  test("may come in a burst, and then so many a second, by token and address", () => {
    const { access, time, ask } = make();
    for (let n = 0; n < 300; n++) expect(ask(TOKEN, "192.0.2.1").ok).toBe(true);
    expect(ask(TOKEN, "192.0.2.1")).toMatchObject({ ok: false, status: 429, retryAfterS: 1 });
    expect(ask(TOKEN, "192.0.2.2").ok).toBe(true);
    expect(ask("the-token-of-ann", "192.0.2.1").ok).toBe(true);
    time.advance(1000);
    for (let n = 0; n < 50; n++) expect(ask(TOKEN, "192.0.2.1").ok).toBe(true);
    expect(ask(TOKEN, "192.0.2.1").ok).toBe(false);
    expect(access.counters).toMatchObject({ tooOften: 2, refused: 0 });
  });

  test("are counted of a bounded number of askers, of whom the quietest is forgotten", () => {
    const { access, ask } = make();
    for (let n = 0; n < 1001; n++) ask(TOKEN, `10.0.${n >> 8}.${n & 255}`);
    expect(access.counters["askersForgotten"]).toBe(1);
  });

  test("on this machine in sandbox mode are not counted", () => {
    const open = accessOf(null, true);
    for (let n = 0; n < 400; n++) expect(open.check(request({}, "localhost"), "127.0.0.1").ok).toBe(true);
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

  test("what a proxy on this machine brings is not of this machine", () => {
    for (const name of ["x-forwarded-for", "x-real-ip", "forwarded"])
      expect([name, allows("localhost:8080", "127.0.0.1", { [name]: "203.0.113.9" })]).toEqual([name, false]);
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
  const cookie = cookieFrom(access, TOKEN, true)?.split(";")[0] ?? "";
  const from = (origin: string): Request =>
    new Request("http://127.0.0.1:8080/api/calls", { headers: { cookie, origin, host: "127.0.0.1:8080" } });
  expect(access.check(from(ORIGIN), "10.0.0.1").ok).toBe(true);
  expect(access.check(from("https://other.example.com"), "10.0.0.1").ok).toBe(false);
});
