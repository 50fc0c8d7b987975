import { describe, expect, test } from "bun:test";
import type { MediaLeg } from "../../../engine/media/leg.ts";
import {
  CONNECTED,
  FakeSocket,
  GRANT,
  goLive,
  setUpGateway,
  startText,
  type SetUp,
} from "./gateway-setup.ts";

describe("who is let in", () => {
  test("a socket with a fresh token becomes the stream of the token's call and leg", () => {
    const s = setUpGateway();
    const socket = goLive(s);
    expect(s.started).toHaveLength(1);
    expect(s.started[0]).toMatchObject({ ...GRANT, streamSid: "MZ1", streamCallSid: "CAtheirs" });
    expect(socket.closed).toBeNull();
    expect(s.gateway.live).toBe(1);
    expect(s.clock.pendingTimers).toBe(0);
  });

  const refusals: [string, (s: SetUp) => (string | Uint8Array)[]][] = [
    ["no token", () => [CONNECTED, startText(null)]],
    ["a token never issued", () => [CONNECTED, startText("made-up")]],
    [
      "no parameters at all",
      (s) => [CONNECTED, startText(s.gateway.issueToken(GRANT), "MZ1", { customParameters: 7 })],
    ],
    ["start before connected", (s) => [startText(s.gateway.issueToken(GRANT))]],
    ["media before start", () => [CONNECTED, '{"event":"media","media":{"payload":"/w=="}}']],
    ["text that is not JSON", () => [CONNECTED, "hello"]],
    ["a binary message", () => [new Uint8Array(10)]],
    [
      "a message of 70000 characters",
      () => [JSON.stringify({ event: "connected", pad: "x".repeat(70_000) })],
    ],
    ["connected twice", () => [CONNECTED, CONNECTED]],
    ["a streamSid that could break JSON", (s) => [CONNECTED, startText(s.gateway.issueToken(GRANT), 'MZ"}')]],
    [
      "another audio format",
      (s) => [
        CONNECTED,
        startText(s.gateway.issueToken(GRANT), "MZ1", {
          mediaFormat: { encoding: "audio/l16", sampleRate: 16000, channels: 1 },
        }),
      ],
    ],
    ["fifty unknown events", () => [CONNECTED, ...Array.from({ length: 50 }, () => '{"event":"noise"}')]],
  ];
  for (const [name, messages] of refusals) {
    test(`${name} is closed with 1008 at once`, () => {
      const s = setUpGateway();
      const socket = new FakeSocket(s.gateway);
      socket.says(...messages(s));
      expect(socket.closed?.code).toBe(1008);
      expect(s.started).toEqual([]);
      expect(s.ended).toEqual([]);
      expect(s.clock.pendingTimers).toBe(0);
      expect(s.gateway.counters()).toMatchObject({ refused: 1, waiting: 0, live: 0 });
    });
  }

  test("a socket without start is closed with 1008 after 5 s", () => {
    const s = setUpGateway();
    const socket = new FakeSocket(s.gateway).says(CONNECTED);
    s.clock.advance(4999);
    expect(socket.closed).toBeNull();
    s.clock.advance(1);
    expect(socket.closed?.code).toBe(1008);
    expect(s.gateway.counters().startTimeouts).toBe(1);
  });

  test("a token works once, not after a later one of its leg, and not after its time", () => {
    const s = setUpGateway();
    const show = (token: string) => new FakeSocket(s.gateway).says(CONNECTED, startText(token)).closed?.code;
    const [first, second, third] = [1, 2, 3].map(() => s.gateway.issueToken(GRANT)) as [
      string,
      string,
      string,
    ];
    expect([show(second), show(second), show(first)]).toEqual([undefined, 1008, 1008]);
    const other = { callSid: "CAother", legKey: "ai" };
    expect(show(s.gateway.issueToken(other))).toBeUndefined();
    s.clock.advance(86_400_000);
    expect(show(third)).toBe(1008);
    expect(s.gateway.counters()).toMatchObject({ tokensUsed: 2, tokensExpired: 1, tokens: 2 });
    expect(s.started).toHaveLength(3 - 1);
  });

  test("an engine that comes back knows the tokens that the one before it gave away, and those that were used", () => {
    const before = setUpGateway();
    const [first, second] = [1, 2].map(() => before.gateway.issueToken(GRANT)) as [string, string];
    new FakeSocket(before.gateway).says(CONNECTED, startText(first));
    const used = before.gateway.usedTokens(GRANT.callSid);
    expect(used).toEqual({ ai: 1 });
    const s = setUpGateway();
    s.gateway.resumeTokens(GRANT.callSid, used);
    const show = (token: string) => new FakeSocket(s.gateway).says(CONNECTED, startText(token)).closed?.code;
    expect([show(first), show(second)]).toEqual([1008, undefined]);
    // Those that it gives away itself come after all of them.
    expect(show(s.gateway.issueToken(GRANT))).toBeUndefined();
    s.gateway.forget(GRANT.callSid);
    expect(s.gateway.counters()["tokens"]).toBe(0);
  });

  test("a token that was tampered with, or signed with another secret, is refused", () => {
    const s = setUpGateway();
    const token = s.gateway.issueToken(GRANT);
    const bytes = Buffer.from(token, "base64url");
    bytes[bytes.length - 20] = (bytes[bytes.length - 20] as number) ^ 1;
    const elsewhere = setUpGateway({ secret: "another" }).gateway.issueToken(GRANT);
    for (const wrong of [bytes.toString("base64url"), `${token}=`, elsewhere, "", "x".repeat(1000)]) {
      expect(new FakeSocket(s.gateway).says(CONNECTED, startText(wrong)).closed?.code).toBe(1008);
    }
    expect(s.started).toEqual([]);
  });

  test("a start that names no call is refused, since the call could not be told of it", () => {
    const s = setUpGateway();
    const text = startText(s.gateway.issueToken(GRANT), "MZ1", { callSid: "" });
    expect(new FakeSocket(s.gateway).says(CONNECTED, text).closed?.code).toBe(1008);
    expect(s.started).toEqual([]);
  });

  test("sockets that have not started are bounded", () => {
    const s = setUpGateway({ maxWaiting: 2 });
    const sockets = [1, 2, 3].map(() => new FakeSocket(s.gateway));
    expect(sockets.map((x) => x.closed?.code)).toEqual([undefined, undefined, 1013]);
  });

  test("one address has no more of them than its share, and others none the less", () => {
    const s = setUpGateway({ maxWaitingPerAddress: 2 });
    const open = (address: string) => new FakeSocket(s.gateway, address);
    const [first, , third, other] = ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"].map(open);
    expect([first, third, other].map((x) => x?.closed?.code)).toEqual([undefined, 1013, undefined]);
    expect(s.gateway.counters()).toMatchObject({ turnedAway: 1, turnedAwayByAddress: 1, waiting: 3 });
    // A stream that runs has shown its token, and is no longer counted against anybody.
    first?.says(CONNECTED, startText(s.gateway.issueToken(GRANT)));
    expect(open("10.0.0.1").closed?.code).toBeUndefined();
  });

  test("a refused stream is closed with 1008 and never reported as ended", () => {
    const s = setUpGateway({ onStream: () => false });
    const socket = goLive(s);
    expect(socket.closed?.code).toBe(1008);
    expect(s.ended).toEqual([]);
    expect(s.gateway.live).toBe(0);
  });

  test("the log of a refusal holds no token", () => {
    const s = setUpGateway();
    new FakeSocket(s.gateway).says(CONNECTED, startText("secret-looking-token"));
    expect(s.lines.join("")).toContain("media.stream_refused");
    expect(s.lines.join("")).not.toContain("secret-looking-token");
  });
});

