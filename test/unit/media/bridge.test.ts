import { describe, expect, test } from "bun:test";
import { ProviderError } from "../../../engine/errors.ts";
import { FakeSession, inbound, setUpBridge, setUpCall } from "./bridge-setup.ts";
import { speech } from "./leg-setup.ts";

const LOST = new ProviderError("connection_lost", "socket closed", true);

function decoded(pieces: readonly string[]): Buffer {
  return Buffer.concat(pieces.map((p) => Buffer.from(p, "base64")));
}

/** `count` frames of the caller from `from`, each different. */
function frames(count: number, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => speech(160, from + i + 1));
}

describe("the caller's first words", () => {
  test("are held until the model is ready and then follow in order, nothing lost, doubled or exchanged", () => {
    const { bridge, session, newLeg } = setUpBridge();
    const { leg } = newLeg();
    bridge.attachLeg(leg);
    const all = frames(100);
    all.slice(0, 30).forEach((f, i) => leg.onText(inbound(f, i * 20)));
    bridge.attachSession(session);
    all.slice(30, 60).forEach((f, i) => leg.onText(inbound(f, (30 + i) * 20)));
    expect(session.appended).toEqual([]);
    bridge.ready();
    all.slice(60).forEach((f, i) => leg.onText(inbound(f, (60 + i) * 20)));
    expect(decoded(session.appended).equals(Buffer.concat(all))).toBe(true);
    expect(bridge.counters()).toMatchObject({ heldBytes: 9600, heldDroppedBytes: 0, inToModelBytes: 16_000 });
  });

  test("are flushed also when ready comes before the session is attached", () => {
    const { bridge, session, newLeg } = setUpBridge();
    const { leg } = newLeg();
    bridge.attachLeg(leg);
    leg.onText(inbound(speech(160), 0));
    bridge.ready();
    expect(bridge.modelIsReady).toBe(false);
    bridge.attachSession(session);
    expect(bridge.modelIsReady).toBe(true);
    expect(session.appended).toHaveLength(1);
  });

  test("beyond 15 s the oldest go first, counted", () => {
    const { bridge, session, newLeg } = setUpBridge();
    const { leg } = newLeg();
    bridge.attachLeg(leg);
    const all = frames(1000);
    all.forEach((f, i) => leg.onText(inbound(f, i * 20)));
    bridge.attachSession(session);
    bridge.ready();
    expect(decoded(session.appended).equals(Buffer.concat(all.slice(250)))).toBe(true);
    expect(bridge.counters().heldDroppedBytes).toBe(250 * 160);
  });

  test("that were held for a model that never came are not told to a later one as if they were said now", () => {
    const { bridge, session, newLeg, clock } = setUpBridge();
    const first = newLeg().leg;
    bridge.attachLeg(first);
    frames(50).forEach((f, i) => first.onText(inbound(f, i * 20)));
    bridge.detachLeg(first);
    clock.advance(60_000);
    const second = newLeg().leg;
    bridge.attachLeg(second);
    const now = frames(10, 50);
    now.forEach((f, i) => second.onText(inbound(f, i * 20)));
    bridge.attachSession(session);
    bridge.ready();
    expect(decoded(session.appended).equals(Buffer.concat(now))).toBe(true);
    expect(bridge.counters().heldDroppedBytes).toBe(50 * 160);
  });

  test("are not told to a model that comes when nobody has been heard for long", () => {
    const { bridge, session, newLeg, clock } = setUpBridge();
    const { leg } = newLeg();
    bridge.attachLeg(leg);
    leg.onText(inbound(speech(160), 0));
    bridge.detachLeg(leg);
    clock.advance(15_001);
    bridge.attachSession(session);
    bridge.ready();
    expect(session.appended).toEqual([]);
  });

  test("are held again while the model reconnects, and go to the session that replaces it", () => {
    const { bridge, session, leg } = setUpCall();
    const all = frames(30);
    all.slice(0, 10).forEach((f, i) => leg.onText(inbound(f, i * 20)));
    bridge.reconnecting(LOST);
    expect(bridge.modelIsReady).toBe(false);
    all.slice(10, 20).forEach((f, i) => leg.onText(inbound(f, (10 + i) * 20)));
    expect(session.appended).toHaveLength(10);
    bridge.failed(LOST);
    const second = new FakeSession();
    bridge.attachSession(second);
    all.slice(20).forEach((f, i) => leg.onText(inbound(f, (20 + i) * 20)));
    bridge.ready();
    expect(decoded(second.appended).equals(Buffer.concat(all.slice(10)))).toBe(true);
  });

  test("a gap in them is silence in what is held, too", () => {
    const { bridge, session, newLeg } = setUpBridge();
    const { leg } = newLeg();
    bridge.attachLeg(leg);
    leg.onText(inbound(speech(160, 1), 0));
    leg.onText(inbound(speech(160, 2), 60));
    bridge.attachSession(session);
    bridge.ready();
    const silence = Buffer.alloc(320, 0xff);
    expect(decoded(session.appended).equals(Buffer.concat([speech(160, 1), silence, speech(160, 2)]))).toBe(
      true,
    );
  });
});

