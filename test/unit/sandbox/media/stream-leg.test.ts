import { expect, test } from "bun:test";
import { validateRequest } from "twilio/lib/webhooks/webhooks.js";
import { noise } from "./audio.ts";
import { MediaServer } from "./media-server.ts";

import { AUTH_TOKEN, setup, started } from "./stream-leg-world.ts";

test("a stream opens with a signed upgrade, connected and start, in Twilio's shapes", async () => {
  const { server, seen, sid, clock } = await started();
  const signature = server.headers?.get("x-twilio-signature") ?? "";
  expect(validateRequest(AUTH_TOKEN, signature, server.url, {})).toBe(true);
  expect(seen.started).toEqual([sid]);
  expect(server.messages).toEqual([
    { event: "connected", protocol: "Call", version: "1.0.0" },
    {
      event: "start",
      sequenceNumber: "1",
      start: {
        accountSid: `AC${"0".repeat(32)}`,
        streamSid: sid,
        callSid: `CA${"1".repeat(32)}`,
        tracks: ["inbound"],
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
        customParameters: { token: "abc", "odd name": 'with "quotes"' },
      },
      streamSid: sid,
    },
  ]);
  expect(clock.pendingTimers).toBe(0);
});

test("several frames go out in one message when asked to, on the same timeline", async () => {
  const { leg, server, sid, clock } = await started({ framesPerMessage: 3 });
  for (let i = 0; i < 7; i++) {
    clock.advance(20);
    leg.write(noise(i));
  }
  await server.until(() => server.messages.length === 4);
  const payload = (first: number) =>
    Buffer.concat([noise(first), noise(first + 1), noise(first + 2)]).toString("base64");
  const media = (chunk: string, timestamp: string, first: number) => ({
    event: "media",
    sequenceNumber: String(Number(chunk) + 1),
    media: { track: "inbound", chunk, timestamp, payload: payload(first) },
    streamSid: sid,
  });
  expect(server.messages.slice(2)).toEqual([media("1", "20", 0), media("2", "80", 3)]);
});

test("what the leg hears goes out at once as media with string counters, and a key as dtmf", async () => {
  const { leg, server, sid, clock } = await started();
  clock.advance(20);
  leg.write(noise(1));
  clock.advance(23);
  leg.write(noise(2));
  leg.dtmf("5");
  // Ticks were left out: the timeline leaps.
  clock.advance(1_000);
  leg.write(noise(3));
  await server.until(() => server.messages.length === 6);
  const payload = (seed: number) => noise(seed).toBase64();
  expect(server.messages.slice(2)).toEqual([
    {
      event: "media",
      sequenceNumber: "2",
      media: { track: "inbound", chunk: "1", timestamp: "20", payload: payload(1) },
      streamSid: sid,
    },
    {
      event: "media",
      sequenceNumber: "3",
      media: { track: "inbound", chunk: "2", timestamp: "40", payload: payload(2) },
      streamSid: sid,
    },
    { event: "dtmf", streamSid: sid, sequenceNumber: "4", dtmf: { track: "inbound_track", digit: "5" } },
    {
      event: "media",
      sequenceNumber: "5",
      media: { track: "inbound", chunk: "3", timestamp: "1043", payload: payload(3) },
      streamSid: sid,
    },
  ]);
});

test("audio from the server is played in order and marks come back as it is played", async () => {
  const { leg, server, media, mark, marksBack, played, out, taken, sid } = await started();
  const audio = noise(4, 2, 40);
  server.send(mark("nothing held"));
  await server.until(() => marksBack().length === 1);
  server.send(media(audio.subarray(0, 100)));
  server.send(mark("a"));
  server.send(media(audio.subarray(100)));
  server.send(mark("b"));
  await taken(() => leg.stats().marksReceived === 3);
  expect(leg.stats().marksOutstanding).toBe(2);
  expect(leg.read(out)).toBe(true);
  await server.until(() => marksBack().includes("a"));
  expect(leg.read(out)).toBe(true);
  expect(leg.read(out)).toBe(true);
  expect(leg.read(out)).toBe(false);
  await server.until(() => marksBack().includes("b"));
  expect(Buffer.from(played).equals(audio)).toBe(true);
  expect(leg.stats()).toMatchObject({ playedBytes: 360, heldBytes: 0, marksEchoed: 3, marksLost: 0 });
  expect(server.events("mark")[1]).toEqual({
    event: "mark",
    sequenceNumber: "3",
    streamSid: sid,
    mark: { name: "a" },
  });
});

