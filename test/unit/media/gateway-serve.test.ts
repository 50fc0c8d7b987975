import { expect, test } from "bun:test";
import { MediaGateway, type MediaSocketData, type StreamClosed } from "../../../engine/media/gateway.ts";
import type { MediaLeg } from "../../../engine/media/leg.ts";
import { PacingWheel } from "../../../engine/media/wheel.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { CONNECTED, startText } from "./gateway-setup.ts";

test("behind Bun.serve: audio comes in, speech goes out, and a throwing call leaves the others alone", async () => {
  const wheel = new PacingWheel({ clock: systemClock });
  const legs = new Map<string, MediaLeg>();
  const ended = Promise.withResolvers<StreamClosed>();
  const audio = Promise.withResolvers<string>();
  const gateway = new MediaGateway({
    clock: systemClock,
    secret: "a-secret-for-tests",
    log: silentLog,
    wheel,
    onStream: ({ callSid, leg }) => {
      if (callSid === "CAbad") throw new Error("injected");
      legs.set(callSid, leg);
      leg.listen({ audio: (base64) => audio.resolve(base64), dtmf() {}, itemHeard() {} });
      return true;
    },
    onStreamClosed: (closed) => {
      if (closed.callSid === "CAgood") ended.resolve(closed);
    },
  });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, srv) =>
      srv.upgrade(request, { data: gateway.newSocketData() }) ? undefined : new Response("", { status: 426 }),
    websocket: {
      data: {} as MediaSocketData,
      open: (ws) => gateway.open(ws),
      message: (ws, data) => gateway.message(ws, data),
      close: (ws, code, reason) => gateway.close(ws, code, reason),
      drain: (ws) => gateway.drain(ws),
    },
  });
  const connect = (callSid: string) => {
    const ws = new WebSocket(`ws://127.0.0.1:${server.port}/`);
    ws.onopen = () => {
      ws.send(CONNECTED);
      ws.send(startText(gateway.issueToken({ callSid, legKey: "ai" })));
      ws.send('{"event":"media","streamSid":"MZ1","media":{"payload":"/w=="}}');
    };
    return ws;
  };
  try {
    const good = connect("CAgood");
    expect(await audio.promise).toBe("/w==");
    const received = Promise.withResolvers<string>();
    good.onmessage = (message) => received.resolve(String(message.data));
    const bad = connect("CAbad");
    const badClosed = Promise.withResolvers<number>();
    bad.onclose = (event) => badClosed.resolve(event.code);
    expect(await badClosed.promise).toBe(1011);
    legs.get("CAgood")?.play({ responseId: "r", itemId: "i", contentIndex: 0, base64: "AAECAwQFBgc=" });
    expect(await received.promise).toBe(
      '{"event":"media","streamSid":"MZ1","media":{"payload":"AAECAwQFBgc="}}',
    );
    good.close();
    expect((await ended.promise).reason).toBe("socket");
    expect(gateway.live).toBe(0);
  } finally {
    gateway.stop();
    wheel.stop();
    await server.stop(true);
  }
});