describe("barge-in", () => {
  test("clears the carrier first, then tells the model, then the call, all within the event", () => {
    const { bridge, order, say, clock, session, told } = setUpCall();
    say("i1", speech(8000));
    clock.advance(300);
    order.length = 0;
    bridge.speechStarted();
    expect(order).toEqual(["clear", "interrupt", "transcript", "bargedIn", "userSpeech"]);
    const item = session.interrupts[0]?.[0];
    expect(item).toMatchObject({ itemId: "i1", responseId: "r-i1", receivedMs: 1000 });
    expect(item?.heardMs).toBeGreaterThan(270);
    expect(item?.heardMs).toBeLessThan(330);
    const info = told.find((t) => (t as [string])[0] === "bargedIn") as [
      string,
      { clearedMs: number; cause: string },
    ];
    expect(info[1].clearedMs).toBeGreaterThan(670);
    expect(info[1].cause).toBe("caller");
    clock.advance(2000);
    expect(order).not.toContain("media");
    expect(clock.pendingTimers).toBe(0);
  });

  test("with nothing unheard nothing at all is sent", () => {
    const { bridge, order, say, clock, session } = setUpCall();
    bridge.speechStarted();
    bridge.speechStopped();
    say("i1", speech(1600));
    clock.advance(1500);
    order.length = 0;
    bridge.speechStarted();
    bridge.interrupted();
    expect(order).toEqual(["userSpeech"]);
    expect(session.interrupts).toEqual([]);
  });

  test("late audio of what was cut is dropped by its response; the next response plays", () => {
    const { bridge, say, clock, carrier, session } = setUpCall();
    say("i1", new Uint8Array(8000).fill(1), "r1", false);
    clock.advance(200);
    bridge.speechStarted();
    clock.advance(10);
    const heardOfFirst = carrier.playedBytes();
    // The cancelled response goes on for a while: the same item, and one that is new.
    say("i1", new Uint8Array(1600).fill(1), "r1", false);
    say("i2", new Uint8Array(1600).fill(1), "r1", false);
    bridge.responseDone({ responseId: "r1", status: "cancelled", usage: null });
    say("i3", new Uint8Array(1600).fill(3), "r2");
    clock.advance(2000);
    expect([...carrier.heard().subarray(heardOfFirst)]).toEqual(Array.from({ length: 1600 }, () => 3));
    expect(bridge.counters().lateBytes).toBe(3200);
    // The model learns that nobody heard the new item; the cut one it knows already.
    expect(session.interrupts.slice(1)).toEqual([
      [{ responseId: "r1", itemId: "i2", contentIndex: 0, heardMs: 0, heardErrorMs: 0, receivedMs: 200 }],
    ]);
  });

  test("a running answer of which all was heard so far is not heard after the caller's words", () => {
    const { bridge, say, clock, carrier, order, session } = setUpCall();
    say("i1", new Uint8Array(800).fill(1), "r1", false);
    clock.advance(1000);
    order.length = 0;
    bridge.speechStarted();
    expect(order).toEqual(["userSpeech"]);
    say("i1", new Uint8Array(8000).fill(2), "r1", false);
    bridge.responseDone({ responseId: "r1", status: "cancelled", usage: null });
    clock.advance(2000);
    expect(carrier.heard().includes(2)).toBe(false);
    expect(session.interrupts).toEqual([
      [{ responseId: "r1", itemId: "i1", contentIndex: 0, heardMs: 100, heardErrorMs: 0, receivedMs: 1100 }],
    ]);
  });

  test("the provider's own interruption does the same, with its cause", () => {
    const { bridge, order, say, clock, told } = setUpCall();
    say("i1", speech(8000));
    clock.advance(300);
    order.length = 0;
    bridge.interrupted();
    expect(order).toEqual(["clear", "interrupt", "transcript", "bargedIn"]);
    expect(told.at(-1)).toMatchObject(["bargedIn", { cause: "provider" }]);
  });
});