test("clear silences the leg at once and brings back all outstanding marks", async () => {
  const { leg, server, media, mark, clear, marksBack, out } = await started();
  server.send(media(noise(1, 10)));
  server.send(mark("a"));
  server.send(mark("b"));
  server.send(clear);
  await server.until(() => marksBack().length === 2);
  expect(marksBack()).toEqual(["a", "b"]);
  expect(leg.read(out)).toBe(false);
  expect(leg.stats()).toMatchObject({ clears: 1, playedBytes: 0, clearedBytes: 1_600 });
});

test("messages of any other shape are ignored with one warning per stream", async () => {
  const { leg, server, media, mark, clear, seen, taken, sid } = await started();
  const wrong: (string | Uint8Array | object)[] = [
    "not json",
    "[]",
    "null",
    "7",
    new Uint8Array(160),
    { event: "media", media: { payload: "AAAA" } },
    { event: "media", streamSid: "MZ0", media: { payload: "AAAA" } },
    { event: "media", streamSid: sid, media: { payload: "not base64!" } },
    { event: "media", streamSid: sid, media: { payload: 5 } },
    { event: "media", streamSid: sid, media: { payload: "AAAA", track: "outbound" } },
    { event: "media", streamSid: sid, media: "AAAA" },
    { event: "media", streamSid: sid, sequenceNumber: "1", media: { payload: "AAAA" } },
    { ...mark("x"), extra: true },
    { event: "mark", streamSid: sid, mark: {} },
    { event: "mark", streamSid: sid },
    { event: "mark", streamSid: sid, mark: { name: "" } },
    { ...clear, mark: { name: "x" } },
    { event: "dtmf", streamSid: sid, dtmf: { digit: "1" } },
    { event: "stop", streamSid: sid },
    { streamSid: sid },
    { event: "__proto__", streamSid: sid },
  ];
  for (const message of wrong) {
    if (message instanceof Uint8Array) server.socket?.send(message);
    else server.send(message);
  }
  server.send(media(noise(1)));
  await taken(() => leg.stats().acceptedBytes > 0);
  expect(leg.stats()).toMatchObject({ acceptedBytes: 160, marksReceived: 0, clears: 0, warnings: 1 });
  expect(leg.stats().invalidMessages).toBe(wrong.length);
  expect(seen.warnings).toEqual([31_951]);
});

test("more than ten minutes of audio is discarded with one warning", async () => {
  const { leg, server, media, seen, taken } = await started();
  const nineMinutes = new Uint8Array(9 * 60 * 8_000).fill(0x55);
  server.send(media(nineMinutes));
  server.send(media(nineMinutes));
  server.send(media(nineMinutes));
  await taken(() => leg.stats().overflowBytes > nineMinutes.length);
  expect(leg.stats()).toMatchObject({
    heldBytes: 4_800_000,
    overflowBytes: 3 * nineMinutes.length - 4_800_000,
  });
  expect(seen.warnings).toEqual([31_931]);
});

test("stop says stop and closes; it was the carrier who ended it", async () => {
  const { leg, server, seen, clock, sid } = await started();
  leg.stop();
  leg.stop();
  await server.until(() => seen.closed.length > 0 && server.closeCode !== null);
  expect(server.messages.at(-1)).toEqual({
    event: "stop",
    sequenceNumber: "2",
    stop: { accountSid: `AC${"0".repeat(32)}`, callSid: `CA${"1".repeat(32)}` },
    streamSid: sid,
  });
  expect(server.closeCode).toBe(1000);
  expect(seen.closed).toEqual([{ by: "carrier", errorCode: null }]);
  expect(clock.pendingTimers).toBe(0);
  leg.write(noise(1));
  leg.dtmf("1");
  leg.drop();
  expect(leg.read(new Uint8Array(160))).toBe(false);
  expect(leg.stats().framesUnsent).toBe(1);
  expect(seen.closed).toHaveLength(1);
});

