import { afterEach, beforeEach, expect, test } from "bun:test";
import type { PhoneLine } from "../../../../adapters/sandbox/types.ts";
import { frameOf, isSilent, noise } from "./audio.ts";
import { GREETING, PhoneClient, PhoneWorld } from "./phone-client.ts";

const NURSE = "+15550100";
const SERVICE = "+15550123";
const CALLER = "+15550142";

let world: PhoneWorld;
beforeEach(() => {
  world = new PhoneWorld();
});
afterEach(async () => {
  await world.stop();
  expect(world.clock.pendingTimers).toBe(0);
});

/** A phone that has dialled, and the carrier's end of its line. */
async function inCall(): Promise<{ phone: PhoneClient; line: PhoneLine }> {
  const phone = await world.phone();
  phone.send({ type: "dial", from: CALLER, to: SERVICE });
  await phone.notice("dialing");
  return { phone, line: (world.dialled[0] as { line: PhoneLine }).line };
}

/** What is heard of a line in so many ticks. */
function listen(line: PhoneLine, ticks: number): Uint8Array[] {
  const out = new Uint8Array(160);
  const heard: Uint8Array[] = [];
  for (let i = 0; i < ticks; i++) if (line.read(out)) heard.push(out.slice());
  return heard;
}

test("a phone dials, is answered with the first frame, hears and is heard, and is told of the end", async () => {
  const { phone, line } = await inCall();
  expect(phone.notices).toEqual([{ type: "dialing", callSid: "CA1" }]);
  expect(world.dialled[0]?.to).toBe(SERVICE);
  expect(line.number).toBe(CALLER);
  line.write(noise(1));
  line.write(noise(2));
  await world.until(() => phone.ear.length === 2);
  expect(phone.ear).toEqual([noise(1), noise(2)]);
  expect(phone.of("answered")).toEqual([{ type: "answered", callSid: "CA1" }]);
  for (let i = 3; i < 6; i++) phone.speak(noise(i));
  phone.send({ type: "digits", digits: "1*#" });
  await world.until(() => world.told.length === 3);
  expect(world.told).toEqual(["1", "*", "#"]);
  expect(listen(line, 8).slice(0, 3)).toEqual([noise(3), noise(4), noise(5)]);
  line.hangUp("completed");
  expect(await phone.notice("ended")).toEqual({ type: "ended", callSid: "CA1", reason: "completed" });
  expect(world.told).not.toContain("hangup");
  expect(line.read(new Uint8Array(160))).toBe(false);
  line.write(noise(1));
  phone.send({ type: "dial", from: CALLER, to: SERVICE });
  await phone.notice("dialing", 2);
  expect(phone.ear).toHaveLength(2);
});

test("the phone hangs up: the carrier is told once and the phone gets its end", async () => {
  const { phone, line } = await inCall();
  phone.send({ type: "hangup" });
  expect(await phone.notice("ended")).toMatchObject({ callSid: "CA1", reason: "hangup" });
  expect(world.told).toEqual(["hangup"]);
  line.hangUp("completed");
  await world.taken(phone);
  expect(phone.of("ended")).toHaveLength(1);
});

test("a lost phone hangs up its call and gives its number back", async () => {
  const { phone } = await inCall();
  expect(world.phones.counters()).toMatchObject({ connected: 1, registered: 1, engaged: 1 });
  phone.leave();
  await world.until(() => world.told.length > 0);
  expect(world.told).toEqual(["hangup"]);
  expect(world.phones.counters()).toMatchObject({ connected: 0, registered: 0, engaged: 0 });
  expect(world.ring(CALLER)).toBeNull();
});

test("a dial that the carrier refuses is told with its reason, and the phone is free again", async () => {
  world.phones.onDial = () => {
    throw new Error("+15550199 is not a number of this sandbox");
  };
  const phone = await world.phone();
  phone.send({ type: "dial", from: CALLER, to: "+15550199" });
  expect(await phone.notice("error")).toEqual({
    type: "error",
    message: "+15550199 is not a number of this sandbox",
  });
  expect(world.phones.counters()["engaged"]).toBe(0);
});

