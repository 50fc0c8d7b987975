import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { APP, NUMBER, startWorld, TestPhone, type World } from "./harness.ts";

let world: World;
let phone: TestPhone | null;
beforeEach(async () => {
  world = await startWorld();
  phone = null;
});
afterEach(async () => {
  phone?.close();
  await world.stop();
  const { calls, conferences, streams, pending } = world.carrier.state();
  expect({ calls, conferences, streams, pending }).toEqual({
    calls: [],
    conferences: [],
    streams: [],
    pending: { queuedCalls: 0, timers: 0, webhooks: 0, callbacks: 0, ticking: 0 },
  });
});

function callFrom(from = "+15550142"): Promise<string> {
  phone = new TestPhone(world.carrier.url);
  return phone.dial(from);
}

const say = (text: string): string => `<Response><Say>${text}</Say></Response>`;

describe("a stream on a phone's own call", () => {
  test("carries audio both ways and keys, and gives the line back when its server closes it", async () => {
    const media = world.customer.origin.replace("http", "ws");
    world.customer.on(
      "/voice",
      `<Response><Connect><Stream url="${media}/media"/></Connect><Say loop="0">back</Say></Response>`,
    );
    await callFrom();
    const socket = await world.customer.until(
      () => world.customer.media.find((m) => m.messages.some((message) => message.event === "media")),
      "what the phone says",
    );
    const streamSid = socket.messages.find((m) => m.event === "start")?.["streamSid"];
    await phone?.send({ type: "digits", digits: "5" });
    const key = await world.customer.until(() => socket.messages.find((m) => m.event === "dtmf"), "the key");
    expect(key["dtmf"]).toEqual({ track: "inbound_track", digit: "5" });
    const payload = Buffer.alloc(160 * 50, 0x21).toString("base64");
    socket.ws?.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
    const hears = (code: number) => () => phone?.lastFrame.every((byte) => byte === code);
    await phone?.until(() => phone?.frames && hears(0x21)(), "the stream");
    socket.ws?.close(1000);
    await phone?.until(() => hears("back".length)(), "the verb after the stream");
  });
});

describe("an App leg", () => {
  test("runs the App's webhook under a sid of its own, with the custom parameters as fields", async () => {
    world.customer.on("/app", () => {
      const media = world.customer.origin.replace("http", "ws");
      return `<Response><Connect action="/after"><Stream url="${media}/media"><Parameter name="token" value="t&amp;1"/></Stream></Connect></Response>`;
    });
    const call = await world.client.calls.create({
      to: `app:${APP}?session=s_1&gen=2`,
      from: NUMBER,
      twiml: `<Response><Pause length="600"/></Response>`,
      statusCallback: `${world.customer.origin}/status`,
    });
    const { fields } = await world.customer.next("/app");
    expect([fields.get("session"), fields.get("gen")]).toEqual(["s_1", "2"]);
    expect([fields.get("To"), fields.get("From")]).toEqual([`app:${APP}`, NUMBER]);
    expect(fields.get("CallSid")).not.toBe(call.sid);
    const socket = await world.customer.until(
      () => world.customer.media[0]?.messages.find((m) => m.event === "start") && world.customer.media[0],
      "the stream's start",
    );
    expect(socket.messages[0]).toEqual({ event: "connected", protocol: "Call", version: "1.0.0" });
    const start = socket.messages[1]?.["start"] as Record<string, unknown>;
    expect(start["customParameters"]).toEqual({ token: "t&1" });
    expect(start["callSid"]).toBe(fields.get("CallSid"));
    expect((await world.client.calls(call.sid).fetch()).status).toBe("in-progress");
    socket.ws?.close(1000);
    await world.customer.next("/after");
    expect((await world.customer.next("/status")).fields.get("CallStatus")).toBe("completed");
    expect(world.carrier.state().calls).toEqual([]);
    expect(world.carrier.state().alerts.map((a) => a.code)).toContain(31921);
  });

  test("can be told to share the participant's sid", async () => {
    const shared = await startWorld({ appWebhookSharesCallSid: true });
    shared.customer.on("/app", `<Response><Pause length="600"/></Response>`);
    const created = await shared.client.conferences("room").participants.create({
      from: NUMBER,
      to: `app:${APP}`,
      label: "ai",
    });
    expect((await shared.customer.next("/app")).fields.get("CallSid")).toBe(created.callSid);
    await shared.stop();
    expect(shared.carrier.state().calls).toEqual([]);
  });

  for (const [what, stream, code] of [
    ["a query", `url="wss://127.0.0.1:1/media?token=1"`, 31920],
    ["plain ws to elsewhere", `url="ws://media.example/media"`, 31920],
    ["two tracks", `url="wss://127.0.0.1:1/media" track="both_tracks"`, 31941],
    ["no url", "", 11100],
  ] as const) {
    test(`a stream with ${what} fails with ${code}, and TwiML goes on after it`, async () => {
      world.customer
        .on("/app", `<Response><Connect><Stream ${stream}/></Connect><Redirect>/next</Redirect></Response>`)
        .on("/next", "<Response><Hangup/></Response>");
      await world.client.calls.create({
        to: `app:${APP}`,
        from: NUMBER,
        twiml: `<Response><Pause/></Response>`,
      });
      await world.customer.next("/next");
      expect(world.carrier.state().alerts.map((a) => a.code)).toEqual([code]);
    });
  }

  test("whose webhook fails makes the call fail", async () => {
    world.customer.on("/app", () => new Response("", { status: 404 }));
    await world.client.calls.create({
      to: `app:${APP}`,
      from: NUMBER,
      twiml: say("x"),
      statusCallback: `${world.customer.origin}/status`,
    });
    expect((await world.customer.next("/status")).fields.get("CallStatus")).toBe("failed");
  });

  test("a call to an own number runs that number's voice webhook at the far end", async () => {
    world.customer.on("/voice", `<Response><Reject reason="busy"/></Response>`);
    await world.client.calls.create({
      to: NUMBER,
      from: NUMBER,
      twiml: say("x"),
      statusCallback: `${world.customer.origin}/status`,
    });
    await world.customer.next("/voice");
    expect((await world.customer.next("/status")).fields.get("CallStatus")).toBe("busy");
  });
});