test("a server that closes the socket ends the stream with 31921, a lost connection with 31903", async () => {
  for (const [end, errorCode] of [
    [(server: MediaServer) => server.socket?.close(1000), 31_921],
    [(server: MediaServer) => server.socket?.close(1008, "token"), 31_921],
    [(server: MediaServer) => server.socket?.terminate(), 31_903],
  ] as const) {
    const { leg, server, media, seen, clock, taken, out } = await started();
    server.send(media(noise(1, 5)));
    await taken(() => leg.stats().heldBytes > 0);
    end(server);
    await server.until(() => seen.closed.length > 0);
    expect(seen.closed).toEqual([{ by: "server", errorCode }]);
    expect(leg.read(out)).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  }
});

test("drop kills the socket without stop and without a closing handshake", async () => {
  const { leg, server, seen, clock } = await started();
  leg.write(noise(1));
  await server.until(() => server.events("media").length === 1);
  leg.drop();
  expect(seen.closed).toEqual([{ by: "failed", errorCode: 31_903 }]);
  await server.until(() => server.closeCode !== null);
  expect(server.closeCode).toBe(1006);
  expect(server.events("stop")).toHaveLength(0);
  expect(clock.pendingTimers).toBe(0);
});

test("an upgrade that is not answered with 101 fails with 31920", async () => {
  const server = new MediaServer({ answer: () => new Response("no", { status: 403 }) });
  const { leg, seen, clock } = setup({}, server);
  leg.connect();
  await server.until(() => seen.closed.length > 0);
  expect(seen).toEqual({ started: [], closed: [{ by: "failed", errorCode: 31_920 }], warnings: [] });
  expect(clock.pendingTimers).toBe(0);
});

test("nobody listening, a query in the URL and a URL that is none fail with Twilio's codes, after connect has returned", async () => {
  const server = new MediaServer();
  const gone = new MediaServer();
  const goneUrl = gone.url;
  await gone.stop();
  for (const [url, errorCode] of [
    [goneUrl, 31_920],
    [`${server.url}?token=1`, 31_920],
    ["not a url", 11_100],
    ["https://127.0.0.1/x", 11_100],
    [`${server.url}#x`, 11_100],
  ] as const) {
    const { leg, seen, clock } = setup({ url }, server);
    leg.connect();
    expect(seen.closed).toEqual([]);
    await server.until(() => seen.closed.length > 0);
    expect(seen.closed).toEqual([{ by: "failed", errorCode }]);
    expect(clock.pendingTimers).toBe(0);
  }
});

test("a server that does not answer the upgrade is given up after the connect timeout with 31901", async () => {
  const server = new MediaServer({ answer: () => new Promise<Response>(() => undefined) });
  const { leg, seen, clock } = setup({ connectTimeoutMs: 3_000 }, server);
  leg.connect();
  clock.advance(2_999);
  expect(seen.closed).toEqual([]);
  clock.advance(1);
  expect(seen.closed).toEqual([{ by: "failed", errorCode: 31_901 }]);
  expect(clock.pendingTimers).toBe(0);
});

test("a leg stopped before its socket opened connects no more, and one never connected says nothing", async () => {
  const server = new MediaServer({ answer: () => new Promise<Response>(() => undefined) });
  const first = setup({}, server);
  first.leg.connect();
  first.leg.stop();
  expect(first.seen.closed).toEqual([{ by: "carrier", errorCode: null }]);
  expect(first.clock.pendingTimers).toBe(0);
  const second = setup({}, server);
  second.leg.stop();
  second.leg.connect();
  expect(second.clock.pendingTimers).toBe(0);
  expect(second.seen.closed).toEqual([]);
});

