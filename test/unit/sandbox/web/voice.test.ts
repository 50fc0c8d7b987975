import { describe, expect, test } from "bun:test";
import { FRAME_BYTES } from "../../../../adapters/sandbox/types.ts";
import { Voice } from "../../../../adapters/sandbox/web/worklet/voice.ts";
import type { VoiceReport } from "../../../../adapters/sandbox/web/worklet/voice-protocol.ts";
import { ULAW_SILENCE, ULAW_TO_PCM } from "../../../../engine/media/g711.ts";
import { noise } from "../../../support/world.ts";

const BEAT = 128;

/** A voice on hardware that is run by hand. */
class Hardware {
  readonly voice: Voice;
  readonly frames: Uint8Array[] = [];
  readonly reports: Exclude<VoiceReport, Uint8Array>[] = [];
  readonly heard: number[] = [];
  givesBack = true;
  readonly #rateHz: number;
  #samples = 0;

  constructor(rateHz = 48_000) {
    this.#rateHz = rateHz;
    this.voice = new Voice({
      rateHz,
      nowMs: () => (this.#samples / rateHz) * 1000,
      tell: (report) => {
        if (!(report instanceof Uint8Array)) return void this.reports.push(report);
        this.frames.push(report.slice());
        if (this.givesBack) this.voice.obey({ type: "spare", frame: report });
      },
    });
  }

  /** Runs for so long; `microphone` gives its sample at a time in seconds. */
  run(ms: number, microphone: ((atS: number) => number) | null = null): void {
    const end = this.#samples + (ms * this.#rateHz) / 1000;
    while (this.#samples < end) {
      const said = microphone
        ? Float32Array.from({ length: BEAT }, (_, i) => microphone((this.#samples + i) / this.#rateHz))
        : null;
      const ear = new Float32Array(BEAT);
      this.voice.beat(said, ear);
      this.heard.push(...ear);
      this.#samples += BEAT;
    }
  }

  get said(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.frames));
  }

  of<T extends string>(type: T): Extract<Exclude<VoiceReport, Uint8Array>, { type: T }>[] {
    return this.reports.filter((report) => report.type === type) as never;
  }
}

const tone = (atS: number): number => 0.5 * Math.sin(2 * Math.PI * 500 * atS);

/** Crossings of zero from below, per second, of samples at a rate. */
function pitch(samples: readonly number[], rateHz: number): number {
  let crossings = 0;
  for (let i = 1; i < samples.length; i++) {
    if ((samples[i - 1] as number) < 0 && (samples[i] as number) >= 0) crossings++;
  }
  return (crossings * rateHz) / samples.length;
}

describe("a handset's voice", () => {
  test.each([48_000, 44_100, 16_000])("turns a microphone at %i Hz into frames of 20 ms", (rateHz) => {
    const hardware = new Hardware(rateHz);
    hardware.voice.obey({ type: "begin" });
    hardware.voice.obey({ type: "microphone", on: true });
    hardware.run(1000, tone);
    expect(hardware.frames.length).toBeGreaterThanOrEqual(49);
    expect(hardware.frames.length).toBeLessThanOrEqual(51);
    const samples = Array.from(hardware.said, (code) => ULAW_TO_PCM[code] as number);
    expect(Math.max(...samples) / 32_768).toBeCloseTo(0.5, 1);
    expect(pitch(samples, 8000)).toBeCloseTo(500, -1);
  });

  test("says silence without a microphone, or while it is closed", () => {
    const hardware = new Hardware();
    hardware.voice.obey({ type: "begin" });
    hardware.run(100);
    hardware.run(100, tone);
    expect(hardware.frames.length).toBeGreaterThanOrEqual(9);
    expect(hardware.said.every((code) => code === ULAW_SILENCE)).toBe(true);
  });

  test("says a clip to the byte, over the microphone, and tells when it is said", async () => {
    const hardware = new Hardware();
    hardware.voice.obey({ type: "begin" });
    hardware.voice.obey({ type: "microphone", on: true });
    const clip = noise("clip", 100);
    hardware.voice.obey({ type: "say", id: 7, ulaw: clip });
    hardware.run(105, tone);
    expect(hardware.said.subarray(0, clip.length)).toEqual(clip);
    await Promise.resolve();
    expect(hardware.of("said")).toEqual([{ type: "said", id: 7, outcome: "said" }]);
  });

  test("refuses clips when 64 wait, and cuts those that wait when the call ends", async () => {
    const hardware = new Hardware();
    hardware.voice.obey({ type: "begin" });
    for (let id = 0; id < 65; id++) hardware.voice.obey({ type: "say", id, ulaw: noise("clip", 100) });
    await Promise.resolve();
    expect(hardware.of("said")).toEqual([{ type: "said", id: 64, outcome: "refused" }]);
    hardware.voice.obey({ type: "end" });
    await Promise.resolve();
    expect(hardware.of("said").filter(({ outcome }) => outcome === "cut")).toHaveLength(64);
  });

  test.each([48_000, 44_100])("lets frames be heard at %i Hz", (rateHz) => {
    const hardware = new Hardware(rateHz);
    hardware.voice.obey({ type: "begin" });
    const other = new Hardware(8000);
    other.voice.obey({ type: "begin" });
    other.voice.obey({ type: "microphone", on: true });
    other.run(1000, tone);
    for (const frame of other.frames) {
      hardware.voice.obey(frame);
      hardware.run(20);
    }
    const loud = hardware.heard.slice(hardware.heard.length / 2);
    expect(Math.max(...loud)).toBeCloseTo(0.5, 1);
    expect(pitch(loud, rateHz)).toBeCloseTo(500, -1);
    hardware.voice.obey({ type: "speaker", on: false });
    const before = hardware.heard.length;
    hardware.voice.obey(other.frames[20] as Uint8Array);
    hardware.run(20);
    expect(hardware.heard.slice(before).every((sample) => sample === 0)).toBe(true);
  });

  test("holds half a second for the ear at most, and counts what is left out", () => {
    const hardware = new Hardware();
    hardware.voice.obey({ type: "begin" });
    hardware.run(20);
    for (let i = 0; i < 100; i++) hardware.voice.obey(noise(`frame ${i}`, 20));
    hardware.run(1000);
    hardware.voice.obey({ type: "end" });
    const tally = hardware.of("tally")[0]?.tally;
    expect(tally?.heard).toBeLessThanOrEqual(25);
    expect(tally?.discarded).toBeGreaterThanOrEqual(75);
  });

  test("drops and counts frames of the mouth when the page has not given any back for a second", () => {
    const hardware = new Hardware();
    hardware.givesBack = false;
    hardware.voice.obey({ type: "begin" });
    hardware.run(1500, tone);
    expect(hardware.frames).toHaveLength(50);
    hardware.voice.obey({ type: "end" });
    const tally = hardware.of("tally")[0]?.tally;
    expect(tally?.sent).toBe(50);
    expect(tally?.dropped).toBeGreaterThanOrEqual(23);
  });

  test("is silent both ways outside a call, and tells levels in it", () => {
    const hardware = new Hardware();
    hardware.voice.obey({ type: "microphone", on: true });
    hardware.voice.obey(noise("early", 20));
    hardware.run(200, tone);
    expect(hardware.frames).toHaveLength(0);
    expect(hardware.reports).toHaveLength(0);
    hardware.voice.obey({ type: "begin" });
    hardware.run(200, tone);
    expect(hardware.of("levels").at(-1)?.mouthDbov).toBeCloseTo(-9, 0);
    expect(hardware.of("levels").at(-1)?.earDbov).toBe(-127);
    expect(hardware.frames.every((frame) => frame.length === FRAME_BYTES)).toBe(true);
  });
});