test("a carrier that hangs up while it takes the dial leaves the phone free, with the end after the beginning", async () => {
  world.phones.onDial = (line) => {
    line.hangUp("busy");
    return { callSid: "CA5" };
  };
  const phone = await world.phone();
  phone.send({ type: "dial", from: CALLER, to: SERVICE });
  await phone.notice("ended");
  expect(phone.notices).toEqual([
    { type: "dialing", callSid: "CA5" },
    { type: "ended", callSid: "CA5", reason: "busy" },
  ]);
  expect(world.phones.counters()["engaged"]).toBe(0);
});

test("a registered phone rings, answers and talks", async () => {
  const phone = await world.phone(NURSE);
  world.ring(NURSE);
  expect(await phone.notice("incoming")).toEqual({ type: "incoming", callSid: "CA9", from: "+15550199" });
  phone.send({ type: "answer" });
  await phone.notice("answered");
  expect(world.outcomes).toEqual([["answered", expect.anything()]]);
  const line = world.outcomes[0]?.[1] as PhoneLine;
  line.write(noise(1));
  await world.until(() => phone.ear.length === 1);
  expect(phone.of("answered")).toHaveLength(1);
  phone.send({ type: "hangup" });
  await world.until(() => world.told.includes("hangup"));
});

test("a ringing phone may decline, say busy or hang up, and rings again later", async () => {
  const phone = await world.phone(NURSE);
  for (const [i, type] of ["decline", "busy", "hangup"].entries()) {
    world.ring(NURSE, `CA${i}`);
    await phone.notice("incoming", i + 1);
    phone.send({ type });
    await world.until(() => world.outcomes.length === i + 1);
  }
  expect(world.outcomes).toEqual([
    ["declined", null],
    ["busy", null],
    ["declined", null],
  ]);
});

test("a ringing phone may leave the call to voicemail, which greets, and is free for the next one", async () => {
  const phone = await world.phone(NURSE);
  world.ring(NURSE, "CA1");
  await phone.notice("incoming");
  phone.send({ type: "voicemail" });
  await world.until(() => world.outcomes.length === 1);
  const [outcome, line] = world.outcomes[0] as [string, PhoneLine];
  expect(outcome).toBe("voicemail");
  await Promise.resolve();
  expect(Buffer.concat(listen(line, 3)).equals(GREETING)).toBe(true);
  world.ring(NURSE, "CA2");
  await phone.notice("incoming", 2);
});

test("a ring that is cancelled is told, answers nothing later and may be cancelled twice", async () => {
  const phone = await world.phone(NURSE);
  const handle = world.ring(NURSE);
  await phone.notice("incoming");
  handle?.cancel();
  handle?.cancel();
  expect(await phone.notice("cancelled")).toEqual({ type: "cancelled", callSid: "CA9" });
  phone.send({ type: "answer" });
  expect(await phone.notice("error", 2)).toMatchObject({ message: "answer: nobody is calling" });
  expect(world.outcomes).toEqual([]);
  expect(phone.of("cancelled")).toHaveLength(1);
});

test("a phone has one call at a time: a second ring finds it busy, a second dial is refused", async () => {
  const { phone } = await inCall();
  const cancelled = world.ring(CALLER);
  cancelled?.cancel();
  world.ring(CALLER);
  expect(world.outcomes).toEqual([]);
  world.clock.advance(0);
  expect(world.outcomes).toEqual([["busy", null]]);
  phone.send({ type: "dial", from: CALLER, to: SERVICE });
  expect(await phone.notice("error")).toMatchObject({
    message: "dial: this phone is in a call already; hang up first",
  });
});

test("a phone that leaves while it rings gives no outcome, as a phone that nobody picks up", async () => {
  const phone = await world.phone(NURSE);
  const handle = world.ring(NURSE);
  await phone.notice("incoming");
  phone.leave();
  while (world.phones.counters()["connected"] !== 0) await new Promise((resolve) => setImmediate(resolve));
  handle?.cancel();
  expect(world.outcomes).toEqual([]);
});

