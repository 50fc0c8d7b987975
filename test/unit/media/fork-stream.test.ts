/** One leg's audio alone: in order, at its times on our clock, bounded, whatever the carrier's messages are like. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ForkStream } from "../../../engine/media/fork-stream.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

const FRAME_BYTES = 160;

interface Heard {
  readonly atMs: number;
  readonly bytes: Uint8Array;
}

function setUp() {
  const clock = new VirtualClock();
  const heard: Heard[] = [];
  const owner = { stops: 0, bad: 0 };
  const fork = new ForkStream({
    streamSid: "MZ1",
    clock,
    owner: { stopped: () => void owner.stops++, badMessage: () => void owner.bad++ },
  });
  fork.listen({ frame: (ulaw, atMs) => void heard.push({ atMs, bytes: ulaw.slice() }) });
  let sequence = 1;
  const send = (bytes: Uint8Array, timestampMs: number): void => {
    sequence++;
    fork.onText(
      `{"event":"media","sequenceNumber":"${sequence}","media":{"track":"inbound","chunk":"${sequence - 1}","timestamp":"${timestampMs}","payload":"${bytes.toBase64()}"},"streamSid":"MZ1"}`,
    );
  };
  return { clock, fork, heard, owner, send };
}

/** Loud bytes, each place unlike the others near it. */
const audio = (ms: number): Uint8Array => Uint8Array.from({ length: ms * 8 }, (_, i) => 1 + ((i * 7) % 60));
const wholeOf = (heard: readonly Heard[]): Uint8Array =>
  new Uint8Array(Buffer.concat(heard.map(({ bytes }) => bytes)));

/** Sends it as it would come: each piece when its last sample was said. */
function stream({ clock, send }: ReturnType<typeof setUp>, bytes: Uint8Array, pieceMs: number, fromMs = 0) {
  for (let at = 0; at < bytes.length; at += pieceMs * 8) {
    clock.advance(pieceMs);
    send(bytes.subarray(at, at + pieceMs * 8), fromMs + at / 8);
  }
}

