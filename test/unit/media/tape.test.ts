/** What is recorded of a coach: what was sent, where it was played, and nothing that was cleared. */
import { describe, expect, test } from "bun:test";
import { Tape, TapeBudget } from "../../../engine/media/tape.ts";
import { setUpCall } from "./bridge-setup.ts";
import { speech } from "./leg-setup.ts";

const SILENCE = 0xff;
const bytesOf = (tape: Tape): Buffer => Buffer.concat([...tape.pieces()]);
const fill = (bytes: number, value: number) => new Uint8Array(bytes).fill(value);

/** A call whose coach is recorded. */
function setUp(carrierOptions: Parameters<typeof setUpCall>[0] = {}) {
  const tape = new Tape(0);
  const call = setUpCall(carrierOptions, { coachTape: tape });
  /** As the call machine does it: the gate closes before and after. */
  const speakAs = (speaker: "agent" | "coach"): void => {
    call.bridge.setGate("closed");
    call.bridge.setSpeaker(speaker);
    call.bridge.setGate("open");
  };
  return { ...call, tape, speakAs };
}

describe("a tape", () => {
  test("has each sound where it was played, and silence in between", () => {
    const tape = new Tape(1000);
    const [a, b] = [speech(160, 1), speech(160, 2)];
    tape.add(a, 160, 1010);
    tape.add(b, 100, 1050);
    expect(tape.bytes).toBe(50 * 8 + 100);
    const expected = Buffer.alloc(500, SILENCE);
    expected.set(a, 10 * 8);
    expected.set(b.subarray(0, 100), 50 * 8);
    expect(bytesOf(tape).equals(expected)).toBe(true);
  });

  test("puts chunks of one run side by side, whatever their times are rounded to", () => {
    const tape = new Tape(0.3);
    const all = speech(160 * 50);
    for (let i = 0; i < 50; i++) tape.add(all.subarray(i * 160), 160, 2.7 + i * 20 + (i % 3) * 0.01);
    expect(bytesOf(tape).subarray(19).equals(Buffer.from(all))).toBe(true);
  });

  test("goes over the borders of its pieces, and leaves out those without a sound", () => {
    const tape = new Tape(0);
    const sound = speech(200_000);
    tape.add(sound, sound.length, 600_000);
    const bytes = bytesOf(tape);
    expect(bytes.length).toBe(600_000 * 8 + sound.length);
    expect(bytes.subarray(600_000 * 8).equals(Buffer.from(sound))).toBe(true);
    expect(bytes.subarray(0, 600_000 * 8).every((byte) => byte === SILENCE)).toBe(true);
    const pieces = [...tape.pieces()];
    // Silence is one piece of memory, given again and again.
    expect(new Set(pieces.map((piece) => piece.buffer)).size).toBeLessThanOrEqual(6);
  });

  test("that is cut ends there, and takes up again later", () => {
    const tape = new Tape(0);
    tape.add(fill(1600, 1), 1600, 0);
    tape.cut(50);
    expect(tape.bytes).toBe(400);
    tape.cut(60);
    expect(tape.bytes).toBe(400);
    tape.add(fill(8, 2), 8, 100);
    expect([...bytesOf(tape)]).toEqual([...fill(400, 1), ...fill(400, SILENCE), ...fill(8, 2)]);
  });

  test("leaves a gap only where its audio is as far from its place as told, and says how far it is ahead", () => {
    const tape = new Tape(0, { minGapMs: 10 });
    tape.add(fill(160, 1), 160, 0);
    tape.add(fill(160, 2), 160, 29);
    expect(tape.bytes).toBe(320);
    expect(tape.aheadMs(49)).toBe(-9);
    tape.add(fill(160, 3), 160, 50);
    expect(tape.bytes).toBe(560);
    expect(tape.aheadMs(0)).toBe(70);
  });

  test("takes what all have between them, leaves silence where there was none left, and gives it back", () => {
    const budget = new TapeBudget(2 * 65_536 + 100);
    const [one, two] = [new Tape(0, { budget }), new Tape(0, { budget })];
    one.add(fill(65_536, 1), 65_536, 0);
    two.add(fill(65_536 + 160, 2), 65_536 + 160, 0);
    expect(budget.usedBytes).toBe(2 * 65_536);
    expect(two.bytes).toBe(65_536 + 160);
    expect(two.counters.tapeDroppedBytes).toBe(160);
    expect(
      bytesOf(two)
        .subarray(65_536)
        .every((byte) => byte === SILENCE),
    ).toBe(true);
    one.release();
    expect([one.bytes, budget.usedBytes]).toEqual([0, 65_536]);
    two.add(fill(160, 2), 160, (65_536 + 160) / 8);
    expect(bytesOf(two).subarray(65_536 + 160)).toEqual(Buffer.alloc(160, 2));
    two.release();
    expect(budget.usedBytes).toBe(0);
  });

  test("is bounded: what comes beyond its end is dropped and counted", () => {
    const tape = new Tape(0, { maxBytes: 1000 });
    tape.add(fill(960, 1), 960, 0);
    tape.add(fill(160, 2), 160, 120);
    tape.add(fill(160, 3), 160, 500);
    expect(tape.bytes).toBe(1000);
    expect(tape.counters.tapeDroppedBytes).toBe(120 + 160);
    expect(bytesOf(tape)[999]).toBe(2);
  });
});

