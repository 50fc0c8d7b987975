/** Whether somebody speaks, by energy alone: on speech as the sandbox synthesises it, on noise, on clicks. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSpeech } from "../../../adapters/sandbox/speech/speech.ts";
import { PCM_TO_ULAW, ULAW_SILENCE, ULAW_TO_PCM } from "../../../engine/media/g711.ts";
import { SpeechSpans } from "../../../engine/media/speech-spans.ts";
import { HANGOVER_MS, VoiceActivity } from "../../../engine/media/voice-activity.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";

const FRAME_BYTES = 160;
const BYTES_PER_MS = 8;
const SENTENCE = "Hello, this is the after hours line. How can I help you tonight?";

interface Span {
  readonly startMs: number;
  endMs: number;
}

/** The spans of an audio that begins at 0. */
function spansOf(audio: Uint8Array): Span[] {
  const spans: Span[] = [];
  const activity = new VoiceActivity({
    began: (startMs) => void spans.push({ startMs, endMs: startMs }),
    lasts: (endMs) => {
      const last = spans.at(-1);
      if (last) last.endMs = endMs;
    },
    ended: () => undefined,
  });
  for (let at = 0; at + FRAME_BYTES <= audio.length; at += FRAME_BYTES) {
    activity.push(audio.subarray(at, at + FRAME_BYTES), at / BYTES_PER_MS);
  }
  return spans;
}

const silence = (ms: number): Uint8Array => new Uint8Array(ms * BYTES_PER_MS).fill(ULAW_SILENCE);
const joined = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

const ids = seededIds(5);
/** White noise as loud as told, in dBov. */
function noise(ms: number, levelDbov: number): Uint8Array {
  const amplitude = 32_768 * 10 ** (levelDbov / 20) * Math.sqrt(3);
  return Uint8Array.from(
    { length: ms * BYTES_PER_MS },
    () => PCM_TO_ULAW[Math.round((2 * ids.random() - 1) * amplitude) & 0xffff] as number,
  );
}

function mixed(a: Uint8Array, b: Uint8Array): Uint8Array {
  const sample = (bytes: Uint8Array, i: number): number => ULAW_TO_PCM[bytes[i] as number] as number;
  return a.map((_, i) => PCM_TO_ULAW[(sample(a, i) + sample(b, i)) & 0xffff] as number);
}

describe("voice activity", () => {
  const speech = createSpeech({ log: silentLog });
  let sentence: Uint8Array;
  beforeAll(async () => {
    sentence = await speech.say(SENTENCE);
  });
  afterAll(() => speech.close());

  test("finds synthesised speech where it is, and its pause as one", () => {
    const sentenceMs = sentence.length / BYTES_PER_MS;
    const audio = joined(silence(1000), sentence, silence(1200), sentence, silence(800));
    const spans = spansOf(audio);
    const from = (n: number): number => 1000 + n * (sentenceMs + 1200);
    for (const n of [0, 1]) {
      const own = spans.filter(({ startMs }) => startMs >= from(n) - 20 && startMs < from(n) + sentenceMs);
      expect(own[0]?.startMs).toBeWithin(from(n) - 20, from(n) + 120);
      expect(own.at(-1)?.endMs).toBeWithin(from(n) + sentenceMs - 300, from(n) + sentenceMs + 21);
      const spokenMs = own.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
      expect(spokenMs).toBeGreaterThan(sentenceMs * 0.7);
    }
    expect(spans.every(({ startMs }) => startMs < from(1) + sentenceMs)).toBe(true);
  });

  test("takes the noise of a line for silence, and finds speech above it", () => {
    const line = noise(20_000, -42);
    const spans = spansOf(line).filter(({ startMs }) => startMs > 15_000);
    expect(spans).toEqual([]);
    const spoken = joined(
      line,
      mixed(sentence, noise(sentence.length / BYTES_PER_MS, -42)),
      noise(1000, -42),
    );
    const found = spansOf(spoken).filter(({ startMs }) => startMs >= 20_000 - 20);
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]?.startMs).toBeLessThan(20_300);
    expect(found.at(-1)?.endMs).toBeLessThan(20_000 + sentence.length / BYTES_PER_MS + 50);
  });

  test("does not take a click for speech, nor a short pause for its end", () => {
    expect(spansOf(joined(silence(200), noise(40, -20), silence(500)))).toEqual([]);
    const words = joined(noise(200, -20), silence(HANGOVER_MS - 40), noise(200, -20), silence(1000));
    expect(spansOf(words)).toEqual([{ startMs: 0, endMs: 660 }]);
    const turns = joined(noise(200, -20), silence(HANGOVER_MS + 20), noise(200, -20), silence(1000));
    expect(spansOf(turns)).toEqual([
      { startMs: 0, endMs: 200 },
      { startMs: 520, endMs: 720 },
    ]);
  });

  test("goes on finding somebody who shouts without a pause", () => {
    expect(spansOf(noise(30_000, -15))).toEqual([{ startMs: 0, endMs: 30_000 }]);
  });
});

describe("the spans of a leg", () => {
  test("tell how much was said between two times, the one that goes on included", () => {
    const spans = new SpeechSpans();
    spans.began(100);
    spans.lasts(300);
    spans.ended();
    spans.began(1000);
    spans.lasts(1500);
    expect(spans.spokenMs(0, 2000)).toBe(700);
    expect(spans.spokenMs(200, 1100)).toBe(200);
    expect(spans.spokenMs(400, 900)).toBe(0);
    expect(spans.counters).toEqual({ spans: 2, spansForgotten: 0, spokenMs: 700 });
  });

  test("are as many as told: the oldest is forgotten and counted", () => {
    const spans = new SpeechSpans(3);
    for (let n = 0; n < 5; n++) {
      spans.began(n * 1000);
      spans.lasts(n * 1000 + 100);
      spans.ended();
    }
    expect(spans.spokenMs(0, 10_000)).toBe(300);
    expect(spans.spokenMs(0, 1900)).toBe(0);
    expect(spans.counters).toEqual({ spans: 5, spansForgotten: 2, spokenMs: 500 });
  });
});
