import { describe, expect, test } from "bun:test";
import { EarMonitor } from "../../../../adapters/sandbox/phone/ear-monitor.ts";
import { FrameTicker } from "../../../../adapters/sandbox/phone/frame-ticker.ts";
import { Mouth } from "../../../../adapters/sandbox/phone/mouth.ts";
import { Recorder } from "../../../../adapters/sandbox/phone/recorder.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { toneUlaw } from "./signals.ts";

const SILENCE = new Uint8Array(160).fill(0xff);
const LOUD = toneUlaw(400, 20);
const QUIET = toneUlaw(400, 20, 0.002);

function frameOf(code: number): Uint8Array {
  return new Uint8Array(160).fill(code);
}

describe("the frame ticker", () => {
  /** Its timers are late by `lateMs` each time. */
  function lateClock(lateMs: () => number): VirtualClock {
    const clock = new VirtualClock();
    const setTimer = clock.setTimeout.bind(clock);
    clock.setTimeout = (fn, delayMs) => setTimer(fn, delayMs + lateMs());
    return clock;
  }

  test("beats 50 times a second although every timer is late", () => {
    const clock = lateClock(() => 7);
    const ticker = new FrameTicker({ clock, log: silentLog });
    let frames = 0;
    ticker.subscribe(() => frames++);
    clock.advance(60_000);
    expect(frames).toBeGreaterThanOrEqual(2999);
    expect(frames).toBeLessThanOrEqual(3000);
    expect(ticker.skippedFrames).toBe(0);
  });

  test("makes up for a short pause in a burst", () => {
    let late = 0;
    const clock = lateClock(() => late);
    const ticker = new FrameTicker({ clock, log: silentLog });
    const skips: number[] = [];
    late = 100;
    ticker.subscribe((skipped) => skips.push(skipped));
    late = 0;
    clock.advance(119);
    expect(skips).toEqual([]);
    clock.advance(1);
    expect(skips).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("gives up the frames of a long pause, and says how many", () => {
    let late = 1000;
    const clock = lateClock(() => late);
    const ticker = new FrameTicker({ clock, log: silentLog });
    const skips: number[] = [];
    ticker.subscribe((skipped) => skips.push(skipped));
    late = 0;
    clock.advance(1020);
    expect(skips).toEqual([41, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(ticker.skippedFrames).toBe(41);
    clock.advance(200);
    expect(skips.length).toBe(20);
  });

  test("runs one timer for all, and none when nobody listens", () => {
    const clock = new VirtualClock();
    const ticker = new FrameTicker({ clock, log: silentLog });
    const stops = [1, 2, 3].map(() => ticker.subscribe(() => undefined));
    expect(clock.pendingTimers).toBe(1);
    for (const stop of stops) stop();
    expect(clock.pendingTimers).toBe(0);
    let frames = 0;
    const stop = ticker.subscribe(() => {
      frames++;
      stop();
    });
    clock.advance(100);
    expect(frames).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("goes on when a listener throws", () => {
    const clock = new VirtualClock();
    const ticker = new FrameTicker({ clock, log: silentLog });
    let frames = 0;
    ticker.subscribe(() => {
      throw new Error("mine");
    });
    ticker.subscribe(() => frames++);
    clock.advance(40);
    expect(frames).toBe(2);
  });
});

describe("the ear monitor", () => {
  function hear(ear: EarMonitor, frame: Uint8Array, count: number): void {
    for (let i = 0; i < count; i++) ear.push(frame);
  }

  test("hears speech, and how long it has been quiet since", () => {
    const ear = new EarMonitor();
    hear(ear, SILENCE, 10);
    hear(ear, LOUD, 20);
    expect(ear).toMatchObject({ heardSpeech: true, speechMs: 400, quietMs: 0 });
    hear(ear, QUIET, 25);
    expect(ear).toMatchObject({ speechMs: 400, quietMs: 500 });
  });

  test("takes no click for speech", () => {
    const ear = new EarMonitor();
    for (let i = 0; i < 10; i++) {
      hear(ear, LOUD, 2);
      hear(ear, SILENCE, 3);
    }
    expect(ear).toMatchObject({ heardSpeech: false, quietMs: 1000 });
  });

  test("counts speech that goes on after it was told to forget", () => {
    const ear = new EarMonitor();
    hear(ear, LOUD, 20);
    ear.forget();
    expect(ear.heardSpeech).toBe(false);
    hear(ear, LOUD, 5);
    expect(ear.speechMs).toBe(100);
  });
});

describe("the mouth", () => {
  test("says clips in turn in whole frames, each announced before its first", async () => {
    const announced: [string, number][] = [];
    const mouth = new Mouth((text, ulaw) => announced.push([text, ulaw.length]));
    const first = mouth.speak(frameOf(1).subarray(0, 100), "first");
    const second = mouth.speak(new Uint8Array(320).fill(2), undefined);
    expect(announced).toEqual([]);
    const frame = mouth.next();
    expect(announced).toEqual([["first", 160]]);
    expect(frame?.[99]).toBe(1);
    expect(frame?.[100]).toBe(0xff);
    expect(await first).toBe("said");
    expect(mouth.next()?.[0]).toBe(2);
    expect(mouth.speaking).toBe(true);
    expect(mouth.next()?.length).toBe(160);
    expect(await second).toBe("said");
    expect(mouth.next()).toBeNull();
    expect(await mouth.speak(new Uint8Array(0), "nothing")).toBe("said");
  });

  test("falls silent when told to, and refuses more clips than it holds", async () => {
    const mouth = new Mouth(() => undefined);
    const clips = Array.from({ length: 64 }, () => mouth.speak(SILENCE, undefined));
    expect(mouth.speak(SILENCE, undefined)).rejects.toMatchObject({ code: "overflow" });
    mouth.stop();
    expect(new Set(await Promise.all(clips))).toEqual(new Set(["cut"]));
    expect(mouth.next()).toBeNull();
  });
});

describe("the recorder", () => {
  test("puts what is heard beside what is said at the time", () => {
    const recorder = new Recorder();
    for (let i = 0; i < 3; i++) recorder.say(frameOf(1));
    recorder.hear(frameOf(2));
    recorder.say(frameOf(1));
    const { said, heard, droppedFrames } = recorder.take();
    expect(said.length).toBe(640);
    expect(heard.length).toBe(640);
    expect(heard[479]).toBe(0xff);
    expect(heard[480]).toBe(2);
    expect(droppedFrames).toBe(0);
  });

  test("leaves jitter alone, and fills a real gap with silence", () => {
    const recorder = new Recorder();
    recorder.hear(frameOf(2));
    for (let i = 0; i < 20; i++) recorder.say(frameOf(1));
    for (let i = 0; i < 20; i++) recorder.hear(frameOf(3));
    expect(recorder.take().heard.subarray(0, 21 * 160)).toEqual(
      new Uint8Array([...frameOf(2), ...new Uint8Array(20 * 160).fill(3)]),
    );
    for (let i = 0; i < 60; i++) recorder.say(frameOf(1));
    recorder.hear(frameOf(4));
    const { heard } = recorder.take();
    expect(heard[79 * 160 - 1]).toBe(0xff);
    expect(heard[80 * 160]).toBe(4);
  });

  test("pads beats that the mouth missed", () => {
    const recorder = new Recorder();
    recorder.say(frameOf(1));
    recorder.skip(5);
    recorder.say(frameOf(1));
    expect(recorder.take().said.length).toBe(7 * 160);
  });

  test("keeps no more than it may, and counts the rest", () => {
    const recorder = new Recorder(100);
    for (let i = 0; i < 8; i++) {
      recorder.say(frameOf(1));
      recorder.hear(frameOf(2));
    }
    recorder.skip(10);
    // Said: 3 and the 10 missed; heard: 4, because the first came one frame after the mouth began.
    const { said, heard, droppedFrames } = recorder.take();
    expect(droppedFrames).toBe(17);
    expect([said.length, heard.length]).toEqual([5 * 160, 5 * 160]);
  });
});
