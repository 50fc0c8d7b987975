import { expect, test } from "bun:test";
import fc from "fast-check";
import { ConferenceMixer, type MixFlags } from "../../../../adapters/sandbox/carrier/media/mixer.ts";
import { waitMusic } from "../../../../adapters/sandbox/carrier/media/tones.ts";
import { PCM_TO_ULAW, ULAW_TO_PCM } from "../../../../engine/media/g711.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { frameOf, isSilent, noise, TestEndpoint } from "./audio.ts";

const OPEN: MixFlags = { muted: false, hold: false, coachOf: null };

function room(...ids: string[]) {
  const mixer = new ConferenceMixer({ log: silentLog });
  const legs: Record<string, TestEndpoint> = {};
  for (const id of ids) {
    legs[id] = new TestEndpoint();
    mixer.join(id, legs[id], OPEN);
  }
  return { mixer, leg: (id: string) => legs[id] as TestEndpoint };
}

function mixOf(...frames: Uint8Array[]): Uint8Array {
  return Uint8Array.from({ length: 160 }, (_, i) => {
    const sum = frames.reduce((total, frame) => total + (ULAW_TO_PCM[frame[i] as number] as number), 0);
    return PCM_TO_ULAW[Math.max(-32_768, Math.min(32_767, sum)) & 0xffff] as number;
  });
}

test("one speaker reaches every other leg byte for byte and never itself", () => {
  const { mixer, leg } = room("caller", "ai", "nurse");
  // Every code word, also both zeros: decoding and encoding would change 0x7f.
  const frame = Uint8Array.from({ length: 160 }, (_, i) => (i + 96) & 0xff);
  leg("ai").saying = frame;
  mixer.tick();
  expect(leg("caller").last).toEqual(frame);
  expect(leg("nurse").last).toEqual(frame);
  expect(isSilent(leg("ai").last)).toBe(true);
});

test("with passThrough off one speaker goes through the codec: the sound stays, the negative zero does not", () => {
  const mixer = new ConferenceMixer({ log: silentLog, passThrough: false });
  const [a, b] = [new TestEndpoint(), new TestEndpoint()];
  mixer.join("a", a, OPEN);
  mixer.join("b", b, OPEN);
  a.saying = frameOf(0x7f);
  mixer.tick();
  expect(isSilent(b.last)).toBe(true);
  a.saying = frameOf(0x23);
  mixer.tick();
  expect(b.last).toEqual(frameOf(0x23));
});

test("speakers are summed for the others, never with their own voice, and loud sums saturate", () => {
  const { mixer, leg } = room("a", "b", "c");
  const [one, two] = [noise(1), noise(2)];
  leg("a").saying = one;
  leg("b").saying = two;
  mixer.tick();
  expect(leg("c").last).toEqual(mixOf(one, two));
  expect(leg("a").last).toEqual(two);
  expect(leg("b").last).toEqual(one);
  leg("c").saying = noise(3);
  mixer.tick();
  expect(leg("a").last).toEqual(mixOf(two, noise(3)));
  expect(leg("c").last).toEqual(mixOf(one, two));
  leg("a").saying = frameOf(0x80);
  leg("b").saying = frameOf(0x80);
  mixer.tick();
  expect(leg("c").last).toEqual(frameOf(0x80));
});

test("a muted leg is not heard but hears", () => {
  const { mixer, leg } = room("a", "b");
  leg("a").saying = noise(1);
  leg("b").saying = noise(2);
  mixer.update("a", { muted: true });
  mixer.tick();
  expect(isSilent(leg("b").last)).toBe(true);
  expect(leg("a").last).toEqual(noise(2));
  mixer.update("a", { muted: false });
  mixer.tick();
  expect(leg("b").last).toEqual(noise(1));
});

test("a held leg hears wait music alone and is not heard; the music goes on where it was", () => {
  const { mixer, leg } = room("a", "b");
  leg("a").saying = noise(1);
  leg("b").saying = noise(2);
  mixer.update("a", { hold: true });
  const music = new Uint8Array(160);
  for (let i = 0; i < 30; i++) {
    mixer.tick();
    waitMusic(i, music);
    expect(leg("a").last).toEqual(music);
    expect(isSilent(leg("b").last)).toBe(true);
  }
  expect(leg("a").heard.some((frame) => !isSilent(frame))).toBe(true);
});

test("while the conference waits everybody hears music and nobody is heard", () => {
  const { mixer, leg } = room("a", "b");
  leg("a").saying = noise(1);
  mixer.setWaiting(true);
  const speakers: string[] = [];
  mixer.onHeard = (_, __, from) => speakers.push(...from);
  for (let i = 0; i < 10; i++) mixer.tick();
  expect(leg("a").heard).toEqual(leg("b").heard);
  expect(isSilent(leg("b").last)).toBe(false);
  expect(leg("b").last).not.toEqual(noise(1));
  expect(speakers).toEqual([]);
  mixer.setWaiting(false);
  mixer.tick();
  expect(leg("b").last).toEqual(noise(1));
});

