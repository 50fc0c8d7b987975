/** `jitterBufferSize` of a conference participant. */
import type { JitterBufferSize } from "../../../../engine/ports.ts";

export interface ParticipantBuffer {
  /** The frame that is due included. */
  readonly targetFrames: number;
  /** What is later than the fastest frames by more than this is dropped. */
  readonly maxLateMs: number;
}

/**
 * Twilio publishes 20, 40 and 60 ms, here so many frames behind the one that is due; with `off` nothing is held
 * and "even packets with low jitter (≤ 20 ms) are dropped".
 */
export const BUFFERS: Readonly<Record<JitterBufferSize, ParticipantBuffer>> = {
  off: { targetFrames: 1, maxLateMs: 20 },
  small: { targetFrames: 2, maxLateMs: Infinity },
  medium: { targetFrames: 3, maxLateMs: Infinity },
  large: { targetFrames: 4, maxLateMs: Infinity },
};

/** The size that a request names; Twilio's default, `large`, when it names none. */
export function bufferSize(named: string | null): JitterBufferSize {
  return named === "off" || named === "small" || named === "medium" ? named : "large";
}
