/** A call whose model speaks PCM16 at 24 kHz: all that the bridge holds and counts stays in μ-law. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ModelTranscoder } from "../../../engine/media/model-transcoder.ts";
import { FakeSession, inbound, setUpBridge, setUpCall } from "./bridge-setup.ts";
import { speech } from "./leg-setup.ts";

const PCM = { audio: "pcm24k" } as const;
const MS = 48;

/** What a model without μ-law gets of this audio. */
function raised(ulaw: Uint8Array): string {
  return new ModelTranscoder(() => undefined).toModel(ulaw.toBase64());
}

function joined(pieces: readonly string[]): Buffer {
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
}

/** Loud noise: cut into bytes anywhere, it stays audible. */
const pcm = (ms: number, seed = 1): Uint8Array => speech(ms * MS, seed);

describe("a call with a model that speaks PCM16 at 24 kHz", () => {
  test("gives it the caller in one stream: what was held, what is live, and the silence of gaps", () => {
    const { bridge, session, newLeg } = setUpBridge(PCM);
    const { leg } = newLeg();
    bridge.attachLeg(leg);
    const parts = [1, 2, 3].map((seed) => speech(160, seed));
    leg.onText(inbound(parts[0] as Uint8Array, 0));
    bridge.attachSession(session);
    bridge.ready();
    leg.onText(inbound(parts[1] as Uint8Array, 20));
    leg.onText(inbound(parts[2] as Uint8Array, 80));
    const heard = Buffer.concat([...parts.slice(0, 2), Buffer.alloc(320, 0xff), parts[2] as Uint8Array]);
    expect(joined(session.appended).equals(Buffer.from(raised(heard), "base64"))).toBe(true);
    expect(session.appended.map((piece) => piece.length)).toEqual([1280, 1280, 1280, 1280, 1280]);
    expect(bridge.counters()).toMatchObject({ heldBytes: 160, inToModelBytes: 800 });
  });

  test("plays its greeting of before the leg to the end, in time", () => {
    const { bridge, session, clock, say, newLeg, transcript } = setUpBridge(PCM);
    bridge.attachSession(session);
    bridge.ready();
    say("i1", pcm(1000));
    const { leg, carrier } = newLeg();
    bridge.attachLeg(leg);
    clock.advance(2000);
    expect(carrier.playedBytes()).toBe(8000);
    expect(transcript).toMatchObject([{ heardMs: 1000, generatedMs: 1000, heardText: "text of i1" }]);
    expect(bridge.counters()).toMatchObject({ modelBytes: 8000, earlyBytes: 8000 });
  });

  test("plays the last milliseconds of an item whose end only its response tells", () => {
    const { bridge, clock, say, carrier } = setUpCall({}, PCM);
    say("i1", pcm(500), "r1", false);
    bridge.responseDone({ responseId: "r1", status: "completed", usage: null });
    clock.advance(1500);
    expect(carrier.playedBytes()).toBe(4000);
  });

  test("is never told of more of an item than it has sent", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 90_000 }),
        fc.integer({ min: 0, max: 2500 }),
        fc.boolean(),
        (bytes, playMs, done) => {
          const { bridge, session, clock, say } = setUpCall({}, PCM);
          say("i1", speech(bytes), "r1", done);
          clock.advance(playMs);
          bridge.speechStarted();
          const [item] = session.interrupts.flat();
          if (!item) return;
          expect(item.receivedMs).toBeLessThanOrEqual(bytes / MS);
          expect(item.receivedMs).toBeGreaterThan(bytes / MS - 4);
          expect(item.heardMs).toBeLessThanOrEqual(item.receivedMs);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("is cut within the event, and what comes late of the item is not heard", () => {
    const { bridge, session, clock, say, order, carrier } = setUpCall({}, PCM);
    say("i1", pcm(1000), "r1", false);
    clock.advance(300);
    order.length = 0;
    bridge.speechStarted();
    expect(order).toEqual(["clear", "interrupt", "transcript", "bargedIn", "userSpeech"]);
    expect(session.interrupts[0]?.[0]?.heardMs).toBeGreaterThan(270);
    expect(session.interrupts[0]?.[0]?.heardMs).toBeLessThan(330);
    clock.advance(500);
    const played = carrier.playedBytes();
    say("i1", pcm(1001, 2).subarray(1), "r1");
    expect(bridge.counters()["lateBytes"]).toBe(8007);
    say("i2", pcm(100, 3));
    clock.advance(2000);
    expect(carrier.playedBytes() - played).toBe(800);
  });

  test("says nothing while the gate is closed, and is told what nobody heard", () => {
    const { bridge, session, clock, say, carrier } = setUpCall({}, PCM);
    bridge.setGate("closed");
    say("i1", pcm(400));
    clock.advance(1000);
    expect(carrier.playedBytes()).toBe(0);
    expect(session.interrupts.flat()).toMatchObject([{ itemId: "i1", heardMs: 0, receivedMs: 400 }]);
  });

  test("may be replaced by one that speaks μ-law, and back", () => {
    const { bridge, leg, session } = setUpCall({}, PCM);
    const frame = speech(160);
    leg.onText(inbound(frame, 0));
    const second = new FakeSession();
    bridge.attachSession(second);
    bridge.ready();
    leg.onText(inbound(frame, 20));
    expect(session.appended).toEqual([raised(frame)]);
    expect(second.appended).toEqual([frame.toBase64()]);
  });

  test("that sends no base64 is counted, not played", () => {
    const { bridge } = setUpCall({}, PCM);
    bridge.responseStarted("r1");
    bridge.audio({ responseId: "r1", itemId: "i1", contentIndex: 0, base64: "AA!A" });
    expect(bridge.counters()).toMatchObject({ badModelAudio: 1, modelBytes: 0 });
  });
});
