import { Histogram } from "../platform/histogram.ts";
import type { Clock } from "../ports.ts";
import type { MediaLeg } from "./leg.ts";
import type { MediaMetrics } from "./media-metrics.ts";

/** What one call's caller waited for, told to the metrics of all calls and kept for the call's own row. */
export class CallLatency {
  readonly #clock: Clock;
  readonly #metrics: MediaMetrics;
  readonly #turns = new Histogram();
  #edgeAtMs = -1;
  #roundTripMs = 0;

  constructor(clock: Clock, metrics: MediaMetrics) {
    this.#clock = clock;
    this.#metrics = metrics;
  }

  /** The caller speaks into the answer, which is cut next. */
  edgeCame(): void {
    this.#edgeAtMs = this.#clock.monotonicMs();
  }

  /** The answer was cut. `unheard`: how many items were not heard to their end; 0 = there was nothing to cut. */
  cut(unheard: number): void {
    if (this.#edgeAtMs >= 0 && unheard > 0) {
      this.#metrics.bargeIn.record(this.#clock.monotonicMs() - this.#edgeAtMs);
    }
    this.#edgeAtMs = -1;
  }

  turnEnded(leg: MediaLeg | null): void {
    leg?.turnEnded(this.#turns);
  }

  legGone(leg: MediaLeg): void {
    this.#roundTripMs = leg.roundTripMs || this.#roundTripMs;
  }

  /** In ms; 0 where nothing was measured. */
  figures(leg: MediaLeg | null): Readonly<Record<string, number>> {
    return {
      turnMsMedian: Math.round(this.#turns.quantile(0.5)),
      turnMsMax: Math.round(this.#turns.maxMs),
      carrierRoundTripMs: Math.round(leg?.roundTripMs || this.#roundTripMs),
    };
  }
}