describe("the leg", () => {
  test("is told apart: what the old one did not play never sounds on the new one", () => {
    const { bridge, say, clock, leg, session, newLeg, carrier } = setUpCall();
    say("i1", new Uint8Array(16_000).fill(1), "r1", false);
    clock.advance(500);
    leg.dispose();
    bridge.detachLeg(leg);
    expect(bridge.pendingMs).toBe(0);
    expect(session.interrupts).toHaveLength(1);
    expect(session.interrupts[0]?.[0]?.heardMs).toBeLessThanOrEqual(520);
    const second = newLeg();
    bridge.attachLeg(second.leg);
    // The rest of the same answer counts as cut; the next answer is new.
    say("i1", new Uint8Array(1600).fill(1), "r1");
    say("i2", new Uint8Array(1600).fill(2), "r2");
    clock.advance(2000);
    expect([...second.carrier.heard()]).toEqual(Array.from({ length: 1600 }, () => 2));
    expect(carrier.heard().includes(2)).toBe(false);
  });

  test("replaced without being detached is detached first, and stays without effect after", () => {
    const { bridge, leg, session, say, clock, newLeg } = setUpCall();
    say("i1", speech(8000));
    clock.advance(100);
    const second = newLeg();
    bridge.attachLeg(second.leg);
    expect(session.interrupts).toHaveLength(1);
    leg.onText(inbound(speech(160), 0));
    bridge.detachLeg(leg);
    expect(session.appended).toEqual([]);
    second.leg.onText(inbound(speech(160), 0));
    expect(session.appended).toHaveLength(1);
  });

  test("the greeting made before the first leg came is played when it comes", () => {
    const { bridge, session, say, newLeg, clock, transcript } = setUpBridge();
    bridge.attachSession(session);
    bridge.ready();
    say("hello", speech(4000));
    const { leg, carrier } = newLeg();
    bridge.attachLeg(leg);
    clock.advance(2000);
    expect(Buffer.from(carrier.heard()).equals(Buffer.from(speech(4000)))).toBe(true);
    expect(transcript).toHaveLength(1);
    expect(transcript[0]).toMatchObject({ text: "text of hello", heardText: "text of hello", heardMs: 500 });
  });

  test("speech between two legs is not kept, and the model is told", () => {
    const { bridge, leg, say, session, newLeg, clock, transcript } = setUpCall();
    bridge.detachLeg(leg);
    say("i1", speech(1600));
    const second = newLeg();
    bridge.attachLeg(second.leg);
    clock.advance(1000);
    expect(second.carrier.playedBytes()).toBe(0);
    expect(session.interrupts).toEqual([
      [{ responseId: "r-i1", itemId: "i1", contentIndex: 0, heardMs: 0, heardErrorMs: 0, receivedMs: 200 }],
    ]);
    expect(transcript[0]).toMatchObject({ heardText: "", heardMs: 0, generatedMs: 200 });
    expect(bridge.counters().noLegBytes).toBe(1600);
  });

  test("speech that began between two legs is not heard from the middle", () => {
    const { bridge, leg, say, session, newLeg, clock, transcript } = setUpCall();
    bridge.detachLeg(leg);
    say("i1", speech(1600), "r1", false);
    const second = newLeg();
    bridge.attachLeg(second.leg);
    say("i1", speech(1600), "r1");
    clock.advance(1000);
    expect(second.carrier.playedBytes()).toBe(0);
    expect(session.interrupts).toEqual([
      [{ responseId: "r1", itemId: "i1", contentIndex: 0, heardMs: 0, heardErrorMs: 0, receivedMs: 400 }],
    ]);
    expect(transcript[0]).toMatchObject({ heardText: "", heardMs: 0, generatedMs: 400 });
  });
});