test("the newest phone gets a number, unless the one that has it is in a call", async () => {
  const old = await world.phone(NURSE);
  const reloaded = await world.phone(NURSE);
  expect(await old.notice("error", 2)).toMatchObject({ message: `${NURSE} is on another phone now` });
  world.ring(NURSE);
  await reloaded.notice("incoming");
  reloaded.send({ type: "answer" });
  await reloaded.notice("answered");
  old.send({ type: "register", number: NURSE });
  expect(await old.notice("error", 3)).toMatchObject({
    message: `register: ${NURSE} is in a call on another phone`,
  });
});

test("an unknown number does not ring", () => {
  expect(world.ring("+15550177")).toBeNull();
});

test("what a phone says before anybody listens is not kept, but for the last of it, nor what it says outside a call", async () => {
  const phone = await world.phone();
  phone.speak(noise(77));
  phone.send({ type: "dial", from: CALLER, to: SERVICE });
  await phone.notice("dialing");
  for (let i = 0; i < 30; i++) phone.speak(noise(i));
  await world.taken(phone);
  const { line } = world.dialled[0] as { line: PhoneLine };
  expect(listen(line, 4)).toEqual(Array.from({ length: 4 }, (_, i) => noise(26 + i)));
  line.hangUp("completed");
  expect(world.phones.counters()).toMatchObject({ micFrames: 31, micDropped: 26 });
});

test("an utterance is noted for hearing and not played", async () => {
  const { phone, line } = await inCall();
  phone.send({ type: "utterance", text: "help me", audio: noise(5, 3).toBase64() });
  await world.taken(phone);
  expect(world.hearing.lookup(noise(5, 3).subarray(160, 320))).toEqual(["help me"]);
  expect(line.read(frameOf(0))).toBe(false);
});

test("SMS reach a connected phone at once, others when they register, and inboxes are bounded", async () => {
  for (let i = 0; i < 103; i++) {
    world.phones.deliverSms({ messageSid: `SM${i}`, from: SERVICE, to: NURSE, body: `text ${i}` });
  }
  expect(world.phones.inbox(NURSE)).toHaveLength(100);
  const phone = await world.phone(NURSE);
  expect(phone.of("sms")).toHaveLength(100);
  expect(phone.of("sms")[0]).toEqual({
    type: "sms",
    messageSid: "SM3",
    from: SERVICE,
    to: NURSE,
    body: "text 3",
  });
  world.phones.deliverSms({ messageSid: "SM200", from: SERVICE, to: NURSE, body: "now" });
  expect(await phone.notice("sms", 101)).toMatchObject({ body: "now" });
  expect(world.phones.counters()).toMatchObject({ smsDelivered: 101, smsDropped: 4 });
  phone.send({ type: "sms", to: SERVICE, body: "ack" });
  await world.until(() => world.sms.length === 1);
  expect(world.sms).toEqual([{ from: NURSE, to: SERVICE, body: "ack" }]);
});

test("messages that are not of the protocol are answered with an error that names the field", async () => {
  const phone = await world.phone();
  const wrong: [object | string, RegExp][] = [
    ["{", /not JSON/],
    [{ type: "fly" }, /^type: /],
    [{}, /^type: /],
    ["[]", /^message: /],
    [{ type: "dial", from: "5550142", to: SERVICE }, /^from: must be E\.164/],
    [{ type: "dial", from: CALLER, to: SERVICE, extra: 1 }, /extra/],
    [{ type: "digits", digits: "12a" }, /^digits: /],
    [{ type: "utterance", text: "x", audio: "!!" }, /^audio: must be/],
    [{ type: "utterance", text: "x", audio: "" }, /^utterance\.audio: /],
    [{ type: "sms", to: SERVICE, body: "" }, /^body: /],
    [{ type: "sms", to: SERVICE, body: "hi" }, /register a number first/],
    [{ type: "digits", digits: "1" }, /not in a call/],
    [{ type: "hangup" }, /not in a call/],
    [{ type: "decline" }, /nobody is calling/],
    [{ type: "voicemail" }, /nobody is calling/],
    ["x".repeat(700_001), /at most 700000/],
  ];
  for (const [i, [message, problem]] of wrong.entries()) {
    phone.send(message);
    expect((await phone.notice("error", i + 1))["message"]).toMatch(problem);
  }
  phone.speak(new Uint8Array(159));
  expect((await phone.notice("error", wrong.length + 1))["message"]).toMatch(/159 bytes: frames are 160/);
  expect(phone.closeCode).toBeNull();
});

