import { describe, expect, test } from "bun:test";
import { SocketLine } from "../../../../adapters/sandbox/carrier/media/socket-line.ts";
import { SILENT_FRAME } from "../../../../adapters/sandbox/carrier/media/tones.ts";
import type { JitterBufferSize } from "../../../../engine/ports.ts";
import { noise } from "./audio.ts";

/** A line whose conference ticks every 20 ms, 5 ms after its phone sends. */
class TickedLine {
  readonly heard: Uint8Array[] = [];
  readonly line: SocketLine;
  nowMs = 0;
  readonly #out = new Uint8Array(160);

  constructor(size: JitterBufferSize | null) {
    this.line = new SocketLine("+15550100", "CA1", true, {
      lineAnswered: () => undefined,
      hear: () => undefined,
      lineEnded: () => undefined,
    });
    this.line.sizeBuffer(size);
  }

  /** Sends these frames and ticks once; what is heard is kept. */
  tick(...frames: Uint8Array[]): boolean {
    for (const frame of frames) this.line.speak(frame, this.nowMs);
    this.nowMs += 20;
    const spoke = this.line.read(this.#out);
    if (spoke) this.heard.push(this.#out.slice());
    return spoke;
  }
}

const noises = (from: number, count: number) => Array.from({ length: count }, (_, i) => noise(from + i));

describe("a phone's line", () => {
  test("plays frames as they came, once two are there", () => {
    const ticked = new TickedLine("small");
    expect(ticked.tick()).toBe(false);
    expect(ticked.tick(noise(1))).toBe(false);
    for (let i = 2; i < 20; i++) ticked.tick(noise(i));
    expect(ticked.heard).toEqual(noises(1, 18));
  });

  test("lets a last frame on its own out after two ticks", () => {
    const ticked = new TickedLine("small");
    expect([ticked.tick(noise(1)), ticked.tick(), ticked.tick()]).toEqual([false, false, true]);
    expect(ticked.heard).toEqual([noise(1)]);
  });

  test("has no hole where a frame is a little late", () => {
    const ticked = new TickedLine("small");
    ticked.tick(noise(0), noise(1));
    for (let tick = 1; tick < 40; tick++) {
      // Every other tick none comes, then two: 20 ms of jitter.
      if (tick % 2 === 0) ticked.tick(noise(tick), noise(tick + 1));
      else ticked.tick();
    }
    expect(ticked.heard).toEqual(noises(0, 40));
  });

  test("loses nothing to a stall of 300 ms in a pause, and makes up for the delay", () => {
    const ticked = new TickedLine(null);
    for (let i = 0; i < 200; i++) ticked.tick(i < 100 ? SILENT_FRAME : noise(i));
    const stalled = noises(200, 6);
    for (let i = 0; i < 15; i++) ticked.tick();
    ticked.tick(...stalled, ...Array.from({ length: 10 }, () => SILENT_FRAME));
    for (let i = 0; i < 40; i++) ticked.tick(SILENT_FRAME);
    const { trimmed, overflow, late, compressions } = ticked.line.microphone;
    expect([overflow, late, compressions]).toEqual([0, 0, 0]);
    expect(trimmed).toBeGreaterThanOrEqual(10);
    const heard = new Set(ticked.heard.map((frame) => frame.toBase64()));
    expect(stalled.filter((frame) => !heard.has(frame.toBase64()))).toEqual([]);
  });

  test("holds half a second at most: the oldest makes room and is counted", () => {
    const ticked = new TickedLine("small");
    for (let i = 0; i < 10; i++) ticked.tick(noise(i));
    ticked.tick(...noises(10, 40));
    expect(ticked.line.microphone.overflow).toBe(16);
  });
});

describe("the buffer of a participant", () => {
  /** Frames that came late by so much, after a second without jitter: how many were dropped. */
  function dropped(size: JitterBufferSize, lateTicks: number): number {
    const ticked = new TickedLine(size);
    for (let i = 0; i < 50; i++) ticked.tick(noise(i));
    for (let i = 0; i < lateTicks; i++) ticked.tick();
    ticked.tick(...noises(50, lateTicks + 1));
    return ticked.line.microphone.late;
  }

  /** Ticks from a frame's arrival to its being heard. */
  function delayTicks(size: JitterBufferSize): number {
    const ticked = new TickedLine(size);
    ticked.tick();
    for (let i = 0; i < 20; i++) ticked.tick(noise(i));
    return 20 - ticked.heard.length;
  }

  test("delays by its published size", () => {
    const delays = (["off", "small", "medium", "large"] as const).map(delayTicks);
    expect(delays).toEqual([0, 1, 2, 3]);
  });

  test("drops what is late by more than 20 ms when it is off, and nothing at any other size", () => {
    expect(dropped("off", 1)).toBe(0);
    expect(dropped("off", 3)).toBe(2);
    expect((["small", "medium", "large"] as const).map((size) => dropped(size, 3))).toEqual([0, 0, 0]);
  });

  test("follows the network again when the conference is over", () => {
    const ticked = new TickedLine("large");
    for (let i = 0; i < 100; i++) ticked.tick(SILENT_FRAME);
    ticked.line.sizeBuffer(null);
    for (let i = 0; i < 10; i++) ticked.tick(SILENT_FRAME);
    // From four frames to the two that a quiet network asks for.
    expect(ticked.line.microphone.trimmed).toBe(2);
  });
});
