import { MediaLeg, type LegEvents, type LegPacing } from "../../../engine/media/leg.ts";
import type { MediaMetrics } from "../../../engine/media/media-metrics.ts";
import { PacingWheel } from "../../../engine/media/wheel.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { HeardItem, ModelAudio } from "../../../engine/ports.ts";
import { FakeCarrier, StallingClock, type FakeCarrierOptions } from "./fake-carrier.ts";

/** Bytes that differ from place to place, so that any loss, repetition or exchange shows. */
export function speech(bytes: number, seed = 1): Uint8Array {
  const out = new Uint8Array(bytes);
  let x = seed * 2_654_435_761;
  for (let i = 0; i < bytes; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    out[i] = x >>> 24;
  }
  return out;
}

export function chunk(itemId: string, bytes: Uint8Array, responseId = "r1"): ModelAudio {
  return { responseId, itemId, contentIndex: 0, base64: bytes.toBase64() };
}

/** A leg on a fake carrier. */
export function setUp(
  carrierOptions: Partial<FakeCarrierOptions> = {},
  legOptions: LegPacing & { maxQueuedMs?: number; slotMs?: number; metrics?: MediaMetrics } = {},
  clock = new StallingClock(),
) {
  const { slotMs = 20, ...options } = legOptions;
  const wheel = new PacingWheel({ clock, slotMs });
  const heard: HeardItem[] = [];
  const events: LegEvents = { audio() {}, dtmf() {}, itemHeard: (item) => void heard.push(item) };
  const carrier = new FakeCarrier({ clock, toEngine: (text) => leg.onText(text), ...carrierOptions });
  const leg: MediaLeg = new MediaLeg({
    socket: carrier,
    streamSid: "MZ1",
    clock,
    wheel,
    log: silentLog,
    events,
    ...options,
  });
  return { clock, wheel, carrier, leg, heard };
}
