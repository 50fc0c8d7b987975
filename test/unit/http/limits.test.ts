/** What a client may send, and how much of it, over real sockets. */
import { describe, expect, test } from "bun:test";
import type { Engine } from "../../../engine/engine.ts";
import { SocketCaps } from "../../../engine/http/socket-caps.ts";
import { signTwilioRequest } from "../../../engine/http/twilio-signature.ts";
import { stopAfterTest } from "../../support/after-test.ts";
import { FAKE_ACCOUNT, startFakeEngine } from "../../support/fake-ports.ts";
import { until } from "../../support/until.ts";
import { frameOf, RawSocket, rawRequest } from "../../fuzz/raw.ts";

const TOKEN = "a-console-token-for-tests";
const OPERATOR = [`Authorization: Bearer ${TOKEN}`];

function start() {
  const { engine } = startFakeEngine({ consoleToken: TOKEN });
  stopAfterTest(() => engine.stop(0));
  const from = (address = "127.0.0.1") => ({ port: engine.port, from: address });
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${engine.origin}/metrics`)).text();
    return Number(new RegExp(`^${RegExp.escape(name)} (\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  };
  const socket = (path: string, headers: readonly string[], address?: string) =>
    new RawSocket({ path, headers }, from(address));
  return { engine, from, metric, socket };
}

function head(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

describe("a request", () => {
  test("with too large a body is answered 413, whether it says its length or not", async () => {
    const { from } = start();
    const chunk = Buffer.alloc(70_000, "a");
    const said = head(["POST /twilio/voice HTTP/1.1", "Host: x", `Content-Length: ${chunk.length}`]);
    expect((await rawRequest(Buffer.concat([said, chunk]), from()))?.status).toBe(413);
    const unsaid = head(["POST /twilio/voice HTTP/1.1", "Host: x", "Transfer-Encoding: chunked"]);
    const size = Buffer.from(`${chunk.length.toString(16)}\r\n`);
    const whole = Buffer.concat([unsaid, size, chunk, Buffer.from("\r\n0\r\n\r\n")]);
    expect((await rawRequest(whole, from()))?.status).toBe(413);
  });

  test("with too large a head is answered 431", async () => {
    const { from } = start();
    const big = head(["GET /healthz HTTP/1.1", "Host: x", `X-Filler: ${"x".repeat(64 * 1024)}`]);
    expect((await rawRequest(big, from()))?.status).toBe(431);
  });

  test("that is no HTTP does no harm", async () => {
    const { engine, from } = start();
    for (const text of ["\x16\x03\x01\x02\x00", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"]) {
      const answer = await rawRequest(Buffer.from(`${text}\r\n\r\n`, "latin1"), from());
      expect(answer?.status ?? 400).toBeGreaterThanOrEqual(400);
    }
    expect((await fetch(`${engine.origin}/healthz`)).status).toBe(200);
  });
});

describe("a message of a socket", () => {
  const media = (engine: Engine): readonly string[] => {
    const url = `${engine.origin.replace("http", "ws")}/twilio/media`;
    return [`X-Twilio-Signature: ${signTwilioRequest({ authToken: FAKE_ACCOUNT.authToken, url })}`];
  };

  test("that is larger than any may be ends the socket before it is whole", async () => {
    const { engine, metric, socket } = start();
    const ws = socket("/twilio/media", media(engine));
    expect(await ws.opened()).toBe(true);
    // Not a byte of it is sent.
    await ws.send(frameOf(new Uint8Array(), { claims: 200 * 1024 }));
    await ws.closed;
    await until("nothing waits", async () => (await metric('tandem_media_now{kind="waiting"}')) === 0);
  });

  test("that is larger than a carrier's are is refused and counted", async () => {
    const { engine, metric, socket } = start();
    const ws = socket("/twilio/media", media(engine));
    expect(await ws.opened()).toBe(true);
    await ws.send(frameOf(Buffer.alloc(100 * 1024, "x")));
    await until("it is refused", async () => (await metric('tandem_media_total{counter="refused"}')) === 1);
    ws.destroy();
  });
});

describe("the sockets of the console", () => {
  test("have a place each, which is free again when they are gone", async () => {
    const { metric, socket } = start();
    const now = (kind: string) => metric(`tandem_console_now{kind="${kind}"}`);
    const all = ["/api/feed", "/api/switchboard"].map((path) => socket(path, OPERATOR));
    expect(await Promise.all(all.map((ws) => ws.opened()))).toEqual([true, true]);
    expect([await now("feeds"), await now("viewers")]).toEqual([1, 1]);
    for (const ws of all) ws.destroy();
    await until("they are gone", async () => (await now("feeds")) + (await now("viewers")) === 0);
  });

  test("of one address are so many at most, and others get in none the less", async () => {
    const { metric, socket } = start();
    const open = async (address: string): Promise<number> => {
      const ws = socket("/api/feed", OPERATOR, address);
      await ws.opened();
      return ws.status;
    };
    const first = await Promise.all(Array.from({ length: 64 }, () => open("127.0.0.2")));
    expect(new Set(first)).toEqual(new Set([101]));
    expect(await open("127.0.0.2")).toBe(503);
    expect(await open("127.0.0.3")).toBe(101);
    expect(await metric('tandem_console_total{counter="socketsOverAddress"}')).toBe(1);
  });

  test("are bounded in all, and by address", () => {
    const caps = new SocketCaps({ max: 3, maxPerAddress: 2 });
    const data = Array.from({ length: 5 }, () => ({}));
    const take = (nth: number, address: string | null) => caps.take(data[nth] as object, address);
    expect([take(0, "a"), take(1, "a"), take(2, "a"), take(2, null), take(3, "b")]).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(caps.counters).toEqual({ socketsOverAll: 1, socketsOverAddress: 1 });
    const sixes = new SocketCaps({ maxPerAddress: 1 });
    expect([
      sixes.take({}, "2001:db8::1"),
      sixes.take({}, "2001:db8::2"),
      sixes.take({}, "2001:db8:0:1::1"),
    ]).toEqual([true, false, true]);
    caps.release(data[0] as object);
    caps.release(data[4] as object);
    expect([take(3, "a"), caps.size]).toEqual([true, 3]);
  });
});
