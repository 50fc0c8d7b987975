import { Histogram } from "../platform/histogram.ts";
import type { Clock } from "../ports.ts";
import type { MediaLeg } from "./leg.ts";
import type { MediaMetrics } from "./media-metrics.ts";

/** Where the time went between the caller's last word and the first frame of the answer, as the engine sees it. */
export interface TurnTimes {
  /** The whole wait. */
  readonly turnMs: number;
  /** Until the model began an answer; `null` when it does not say. */
  readonly decideMs: number | null;
  /** From there until its first piece of speech came. */
  readonly speakMs: number;
  /** From there until the first frame was handed to the carrier's socket. */
  readonly sendMs: number;
  /** To the carrier and back, as the last mark measured it; 0: not measured. */
  readonly roundTripMs: number;
}

/** What one call's caller waited for, told to the metrics of all calls and kept for the call's own row. */
export class CallLatency {
  readonly #clock: Clock;
  readonly #metrics: MediaMetrics;
  readonly #onTurn: (turn: TurnTimes) => void;
  readonly #turns = new Histogram();
  #leg: MediaLeg | null = null;
  #edgeAtMs = -1;
  #roundTripMs = 0;
  /** Of the turn that is being answered; -1: not yet, or there is none. */
  #endedAtMs = -1;
  #decidedAtMs = -1;
  #spokenAtMs = -1;

  constructor(clock: Clock, metrics: MediaMetrics, onTurn: (turn: TurnTimes) => void) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#onTurn = onTurn;
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
    this.#leg = leg;
    this.#endedAtMs = leg ? this.#clock.monotonicMs() : -1;
    this.#decidedAtMs = -1;
    this.#spokenAtMs = -1;
    leg?.turnEnded(this);
  }

  /** The model has begun an answer. */
  responseStarted(): void {
    if (this.#endedAtMs >= 0 && this.#spokenAtMs < 0) this.#decidedAtMs = this.#clock.monotonicMs();
  }

  /** A piece of the model's speech came that will be played. Hot path. */
  speechCame(): void {
    if (this.#endedAtMs >= 0 && this.#spokenAtMs < 0) this.#spokenAtMs = this.#clock.monotonicMs();
  }

  /** The first frame of the answer was handed to the socket, this long after the turn's end. */
  record(turnMs: number): void {
    this.#turns.record(turnMs);
    const [endedAtMs, decidedAtMs, spokenAtMs] = [this.#endedAtMs, this.#decidedAtMs, this.#spokenAtMs];
    this.#endedAtMs = -1;
    if (endedAtMs < 0 || spokenAtMs < 0) return;
    const decideMs = decidedAtMs < 0 ? null : decidedAtMs - endedAtMs;
    const speakMs = spokenAtMs - endedAtMs - (decideMs ?? 0);
    const sendMs = Math.max(0, turnMs - (spokenAtMs - endedAtMs));
    const roundTripMs = this.#leg?.roundTripMs || this.#roundTripMs;
    this.#onTurn({ turnMs, decideMs, speakMs, sendMs, roundTripMs });
  }

  legGone(leg: MediaLeg): void {
    this.#roundTripMs = leg.roundTripMs || this.#roundTripMs;
    if (leg === this.#leg) this.#leg = null;
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