describe("what is recorded of a call", () => {
  test("is the coach's words, and none of the agent's before or after them", () => {
    const { clock, say, tape, speakAs, carrier } = setUp();
    say("i1", fill(1600, 1));
    clock.advance(1000);
    speakAs("coach");
    const words = speech(4000).map((byte) => (byte === SILENCE ? 0 : byte));
    say("i2", words);
    clock.advance(1000);
    speakAs("agent");
    say("i3", fill(1600, 3));
    clock.advance(1000);
    expect(carrier.playedBytes()).toBe(1600 + 4000 + 1600);
    const bytes = bytesOf(tape);
    expect(bytes.subarray(0, 8000).every((byte) => byte === SILENCE)).toBe(true);
    expect(bytes.subarray(8000).equals(Buffer.from(words))).toBe(true);
  });

  test("is what was heard, of words that were cut", () => {
    for (const cut of ["barge-in", "gate", "leg"] as const) {
      const { bridge, leg, clock, say, tape, speakAs, carrier } = setUp({ oneWayMs: 30 });
      speakAs("coach");
      clock.advance(100);
      const words = speech(16_000);
      say("i1", words);
      clock.advance(700);
      if (cut === "barge-in") bridge.speechStarted();
      else if (cut === "gate") bridge.setGate("closed");
      else bridge.detachLeg(leg);
      clock.advance(1000);
      const taped = bytesOf(tape).subarray(800);
      expect(taped.equals(Buffer.from(words.subarray(0, taped.length)))).toBe(true);
      expect(Math.abs(taped.length - carrier.playedBytes())).toBeLessThanOrEqual(8);
    }
  });

  test("has a hole where the line ran dry", () => {
    const { bridge, clock, tape, speakAs } = setUp();
    speakAs("coach");
    bridge.responseStarted("r1");
    const piece = (value: number) =>
      bridge.audio({
        responseId: "r1",
        itemId: "i1",
        contentIndex: 0,
        base64: fill(1600, value).toBase64(),
      });
    piece(1);
    clock.advance(500);
    piece(2);
    clock.advance(500);
    expect([...bytesOf(tape)]).toEqual([...fill(1600, 1), ...fill(2400, SILENCE), ...fill(1600, 2)]);
  });

  test("is nothing when nobody asked for it", () => {
    const { bridge, say, clock } = setUpCall();
    bridge.setSpeaker("coach");
    say("i1", fill(1600, 1));
    expect(() => clock.advance(1000)).not.toThrow();
  });
});