describe("how a stream ends", () => {
  test("stop, then the socket's close, is reported once", () => {
    const s = setUpGateway();
    const socket = goLive(s);
    socket.says(JSON.stringify({ event: "stop", streamSid: "MZ1", stop: {} }));
    s.gateway.close(socket, 1006, "");
    expect(s.ended).toEqual([{ ...GRANT, streamSid: "MZ1", reason: "stop", code: 1000 }]);
    expect(socket.closed?.code).toBe(1000);
    expect(s.gateway.live).toBe(0);
  });

  test("a lost socket is reported once, with its code", () => {
    const s = setUpGateway();
    const socket = goLive(s);
    s.gateway.close(socket, 1006, "");
    s.gateway.close(socket, 1006, "");
    expect(s.ended).toEqual([{ ...GRANT, streamSid: "MZ1", reason: "socket", code: 1006 }]);
    socket.says(JSON.stringify({ event: "stop", streamSid: "MZ1" }));
    expect(s.ended).toHaveLength(1);
  });

  test("a second stream of the same leg replaces the first, in this order", () => {
    const order: string[] = [];
    const s = setUpGateway({
      onStream: (start) => order.push(`+${start.streamSid}`) > 0,
      onStreamClosed: (closed) => void order.push(`-${closed.streamSid} ${closed.reason}`),
    });
    const first = goLive(s, "MZ1");
    const second = goLive(s, "MZ2");
    const otherLeg = goLive(s, "MZ3", { callSid: "CAours", legKey: "coach" });
    expect(order).toEqual(["+MZ1", "-MZ1 replaced", "+MZ2", "+MZ3"]);
    expect(first.closed?.code).toBe(1000);
    expect(second.closed).toBeNull();
    expect(otherLeg.closed).toBeNull();
    expect(s.gateway.live).toBe(2);
    s.gateway.close(first, 1000, "");
    expect(s.gateway.live).toBe(2);
  });

  test("a leg closed by its user ends its stream", () => {
    const s = setUpGateway();
    const socket = goLive(s);
    s.started[0]?.leg.close(1000, "removed");
    expect(socket.closed).toEqual({ code: 1000, reason: "removed" });
    expect(s.ended.map((e) => e.reason)).toEqual(["socket"]);
  });

  test("bad messages are counted and ignored until there are fifty", () => {
    const s = setUpGateway();
    const socket = goLive(s);
    let audio = 0;
    s.started[0]?.leg.listen({ audio: () => void audio++, dtmf() {}, itemHeard() {} });
    const bad = [
      "{",
      new Uint8Array(4),
      "x".repeat(70_000),
      '{"event":"media","streamSid":"MZ9","media":{}}',
    ];
    for (let i = 0; i < 49; i++) socket.says(bad[i % 4] as string);
    for (let i = 0; i < 100; i++) socket.says('{"event":"somethingNew","streamSid":"MZ1"}');
    socket.says('{"event":"media","streamSid":"MZ1","media":{"payload":"/w=="}}');
    expect(audio).toBe(1);
    expect(socket.closed).toBeNull();
    socket.says("{");
    expect(socket.closed?.code).toBe(1008);
    expect(s.ended.map((e) => e.reason)).toEqual(["error"]);
    expect(s.gateway.counters().badMessages).toBe(50);
  });

  test("stopping the gateway ends everything and turns later sockets away", () => {
    const s = setUpGateway();
    const live = goLive(s);
    const waiting = new FakeSocket(s.gateway).says(CONNECTED);
    s.started[0]?.leg.play({ responseId: "r", itemId: "i", contentIndex: 0, base64: "/w==" });
    s.gateway.stop();
    expect(live.closed?.code).toBe(1001);
    expect(waiting.closed?.code).toBe(1001);
    expect(s.ended).toHaveLength(1);
    expect(new FakeSocket(s.gateway).closed?.code).toBe(1013);
    expect(s.clock.pendingTimers).toBe(0);
    expect(s.wheel.size).toBe(0);
  });
});

