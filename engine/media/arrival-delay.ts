/** So long a fastest message is remembered at least, and at most twice that. */
const HISTORY_MS = 5_000;

/**
 * How much later than the fastest of the last seconds a message came, by the time that the sender gave it:
 * the jitter of the network, and what the own loop was late. The sender's clock need not be ours: only
 * differences count, and its drift is forgotten with the fastest message.
 */
export class ArrivalDelay {
  /** Least difference between arrival and timestamp, in this stretch of time and in the one before. */
  #fastestMs = Number.POSITIVE_INFINITY;
  #fastestBeforeMs = Number.POSITIVE_INFINITY;
  #stretchEndMs = Number.NEGATIVE_INFINITY;

  /** Milliseconds, 0 for the fastest. */
  of(nowMs: number, timestampMs: number): number {
    const transitMs = nowMs - timestampMs;
    if (nowMs >= this.#stretchEndMs) {
      this.#stretchEndMs = nowMs + HISTORY_MS;
      this.#fastestBeforeMs = this.#fastestMs;
      this.#fastestMs = transitMs;
    } else if (transitMs < this.#fastestMs) this.#fastestMs = transitMs;
    return transitMs - Math.min(this.#fastestMs, this.#fastestBeforeMs);
  }
}
