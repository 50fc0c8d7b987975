/** A stream leg of the carrier and the media server it connects to, over a real socket. */
import {
  StreamLeg,
  type StreamClosed,
  type StreamLegOptions,
} from "../../../../adapters/sandbox/carrier/media/stream-leg.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import { seededIds } from "../../../../engine/platform/ids.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { stopAfterTest } from "../../../support/after-test.ts";
import { MediaServer } from "./media-server.ts";

export const AUTH_TOKEN = "not-a-real-token";

export function setup(extra: Partial<StreamLegOptions> = {}, server = new MediaServer()) {
  const clock = new VirtualClock();
  const seen = { started: [] as string[], closed: [] as StreamClosed[], warnings: [] as number[] };
  const played: number[] = [];
  const leg = new StreamLeg({
    url: server.url,
    parameters: { token: "abc", "odd name": 'with "quotes"' },
    accountSid: `AC${"0".repeat(32)}`,
    callSid: `CA${"1".repeat(32)}`,
    authToken: AUTH_TOKEN,
    ids: seededIds(7),
    clock,
    log: silentLog,
    onStarted: (sid) => {
      seen.started.push(sid);
      server.poke();
    },
    onClosed: (reason) => {
      seen.closed.push(reason);
      server.poke();
    },
    onWarning: (code) => {
      seen.warnings.push(code);
      server.poke();
    },
    onPlayed: (ulaw) => played.push(...ulaw),
    ...extra,
  });
  stopAfterTest(() => leg.drop());
  stopAfterTest(() => server.stop());
  const out = new Uint8Array(160);
  return { leg, server, clock, seen, played, out };
}

export async function started(extra: Partial<StreamLegOptions> = {}) {
  const world = setup(extra);
  world.leg.connect();
  await world.server.until(() => world.seen.started.length > 0 && world.server.events("start").length > 0);
  const sid = world.leg.streamSid;
  const media = (ulaw: Uint8Array) => ({
    event: "media",
    streamSid: sid,
    media: { payload: ulaw.toBase64() },
  });
  const mark = (name: string) => ({ event: "mark", streamSid: sid, mark: { name } });
  const clear = { event: "clear", streamSid: sid };
  const marksBack = () => world.server.events("mark").map((m) => (m["mark"] as { name: string }).name);
  /** Waits until the leg has taken everything the server has sent. */
  const taken = async (condition: () => boolean) => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  };
  return { ...world, sid, media, mark, clear, marksBack, taken };
}
