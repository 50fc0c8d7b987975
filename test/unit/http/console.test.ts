/** The console over a real socket: its page, who may see and do what, and what is noted of it. */
import { afterEach, describe, expect, spyOn, test } from "bun:test";
import type { FeedText } from "../../../engine/console/protocol.ts";
import { tokenHash } from "../../../engine/config/tokens-file.ts";
import { signTwilioRequest } from "../../../engine/http/twilio-signature.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { FAKE_ACCOUNT, type FakeEngine, startFakeEngine } from "../../support/fake-ports.ts";
import { stopAfterTest } from "../../support/after-test.ts";
import { until } from "../../support/until.ts";
import { keptLog } from "../call/support.ts";

const CALL = "CA00000000000000000000000000000001";
const ADMIN = "the-console-token";
const OPERATOR = "the-token-of-ann";
const VIEWER = "a-viewers-own-token";
const ANN = { name: "ann", role: "operator", sha256: tokenHash(OPERATOR) } as const;
const started: FakeEngine[] = [];

afterEach(async () => {
  for (const fake of started.splice(0)) await fake.stop();
});

function start() {
  const { log, lines } = keptLog(systemClock);
  const fake = startFakeEngine({ consoleToken: ADMIN, viewerToken: VIEWER, tokens: [ANN], log });
  started.push(fake);
  const { origin } = fake.engine;
  const get = (path: string, token: string | null, init: RequestInit = {}): Promise<Response> =>
    fetch(`${origin}${path}`, {
      redirect: "manual",
      ...init,
      headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...init.headers },
    });
  const json = async (path: string, token: string): Promise<Record<string, unknown>> =>
    (await (await get(path, token)).json()) as Record<string, unknown>;
  const call = async (): Promise<void> => {
    const params = new URLSearchParams({
      CallSid: CALL,
      CallStatus: "ringing",
      From: "+15550177",
      To: "+15550123",
    });
    const url = `${origin}/twilio/voice`;
    const signature = signTwilioRequest({ authToken: FAKE_ACCOUNT.authToken, url, params });
    await get("/twilio/voice", null, {
      method: "POST",
      body: params,
      headers: { "x-twilio-signature": signature },
    });
  };
  return { ...fake, lines, get, json, call };
}

const once = (socket: WebSocket, type: "open" | "close"): Promise<Event> =>
  new Promise((resolve) => socket.addEventListener(type, resolve, { once: true }));

/** The first message that fits. */
function message(
  url: string,
  token: string,
  fits: (text: FeedText) => boolean,
  onOpen?: (ws: WebSocket) => void,
) {
  const { promise, resolve, reject } = Promise.withResolvers<FeedText>();
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
  socket.onopen = () => onOpen?.(socket);
  socket.onmessage = ({ data }) => {
    const text = JSON.parse(String(data)) as FeedText;
    if (!fits(text)) return;
    resolve(text);
    socket.close();
  };
  socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
  return promise;
}

describe("the page", () => {
  test("is made of one script and one sheet of our own, under a policy that allows nothing else", async () => {
    const { get } = start();
    const page = await get("/console", null);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toContain("unsafe");
    const html = await page.text();
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(links.toSorted()).toEqual(["/console/app.css", "/console/app.js", "/console/icon.svg"]);
    expect(html).not.toMatch(/<style|style=|\son\w+=|https?:/);
    for (const link of links) expect((await get(link, null)).status).toBe(200);
    const script = await (await get("/console/app.js", null)).text();
    expect(script).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    expect(script.length).toBeLessThan(100_000);
  });

  test("is the same for each of its places, and for nothing else", async () => {
    const { get } = start();
    const html = await (await get("/console", null)).text();
    for (const path of ["/console/", "/console/board", `/console/calls/${CALL}`])
      expect(await (await get(path, null)).text()).toBe(html);
    for (const path of ["/console/calls/x", "/console/other.js"])
      expect((await get(path, OPERATOR)).status).toBe(404);
  });
});

