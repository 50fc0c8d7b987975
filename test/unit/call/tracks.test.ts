/** What is recorded of legs: each alone, at its times from the call's beginning, and only what was said in the room. */
import { describe, expect, test } from "bun:test";
import { Tracks, type TracksOptions } from "../../../engine/call/tracks.ts";
import { TapeBudget } from "../../../engine/media/tape.ts";
import { MemoryRecordings } from "../../support/fake-recordings.ts";
import { speech } from "../media/leg-setup.ts";
import { CALL_SID } from "./support.ts";

const PIECE_BYTES = 65_536;
const SILENCE = new Uint8Array(160).fill(0xff);

function setUp(options: Partial<TracksOptions> = {}) {
  const recordings = new MemoryRecordings();
  const legTapes = new TapeBudget(100 * PIECE_BYTES);
  const tracks = new Tracks({
    callSid: CALL_SID,
    deployment: { recording: "conference" },
    recordings,
    startMs: 1000,
    kept: [],
    legTapes,
    ...options,
  });
  const kept = (track: string): Buffer => Buffer.from(recordings.kept.get(`${CALL_SID}/${track}`) ?? []);
  return { recordings, legTapes, tracks, kept };
}

/** Half a second of a voice, frame by frame from `atMs` on. */
function say(tracks: Tracks, label: string, seed: number, atMs: number): Uint8Array {
  const voice = speech(4000, seed);
  const tape = tracks.leg(label);
  for (let at = 0; at < voice.length; at += 160) tape?.add(voice.subarray(at, at + 160), atMs + at / 8, true);
  return voice;
}

describe("the tracks of a call", () => {
  test("can be laid on each other: all of them begin with the call", async () => {
    const { tracks, kept, legTapes } = setUp();
    const first = say(tracks, "caller", 1, 1250);
    const answer = say(tracks, "human-3", 2, 2000);
    const second = say(tracks, "caller", 3, 2500);
    expect(await tracks.keep()).toBe(true);
    expect(tracks.kept).toEqual(["caller", "human-3"]);
    const caller = kept("caller");
    expect(caller.subarray(250 * 8, 250 * 8 + 4000)).toEqual(Buffer.from(first));
    expect(caller.subarray(1500 * 8)).toEqual(Buffer.from(second));
    expect(kept("human-3").subarray(1000 * 8)).toEqual(Buffer.from(answer));
    expect(
      kept("human-3")
        .subarray(0, 1000 * 8)
        .every((byte) => byte === 0xff),
    ).toBe(true);
    expect(legTapes.usedBytes).toBe(0);
    expect(await tracks.keep()).toBe(false);
  });

  test("take no memory for silence, and have it all the same", async () => {
    const { tracks, kept, legTapes } = setUp();
    const tape = tracks.leg("caller");
    for (let at = 0; at < 60_000; at += 20) tape?.add(SILENCE, 1000 + at, false);
    expect(legTapes.usedBytes).toBe(0);
    const voice = say(tracks, "caller", 1, 61_000);
    await tracks.keep();
    expect(kept("caller").subarray(60_000 * 8)).toEqual(Buffer.from(voice));
  });

  test("keep to the call's time when a leg's clock runs fast: its pauses are shorter, its words whole", async () => {
    const { tracks, kept } = setUp();
    const tape = tracks.leg("caller");
    const pause = new Uint8Array(160).fill(0x7e);
    // A tenth too fast, with a word of 100 ms every half second.
    const word = speech(800, 9);
    for (let n = 0; n < 1000; n++) {
      const inWord = n % 25 < 5;
      const frame = inWord ? word.subarray((n % 25) * 160, (n % 25) * 160 + 160) : pause;
      tape?.add(frame, 1000 + n * 18, inWord);
    }
    await tracks.keep();
    const all = kept("caller");
    expect(Math.abs(all.length / 8 - 18_000)).toBeLessThan(200);
    let words = 0;
    for (let at = all.indexOf(word); at >= 0; at = all.indexOf(word, at + 1)) words++;
    expect(words).toBe(40);
  });

  test("are none that nobody asked for, that are there already, or of no leg", () => {
    const none = setUp({ deployment: { recording: "none" } });
    expect([none.tracks.leg("caller"), none.tracks.coach]).toEqual([null, null]);
    const { tracks } = setUp({ kept: ["coach", "human-3"] });
    expect([tracks.leg("human-3"), tracks.coach]).toEqual([null, null]);
    expect(tracks.leg("human-3.2")).not.toBeNull();
    expect([tracks.leg("ai-1"), tracks.leg("../x")]).toEqual([null, null]);
    const keyless = new MemoryRecordings();
    keyless.enabled = false;
    expect(setUp({ recordings: keyless }).tracks.leg("caller")).toBeNull();
  });

  test("of all calls together have so much memory: what does not fit is counted, and the rest is kept", async () => {
    const legTapes = new TapeBudget(PIECE_BYTES);
    const one = setUp({ legTapes });
    const two = setUp({ legTapes });
    const voice = say(one.tracks, "caller", 1, 1000);
    say(two.tracks, "caller", 2, 1000);
    expect(one.tracks.counters()).toEqual({ tapeDroppedBytes: 0 });
    expect(two.tracks.counters()).toEqual({ tapeDroppedBytes: 4000 });
    await one.tracks.keep();
    expect(one.kept("caller")).toEqual(Buffer.from(voice));
    // There is room again.
    const later = say(two.tracks, "caller", 3, 2000);
    await two.tracks.keep();
    expect(two.kept("caller").subarray(8000)).toEqual(Buffer.from(later));
  });

  test("that the disk does not take are not named, and hold no memory", async () => {
    const { tracks, recordings, legTapes } = setUp();
    recordings.save = () => Promise.resolve(false);
    say(tracks, "caller", 1, 1000);
    expect(await tracks.keep()).toBe(false);
    expect([tracks.kept.length, legTapes.usedBytes]).toEqual([0, 0]);
  });
});
