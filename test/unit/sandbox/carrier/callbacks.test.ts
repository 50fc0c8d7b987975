import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { NUMBER, startWorld, TestPhone, type World } from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await startWorld();
  world.carrier.phones.setBehaviour("+15550100", { behaviour: "busy", afterMs: 0 });
});
afterEach(async () => {
  await world.stop();
});

/** A call that ends at once; its terminal callback goes to `path`. */
async function busyCall(path: string): Promise<string> {
  const call = await world.client.calls.create({
    to: "+15550100",
    from: NUMBER,
    twiml: "<Response/>",
    statusCallback: `${world.customer.origin}${path}`,
    statusCallbackEvent: ["initiated", "ringing", "completed"],
  });
  return call.sid;
}

describe("retries", () => {
  test("by default a 5xx is not retried", async () => {
    world.customer.on("/status", () => new Response("", { status: 503 }));
    await busyCall("/status");
    await world.customer.next("/status", (f) => f.get("CallStatus") === "busy");
    await world.stop();
    expect(world.customer.all).toHaveLength(3);
    expect(world.carrier.state().counters["webhook.retries"]).toBeUndefined();
  });

  test("a #rc and #rp fragment is honoured, is not sent, and keeps the idempotency token", async () => {
    let left = 2;
    world.customer.on("/status", () => new Response("", { status: left-- > 0 ? 503 : 204 }));
    await world.client.calls.create({
      to: "+15550100",
      from: NUMBER,
      twiml: "<Response/>",
      statusCallback: `${world.customer.origin}/status#rc=3&rp=5xx`,
    });
    const tries = [];
    for (let n = 0; n < 3; n++) tries.push(await world.customer.next("/status"));
    expect(new Set(tries.map((t) => t.headers.get("i-twilio-idempotency-token"))).size).toBe(1);
    expect(new Set(tries.map((t) => t.headers.get("x-twilio-signature"))).size).toBe(1);
    expect(tries[0]?.url).not.toContain("#");
    expect(world.carrier.state().counters["webhook.retries"]).toBe(2);
  });

  test("a webhook that does not answer in time is given up with 11205", async () => {
    world.customer.on("/slow", () => new Promise<Response>(() => undefined));
    world.carrier.configure({
      numbers: [{ number: NUMBER, voiceUrl: `${world.customer.origin}/slow#rt=100&rc=0` }],
    });
    const call = await world.client.calls.create({
      to: NUMBER,
      from: NUMBER,
      twiml: "<Response/>",
      statusCallback: `${world.customer.origin}/status`,
    });
    const { fields } = await world.customer.next("/status");
    expect([fields.get("CallSid"), fields.get("CallStatus")]).toEqual([call.sid, "failed"]);
    expect(world.carrier.state().alerts.map((a) => a.code)).toEqual([11205]);
  });
});

describe("faults", () => {
  test("lose callbacks", async () => {
    world.carrier.faults.set({ callbacks: { dropRate: 1, match: "initiated" } });
    await busyCall("/status");
    await world.customer.next("/status", (f) => f.get("CallStatus") === "busy");
    expect(world.customer.all.map((r) => r.fields.get("CallStatus"))).not.toContain("initiated");
    expect(world.carrier.state().counters["callback.dropped_by_fault"]).toBe(1);
  });

  test("deliver callbacks twice, with one token", async () => {
    world.carrier.faults.set({ callbacks: { duplicateRate: 1 } });
    await busyCall("/status");
    const isEnd = (f: URLSearchParams): boolean => f.get("CallStatus") === "busy";
    const [first, second] = [
      await world.customer.next("/status", isEnd),
      await world.customer.next("/status", isEnd),
    ];
    expect(second.headers.get("i-twilio-idempotency-token")).toBe(
      first.headers.get("i-twilio-idempotency-token"),
    );
  });

  test("delay callbacks, so that they overtake each other", async () => {
    world.carrier.faults.set({ callbacks: { delayMs: [300, 300], match: "initiated" } });
    await busyCall("/status");
    await world.customer.next("/status", (f) => f.get("CallStatus") === "initiated");
    expect(world.customer.all.map((r) => r.fields.get("SequenceNumber")).at(-1)).toBe("0");
  });
});

describe("SMS", () => {
  test("goes to the phone's inbox and reports sent and delivered", async () => {
    const phone = new TestPhone(world.carrier.url);
    await phone.send({ type: "register", number: "+15550101" });
    const message = await world.client.messages.create({
      to: "+15550101",
      from: NUMBER,
      body: "take it? 1",
      statusCallback: `${world.customer.origin}/sms-status`,
    });
    expect([message.status, message.direction, message.numSegments]).toEqual(["queued", "outbound-api", "1"]);
    expect(await phone.event("sms")).toMatchObject({ from: NUMBER, to: "+15550101", body: "take it? 1" });
    for (const status of ["sent", "delivered"]) {
      const { fields } = await world.customer.next("/sms-status", (f) => f.get("MessageStatus") === status);
      expect([fields.get("SmsStatus"), fields.get("MessageSid")]).toEqual([status, message.sid]);
    }
    expect((await world.client.messages(message.sid).fetch()).status).toBe("delivered");
    phone.close();
  });

  test("that cannot be delivered says so with an error code", async () => {
    world.carrier.faults.set({ sms: { status: "undelivered" } });
    await world.client.messages.create({
      to: "+15550101",
      from: NUMBER,
      body: "x",
      statusCallback: `${world.customer.origin}/sms-status`,
    });
    const { fields } = await world.customer.next(
      "/sms-status",
      (f) => f.get("MessageStatus") === "undelivered",
    );
    expect(fields.get("ErrorCode")).toBe("30003");
  });

  test("from a phone comes to the number's SMS URL, and a TwiML reply goes back", async () => {
    world.customer.on("/sms", "<Response><Message>you have it</Message></Response>");
    const phone = new TestPhone(world.carrier.url);
    await phone.send({ type: "register", number: "+15550101" });
    await phone.send({ type: "sms", to: NUMBER, body: " 1 " });
    const { fields } = await world.customer.next("/sms");
    expect([fields.get("From"), fields.get("Body"), fields.get("NumMedia")]).toEqual([
      "+15550101",
      " 1 ",
      "0",
    ]);
    expect((await phone.event("sms"))["body"]).toBe("you have it");
    phone.close();
  });
});
