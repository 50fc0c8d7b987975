import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks";
import { NUMBER, startWorld, TestPhone, TOKEN, type Received, type World } from "./harness.ts";

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
const statusFields = { StatusCallbackEvent: "initiated ringing answered completed" };

function expectSigned(received: Received): void {
  const url = received.url;
  const params = received.method === "GET" ? {} : Object.fromEntries(received.fields);
  expect(received.headers.get("x-twilio-signature")).toBe(getExpectedTwilioSignature(TOKEN, url, params));
}

describe("an inbound call", () => {
  test("is announced to the number's voice URL, signed, with the standard fields", async () => {
    world.customer.on("/voice", say("hello"));
    const callSid = await callFrom();
    const request = await world.customer.next("/voice");
    expectSigned(request);
    expect(request.headers.get("i-twilio-idempotency-token")).toBeTruthy();
    expect(Object.fromEntries(request.fields)).toMatchObject({
      CallSid: callSid,
      AccountSid: world.client.accountSid,
      From: "+15550142",
      To: NUMBER,
      Caller: "+15550142",
      Called: NUMBER,
      CallStatus: "ringing",
      ApiVersion: "2010-04-01",
      Direction: "inbound",
      FromCity: "",
    });
    expect((await phone?.event("answered"))?.["callSid"]).toBe(callSid);
    expect(await phone?.event("ended")).toMatchObject({ callSid, reason: "completed" });
    expect((await world.client.calls(callSid).fetch()).status).toBe("completed");
  });

  test("to a number that nobody has is refused with a text", async () => {
    phone = new TestPhone(world.carrier.url);
    await phone.send({ type: "dial", from: "+15550142", to: "+15550188" });
    expect((await phone.event("error"))["message"]).toContain("not in service");
  });

  test("whose webhook fails is ended as failed, with an alert", async () => {
    world.customer.on("/voice", () => new Response("", { status: 500 }));
    const callSid = await callFrom();
    await phone?.event("ended");
    expect((await world.client.calls(callSid).fetch()).status).toBe("failed");
    expect(world.carrier.state().alerts).toMatchObject([{ code: 11200, callSid }]);
  });

  test("that is hung up while it rings is canceled and its webhook abandoned", async () => {
    const asked = Promise.withResolvers<void>();
    world.customer.on("/voice", () => {
      asked.resolve();
      return new Promise<Response>(() => undefined);
    });
    const callSid = await callFrom();
    await asked.promise;
    await phone?.send({ type: "hangup" });
    await phone?.event("ended");
    await phone?.until(() => world.carrier.state().calls.length === 0, "the call to end");
    expect((await world.client.calls(callSid).fetch()).status).toBe("canceled");
  });

  for (const [reason, status] of [
    ["busy", "busy"],
    ["rejected", "no-answer"],
  ] as const) {
    test(`rejected as ${reason} ends ${status} without an answer`, async () => {
      world.customer.on("/voice", `<Response><Reject reason="${reason}"/></Response>`);
      const callSid = await callFrom();
      await phone?.event("ended");
      expect(await world.client.calls(callSid).fetch()).toMatchObject({ status, startTime: null });
    });
  }
});

