import { describe, expect, test } from "bun:test";
import { PCM_TO_ULAW, ULAW_SILENCE, ULAW_TO_PCM } from "../../../engine/media/g711.ts";
import {
  CallLevels,
  type LegLevels,
  LevelMeter,
  dbov,
  sampledPower,
  ulawPower,
} from "../../../engine/media/level.ts";
import { chunk, setUp, speech } from "./leg-setup.ts";

/** A tone at `dbovLevel` in μ-law; a sine is 3.01 dB below the square wave of its peak. */
function toneAt(dbovLevel: number, hz: number, bytes: number): Uint8Array {
  const peak = 32_768 * 10 ** ((dbovLevel + 3.01) / 20);
  const sample = (n: number): number => Math.round(peak * Math.sin((2 * Math.PI * hz * n) / 8000 + 0.3));
  return Uint8Array.from({ length: bytes }, (_, n) => PCM_TO_ULAW[sample(n) & 0xffff] as number);
}

function differentCodes(bytes: number) {
  const codes = Uint8Array.from({ length: bytes }, (_, n) => (n * 37) & 0xff);
  return { codes, powers: Array.from(codes, (code) => ((ULAW_TO_PCM[code] as number) / 32_768) ** 2) };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Frames in whole groups of four, over which a tone is measured exactly. */
function feed(meter: LevelMeter, ulaw: Uint8Array, frameBytes = 160): void {
  for (let at = 0; at < ulaw.length; at += frameBytes) {
    const frame = ulaw.subarray(at, at + frameBytes);
    meter.add(frame, frame.length);
  }
}

function metered(ulaw: Uint8Array): number {
  const meter = new LevelMeter();
  feed(meter, ulaw);
  return meter.activeDbov;
}

describe("levels straight from μ-law", () => {
  test("each code word has the power of its sample", () => {
    for (let code = 0; code < 256; code++) {
      const share = ((ULAW_TO_PCM[code] as number) / 32_768) ** 2;
      expect(ulawPower(Uint8Array.of(code), 1)).toBe(share);
    }
  });

  test("the loudest square wave is nearly 0 dBov, silence is -127", () => {
    expect(dbov(ulawPower(Uint8Array.of(0x80, 0x00, 0x80, 0x00), 4))).toBeCloseTo(-0.17, 2);
    expect(dbov(ulawPower(new Uint8Array(160).fill(ULAW_SILENCE), 160))).toBe(-127);
    expect(dbov(0)).toBe(-127);
    expect(dbov(1e-30)).toBe(-127);
  });

  test.each([-6, -20, -26, -40])("a tone at %d dBov measures as that", (level) => {
    expect(dbov(ulawPower(toneAt(level, 1004, 8000), 8000))).toBeCloseTo(level, 1);
  });

  test("only the bytes asked for are looked at, and none gives no power", () => {
    const { codes, powers } = differentCodes(163);
    for (let bytes = 0; bytes <= codes.length; bytes++) {
      expect(ulawPower(codes, bytes)).toBeCloseTo(mean(powers.slice(0, bytes)), 12);
      for (let first = 0; first < 4; first++) {
        const picked = powers.slice(0, bytes).filter((_, i) => i >= first && (i - first) % 4 === 0);
        expect(sampledPower(codes, bytes, first)).toBeCloseTo(mean(picked), 12);
      }
    }
  });
});

describe("a level meter", () => {
  // 2 kHz is a quarter of the rate: every fourth sample of it is the same.
  test.each([300, 1000, 2000, 3400])("looks at every fourth sample and gets a tone of %d Hz right", (hz) => {
    expect(metered(toneAt(-20, hz, 16_000))).toBeCloseTo(-20, 0);
  });

  test("pauses do not count", () => {
    const pause = new Uint8Array(16_000).fill(ULAW_SILENCE);
    const parts = Buffer.concat([toneAt(-20, 800, 8000), pause, toneAt(-60, 800, 8000)]);
    expect(metered(parts)).toBeCloseTo(-20, 0);
    expect(metered(pause)).toBe(-127);
  });

  test("pieces weigh by their length", () => {
    const meter = new LevelMeter();
    feed(meter, toneAt(-10, 1000, 4 * 320), 320);
    feed(meter, toneAt(-30, 1000, 8 * 160), 160);
    expect(meter.activeDbov).toBeCloseTo(10 * Math.log10((0.1 + 0.001) / 2), 1);
  });

  test("nothing but pieces too short to be sampled is silence", () => {
    const meter = new LevelMeter();
    meter.add(Uint8Array.of(0x80), 1);
    expect(meter.activeDbov).toBe(-127);
  });
});

describe("the levels of a call", () => {
  const leg = (): LegLevels => ({ caller: new LevelMeter(), agent: new LevelMeter() });
  const loud = toneAt(-10, 1000, 6400);
  const quiet = toneAt(-30, 1000, 6400);

  test("are those of all its legs, each counted once", () => {
    const levels = new CallLevels();
    const [first, second] = [leg(), leg()];
    levels.follow(first);
    feed(first.caller, loud);
    expect(levels.metrics().callerLevelDbov).toBeCloseTo(-10, 0);
    expect(levels.metrics().callerLevelDbov).toBeCloseTo(-10, 0);
    levels.follow(second);
    levels.leave(first);
    feed(second.caller, quiet);
    feed(second.agent, quiet);
    const { callerLevelDbov, agentLevelDbov } = levels.metrics();
    expect(callerLevelDbov).toBeCloseTo(10 * Math.log10((0.1 + 0.001) / 2), 0);
    expect(agentLevelDbov).toBeCloseTo(-30, 0);
  });

  test("tell who watches how loud it was since they asked last", () => {
    const levels = new CallLevels();
    const only = leg();
    expect(levels.peaks()).toEqual([-127, -127]);
    levels.follow(only);
    feed(only.caller, quiet);
    feed(only.caller, loud);
    feed(only.caller, quiet);
    // Of a short piece a quarter of the samples tells a tone to 3 dB.
    const [caller] = levels.peaks();
    expect(Math.abs(caller + 10)).toBeLessThanOrEqual(3);
    expect(levels.peaks()).toEqual([-127, -127]);
    feed(only.agent, quiet);
    const [silent, agent] = levels.peaks();
    expect(silent).toBe(-127);
    expect(Math.abs(agent + 30)).toBeLessThanOrEqual(3);
  });

  test("what a leg hears after it was left does not count", () => {
    const levels = new CallLevels();
    const only = leg();
    levels.follow(only);
    levels.leave(only);
    feed(only.caller, loud);
    expect(levels.metrics()).toEqual({ callerLevelDbov: -127, agentLevelDbov: -127 });
  });
});

describe("a leg meters", () => {
  const media = (payload: Uint8Array, track: string, timestamp: number): string =>
    JSON.stringify({
      event: "media",
      sequenceNumber: "2",
      media: { track, chunk: "1", timestamp: String(timestamp), payload: payload.toBase64() },
      streamSid: "MZ1",
    });

  test("the caller's audio, by the fast path and by the parser, and no other track", () => {
    const { leg } = setUp();
    const frame = toneAt(-20, 1004, 160);
    const loud = toneAt(-3, 1004, 160);
    for (let i = 0; i < 4; i++) {
      leg.onText(media(frame, "inbound", 40 * i));
      leg.onText(` ${media(frame, "inbound", 40 * i + 20)}`);
      leg.onText(media(loud, "outbound", 40 * i + 40));
    }
    expect(leg.counters()).toMatchObject({ inMessages: 8, inOtherTrack: 4 });
    expect(leg.levels().caller.activeDbov).toBeCloseTo(-20, 0);
    expect(leg.levels().agent.activeDbov).toBe(-127);
  });

  test("the agent's audio as it is sent, not as it is queued", () => {
    const { leg, clock } = setUp();
    // More than the lead lets out at once: 160 ms at -20 dBov, the rest is far louder.
    leg.play(chunk("a", Buffer.concat([toneAt(-20, 1000, 1280), speech(1280)])));
    expect(leg.levels().agent.activeDbov).toBeCloseTo(-20, 0);
    clock.advance(400);
    expect(leg.levels().agent.activeDbov).toBeGreaterThan(-15);
    expect(leg.levels().caller.activeDbov).toBe(-127);
  });
});