test("a phone that keeps sending rubbish is closed, and its call ends", async () => {
  const { phone } = await inCall();
  for (let i = 0; i < 30; i++) phone.send("rubbish");
  await world.until(() => phone.closeCode !== null);
  expect(phone.closeCode).toBe(1008);
  expect(phone.of("error")).toHaveLength(20);
  expect(world.told).toEqual(["hangup"]);
  expect(world.phones.counters()).toMatchObject({ connected: 0, registered: 0, closedForAbuse: 1 });
});

test("a flood of commands is refused beyond its budget, then closed", async () => {
  const { phone } = await inCall();
  for (let i = 0; i < 150; i++) phone.send({ type: "digits", digits: "1" });
  await world.until(() => phone.closeCode !== null);
  expect(world.told.filter((what) => what === "1").length).toBe(99);
  expect(phone.closeCode).toBe(1008);
});

test("a message over the socket's limit closes that phone alone", async () => {
  const { phone } = await inCall();
  const other = await world.phone(NURSE);
  phone.send("x".repeat(3 * 1024 * 1024));
  await world.until(() => phone.closeCode !== null);
  await world.until(() => world.told.includes("hangup"));
  await world.taken(other);
});

test("a phone that reads nothing loses frames, and costs no memory beyond its limit", async () => {
  const sent: number[] = [];
  const stuck = { send: (data: string | Uint8Array) => sent.push(data.length), close: () => undefined };
  let buffered = 0;
  const socket = {
    ...stuck,
    getBufferedAmount: () => buffered,
    data: { kind: "phone" as const, connection: null },
  };
  world.phones.websocket.open(socket);
  world.phones.websocket.message(socket, JSON.stringify({ type: "dial", from: CALLER, to: SERVICE }));
  const { line } = world.dialled[0] as { line: PhoneLine };
  line.write(noise(1));
  buffered = 100_000;
  for (let i = 0; i < 50; i++) line.write(noise(i));
  expect(world.phones.counters()).toMatchObject({ earFrames: 1, earDropped: 50 });
  buffered = 0;
  line.write(noise(1));
  expect(sent.filter((bytes) => bytes === 160)).toHaveLength(2);
  world.phones.websocket.close(socket);
});

test("a carrier whose callbacks throw harms neither the socket nor the process", async () => {
  const { phone, line } = await inCall();
  line.onDigit = () => {
    throw new Error("the carrier's mistake");
  };
  line.onHangup = () => {
    throw new Error("another");
  };
  phone.send({ type: "digits", digits: "1" });
  phone.send({ type: "hangup" });
  await phone.notice("ended");
  await world.taken(phone);
  expect(world.phones.counters()).toMatchObject({ callbackErrors: 2, engaged: 0 });
  phone.send({ type: "dial", from: CALLER, to: SERVICE });
  await phone.notice("dialing", 2);
  (world.dialled[1] as { line: PhoneLine }).line.onHangup = line.onHangup;
  phone.leave();
  while (world.phones.counters()["connected"] !== 0) await new Promise((resolve) => setImmediate(resolve));
  expect(world.phones.counters()["callbackErrors"]).toBe(3);
});

test("what is no WebSocket is no phone", async () => {
  expect((await fetch(world.url.replace("ws:", "http:"))).status).toBe(426);
  expect(world.phones.counters()["upgradesRefused"]).toBe(1);
});

test("stopping closes every phone, ends its call and takes no more", async () => {
  const { phone } = await inCall();
  const idle = await world.phone(NURSE);
  world.phones.setBehaviour("+15550101", { behaviour: "answer" });
  world.ring("+15550101");
  world.phones.stop();
  await world.until(() => phone.closeCode !== null && idle.closeCode !== null);
  expect(phone.closeCode).toBe(1001);
  expect(world.told).toEqual(["hangup"]);
  expect(world.phones.counters()).toMatchObject({ connected: 0, registered: 0, engaged: 0 });
  const late = new PhoneClient(world.url, world.waiter);
  await world.until(() => late.closeCode !== null);
  expect(late.notices).toEqual([]);
  expect(isSilent(frameOf(0xff))).toBe(true);
});