describe("the tokens", () => {
  test("say who somebody is, with or without a cookie, whose sockets end when it is taken back", async () => {
    const { engine, get, json } = start();
    expect(await json("/api/session", OPERATOR)).toMatchObject({ name: "ann", role: "operator", via: "api" });
    expect(await json("/api/session", ADMIN)).toMatchObject({ name: "console", role: "admin", via: "api" });
    expect(await json("/api/session", VIEWER)).toMatchObject({ name: "viewer", role: "viewer", via: "api" });
    expect((await get("/api/session", "neither-of-the-two")).status).toBe(401);
    const signIn = await get("/console/sign-in", null, {
      method: "POST",
      body: new URLSearchParams({ token: VIEWER }),
    });
    const cookie = (signIn.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    const session = await (await get("/api/session", null, { headers: { cookie } })).json();
    expect(session).toMatchObject({ role: "viewer", via: "console" });
    const url = engine.origin.replace("http", "ws");
    const bearing = { authorization: `Bearer ${VIEWER}` };
    const sockets = ["switchboard", "feed"].map(
      (name) => new WebSocket(`${url}/api/${name}`, { headers: { cookie } }),
    );
    const token = new WebSocket(`${url}/api/feed`, { headers: bearing });
    await Promise.all([...sockets, token].map((socket) => once(socket, "open")));
    const closed = Promise.all(sockets.map((socket) => once(socket, "close")));
    const signOut = await get("/console/sign-out", null, { method: "POST", headers: { cookie } });
    expect(signOut.headers.get("set-cookie")).toContain("Max-Age=0");
    expect((await closed).map((event) => (event as CloseEvent).code)).toEqual([1008, 1008]);
    expect(token.readyState).toBe(WebSocket.OPEN);
  });

  test("of a viewer open neither numbers nor recordings, and give no command", async () => {
    const { get, json, call } = start();
    await call();
    expect((await json(`/api/calls/${CALL}`, OPERATOR))["from"]).toBe("+15550177");
    expect((await json(`/api/calls/${CALL}`, VIEWER))["from"]).toBe("+•••••••77");
    const [listed] = (await (await get("/api/calls", VIEWER)).json()) as [Record<string, unknown>];
    expect(listed["from"]).toBe("+•••••••77");
    const command = { method: "POST", body: JSON.stringify({ command: "hangup" }) };
    expect((await get(`/api/calls/${CALL}/commands`, VIEWER, command)).status).toBe(403);
    for (const track of ["coach", "caller", "human-1"]) {
      expect((await get(`/api/calls/${CALL}/recordings/${track}.wav`, VIEWER)).status).toBe(403);
    }
    expect((await json(`/api/calls/${CALL}`, OPERATOR))["state"]).toBe("arriving");
  });

  test("open the feed, each as much of it as they may see", async () => {
    const { engine, call } = start();
    await call();
    const url = `${engine.origin.replace("http", "ws")}/api/switchboard`;
    const isSnapshot = ({ type }: FeedText): boolean => type === "snapshot";
    const [all, redacted] = await Promise.all(
      [OPERATOR, VIEWER].map((token) => message(url, token, isSnapshot)),
    );
    expect(all).toMatchObject({ calls: [{ callSid: CALL, from: "+15550177" }] });
    expect(redacted).toMatchObject({ calls: [{ callSid: CALL, from: "+•••••••77" }] });
    expect(message(url, "neither-of-the-two", isSnapshot)).rejects.toThrow();
  });
});

describe("a call", () => {
  test("tells over the feed what comes to it, entry by entry", async () => {
    const { engine, get, call } = start();
    await call();
    const url = `${engine.origin.replace("http", "ws")}/api/switchboard`;
    const told = await message(
      url,
      OPERATOR,
      (text) => {
        if (text.type === "watching")
          void get(`/api/calls/${CALL}/commands`, OPERATOR, {
            method: "POST",
            body: JSON.stringify({ command: "hangup" }),
          });
        return text.type === "call";
      },
      (socket) => socket.send(JSON.stringify({ watch: CALL })),
    );
    expect(told).toMatchObject({ callSid: CALL, missed: 0 });
    expect(JSON.stringify(told)).toContain("op.hangup");
  });

  test("says what can happen next, and which commands have an effect", async () => {
    const { get, json, call } = start();
    await call();
    const next = await json(`/api/calls/${CALL}/next`, VIEWER);
    expect(next["commands"]).toEqual(["hangup"]);
    const [actor] = next["actors"] as { actor: string; edges: { source: string; event: string }[] }[];
    expect(actor?.actor).toBe("call");
    expect(actor?.edges).toContainEqual(expect.objectContaining({ source: "call", event: "op.hangup" }));
    expect((await get(`/api/calls/${CALL.replace("1", "2")}/next`, VIEWER)).status).toBe(404);
  });

  test("has in its log who gave a command, before the command", async () => {
    const { store, get, call } = start();
    await call();
    const body = JSON.stringify({ command: "hangup" });
    expect((await get(`/api/calls/${CALL}/commands`, OPERATOR, { method: "POST", body })).status).toBe(202);
    const log = store.logs.get(CALL) ?? [];
    const at = log.findIndex(({ name }) => name === "operator.command");
    expect(log[at]).toMatchObject({
      kind: "note",
      data: { command: "hangup", by: "ann", role: "operator", via: "api" },
    });
    expect(log[at + 1]).toMatchObject({ kind: "event", name: "op.hangup" });
  });

  test("is verified on the engine once it is over, and the first difference is named", async () => {
    const { engine, store, get, json, call } = start();
    await call();
    expect((await get(`/api/calls/${CALL}/verify`, VIEWER)).status).toBe(409);
    engine.supervisor.get(CALL)?.abandon();
    expect(await json(`/api/calls/${CALL}/verify`, VIEWER)).toMatchObject({
      chain: { status: "intact", findings: [] },
      replay: { outcome: "agrees", divergence: null },
    });
    const log = store.logs.get(CALL) ?? [];
    store.logs.set(CALL, log.with(2, { ...log[2], at: "2020-01-01T00:00:00.000Z" } as (typeof log)[number]));
    expect(await json(`/api/calls/${CALL}/verify`, VIEWER)).toMatchObject({
      chain: { status: "broken", findings: [{ seq: 3, problem: "changed" }] },
      replay: null,
    });
  });

  for (const how of ["is drained", "stops at once"] as const) {
    test(`has its verification ended when the engine ${how}`, async () => {
      const { engine, get, call } = start();
      await call();
      engine.supervisor.get(CALL)?.abandon();
      const spawn = spyOn(Bun, "spawn");
      stopAfterTest(() => spawn.mockRestore());
      // The server goes with an engine that drains.
      const answer = get(`/api/calls/${CALL}/verify`, VIEWER).catch(() => null);
      const child = await until("a process verifies it", () => {
        const [result] = spawn.mock.results;
        return result?.type === "return" && (result.value as Bun.Subprocess);
      });
      // It would be there for ever.
      process.kill(child.pid, "SIGSTOP");
      stopAfterTest(() => child.kill("SIGKILL"));
      expect(child.exitCode ?? child.signalCode).toBeNull();
      await (how === "is drained" ? engine.stop(0) : engine.stopNow());
      await child.exited;
      expect(child.signalCode).toBe("SIGKILL");
      expect((await answer)?.ok ?? false).toBe(false);
      // Of one that stops at once the server is there to the last.
      expect(
        await get(`/api/calls/${CALL}/verify`, VIEWER).then(
          ({ ok }) => ok,
          () => false,
        ),
      ).toBe(false);
      expect(spawn).toHaveBeenCalledTimes(1);
    });
  }

  test("that somebody looked at is in the engine's log", async () => {
    const { lines, get, call } = start();
    await call();
    for (let i = 0; i < 3; i++) await get(`/api/calls/${CALL}`, VIEWER);
    await get(`/api/calls/${CALL}/events`, OPERATOR);
    const viewed = lines.filter(({ event }) => event === "console.viewed");
    expect(viewed).toMatchObject([
      { by: "viewer", role: "viewer", via: "api", what: "row", callSid: CALL },
      { by: "ann", role: "operator", via: "api", what: "log", callSid: CALL },
    ]);
  });
});
