/**
 * Sounds of the network: wait music, ringback and the beep of an answering machine, made once when first
 * needed.
 */
import { PCM_TO_ULAW, ULAW_SILENCE } from "../../../../engine/media/g711.ts";
import { FRAME_BYTES } from "../../types.ts";

const SAMPLE_RATE = 8_000;
const NOTE_SAMPLES = SAMPLE_RATE / 2;

/**
 * A quiet arpeggio over four chords (Hz), half a second a note: it must not sound like speech to a detector.
 */
const MELODY_HZ: readonly number[] = [
  261.63, 329.63, 392, 329.63, 220, 261.63, 329.63, 261.63, 174.61, 220, 261.63, 220, 196, 246.94, 293.66,
  246.94,
];
const MUSIC_PEAK = 1_600;
const RINGBACK_PEAK = 2_500;
const BEEP_PEAK = 6_000;

/** One frame of silence (+0). Shared: never write to it. */
export const SILENT_FRAME: Uint8Array = new Uint8Array(FRAME_BYTES).fill(ULAW_SILENCE);

function synthesise(samples: number, at: (index: number) => number): Uint8Array {
  const ulaw = new Uint8Array(samples);
  for (let i = 0; i < samples; i++) ulaw[i] = PCM_TO_ULAW[Math.round(at(i)) & 0xffff] as number;
  return ulaw;
}

function sine(hz: number, index: number): number {
  return Math.sin((2 * Math.PI * hz * index) / SAMPLE_RATE);
}

let musicFrames: readonly Uint8Array[] | null = null;

function makeMusic(): readonly Uint8Array[] {
  const loop = synthesise(MELODY_HZ.length * NOTE_SAMPLES, (i) => {
    const within = i % NOTE_SAMPLES;
    const hz = MELODY_HZ[Math.floor(i / NOTE_SAMPLES)] as number;
    // A short attack and a long decay to zero: notes meet without a click.
    const envelope = Math.min(1, within / 160) * (1 - within / NOTE_SAMPLES) ** 2;
    return MUSIC_PEAK * envelope * (sine(hz, within) + 0.3 * sine(2 * hz, within));
  });
  const frames: Uint8Array[] = [];
  for (let at = 0; at < loop.length; at += FRAME_BYTES) frames.push(loop.subarray(at, at + FRAME_BYTES));
  return frames;
}

/** Puts frame `frameIndex` (from 0, endless) of the wait music into `out` (160 bytes). */
export function waitMusic(frameIndex: number, out: Uint8Array): void {
  musicFrames ??= makeMusic();
  out.set(musicFrames[frameIndex % musicFrames.length] as Uint8Array);
}

let ringbackCycle: Uint8Array | null = null;

/**
 * One cycle of North American ringback: 440 + 480 Hz for 2 s, then 4 s of silence. Shared: never write to it.
 */
export function ringback(): Uint8Array {
  ringbackCycle ??= synthesise(6 * SAMPLE_RATE, (i) =>
    i < 2 * SAMPLE_RATE ? RINGBACK_PEAK * (sine(440, i) + sine(480, i)) : 0,
  );
  return ringbackCycle;
}

let beepTone: Uint8Array | null = null;

/** The 1 kHz tone of 400 ms after which an answering machine records. Shared: never write to it. */
export function beep(): Uint8Array {
  beepTone ??= synthesise(0.4 * SAMPLE_RATE, (i) => BEEP_PEAK * sine(1_000, i));
  return beepTone;
}
