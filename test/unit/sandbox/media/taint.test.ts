import { expect, test } from "bun:test";
import fc from "fast-check";
import { wire } from "../../../../adapters/sandbox/carrier/call/wire.ts";
import { ConferenceMixer, type MixFlags } from "../../../../adapters/sandbox/carrier/media/mixer.ts";
import { TaintBook, taintOfFrame, taintTable } from "../../../../adapters/sandbox/carrier/media/taint.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { frameOf, noise, TestEndpoint } from "./audio.ts";

const OPEN: MixFlags = { muted: false, hold: false, coachOf: null };
const LEGS = ["a", "b", "c", "d"] as const;

/** Says frames that carry marks, and keeps the marks of what it hears. */
class MarkedEndpoint extends TestEndpoint {
  taint = 0;
  readonly marks: number[] = [];

  onTaint(mask: number): void {
    this.marks.push(mask);
  }
}

function room(...ids: string[]) {
  const mixer = new ConferenceMixer({ log: silentLog, traced: true });
  const legs = new Map(ids.map((id) => [id, new MarkedEndpoint()] as const));
  for (const [id, leg] of legs) mixer.join(id, leg, OPEN);
  return { mixer, leg: (id: string) => legs.get(id) as MarkedEndpoint };
}

test("a frame carries the marks of its bytes, and none of the bytes after its audio", () => {
  const table = taintTable((byte) => (byte === 0x33 ? 1 : byte === 0x44 ? 2 ** 31 : 0));
  expect(taintOfFrame(table, frameOf(0xff), 160)).toBe(0);
  const frame = frameOf(0xff);
  frame[159] = 0x33;
  expect(taintOfFrame(table, frame, 160)).toBe(1);
  expect(taintOfFrame(table, frame, 159)).toBe(0);
  frame[0] = 0x44;
  expect(taintOfFrame(table, frame, 160) >>> 0).toBe(2 ** 31 + 1);
});

test("under every combination of flags a leg is told the marks of those whose samples it hears, and no other", () => {
  const flags = fc.record({
    muted: fc.constantFrom(true, false, false),
    hold: fc.constantFrom(true, false, false),
    coachOf: fc.constantFrom(null, null, ...LEGS, "gone"),
  });
  fc.assert(
    fc.property(
      fc.tuple(flags, flags, flags, flags),
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      fc.constantFrom(true, false, false),
      (all, talking, waiting) => {
        const { mixer, leg } = room(...LEGS);
        LEGS.forEach((id, i) => {
          mixer.update(id, all[i] as MixFlags);
          if (talking[i]) leg(id).saying = noise(i);
          leg(id).taint = 1 << i;
        });
        mixer.setWaiting(waiting);
        mixer.announce(null, noise(9));
        const heard = new Map<string, readonly string[]>();
        mixer.onHeard = (to, _, speakers) => heard.set(to, [...speakers]);
        mixer.tick();
        for (const id of LEGS) {
          const marks = (heard.get(id) ?? []).map((from) => 1 << LEGS.indexOf(from as "a"));
          expect(leg(id).marks).toEqual([marks.reduce((sum, mark) => sum | mark, 0)]);
        }
      },
    ),
  );
});

test("marks of one tick do not stay for the next", () => {
  const { mixer, leg } = room("ai", "caller");
  leg("ai").saying = noise(1);
  leg("ai").taint = 4;
  mixer.tick();
  leg("ai").saying = null;
  mixer.tick();
  leg("ai").saying = noise(2);
  leg("ai").taint = 0;
  mixer.tick();
  expect(leg("caller").marks).toEqual([4, 0, 0]);
});

test("a mixer that is not traced tells nobody anything", () => {
  const mixer = new ConferenceMixer({ log: silentLog });
  const [ai, caller] = [new MarkedEndpoint(), new MarkedEndpoint()];
  ai.saying = noise(1);
  ai.taint = 1;
  mixer.join("ai", ai, OPEN);
  mixer.join("caller", caller, OPEN);
  mixer.tick();
  expect(caller.heard).toHaveLength(1);
  expect(caller.marks).toEqual([]);
});

test("marks go through a wire with their frames, kept or spliced", () => {
  const { near, far } = wire();
  const out: Uint8Array = new Uint8Array(160);
  for (const mask of [1, 2]) {
    near.onTaint(mask);
    near.write(noise(mask));
  }
  for (const mask of [1, 2]) {
    expect(far.read(out)).toBe(true);
    expect(far.taint).toBe(mask);
    expect(out).toEqual(noise(mask));
  }
  const stream = new MarkedEndpoint();
  stream.saying = noise(3);
  stream.taint = 8;
  far.splice(stream);
  expect(near.read(out)).toBe(true);
  expect(near.taint).toBe(8);
  expect(out).toEqual(noise(3));
  near.onTaint(16);
  near.write(noise(4));
  expect(stream.marks).toEqual([16]);
  expect(stream.last).toEqual(noise(4));
});

test("the book tallies by number what each phone has heard, over all its calls", () => {
  const book = new TaintBook(() => 0);
  const told: [string, number][] = [];
  const first = book.ear("+15550100");
  first(0);
  first(5);
  book.onHeard = (number, mask) => told.push([number, mask]);
  book.ear("+15550100")(4 | (1 << 31));
  const heard = book.heardBy("+15550100");
  expect([heard.frames, heard.mask]).toEqual([3, 5 | (1 << 31)]);
  expect([0, 1, 2, 31].map((bit) => heard.framesWith[bit])).toEqual([1, 0, 2, 1]);
  expect(told).toEqual([["+15550100", 4 | (1 << 31)]]);
  expect(book.heardBy("+15550101")).toMatchObject({ frames: 0, mask: 0 });
});
