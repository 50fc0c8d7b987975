import { describe, expect, test } from "bun:test";
import { EnergyVad, type VadEvent } from "../../../../adapters/sandbox/model/vad.ts";
import { decodeAudio } from "../../../../adapters/sandbox/model/formats.ts";
import { silence, tone } from "./helpers.ts";

const pcm = (ulaw: Uint8Array) => decodeAudio("audio/pcmu", ulaw);

function run(vad: EnergyVad, parts: readonly Uint8Array[], pieceBytes: number): VadEvent[] {
  const all = Buffer.concat(parts);
  const events: VadEvent[] = [];
  for (let at = 0; at < all.length; at += pieceBytes) {
    events.push(...vad.push(pcm(all.subarray(at, at + pieceBytes))));
  }
  return events;
}

describe("energy VAD", () => {
  const parts = [silence(200), tone(300, 440), silence(300), tone(300, 440), silence(600)];
  const expected: VadEvent[] = [
    { type: "started", atMs: 200 },
    { type: "stopped", atMs: 1600 },
  ];

  test.each([1, 160, 333, 10_000])("gives the same events whatever the append size (%d bytes)", (size) => {
    expect(run(new EnergyVad({ threshold: 0.5, silenceMs: 500 }, 8000, 0), parts, size)).toEqual(expected);
  });

  test("a pause as long as the silence duration ends the turn", () => {
    const events = run(new EnergyVad({ threshold: 0.5, silenceMs: 200 }, 8000, 0), parts, 160);
    expect(events.map((e) => [e.type, e.atMs])).toEqual([
      ["started", 200],
      ["stopped", 700],
      ["started", 800],
      ["stopped", 1300],
    ]);
  });

  test("a click is no speech", () => {
    const vad = new EnergyVad({ threshold: 0.5, silenceMs: 200 }, 8000, 0);
    expect(run(vad, [silence(100), tone(20, 1000, 30_000), silence(500)], 160)).toEqual([]);
  });

  test("a higher threshold needs louder speech", () => {
    const quiet = [tone(300, 440, 700), silence(100)];
    expect(run(new EnergyVad({ threshold: 0.5, silenceMs: 500 }, 8000, 0), quiet, 160)).toHaveLength(1);
    expect(run(new EnergyVad({ threshold: 0.9, silenceMs: 500 }, 8000, 0), quiet, 160)).toHaveLength(0);
  });

  test("after a reset the speech in progress is forgotten and the clock goes on", () => {
    const vad = new EnergyVad({ threshold: 0.5, silenceMs: 200 }, 8000, 0);
    run(vad, [tone(300, 440)], 160);
    expect(vad.speaking).toBe(true);
    vad.reset();
    expect(run(vad, [silence(400), tone(100, 440)], 160)).toEqual([{ type: "started", atMs: 700 }]);
  });
});