describe("TwiML", () => {
  test("gathers digits, with the first one cutting the prompt off, and posts them to the action", async () => {
    world.customer
      .on(
        "/voice",
        `<Response><Gather numDigits="2" action="digits?n=1"><Pause length="60"/></Gather></Response>`,
      )
      .on("/digits", say("thanks"));
    await callFrom();
    await phone?.event("answered");
    await phone?.send({ type: "digits", digits: "17" });
    const request = await world.customer.next("/digits");
    expectSigned(request);
    expect(request.fields.get("Digits")).toBe("17");
    expect(request.fields.get("CallStatus")).toBe("in-progress");
    expect(new URL(request.url).search).toBe("?n=1");
    await phone?.event("ended");
  });

  test("a finishing key ends a Gather and is not among the digits", async () => {
    world.customer.on("/voice", `<Response><Gather action="/got" timeout="60"/></Response>`);
    await callFrom();
    await phone?.event("answered");
    await phone?.send({ type: "digits", digits: "42#" });
    const { fields } = await world.customer.next("/got");
    expect([fields.get("Digits"), fields.get("FinishedOnKey")]).toEqual(["42", "#"]);
  });

  test("a Gather without digits goes on to the next verb", async () => {
    world.customer
      .on("/voice", `<Response><Gather timeout="0" action="/never"/><Redirect>/later</Redirect></Response>`)
      .on("/later", "<Response><Hangup/></Response>");
    await callFrom();
    await world.customer.next("/later");
    await phone?.event("ended");
    expect(world.customer.all.some((r) => r.path === "/never")).toBe(false);
  });

  test("an unknown verb is refused with 12100, and the call hung up", async () => {
    world.customer.on("/voice", "<Response><Say>hi</Say><Tango/></Response>");
    const callSid = await callFrom();
    await phone?.event("ended");
    expect(world.carrier.state().alerts).toMatchObject([{ code: 12100, callSid }]);
    expect(world.carrier.state().alerts[0]?.message).toContain("<Tango>");
  });

  test("a bad attribute is warning 12200, and the call goes on", async () => {
    world.customer.on("/voice", `<Response><Say volume="11">hi</Say></Response>`);
    const callSid = await callFrom();
    await phone?.event("ended");
    expect(world.carrier.state().alerts).toMatchObject([{ code: 12200, callSid }]);
    expect((await world.client.calls(callSid).fetch()).status).toBe("completed");
  });

  test("Play plays a WAV file and refuses what is none", async () => {
    const wav = new Uint8Array(44 + 1600).fill(0xff, 44);
    wav.set(new TextEncoder().encode("RIFF"));
    new DataView(wav.buffer).setUint32(4, 36 + 1600, true);
    wav.set(new TextEncoder().encode("WAVEfmt "), 8);
    for (const [at, value] of [
      [16, 16],
      [24, 8000],
      [28, 8000],
      [40, 1600],
    ] as const) {
      new DataView(wav.buffer).setUint32(at, value, true);
    }
    for (const [at, value] of [
      [20, 7],
      [22, 1],
      [32, 1],
      [34, 8],
    ] as const) {
      new DataView(wav.buffer).setUint16(at, value, true);
    }
    wav.set(new TextEncoder().encode("data"), 36);
    world.customer
      .on("/voice", "<Response><Play>/tone.wav</Play><Play>/tone.mp3</Play></Response>")
      .on("/tone.wav", () => new Response(wav, { headers: { "content-type": "audio/wav" } }))
      .on("/tone.mp3", () => new Response("ID3", { headers: { "content-type": "audio/mpeg" } }));
    await callFrom();
    await world.customer.next("/tone.mp3");
    await phone?.event("ended");
    expect(world.carrier.state().alerts.map((a) => a.code)).toEqual([12300]);
  });
});

