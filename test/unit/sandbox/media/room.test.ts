import { expect, test } from "bun:test";
import { ConferenceMixer } from "../../../../adapters/sandbox/carrier/media/mixer.ts";
import { StreamLeg } from "../../../../adapters/sandbox/carrier/media/stream-leg.ts";
import { SILENT_FRAME } from "../../../../adapters/sandbox/carrier/media/tones.ts";
import { Ticker } from "../../../../adapters/sandbox/carrier/media/ticker.ts";
import type { PhoneLine } from "../../../../adapters/sandbox/types.ts";
import { systemClock } from "../../../../engine/platform/clock.ts";
import { seededIds } from "../../../../engine/platform/ids.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { isSilent, noise } from "./audio.ts";
import { MediaServer } from "./media-server.ts";
import { PhoneWorld } from "./phone-client.ts";

const OPEN = { muted: false, hold: false, coachOf: null };

test("in real time a phone and a media stream hear each other in a conference, byte for byte and in order", async () => {
  const world = new PhoneWorld();
  const server = new MediaServer();
  const ticker = new Ticker(systemClock, 20);
  const mixer = new ConferenceMixer({ log: silentLog });
  const closed = Promise.withResolvers<void>();
  const leg = new StreamLeg({
    url: server.url,
    parameters: {},
    accountSid: "AC1",
    callSid: "CA1",
    authToken: "fake",
    ids: seededIds(1),
    clock: systemClock,
    log: silentLog,
    onStarted: server.poke,
    onClosed: () => closed.resolve(),
    onWarning: () => undefined,
  });
  const phone = await world.phone();
  phone.send({ type: "dial", from: "+15550142", to: "+15550123" });
  await phone.notice("dialing");
  leg.connect();
  await server.until(() => server.events("start").length === 1);
  const { line } = world.dialled[0] as { line: PhoneLine };
  mixer.join("caller", line, OPEN);
  mixer.join("ai", leg, OPEN);
  ticker.add(mixer);

  // What is said before the first tick is not kept.
  await world.until(() => phone.ear.length > 0);
  for (let i = 0; i < 8; i++) phone.speak(noise(i));
  // A phone goes on sending when nobody speaks.
  for (let i = 0; i < 4; i++) phone.speak(SILENT_FRAME);
  const payloads = () =>
    server
      .events("media")
      .map((message) => Uint8Array.fromBase64((message["media"] as { payload: string }).payload))
      .filter((frame) => !isSilent(frame));
  await server.until(() => payloads().length === 8);
  expect(Buffer.concat(payloads()).equals(Buffer.concat(Array.from({ length: 8 }, (_, i) => noise(i))))).toBe(
    true,
  );

  const answer = noise(50, 12);
  server.send({ event: "media", streamSid: leg.streamSid, media: { payload: answer.toBase64() } });
  server.send({ event: "mark", streamSid: leg.streamSid, mark: { name: "said" } });
  await server.until(() => server.events("mark").length === 1);
  await world.until(() => phone.ear.filter((frame) => !isSilent(frame)).length === 12);
  const spoken = phone.ear.filter((frame) => !isSilent(frame));
  expect(Buffer.concat(spoken).equals(answer)).toBe(true);
  expect(leg.stats().playedBytes).toBe(answer.length);
  // Its own voice never comes back to the stream, nor the caller's to the caller.
  expect(payloads()).toHaveLength(8);

  leg.stop();
  await closed.promise;
  ticker.remove(mixer);
  expect(ticker.size).toBe(0);
  await world.stop();
  await server.stop();
});
