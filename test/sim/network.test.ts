/** The simulation's network keeps what a real one keeps, and nothing more. */
import { describe, expect, test } from "bun:test";
import { drainMicrotasks } from "bun:jsc";
import type { ServeOptions } from "../../engine/platform/network.ts";
import { VirtualClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import { VirtualNetwork } from "./network.ts";

function setUp(handlers: Partial<ServeOptions<number>["websocket"]> = {}) {
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, random: seededIds(5).random, latencyMs: [1, 20] });
  const seen: unknown[] = [];
  const server = network.serve<number>({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: 1000,
    fetch: async (request, self) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/socket" && self.upgrade(request, { data: 7 })) return undefined;
      if (pathname === "/bad") throw new Error("no");
      seen.push([request.method, pathname, await request.text()]);
      return new Response(`answer ${pathname}`, { status: pathname === "/closed" ? 403 : 200 });
    },
    error: () => new Response("failed", { status: 500 }),
    websocket: { message: (ws, data) => void ws.send(`${ws.data}:${String(data)}`), ...handlers },
  });
  const run = (ms = 1000): void => {
    const untilMs = clock.monotonicMs() + ms;
    do drainMicrotasks();
    while (clock.step(untilMs));
  };
  return { clock, network, server, seen, run, url: `http://127.0.0.1:${server.port}` };
}

describe("a request", () => {
  test("takes time each way, and is answered", async () => {
    const { clock, network, run, url, seen } = setUp();
    const answer = network.fetch(`${url}/a`, { method: "POST", body: "x=1" });
    expect(network.pending.requests).toBeGreaterThan(0);
    run();
    expect(await (await answer).text()).toBe("answer /a");
    expect(seen).toEqual([["POST", "/a", "x=1"]]);
    expect(clock.monotonicMs()).toBeGreaterThan(2);
    expect(network.pending).toEqual({ requests: 0, sockets: 0 });
  });

  test("fails as a socket's does: nobody listens, the server throws, the client gives up", async () => {
    const { network, run, url } = setUp();
    const refused = network.fetch("http://127.0.0.1:9/x", {}).catch((error: { code: string }) => error.code);
    const thrown = network.fetch(`${url}/bad`, {}).then(({ status }) => status);
    const abort = new AbortController();
    const aborted = network.fetch(`${url}/a`, { signal: abort.signal }).catch((error: Error) => error.name);
    abort.abort();
    run();
    expect(await Promise.all([refused, thrown, aborted])).toEqual(["ECONNREFUSED", 500, "AbortError"]);
  });

  test("is lost before or after it takes effect, and then waits for ever", () => {
    const { network, run, url, seen } = setUp();
    let settled = 0;
    const count = (): void => void settled++;
    for (const trouble of ["lost-before", "lost-after"] as const) {
      network.onRequest = () => trouble;
      network.fetch(`${url}/${trouble}`, {}).then(count, count);
    }
    run();
    expect({ settled, seen }).toEqual({ settled: 0, seen: [["GET", "/lost-after", ""]] });
    expect(network.pending.requests).toBe(2);
  });
});

describe("a socket", () => {
  test("keeps the order of its messages both ways", () => {
    const { network, run, url } = setUp();
    const socket = network.connect(`${url.replace("http", "ws")}/socket`, {});
    const got: unknown[] = [];
    socket.addEventListener("open", () => {
      for (let i = 0; i < 50; i++) socket.send(String(i));
    });
    socket.addEventListener("message", (event) => got.push(event.data));
    run();
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => `7:${i}`));
    expect(network.pending.sockets).toBe(1);
  });

  test("tells both ends of its end: closed by either, dropped, refused", () => {
    const closed: unknown[] = [];
    const { network, run, url } = setUp({ close: (_ws, code) => void closed.push(["server", code]) });
    const connect = (path: string) => {
      const socket = network.connect(`${url.replace("http", "ws")}${path}`, {});
      socket.addEventListener("close", (event) => closed.push(["client", event.code]));
      run();
      return socket;
    };
    connect("/socket").close(1000);
    run();
    expect(closed.splice(0)).toEqual([
      ["server", 1000],
      ["client", 1000],
    ]);
    connect("/socket");
    expect(network.drop("/socket")).toBe(1);
    run();
    expect(closed.splice(0).toSorted()).toEqual([
      ["client", 1006],
      ["server", 1006],
    ]);
    connect("/closed");
    connect("/nowhere-near-a-socket");
    expect(closed.splice(0)).toEqual([
      ["client", 1006],
      ["client", 1006],
    ]);
    // As in `adapters/openai/socket.ts`: closed in order, and let go at once.
    const socket = connect("/socket");
    socket.close(1000);
    socket.terminate();
    run();
    expect(closed).toEqual([["server", 1000]]);
    expect(network.pending.sockets).toBe(0);
  });
});
