import { ULAW_BYTES_PER_MS, ULAW_SILENCE } from "./g711.ts";

/** One frame of silence. */
export const SILENCE_FRAME_MS = 20;
export const SILENCE_FRAME_BYTES = SILENCE_FRAME_MS * ULAW_BYTES_PER_MS;
/** The frame as base64, made once. */
export const SILENCE_FRAME_BASE64: string = new Uint8Array(SILENCE_FRAME_BYTES).fill(ULAW_SILENCE).toBase64();

/** A single gap is filled with at most this much; a longer one is a stream that was away, not lost audio. */
const MAX_GAP_MS = 10_000;
/** Audio that much ahead of its timestamps means that the carrier's clock began anew. */
const RESTART_MS = 1_000;

/**
 * Finds missing time in a stream from its timestamps, so that the model's clock stays the call's clock. What
 * is compared is the sum of all audio against the timestamp, not one message against the one before:
 * timestamps may wobble by less than a frame for ever without silence being added, and lost frames that
 * each hide in the wobble are made up for once they add up to a frame.
 */
export class InboundTimeline {
  readonly counters = { gaps: 0, paddedMs: 0, gapCutMs: 0, clockRestarts: 0 };
  /** Where the next message should begin; negative before the first one. */
  #expectedMs = -1;

  /** Frames of silence that belong before a message of `bytes` at `timestampMs`. */
  silenceBefore(timestampMs: number, bytes: number): number {
    const lengthMs = bytes / ULAW_BYTES_PER_MS;
    if (!(timestampMs >= 0)) {
      // No usable time: the audio itself still takes its time.
      if (this.#expectedMs >= 0) this.#expectedMs += lengthMs;
      return 0;
    }
    if (this.#expectedMs < 0) this.#expectedMs = timestampMs;
    const gapMs = timestampMs - this.#expectedMs;
    if (gapMs >= SILENCE_FRAME_MS) return this.#fill(gapMs, timestampMs, lengthMs);
    if (gapMs < -RESTART_MS) {
      this.counters.clockRestarts++;
      this.#expectedMs = timestampMs;
    }
    this.#expectedMs += lengthMs;
    return 0;
  }

  #fill(gapMs: number, timestampMs: number, lengthMs: number): number {
    const frames = Math.floor(Math.min(gapMs, MAX_GAP_MS) / SILENCE_FRAME_MS);
    const paddedMs = frames * SILENCE_FRAME_MS;
    this.counters.gaps++;
    this.counters.paddedMs += paddedMs;
    if (gapMs > MAX_GAP_MS) {
      this.counters.gapCutMs += gapMs - paddedMs;
      this.#expectedMs = timestampMs;
    } else {
      this.#expectedMs += paddedMs;
    }
    this.#expectedMs += lengthMs;
    return frames;
  }
}
