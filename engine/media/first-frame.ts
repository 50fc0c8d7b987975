import type { Histogram } from "../platform/histogram.ts";
import type { Clock } from "../ports.ts";
import { TIMED_PIECES_EVERY, type MediaMetrics } from "./media-metrics.ts";

/** Told how long a turn waited for its first frame. */
export type Turns = Pick<Histogram, "record">;

/**
 * Times the first frame of what the model says, on one stream: from the piece of speech that it is in, and
 * from the end of the caller's turn. Frames after it are paced, and that wait is not the engine's latency.
 */
export class FirstFrame {
  readonly #clock: Clock;
  readonly #metrics: MediaMetrics;
  #pieces = 0;
  #pieceAtMs = -1;
  #turnAtMs = -1;
  #turns: Turns | null = null;

  constructor(clock: Clock, metrics: MediaMetrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** A piece of speech came, and nothing waits before it. */
  pieceCame(nowMs: number): void {
    // Some of many tell enough: reading the clock costs as much as a tenth of the frame's whole way.
    if (this.#pieces++ % TIMED_PIECES_EVERY === 0) this.#pieceAtMs = nowMs;
  }

  /** What is not sent of the piece by now waits for its time to be played. */
  pieceTaken(): void {
    this.#pieceAtMs = -1;
  }

  /** The caller has stopped speaking, and nothing waits: the next frame is the answer. `turns` is told too. */
  turnEnded(atMs: number, turns: Turns): void {
    this.#turnAtMs = atMs;
    this.#turns = turns;
  }

  /** A frame was handed to the socket. Hot path. */
  sent(): void {
    if (this.#pieceAtMs < 0 && this.#turnAtMs < 0) return;
    const nowMs = this.#clock.monotonicMs();
    if (this.#pieceAtMs >= 0) this.#metrics.outboundHandling.record(nowMs - this.#pieceAtMs);
    if (this.#turnAtMs >= 0) {
      this.#metrics.turn.record(nowMs - this.#turnAtMs);
      this.#turns?.record(nowMs - this.#turnAtMs);
    }
    this.#pieceAtMs = -1;
    this.#turnAtMs = -1;
  }
}
