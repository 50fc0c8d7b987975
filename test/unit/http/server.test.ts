/** The paths of operations and the edges of the server, over a real socket. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Engine } from "../../../engine/engine.ts";
import { AckTokens } from "../../../engine/http/ack-tokens.ts";
import { signTwilioRequest } from "../../../engine/http/twilio-signature.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { FAKE_ACCOUNT, startFakeEngine } from "../../support/fake-ports.ts";
import { deploymentOf, keptLog } from "../call/support.ts";

const engines: Engine[] = [];

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.stop(0);
});

function start(overrides: Parameters<typeof startFakeEngine>[0] = {}) {
  const fake = startFakeEngine(overrides);
  engines.push(fake.engine);
  const get = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`${fake.engine.origin}${path}`, init);
  const hook = (path: string, fields: Record<string, string>): Promise<Response> => {
    const params = new URLSearchParams(fields);
    const url = `${fake.engine.origin}${path}`;
    const signature = signTwilioRequest({ authToken: FAKE_ACCOUNT.authToken, url, params });
    return get(path, { method: "POST", body: params, headers: { "x-twilio-signature": signature } });
  };
  return { ...fake, get, hook };
}

describe("the server", () => {
  test("takes nothing that is not signed for a page, a text or their status", async () => {
    const { engine, get } = start();
    const query = "?call=CA00000000000000000000000000000001&label=human-1";
    const body = new URLSearchParams({
      CallSid: "CA00000000000000000000000000000003",
      CallStatus: "in-progress",
      Digits: "1",
    });
    const paths = ["human", "human-key", "human-after-dial", "human-menu", "sms", "message-status"];
    for (const path of paths) {
      expect((await get(`/twilio/${path}${query}`, { method: "POST", body })).status).toBe(403);
      expect((await get(`/twilio/${path}${query}`)).status).toBe(405);
    }
    expect(engine.supervisor.size).toBe(0);
  });

  test("answers ack links without a signature and without the console's token", async () => {
    const { get } = start({ consoleToken: "a-console-token" });
    const { authToken } = FAKE_ACCOUNT;
    const tokens = new AckTokens({ secret: authToken, clock: systemClock });
    const path = `/ack/${tokens.issue("CA00000000000000000000000000000001", "push-1")}`;
    const head = await get(path, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(head.headers.get("cache-control")).toBe("no-store");
    expect(await (await get(path)).text()).toContain("It is over.");
    expect((await get(path, { method: "POST" })).status).toBe(410);
    expect((await get("/ack/guessed", { method: "POST" })).status).toBe(404);
    expect((await get(path, { method: "POST", body: "x".repeat(5000) })).status).toBe(413);
    const metrics = await (await get("/metrics")).text();
    expect(metrics).toContain('tandem_webhooks_total{counter="ackUnknown"} 1');
  });

  test("locks an address that guesses tokens, by the word of a trusted proxy, and says when to come again", async () => {
    const consoleToken = "the-console-token";
    const { get } = start({ consoleToken, trustedProxies: ["127.0.0.1", "::1"] });
    const ask = (token: string, from: string): Promise<Response> =>
      get("/api/session", { headers: { authorization: `Bearer ${token}`, "x-forwarded-for": from } });
    for (let n = 0; n < 10; n++) expect((await ask(`a-guess-${n}`, "198.51.100.7")).status).toBe(401);
    const locked = await ask(consoleToken, "198.51.100.7");
    expect([locked.status, locked.headers.get("retry-after")]).toEqual([429, "60"]);
    const body = new URLSearchParams({ token: consoleToken });
    const headers = { "x-forwarded-for": "198.51.100.7" };
    const signIn = await get("/console/sign-in", { method: "POST", body, headers });
    expect([signIn.status, signIn.headers.get("set-cookie")]).toEqual([429, null]);
    expect((await ask(consoleToken, "198.51.100.8")).status).toBe(200);
    const metrics = await (await get("/metrics")).text();
    expect(metrics).toContain('tandem_console_total{counter="wrongTokens"} 10');
    expect(metrics).toContain('tandem_console_total{counter="lockedOut"} 2');
    expect(metrics).toContain('tandem_console_total{counter="addressesForgotten"} 0');
  });

  test("is healthy, and ready until it drains", async () => {
    const { engine, get } = start();
    expect(await (await get("/healthz")).text()).toBe("ok\n");
    const ready = await get("/readyz");
    expect([ready.status, await ready.json()]).toEqual([
      200,
      {
        ready: true,
        parts: {
          calls: { state: "ok", reason: null },
          store: { state: "ok", reason: null },
          carrier: { state: "untried", reason: null },
          model: { state: "untried", reason: null },
          media: { state: "ok", reason: null },
        },
      },
    ]);
    void engine.supervisor.drain();
    const busy = await get("/readyz");
    expect([busy.status, await busy.json()]).toMatchObject([
      503,
      {
        ready: false,
        parts: { calls: { state: "draining", reason: "the engine stops: it takes no calls, and 0 go on" } },
      },
    ]);
    expect((await get("/healthz")).status).toBe(200);
  });

  test("is not ready while it is overloaded or full, and tells each of the reasons", async () => {
    const callSid = "CA00000000000000000000000000000001";
    const overload = { loopLatenessMs: 1000, minLiveCalls: 1 };
    const { engine, get, hook } = start({
      deployment: deploymentOf({ overload, limits: { maxLiveCalls: 1 } }),
    });
    engine.supervisor.observeLateness(2000);
    expect((await get("/readyz")).status).toBe(200);
    await hook("/twilio/voice", { CallSid: callSid, CallStatus: "ringing" });
    engine.supervisor.observeLateness(2000);
    const busy = await get("/readyz");
    expect([busy.status, await busy.json()]).toMatchObject([
      503,
      {
        ready: false,
        parts: {
          calls: { state: "full", reason: "1 calls are live, limits.maxLiveCalls is 1" },
          store: { state: "ok", reason: null },
          media: { state: "late", reason: expect.stringContaining("overload.loopLatenessMs is 1000") },
        },
      },
    ]);
    engine.supervisor.deliver(callSid, { type: "caller.gone", reason: "dial_ended" });
  });

  test("times the webhooks that a caller waits for", async () => {
    const { engine, get, hook } = start();
    await hook("/twilio/voice", { CallSid: "CA00000000000000000000000000000001", CallStatus: "ringing" });
    const lines = (await (await get("/metrics")).text()).split("\n");
    expect(lines).toContain('tandem_twiml_seconds_count{hook="voice"} 1');
    expect(lines).toContain('tandem_twiml_seconds_count{hook="ai-leg"} 0');
    // Its caller is on no carrier, and would never be heard to leave.
    engines.splice(engines.indexOf(engine), 1);
    await engine.stopNow();
  });

  test("shows its metrics in the type that Prometheus asks for", async () => {
    const answer = await start().get("/metrics");
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4");
    expect(await answer.text()).toContain("tandem_calls_started_total 0");
  });

  test("says that there is nothing where there is nothing", async () => {
    const { get } = start({ sandbox: {} });
    for (const path of ["/nothing", "/twilio/nothing", "/api/nothing"]) {
      expect((await get(path)).status).toBe(404);
    }
  });

  test("leads the root to the console", async () => {
    const answer = await start().get("/", { redirect: "manual" });
    expect([answer.status, answer.headers.get("location")]).toEqual([302, "/console"]);
  });

  test("asks for an upgrade where there is a WebSocket", async () => {
    const { engine, get } = start({ sandbox: {} });
    expect((await get("/api/feed")).status).toBe(426);
    const url = `${engine.origin.replace("http", "ws")}/twilio/media`;
    const signature = signTwilioRequest({ authToken: FAKE_ACCOUNT.authToken, url });
    expect((await get("/twilio/media", { headers: { "x-twilio-signature": signature } })).status).toBe(426);
  });

  test("tells the caller when a webhook of ours fails, and hangs up other legs", async () => {
    const { log, lines } = keptLog();
    const deployment = deploymentOf({ agent: { apology: "Sorry." } });
    const { engine, hook } = start({ log, deployment });
    engine.supervisor.isOver = () => {
      throw new Error("broken");
    };
    const call = { CallSid: "CA00000000000000000000000000000001", CallStatus: "ringing" };
    expect(await (await hook("/twilio/voice", call)).text()).toContain("<Say>Sorry.</Say><Hangup/>");
    const other = await hook("/twilio/human?call=x&label=human-1", call);
    expect([other.status, await other.text()]).toEqual([200, expect.stringContaining("<Response><Hangup/>")]);
    expect(lines.filter((line) => line.event === "webhook.failed")).toMatchObject([
      { path: "/twilio/voice", error: "broken" },
      { path: "/twilio/human", error: "broken" },
    ]);
  });

  test("shows what runs to whoever opens the feed, and each change after that", async () => {
    const { engine, hook } = start({ sandbox: {} });
    const callSid = "CA00000000000000000000000000000001";
    const socket = new WebSocket(`${engine.origin.replace("http", "ws")}/api/feed`);
    const messages: { type: string; callSid?: string; calls?: unknown[] }[] = [];
    const arrived = new Promise<void>((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        messages.push(JSON.parse(String(data)) as (typeof messages)[number]);
        if (messages.at(-1)?.type === "snapshot") {
          void hook("/twilio/voice", { CallSid: callSid, CallStatus: "ringing" });
        }
        if (messages.at(-1)?.type === "state") resolve();
      });
    });
    await arrived;
    engine.supervisor.deliver(callSid, { type: "caller.gone", reason: "dial_ended" });
    socket.close();
    expect(messages[0]).toEqual({ type: "snapshot", calls: [] });
    const states = messages.filter((message) => message.type === "state");
    expect(states[0]).toMatchObject({ callSid, state: "arriving" });
  });

  test("does not let a page of another origin open the feed", async () => {
    const { engine } = start({ sandbox: {} });
    const socket = new WebSocket(`${engine.origin.replace("http", "ws")}/api/feed`, {
      headers: { origin: "https://other.example" },
    } as unknown as string[]);
    const opened = await new Promise<boolean>((resolve) => {
      socket.addEventListener("open", () => resolve(true));
      socket.addEventListener("close", () => resolve(false));
    });
    expect(opened).toBe(false);
  });
});
