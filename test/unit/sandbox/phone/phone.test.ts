import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connectPhone, type Phone, type PhoneEvent } from "../../../../adapters/sandbox/phone/phone.ts";
import { CarrierError } from "../../../../engine/errors.ts";
import { systemClock } from "../../../../engine/platform/clock.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { FakeSandbox, type FakeOptions } from "./fake-sandbox.ts";
import { toneUlaw } from "./signals.ts";

let fake: FakeSandbox;
let phones: Phone[];

beforeEach(() => {
  phones = [];
});

afterEach(async () => {
  for (const phone of phones) phone.close();
  await Promise.all(phones.map((phone) => phone.closed));
  await fake.stop();
});

class Events {
  readonly all: PhoneEvent[] = [];
  #waiting: { type: string; resolve: (event: PhoneEvent) => void }[] = [];

  readonly take = (event: PhoneEvent): void => {
    this.all.push(event);
    const met = this.#waiting.filter((waiter) => waiter.type === event.type);
    this.#waiting = this.#waiting.filter((waiter) => waiter.type !== event.type);
    for (const waiter of met) waiter.resolve(event);
  };

  next(type: PhoneEvent["type"]): Promise<PhoneEvent> {
    return new Promise((resolve) => this.#waiting.push({ type, resolve }));
  }
}

async function phoneOn(options: FakeOptions = {}, events = new Events()): Promise<Phone> {
  fake = new FakeSandbox(options);
  return anotherPhone(events);
}

async function anotherPhone(events = new Events()): Promise<Phone> {
  const phone = await connectPhone({
    carrierUrl: fake.url,
    number: "+15550142",
    clock: systemClock,
    log: silentLog,
    record: true,
    onEvent: events.take,
  });
  phones.push(phone);
  return phone;
}

describe("a phone", () => {
  test("dials, says a clip in whole frames, and hears meanwhile, sample by sample", async () => {
    const phone = await phoneOn({ mute: true });
    expect(await phone.dial("+15550123")).toBe("CA1");
    expect(phone.state).toBe("in-call");
    const clip = toneUlaw(700, 210);
    expect(await phone.speak(clip, "some words")).toBe("said");
    const ended = new Promise<void>((resolve) => {
      const poll = phone.ear;
      const push = poll.push.bind(poll);
      poll.push = (frame) => {
        push(frame);
        if (poll.frames >= 14) resolve();
      };
    });
    await ended;
    const utterance = fake.received.find((message) => message["type"] === "utterance");
    const audio = Buffer.from(String(utterance?.["audio"]), "base64");
    expect(utterance?.["text"]).toBe("some words");
    expect(audio.length).toBe(11 * 160);
    const sent = Buffer.concat(fake.frames);
    expect(sent.indexOf(audio) % 160).toBe(0);
    expect(sent.indexOf(audio)).toBeGreaterThanOrEqual(0);
    const { said, heard } = phone.recording();
    expect(said.length).toBe(heard.length);
    expect(Buffer.from(said).indexOf(audio)).toBe(sent.indexOf(audio));
    expect(phone.counters()).toMatchObject({ framesDropped: 0, malformed: 0 });
  });

  test("sends 50 frames a second", async () => {
    const phone = await phoneOn({ mute: true });
    await phone.dial("+15550123");
    const startMs = systemClock.monotonicMs();
    await phone.speak(toneUlaw(700, 1000));
    const elapsedMs = systemClock.monotonicMs() - startMs;
    // The first frame may be due at once, and a loaded machine may be late with the last.
    expect(elapsedMs).toBeGreaterThan(900);
    expect(elapsedMs).toBeLessThan(3000);
  });

  test("is cut off when the call ends, and can call again", async () => {
    const events = new Events();
    const phone = await phoneOn({}, events);
    await phone.dial("+15550123");
    const speaking = phone.speak(toneUlaw(700, 5000));
    const ended = events.next("ended");
    phone.hangUp();
    phone.hangUp();
    expect(await ended).toMatchObject({ reason: "hangup" });
    expect(await speaking).toBe("cut");
    expect(phone.state).toBe("idle");
    expect(fake.received.filter((message) => message["type"] === "hangup").length).toBe(1);
    expect(await phone.dial("+15550123")).toBe("CA2");
  });

  test("says why a call was not answered", async () => {
    const phone = await phoneOn({ dial: "error" });
    const dialed = phone.dial("+15550199");
    expect(dialed).rejects.toBeInstanceOf(CarrierError);
    expect(dialed).rejects.toThrow("there is no such number");
    await dialed.catch(() => undefined);
    expect(phone.state).toBe("idle");
  });

  test("says that the far end is busy", async () => {
    const phone = await phoneOn({ dial: "busy" });
    expect(phone.dial("+15550123")).rejects.toThrow("the call ended: busy");
  });

  test("refuses to dial during a call", async () => {
    const phone = await phoneOn();
    await phone.dial("+15550123");
    expect(phone.dial("+15550123")).rejects.toThrow("cannot dial while it is in-call");
  });

  test("is rung, answers, presses keys, and gets messages", async () => {
    const events = new Events();
    const phone = await phoneOn({}, events);
    phone.register();
    phone.press("1");
    phone.sendSms("+15550100", "ack");
    const incoming = events.next("incoming");
    fake.toPhones(JSON.stringify({ type: "incoming", callSid: "CA7", from: "+15550123" }));
    expect(await incoming).toMatchObject({ callSid: "CA7" });
    expect(phone.state).toBe("incoming");
    const answered = events.next("answered");
    phone.answer();
    await answered;
    expect(phone.state).toBe("in-call");
    const sms = events.next("sms");
    fake.toPhones(
      JSON.stringify({ type: "sms", messageSid: "SM1", from: "+15550123", to: "+15550142", body: "hello" }),
    );
    expect(await sms).toMatchObject({ body: "hello" });
    expect(fake.received.slice(0, 4)).toEqual([
      { type: "register", number: "+15550142" },
      { type: "digits", digits: "1" },
      { type: "sms", to: "+15550100", body: "ack" },
      { type: "answer" },
    ]);
  });

  test("declines a call, also by hanging up, and stops ringing when it is cancelled", async () => {
    const events = new Events();
    const phone = await phoneOn({}, events);
    const ring = async () => {
      const incoming = events.next("incoming");
      fake.toPhones(JSON.stringify({ type: "incoming", callSid: "CA7", from: "+15550123" }));
      await incoming;
    };
    await ring();
    phone.refuse("busy");
    expect(phone.state).toBe("idle");
    await ring();
    phone.hangUp();
    expect(phone.state).toBe("idle");
    await ring();
    const cancelled = events.next("cancelled");
    fake.toPhones(JSON.stringify({ type: "cancelled", callSid: "CA7" }));
    await cancelled;
    expect(phone.state).toBe("idle");
    phone.answer();
    await phone.dial("+15550123");
    expect(fake.received.map((message) => message["type"])).toEqual(["busy", "decline", "dial"]);
  });

  test("survives nonsense, and counts it", async () => {
    const events = new Events();
    const phone = await phoneOn({ mute: true }, events);
    await phone.dial("+15550123");
    for (const nonsense of ["", "{", "[]", '{"type":"later"}', '{"type":"ended"}']) fake.toPhones(nonsense);
    fake.toPhones(new Uint8Array(159));
    const error = events.next("error");
    fake.toPhones(JSON.stringify({ type: "error", message: "a warning" }));
    await error;
    expect(phone.state).toBe("in-call");
    expect(phone.counters().malformed).toBe(6);
  });

  test("notices that its connection is lost", async () => {
    const events = new Events();
    const phone = await phoneOn({}, events);
    await phone.dial("+15550123");
    const speaking = phone.speak(toneUlaw(400, 5000));
    fake.dropPhones();
    await phone.closed;
    expect(await speaking).toBe("cut");
    expect(phone.state).toBe("closed");
    expect(events.all.at(-1)).toMatchObject({ type: "closed" });
    expect(phone.dial("+15550123")).rejects.toThrow("cannot dial while it is closed");
    phone.hangUp();
    phone.close();
    expect(await phone.speak(toneUlaw(400, 20))).toBe("cut");
  });

  test("is not troubled by a listener that throws", async () => {
    fake = new FakeSandbox({ mute: true });
    const phone = await connectPhone({
      carrierUrl: fake.url,
      number: "+15550142",
      clock: systemClock,
      log: silentLog,
      onEvent: () => {
        throw new Error("mine");
      },
      onFrame: () => {
        throw new Error("mine too");
      },
    });
    phones.push(phone);
    await phone.dial("+15550123");
    expect(await phone.speak(toneUlaw(400, 100))).toBe("said");
  });

  test("that finds no carrier says so", async () => {
    fake = new FakeSandbox();
    const { url } = fake;
    await fake.stop();
    const lost = connectPhone({ carrierUrl: url, number: "+15550142", clock: systemClock, log: silentLog });
    expect(lost).rejects.toBeInstanceOf(CarrierError);
    expect(lost).rejects.toThrow("no connection to the sandbox carrier");
    await lost.catch(() => undefined);
  });
});