test("a one-way delay holds each direction back by that long, in order, and the close as well", async () => {
  const world = setup({ oneWayDelayMs: 100 });
  const { leg, server, seen, clock, out } = world;
  leg.connect();
  await server.until(() => seen.started.length > 0);
  leg.write(noise(1));
  clock.advance(99);
  expect(server.messages).toEqual([]);
  clock.advance(1);
  await server.until(() => server.messages.length === 3);
  expect(server.messages.map((m) => m.event)).toEqual(["connected", "start", "media"]);

  server.send({ event: "media", streamSid: leg.streamSid, media: { payload: noise(2).toBase64() } });
  server.send({ event: "mark", streamSid: leg.streamSid, mark: { name: "x" } });
  server.socket?.close(1000);
  // The socket's events come from outside the virtual clock; what they brought moves with it alone.
  while (leg.stats().inTransit < 3) await new Promise((resolve) => setImmediate(resolve));
  expect(leg.read(out)).toBe(false);
  clock.advance(99);
  expect(leg.stats().acceptedBytes).toBe(0);
  expect(seen.closed).toEqual([]);
  clock.advance(1);
  expect(leg.stats()).toMatchObject({ acceptedBytes: 160, marksReceived: 1 });
  expect(seen.closed).toEqual([{ by: "server", errorCode: 31_921 }]);
  expect(clock.pendingTimers).toBe(0);
});

test("a tap is told of every message at the socket: after the delay on its way out, before it on its way in", async () => {
  const taps: string[] = [];
  const tap = ({ direction, text }: { direction: string; text: string }): void => {
    taps.push(`${direction} ${(JSON.parse(text) as { event: string }).event}`);
  };
  const { leg, server, seen, clock } = setup({ oneWayDelayMs: 100, tap });
  leg.connect();
  await server.until(() => seen.started.length > 0);
  expect(taps).toEqual([]);
  clock.advance(100);
  expect(taps).toEqual(["out connected", "out start"]);
  await server.until(() => server.messages.length === 2);
  server.send({ event: "clear", streamSid: leg.streamSid });
  while (leg.stats().inTransit < 1) await new Promise((resolve) => setImmediate(resolve));
  expect(taps.slice(2)).toEqual(["in clear"]);
  expect(leg.stats().clears).toBe(0);
});

test("with a delay stop is said and the socket closed after it", async () => {
  const { leg, server, seen, clock } = setup({ oneWayDelayMs: 50 });
  leg.connect();
  await server.until(() => seen.started.length > 0);
  leg.stop();
  clock.advance(50);
  await server.until(() => seen.closed.length > 0 && server.closeCode !== null);
  expect(server.messages.map((m) => m.event)).toEqual(["connected", "start", "stop"]);
  expect(seen.closed).toEqual([{ by: "carrier", errorCode: null }]);
  expect(clock.pendingTimers).toBe(0);
});

test("a dropped leg leaves nothing in its delay lines", async () => {
  const { leg, seen, server, clock } = setup({ oneWayDelayMs: 50 });
  leg.connect();
  await server.until(() => seen.started.length > 0);
  leg.write(noise(1));
  expect(clock.pendingTimers).toBe(1);
  leg.drop();
  expect(clock.pendingTimers).toBe(0);
});

test("mark loss loses about its share of the echoes, the same ones for the same seed", async () => {
  const lost: number[] = [];
  for (let run = 0; run < 2; run++) {
    const { leg, server, mark, marksBack, taken } = await started({ markLossRate: 0.33 });
    for (let i = 0; i < 300; i++) server.send(mark(`m${i}`));
    await taken(() => leg.stats().marksReceived === 300);
    const { marksEchoed, marksLost } = leg.stats();
    expect(marksEchoed + marksLost).toBe(300);
    expect(marksLost).toBeGreaterThan(60);
    expect(marksLost).toBeLessThan(140);
    await server.until(() => marksBack().length === marksEchoed);
    lost.push(marksLost);
  }
  expect(lost[0]).toBe(lost[1] as number);
});

test("mark loss may be switched while the stream runs", async () => {
  let rate = 1;
  const { leg, server, mark, marksBack, taken } = await started({ markLossRate: () => rate });
  server.send(mark("a"));
  await taken(() => leg.stats().marksLost === 1);
  rate = 0;
  server.send(mark("b"));
  await server.until(() => marksBack().length === 1);
  expect(marksBack()).toEqual(["b"]);
});

test("a callback that throws does not break the stream", async () => {
  const { leg, server, seen } = setup({
    onStarted: () => {
      throw new Error("the carrier's mistake");
    },
  });
  leg.connect();
  await server.until(() => server.events("start").length > 0);
  leg.write(noise(1));
  await server.until(() => server.events("media").length === 1);
  leg.stop();
  await server.until(() => seen.closed.length > 0);
});
