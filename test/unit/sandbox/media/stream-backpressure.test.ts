import { expect, test } from "bun:test";
import { StreamLeg, type StreamClosed } from "../../../../adapters/sandbox/carrier/media/stream-leg.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import { seededIds } from "../../../../engine/platform/ids.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import type { Socket } from "bun";
import { noise } from "./audio.ts";

/** A WebSocket server that shakes hands and then reads nothing more. */
function deafServer() {
  const ready = Promise.withResolvers<Socket>();
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, data) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(data.toString())?.[1] ?? "";
        const accept = new Bun.CryptoHasher("sha1")
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest("base64");
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        socket.pause();
        ready.resolve(socket);
      },
    },
  });
  return { listener, ready: ready.promise, url: `ws://127.0.0.1:${listener.port}/media` };
}

function textFrame(text: string): Uint8Array {
  const body = Buffer.from(text);
  return Buffer.concat([Uint8Array.of(0x81, 126, body.length >> 8, body.length & 0xff), body]);
}

async function deafStream() {
  const { listener, ready, url } = deafServer();
  const started = Promise.withResolvers<void>();
  const warnings: number[] = [];
  const closed: StreamClosed[] = [];
  const clock = new VirtualClock();
  const leg = new StreamLeg({
    url,
    parameters: {},
    accountSid: "AC1",
    callSid: "CA1",
    authToken: "fake",
    ids: seededIds(1),
    clock,
    log: silentLog,
    onStarted: () => started.resolve(),
    onClosed: (reason) => closed.push(reason),
    onWarning: (code) => warnings.push(code),
  });
  leg.connect();
  const socket = await ready;
  await started.promise;
  return { leg, socket, warnings, closed, clock, stop: () => listener.stop(true) };
}

test("audio for a server that does not read is discarded with one warning, and no more memory is taken", async () => {
  const { leg, warnings, closed, clock, stop } = await deafStream();
  // The kernel takes some megabytes before anything backs up.
  for (let i = 0; i < 100_000 && leg.stats().framesDiscarded < 100; i++) leg.write(noise(i & 7));
  expect(leg.stats().framesDiscarded).toBe(100);
  expect(warnings).toEqual([31_930]);
  expect(closed).toEqual([]);
  leg.stop();
  clock.advance(1_000);
  expect(closed).toEqual([{ by: "carrier", errorCode: null }]);
  expect(clock.pendingTimers).toBe(0);
  stop();
});

test("a server that makes the carrier answer marks and reads no answer loses its connection", async () => {
  const { leg, socket, closed, clock, stop } = await deafStream();
  const mark = textFrame(
    JSON.stringify({ event: "mark", streamSid: leg.streamSid, mark: { name: "x".repeat(20_000) } }),
  );
  for (let sent = 0; closed.length === 0 && sent < 10_000; sent++) {
    let written = 0;
    while (written < mark.length && closed.length === 0) {
      written += Math.max(0, socket.write(mark, written));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  expect(closed).toEqual([{ by: "failed", errorCode: 31_903 }]);
  expect(clock.pendingTimers).toBe(0);
  stop();
});
