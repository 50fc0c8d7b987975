import { expect, test } from "bun:test";
import { alaw, mulaw } from "alawmulaw";
import {
  bytesPerMs,
  bytesPerUlawSample,
  decodeAudio,
  fromUlaw,
  toUlaw,
} from "../../../../adapters/sandbox/model/formats.ts";
import { tone } from "./helpers.ts";

const allCodes = Uint8Array.from({ length: 256 }, (_, i) => i);

test("μ-law passes as it is", () => {
  expect(fromUlaw("audio/pcmu", allCodes)).toBe(allCodes);
  expect(toUlaw("audio/pcmu", allCodes)).toBe(allCodes);
  expect([...decodeAudio("audio/pcmu", allCodes)]).toEqual([...mulaw.decode(allCodes)]);
});

test("A-law agrees with alawmulaw on every code", () => {
  expect([...fromUlaw("audio/pcma", allCodes)]).toEqual([...alaw.encode(mulaw.decode(allCodes))]);
  expect([...decodeAudio("audio/pcma", allCodes)]).toEqual([...alaw.decode(allCodes)]);
  expect([...toUlaw("audio/pcma", allCodes)]).toEqual([...mulaw.encode(alaw.decode(allCodes))]);
});

test("24 kHz keeps every sample, puts two between, and comes back exactly", () => {
  const ulaw = tone(100, 440);
  const pcm = fromUlaw("audio/pcm", ulaw);
  expect(pcm.length).toBe(ulaw.length * bytesPerUlawSample("audio/pcm"));
  expect(pcm.length).toBe(100 * bytesPerMs("audio/pcm"));
  const samples = decodeAudio("audio/pcm", pcm);
  const original = mulaw.decode(ulaw);
  for (let i = 0; i + 1 < original.length; i++) {
    const [a, b] = [original[i] as number, original[i + 1] as number];
    expect(samples[3 * i]).toBe(a);
    expect(samples[3 * i + 1]).toBe(Math.round(a + (b - a) / 3));
    expect(samples[3 * i + 2]).toBe(Math.round(a + ((b - a) * 2) / 3));
  }
  // Two code words mean zero; encoding gives the other one back.
  const back = toUlaw("audio/pcm", pcm);
  expect([...mulaw.decode(back)]).toEqual([...original]);
});

test("an odd byte of PCM16 is dropped", () => {
  expect(decodeAudio("audio/pcm", new Uint8Array([0x34, 0x92, 0x7f]))).toEqual(Int16Array.of(-28_108));
});