describe("an outbound call", () => {
  test("reports its progress in order of SequenceNumber from 0", async () => {
    world.carrier.phones.setBehaviour("+15550100", { behaviour: "answer", afterMs: 0 });
    const call = await world.client.calls.create({
      to: "+15550100",
      from: NUMBER,
      twiml: say("page"),
      statusCallback: `${world.customer.origin}/status`,
      statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
    });
    expect(call.status).toBe("queued");
    const seen: [string, string, string][] = [];
    for (const sequence of ["0", "1", "2", "3"]) {
      const request = await world.customer.next("/status", (f) => f.get("SequenceNumber") === sequence);
      expectSigned(request);
      expect(request.fields.get("CallSid")).toBe(call.sid);
      expect(request.fields.get("CallbackSource")).toBe("call-progress-events");
      seen.push([
        sequence,
        request.fields.get("CallStatus") ?? "",
        request.fields.has("CallDuration") ? "duration" : "",
      ]);
    }
    expect(seen).toEqual([
      ["0", "initiated", ""],
      ["1", "ringing", ""],
      ["2", "in-progress", ""],
      ["3", "completed", "duration"],
    ]);
  });

  test("accepts StatusCallbackEvent separated by spaces as well", async () => {
    world.carrier.phones.setBehaviour("+15550100", { behaviour: "busy", afterMs: 0 });
    await world.rest("POST", "Calls.json", {
      To: "+15550100",
      From: NUMBER,
      Twiml: say("page"),
      StatusCallback: `${world.customer.origin}/status`,
      ...statusFields,
    });
    const last = await world.customer.next("/status", (f) => f.get("CallStatus") === "busy");
    expect([last.fields.get("SequenceNumber"), last.fields.get("SipResponseCode")]).toEqual(["2", "486"]);
  });

  for (const [behaviour, answeredBy] of [
    ["answer", "human"],
    ["voicemail", "machine_start"],
  ] as const) {
    test(`with machine detection tells its TwiML that it was answered by ${answeredBy}`, async () => {
      world.carrier.phones.setBehaviour("+15550100", { behaviour, afterMs: 0 });
      world.customer.on("/page", "<Response><Hangup/></Response>");
      await world.client.calls.create({
        to: "+15550100",
        from: NUMBER,
        url: `${world.customer.origin}/page`,
        machineDetection: "Enable",
        statusCallback: `${world.customer.origin}/status`,
      });
      const { fields } = await world.customer.next("/page");
      expect([fields.get("AnsweredBy"), fields.get("Direction")]).toEqual([answeredBy, "outbound-api"]);
      const status = await world.customer.next("/status");
      expect(status.fields.get("AnsweredBy")).toBe(answeredBy);
    });
  }

  test("to a phone that nobody has rings until it is canceled", async () => {
    const call = await world.client.calls.create({
      to: "+15550166",
      from: NUMBER,
      twiml: say("page"),
      statusCallback: `${world.customer.origin}/status`,
      statusCallbackEvent: ["ringing", "completed"],
    });
    await world.customer.next("/status", (f) => f.get("CallStatus") === "ringing");
    const error = await world.client
      .calls(call.sid)
      .update({ twiml: say("x") })
      .catch((e) => e);
    expect([error.status, error.code]).toEqual([400, 21220]);
    expect((await world.client.calls(call.sid).update({ status: "canceled" })).status).toBe("canceled");
    await world.customer.next("/status", (f) => f.get("CallStatus") === "canceled");
  });

  test("is sent to other TwiML while it is in progress", async () => {
    world.carrier.phones.setBehaviour("+15550100", { behaviour: "answer", afterMs: 0 });
    const first = await world.client.calls.create({
      to: "+15550100",
      from: NUMBER,
      twiml: `<Response><Pause length="600"/></Response>`,
      statusCallback: `${world.customer.origin}/status`,
      statusCallbackEvent: ["answered", "completed"],
    });
    await world.customer.next("/status", (f) => f.get("CallStatus") === "in-progress");
    world.customer.on("/other", "<Response><Hangup/></Response>");
    await world.client.calls(first.sid).update({ url: `${world.customer.origin}/other`, method: "GET" });
    const request = await world.customer.next("/other");
    expect(request.method).toBe("GET");
    expectSigned(request);
    await world.customer.next("/status", (f) => f.get("CallStatus") === "completed");
  });

  test("presses and digits of a scripted phone reach a Gather", async () => {
    world.carrier.phones.setBehaviour("+15550100", { behaviour: "answer", afterMs: 0, press: "1" });
    world.customer.on("/ack", "<Response><Hangup/></Response>");
    await world.client.calls.create({
      to: "+15550100",
      from: NUMBER,
      twiml: `<Response><Gather numDigits="1" timeout="30" action="${world.customer.origin}/ack"><Say loop="0">press one</Say></Gather></Response>`,
    });
    expect((await world.customer.next("/ack")).fields.get("Digits")).toBe("1");
  });

  test("goes to the fallback URL, with the error's code, when its TwiML cannot be had", async () => {
    world.carrier.phones.setBehaviour("+15550100", { behaviour: "answer", afterMs: 0 });
    world.customer.on("/bad", "<Response>").on("/fallback", say("sorry"));
    await world.client.calls.create({
      to: "+15550100",
      from: NUMBER,
      url: `${world.customer.origin}/bad`,
      fallbackUrl: `${world.customer.origin}/fallback`,
    });
    expect((await world.customer.next("/fallback")).fields.get("ErrorCode")).toBe("12100");
  });
});