describe("faults stay within their socket", () => {
  const throwing = () => {
    throw new Error("injected");
  };

  test("a throw of onStream closes that socket with 1011; the next stream works", () => {
    let fail = true;
    const s = setUpGateway({ onStream: () => (fail ? throwing() : true) });
    const broken = goLive(s);
    expect(broken.closed?.code).toBe(1011);
    expect(s.ended.map((e) => e.reason)).toEqual(["error"]);
    fail = false;
    expect(goLive(s).closed).toBeNull();
    expect(s.gateway.counters()).toMatchObject({ handlerErrors: 1, live: 1 });
    expect(s.lines.join("")).toContain("injected");
  });

  test("a throw of a leg's events closes that socket with 1011; other calls go on", () => {
    for (const event of ["audio", "dtmf", "itemHeard"] as const) {
      const s = setUpGateway();
      const broken = goLive(s, "MZ1");
      const other = goLive(s, "MZ2", { callSid: "CAother", legKey: "ai" });
      const [brokenLeg, otherLeg] = s.started.map((x) => x.leg) as [MediaLeg, MediaLeg];
      let heard = 0;
      let frames = 0;
      brokenLeg.listen({ audio() {}, dtmf() {}, itemHeard() {}, [event]: throwing });
      otherLeg.listen({ audio: () => void frames++, dtmf() {}, itemHeard: () => void heard++ });
      for (const leg of [brokenLeg, otherLeg]) {
        leg.play({ responseId: "r", itemId: "i", contentIndex: 0, base64: new Uint8Array(800).toBase64() });
        leg.endItem("i");
      }
      broken.says('{"event":"dtmf","streamSid":"MZ1","dtmf":{"digit":"1"}}');
      broken.says('{"event":"media","streamSid":"MZ1","media":{"payload":"/w=="}}');
      s.clock.advance(2000);
      other.says('{"event":"media","streamSid":"MZ2","media":{"payload":"/w=="}}');
      expect(broken.closed?.code).toBe(1011);
      expect(s.ended).toEqual([{ ...GRANT, streamSid: "MZ1", reason: "error", code: 1011 }]);
      expect(other.closed).toBeNull();
      expect([heard, frames]).toEqual([1, 1]);
      expect(s.clock.pendingTimers).toBe(0);
    }
  });

  test("a throw of onStreamClosed or of the socket itself is contained", () => {
    const s = setUpGateway({ onStreamClosed: throwing });
    const socket = goLive(s);
    expect(() => s.gateway.close(socket, 1006, "")).not.toThrow();
    expect(s.gateway.live).toBe(0);
    const second = goLive(s);
    second.close = throwing;
    expect(() => second.says('{"event":"stop","streamSid":"MZ1"}')).not.toThrow();
    expect(s.gateway.live).toBe(0);
    expect(s.gateway.counters().handlerErrors).toBeGreaterThanOrEqual(2);
  });
});
