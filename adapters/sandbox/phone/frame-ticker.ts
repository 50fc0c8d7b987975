/** The 20 ms heartbeat of phones: one timer for any number of them, on absolute deadlines. */
import { errorText } from "../../../engine/errors.ts";
import type { Clock, Log } from "../../../engine/ports.ts";
import { FRAME_MS } from "../types.ts";

/** More frames than this are not made up for in a burst: a line has no use for them. */
const MAX_CATCH_UP_FRAMES = 10;

/** `skipped` frames were missed and will not come; usually 0. */
export type FrameListener = (skipped: number) => void;

/**
 * Calls each listener once per 20 ms on average: a late timer is made up for by calls in a burst, and a
 * pause that is too long for that is reported as frames skipped. Runs only while there are listeners.
 */
export class FrameTicker {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Set<FrameListener>();
  #timer: unknown = null;
  #running = false;
  #nextAtMs = 0;
  #skippedFrames = 0;

  constructor(options: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Frames given up since the start because the process was held up for more than 200 ms. */
  get skippedFrames(): number {
    return this.#skippedFrames;
  }

  /** Returns what ends the subscription. */
  subscribe(listener: FrameListener): () => void {
    this.#listeners.add(listener);
    if (!this.#running) {
      this.#running = true;
      this.#nextAtMs = this.#clock.monotonicMs() + FRAME_MS;
      this.#arm();
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0 || !this.#running) return;
      this.#running = false;
      this.#clock.clearTimeout(this.#timer);
    };
  }

  #arm(): void {
    const delayMs = Math.max(0, this.#nextAtMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimeout(() => this.#wake(), delayMs);
  }

  #wake(): void {
    const dueFrames = Math.floor((this.#clock.monotonicMs() - this.#nextAtMs) / FRAME_MS) + 1;
    const frames = Math.min(dueFrames, MAX_CATCH_UP_FRAMES);
    const skipped = Math.max(0, dueFrames - frames);
    this.#skippedFrames += skipped;
    if (dueFrames > 0) this.#nextAtMs += dueFrames * FRAME_MS;
    for (let i = 0; i < frames; i++) this.#call(i === 0 ? skipped : 0);
    if (this.#running) this.#arm();
  }

  #call(skipped: number): void {
    for (const listener of this.#listeners) {
      try {
        listener(skipped);
      } catch (error) {
        this.#log.error("phone.tick_failed", { problem: errorText(error) });
      }
    }
  }
}