test("a coach is heard by the coached leg alone and hears everyone", () => {
  const { mixer, leg } = room("caller", "nurse", "ai");
  leg("ai").saying = noise(1);
  leg("caller").saying = noise(2);
  mixer.update("ai", { coachOf: "nurse" });
  mixer.tick();
  expect(isSilent(leg("caller").last)).toBe(true);
  expect(leg("nurse").last).toEqual(mixOf(noise(1), noise(2)));
  expect(leg("ai").last).toEqual(noise(2));
  mixer.leave("nurse");
  mixer.tick();
  expect(isSilent(leg("caller").last)).toBe(true);
});

const LEGS = ["a", "b", "c", "d"] as const;
/** The usual value three times in four, so that rooms with many voices come up too. */
function sometimes<T>(rare: T, usual: T) {
  return fc.constantFrom(rare, usual, usual, usual);
}
const anyFlags = fc.record({
  muted: sometimes(true, false),
  hold: sometimes(true, false),
  coachOf: fc.oneof(
    { weight: 2, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom(...LEGS, "gone") },
  ),
});

/** The rules of the brief, said once more without the mixer's shortcuts. */
function shouldHear(from: string, to: string, flags: Record<string, MixFlags>, waiting: boolean): boolean {
  const [speaker, listener] = [flags[from] as MixFlags, flags[to] as MixFlags];
  if (waiting || from === to || speaker.muted || speaker.hold || listener.hold) return false;
  return speaker.coachOf === null || speaker.coachOf === to;
}

test("under every combination of flags each leg hears the exact sum of those it may hear, and onHeard names them", () => {
  fc.assert(
    fc.property(
      fc.tuple(anyFlags, anyFlags, anyFlags, anyFlags),
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      fc.boolean(),
      (all, talking, waiting) => {
        const { mixer, leg } = room(...LEGS);
        const flags: Record<string, MixFlags> = {};
        LEGS.forEach((id, i) => {
          flags[id] = all[i] as MixFlags;
          mixer.update(id, flags[id]);
          if (talking[i]) leg(id).saying = noise(i);
        });
        mixer.setWaiting(waiting);
        const named: Record<string, string[]> = {};
        mixer.onHeard = (to, frame, speakers) => {
          named[to] = [...speakers];
          expect(frame).toEqual(leg(to).last);
        };
        mixer.tick();
        for (const to of LEGS) {
          const from = LEGS.filter((id, i) => talking[i] && shouldHear(id, to, flags, waiting));
          expect(named[to]).toEqual(from);
          if (waiting || flags[to]?.hold) continue;
          const expected = from.map((id) => leg(id).saying as Uint8Array);
          expect(leg(to).last).toEqual(
            expected.length === 1 ? (expected[0] as Uint8Array) : mixOf(...expected),
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("an announcement reaches one leg, or all, on top of the others and instead of wait music", () => {
  const { mixer, leg } = room("a", "b", "c");
  mixer.announce("a", noise(9));
  mixer.tick();
  expect(leg("a").last).toEqual(noise(9));
  expect(isSilent(leg("b").last)).toBe(true);
  mixer.announce(null, noise(9));
  leg("b").saying = noise(1);
  mixer.update("c", { hold: true });
  mixer.tick();
  expect(leg("a").last).toEqual(mixOf(noise(1), noise(9)));
  expect(leg("b").last).toEqual(noise(9));
  expect(leg("c").last).toEqual(noise(9));
  mixer.tick();
  expect(leg("a").last).toEqual(noise(1));
});

test("announcements queue up to a limit and are then refused", () => {
  const { mixer, leg } = room("a");
  for (let i = 0; i < 10; i++) mixer.announce("a", noise(i));
  expect(mixer.refusedAnnouncements).toBe(2);
  for (let i = 0; i < 9; i++) mixer.tick();
  expect(leg("a").heard.slice(0, 8)).toEqual(Array.from({ length: 8 }, (_, i) => noise(i)));
  expect(isSilent(leg("a").last)).toBe(true);
});

test("legs may join, leave and change from inside a tick, and a broken endpoint does not stop the others", () => {
  const { mixer, leg } = room("a", "b");
  const broken = new TestEndpoint();
  broken.read = () => {
    throw new Error("no microphone");
  };
  broken.write = () => {
    mixer.leave("b");
    mixer.join("d", new TestEndpoint(), OPEN);
    throw new Error("no ear");
  };
  mixer.leave("b");
  mixer.join("broken", broken, OPEN);
  mixer.join("b", leg("b"), OPEN);
  leg("a").saying = noise(1);
  mixer.tick();
  expect(leg("b").heard).toHaveLength(0);
  expect(leg("a").heard).toHaveLength(1);
  expect(mixer.size).toBe(3);
  mixer.join("a", new TestEndpoint(), OPEN);
  expect(mixer.size).toBe(3);
});

test("a flag set from inside a tick takes effect as a whole with the next one", () => {
  const { mixer, leg } = room("x", "ai", "caller", "nurse");
  leg("ai").saying = noise(1);
  leg("nurse").saying = noise(2);
  leg("x").write = () => mixer.update("ai", { coachOf: "nurse" });
  const named: string[][] = [];
  mixer.onHeard = (to, _, speakers) => {
    if (to === "caller") named.push([...speakers]);
  };
  mixer.tick();
  expect(leg("caller").last).toEqual(mixOf(noise(1), noise(2)));
  mixer.tick();
  expect(leg("caller").last).toEqual(noise(2));
  expect(named).toEqual([["ai", "nurse"], ["nurse"]]);
});