describe("a fork", () => {
  for (const pieceMs of [20, 10, 30, 100]) {
    test(`gives every sample in order at its time, in messages of ${pieceMs} ms`, () => {
      const s = setUp();
      s.clock.advance(1000);
      const bytes = audio(3000);
      stream(s, bytes, pieceMs);
      s.fork.dispose();
      expect(Buffer.from(wholeOf(s.heard)).equals(Buffer.from(bytes))).toBe(true);
      expect(s.heard.every(({ bytes: { length } }) => length === FRAME_BYTES)).toBe(true);
      // It began when the first piece had been said, less its length.
      expect(s.heard.map(({ atMs }) => atMs)).toEqual(s.heard.map((_, i) => 1000 + i * 20));
    });
  }

  test("puts what was held up on its way where it was said", () => {
    const s = setUp();
    const bytes = audio(2000);
    stream(s, bytes.subarray(0, 8000), 20);
    // Half a second comes at once.
    s.clock.advance(500);
    for (let at = 8000; at < 12_000; at += 160) s.send(bytes.subarray(at, at + 160), at / 8);
    stream(s, bytes.subarray(12_000), 20, 1500);
    s.fork.dispose();
    expect(Buffer.from(wholeOf(s.heard)).equals(Buffer.from(bytes))).toBe(true);
    expect(s.heard.map(({ atMs }) => atMs)).toEqual(s.heard.map((_, i) => i * 20));
    expect(s.fork.counters()).toMatchObject({ forkLost: 0, forkOverflow: 0, forkConcealed: 0 });
  });

  test("leaves what the carrier has dropped its time, however the messages were cut", () => {
    const s = setUp();
    const bytes = audio(1010);
    stream(s, bytes, 10);
    s.clock.advance(400);
    stream(s, audio(1000), 10, 1410);
    s.fork.dispose();
    expect(s.fork.counters()["forkLost"]).toBe(19);
    // One more was begun when the messages ceased, and is half silent.
    const after = s.heard.filter(({ atMs }) => atMs >= 1420);
    expect(after[0]?.atMs).toBe(1420);
    expect(
      Buffer.from(wholeOf(after))
        .subarray(0, 800)
        .equals(Buffer.from(audio(1000).subarray(80, 880))),
    ).toBe(true);
  });

  test("is away for a minute, or its clock begins anew, and its time is ours again at once", () => {
    for (const timestampMs of [62_000, 0]) {
      const s = setUp();
      stream(s, audio(2000), 20);
      s.clock.advance(60_000);
      s.heard.length = 0;
      stream(s, audio(1000), 20, timestampMs);
      s.fork.dispose();
      expect(s.heard.at(-1)?.atMs).toBe(62_980);
    }
  });

  test("follows a carrier's clock that runs a little faster", () => {
    const s = setUp();
    const frame = audio(20);
    for (let n = 0; n < 30_000; n++) {
      s.clock.advance(20);
      // 200 ppm: 120 ms in ten minutes.
      s.send(frame, Math.floor(n * 20 * 1.0002));
    }
    const last = s.heard.at(-1)?.atMs ?? 0;
    expect(Math.abs(last - (600_000 - 20))).toBeLessThan(40);
    expect(s.fork.counters()["forkOverflow"]).toBe(0);
  });

  test("is not harmed by what is no message of its own, and tells of it", () => {
    const s = setUp();
    s.fork.onText("{");
    s.fork.onText('{"event":"media","media":{"payload":"AA=="},"streamSid":"MZ2"}');
    s.fork.onText('{"event":"media","media":{"track":"outbound","payload":"AA=="},"streamSid":"MZ1"}');
    s.fork.onText('{"event":"noise"}');
    s.fork.onUnusable();
    s.fork.onText('{"event":"stop","streamSid":"MZ1"}');
    expect(s.owner).toEqual({ stops: 1, bad: 3 });
    expect(s.fork.counters()).toMatchObject({
      forkBad: 3,
      forkOtherTrack: 1,
      forkUnknown: 1,
      forkMessages: 0,
    });
  });

  test("is taken in any spelling of its messages", () => {
    const s = setUp();
    for (let n = 0; n < 50; n++) {
      s.clock.advance(20);
      const payload = audio(20).toBase64();
      const media = { payload, timestamp: String(n * 20), chunk: "1", track: "inbound" };
      s.fork.onText(JSON.stringify({ streamSid: "MZ1", media, event: "media" }));
    }
    s.fork.dispose();
    expect(wholeOf(s.heard)).toHaveLength(8000);
  });

  test("bears any text at all: whole frames with a time come out of it, or nothing", () => {
    const valid = `{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"20","payload":"${audio(20).toBase64()}"},"streamSid":"MZ1"}`;
    const timed = fc.tuple(fc.nat(1_000_000_000_000), fc.nat(60)).map(([timestamp, frames]) => {
      const payload = audio(20 * frames).toBase64();
      const media = { track: "inbound", chunk: "1", timestamp: String(timestamp), payload };
      return JSON.stringify({ event: "media", media, streamSid: "MZ1" });
    });
    const broken = fc
      .tuple(fc.nat(valid.length), fc.string({ maxLength: 5 }))
      .map(([at, text]) => valid.slice(0, at) + text + valid.slice(at + text.length));
    const texts = fc.array(fc.oneof(timed, broken, fc.string(), fc.constant(valid)), { maxLength: 40 });
    fc.assert(
      fc.property(texts, (messages) => {
        const s = setUp();
        for (const text of messages) {
          s.clock.advance(20);
          s.fork.onText(text);
        }
        s.fork.dispose();
        return s.heard.every(({ atMs, bytes }) => Number.isFinite(atMs) && bytes.length === FRAME_BYTES);
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  test("is heard to its end when it is over, and never after", () => {
    const s = setUp();
    stream(s, audio(60), 20);
    s.fork.dispose();
    const frames = s.heard.length;
    expect(frames).toBe(3);
    stream(s, audio(60), 20, 60);
    s.fork.dispose();
    expect(s.heard).toHaveLength(frames);
  });
});