describe("draining", () => {
  test("tells once when all so far is played", () => {
    const { bridge, say, clock, order } = setUpCall();
    say("i1", speech(8000));
    bridge.drain(10_000);
    clock.advance(900);
    expect(order).not.toContain("drained");
    clock.advance(300);
    expect(order.filter((e) => e === "drained")).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("tells at once with nothing to play, at the timeout otherwise, and after the leg is gone", () => {
    const { bridge, say, clock, order, leg } = setUpCall();
    const drained = () => order.filter((e) => e === "drained").length;
    bridge.drain(1000);
    expect(drained()).toBe(1);
    say("i1", speech(80_000));
    bridge.drain(1000);
    clock.advance(1000);
    expect(drained()).toBe(2);
    bridge.drain(60_000);
    bridge.detachLeg(leg);
    expect(drained()).toBe(3);
    clock.advance(60_000);
    expect(drained()).toBe(3);
  });

  test("works by the clock when every mark is lost", () => {
    const { bridge, say, clock, order } = setUpCall({ losesMark: () => true, oneWayMs: 60 });
    say("i1", speech(8000));
    bridge.drain(30_000);
    clock.advance(1000);
    expect(order).not.toContain("drained");
    clock.advance(500);
    expect(order).toContain("drained");
  });
});

test("what the call's side throws reaches neither the model's socket nor the carrier's", () => {
  const boom = () => {
    throw new Error("injected");
  };
  const { bridge, leg, say, clock } = setUpCall(
    {},
    {
      events: {
        modelReady: boom,
        modelReconnecting: boom,
        modelWarning: boom,
        modelFailed: boom,
        toolCall: boom,
        userSpeech: boom,
        bargedIn: boom,
        transcript: boom,
        drained: boom,
        dtmf: boom,
        usage: boom,
        responseDone: boom,
      },
    },
  );
  const usage = {
    inputTokens: 1,
    outputTokens: 1,
    cachedTokens: 0,
    cachedAudioTokens: 0,
    inputAudioTokens: 0,
    outputAudioTokens: 0,
  };
  say("i1", speech(8000));
  clock.advance(100);
  bridge.speechStarted();
  bridge.speechStopped();
  bridge.userText({ itemId: "u", text: "hello" });
  bridge.toolCall({ callId: "c", name: "escalate", argumentsJson: "{}" });
  bridge.responseDone({ responseId: "x", status: "completed", usage });
  leg.onText('{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"1"}}');
  bridge.drain(10);
  bridge.warning(LOST);
  bridge.reconnecting(LOST);
  bridge.failed(LOST);
  expect(bridge.counters().eventErrors).toBe(15);
});

test("a closed bridge is deaf and mute, and leaves no timer", () => {
  const { bridge, leg, say, clock, order, session, transcript, wheel } = setUpCall();
  say("i1", speech(8000));
  clock.advance(500);
  bridge.drain(100_000);
  bridge.close();
  expect(transcript).toHaveLength(1);
  expect(transcript[0]?.heardMs).toBeGreaterThan(400);
  expect(transcript[0]?.heardMs).toBeLessThan(600);
  order.length = 0;
  bridge.close();
  bridge.ready();
  bridge.speechStarted();
  bridge.userText({ itemId: "u", text: "hello" });
  say("i2", speech(800));
  bridge.drain(5);
  bridge.attachLeg(leg);
  leg.onText(inbound(speech(160), 0));
  expect(session.appended).toEqual([]);
  leg.close();
  clock.advance(5000);
  expect(order).toEqual([]);
  expect(wheel.size).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});
