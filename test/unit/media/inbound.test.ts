import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SILENCE_FRAME_BASE64 } from "../../../engine/media/inbound-timeline.ts";
import { setUp, speech } from "./leg-setup.ts";

interface Frame {
  readonly at: number;
  readonly bytes: Uint8Array;
}

const FRAME = 160;

function cleanStream(frames: number): Frame[] {
  return Array.from({ length: frames }, (_, i) => ({ at: i * 20, bytes: speech(FRAME, i + 1) }));
}

function text(frame: Frame, seq: number): string {
  return `{"event":"media","sequenceNumber":"${seq}","media":{"track":"inbound","chunk":"${seq}","timestamp":"${frame.at}","payload":"${frame.bytes.toBase64()}"},"streamSid":"MZ1"}`;
}

/** What a model would get of these messages. */
function receive(frames: readonly Frame[]) {
  const { leg } = setUp();
  const pieces: string[] = [];
  let bytes = 0;
  leg.listen({
    audio: (base64, length) => {
      pieces.push(base64);
      bytes += length;
    },
    dtmf() {},
    itemHeard() {},
  });
  frames.forEach((frame, i) => leg.onText(text(frame, i + 2)));
  const all = Buffer.concat(pieces.map((p) => Buffer.from(p, "base64")));
  return { pieces, bytes, all, counters: leg.counters() };
}

function joined(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map((f) => f.bytes));
}

describe("the caller's audio on its way to the model", () => {
  test("a clean stream is byte for byte the same and unpadded, for frames of any length", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 100 }),
        fc.nat({ max: 5000 }),
        (lengthsMs, startMs) => {
          let at = startMs;
          const frames = lengthsMs.map((ms, i) => {
            const frame = { at, bytes: speech(ms * 8, i) };
            at += ms;
            return frame;
          });
          const got = receive(frames);
          expect(got.all.equals(joined(frames))).toBe(true);
          expect(got.bytes).toBe(got.all.length);
          expect(got.counters.paddedMs).toBe(0);
          expect(got.counters.inSlowPath).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("timestamps that wobble by 19 ms for an hour add nothing", () => {
    const wobble = fc.array(fc.integer({ min: -19, max: 19 }), { minLength: 50, maxLength: 50 });
    fc.assert(
      fc.property(wobble, (offsets) => {
        const frames = cleanStream(2000).map((f, i) => ({
          ...f,
          at: i === 0 ? 100 : f.at + 100 + (offsets[i % 50] as number),
        }));
        const got = receive(frames);
        expect(got.counters.paddedMs).toBe(0);
        expect(got.all.equals(joined(frames))).toBe(true);
      }),
      { numRuns: 10 },
    );
  });

  test("lost frames become silence in their place, so that the clock of the model stays the call's", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 5, maxLength: 200 }), (kept) => {
        const all = cleanStream(kept.length + 2);
        const frames = all.filter((_, i) => i === 0 || i === all.length - 1 || kept[i - 1]);
        const got = receive(frames);
        const silence = Buffer.alloc(FRAME, 0xff);
        const expected = all.map((f) => (frames.includes(f) ? Buffer.from(f.bytes) : silence));
        expect(got.all.equals(Buffer.concat(expected))).toBe(true);
        expect(got.counters.paddedMs).toBe((all.length - frames.length) * 20);
      }),
      { numRuns: 60 },
    );
  });

  test("a gap below 20 ms adds nothing, 20 ms one frame, and a remainder is not forgotten", () => {
    const after = (gapMs: number, more: readonly number[] = []) => {
      let at = 20 + gapMs;
      const frames = [
        { at: 0, bytes: speech(FRAME) },
        { at, bytes: speech(FRAME) },
      ];
      for (const extra of more) {
        at += 20 + extra;
        frames.push({ at, bytes: speech(FRAME) });
      }
      return receive(frames).counters.paddedMs;
    };
    expect(after(19)).toBe(0);
    expect(after(20)).toBe(20);
    expect(after(39)).toBe(20);
    expect(after(40)).toBe(40);
    expect(after(15, [15])).toBe(20);
    expect(after(50, [0, 0, 10])).toBe(60);
  });

  test("a gap is filled with 10 s at most, once, and the stream goes on from there", () => {
    const frames = [
      ...cleanStream(2),
      { at: 60_000, bytes: speech(FRAME, 9) },
      { at: 60_020, bytes: speech(FRAME, 8) },
    ];
    const got = receive(frames);
    expect(got.counters.paddedMs).toBe(10_000);
    expect(got.counters.gapCutMs).toBe(60_000 - 40 - 10_000);
    expect(got.counters.gaps).toBe(1);
    expect(got.pieces.filter((p) => p === SILENCE_FRAME_BASE64)).toHaveLength(500);
  });

  test("timestamps that begin anew, repeat or are missing never cost audio", () => {
    const frames = [
      ...cleanStream(100),
      ...cleanStream(5),
      { at: 80, bytes: speech(FRAME) },
      { at: 80, bytes: speech(FRAME) },
    ];
    const got = receive(frames);
    expect(got.all.length).toBe(frames.length * FRAME);
    expect(got.counters.clockRestarts).toBe(1);
    const { leg } = setUp();
    let bytes = 0;
    leg.listen({ audio: (_, n) => void (bytes += n), dtmf() {}, itemHeard() {} });
    for (let i = 0; i < 3; i++) {
      leg.onText(JSON.stringify({ event: "media", streamSid: "MZ1", media: { payload: "/w==" } }));
    }
    expect(bytes).toBe(3);
  });

  test("keys are told, other tracks and unknown events are counted, foreign streams are bad", () => {
    const { leg } = setUp();
    const digits: string[] = [];
    let audio = 0;
    leg.listen({ audio: () => void audio++, dtmf: (d) => void digits.push(d), itemHeard() {} });
    leg.onText(JSON.stringify({ event: "dtmf", streamSid: "MZ1", dtmf: { digit: "5" } }));
    leg.onText(
      JSON.stringify({ event: "media", streamSid: "MZ1", media: { track: "outbound", payload: "/w==" } }),
    );
    leg.onText(JSON.stringify({ event: "hello", streamSid: "MZ1" }));
    leg.onText(JSON.stringify({ event: "media", streamSid: "MZ2", media: { payload: "/w==" } }));
    leg.onText("nonsense");
    leg.onText(JSON.stringify({ event: "mark", streamSid: "MZ1", mark: { name: "somebody's" } }));
    expect(digits).toEqual(["5"]);
    expect(audio).toBe(0);
    expect(leg.counters()).toMatchObject({ inOtherTrack: 1, inUnknown: 1, inBad: 2, marksStale: 1 });
  });
});
