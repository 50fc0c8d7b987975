/** The fastest of so many notes, and of as many before them, is what counts: 10 s each at 20 ms. */
const WINDOW_NOTES = 500;

/**
 * Lays a stream's own time on our clock, by the fastest of the messages that came lately: the others were held up on
 * their way. A window that slides follows two clocks that run at slightly different rates.
 */
export class ArrivalOrigin {
  #beforeMs = Infinity;
  #nowMs = Infinity;
  #notes = 0;

  /** What ends at `streamMs` came at `arrivalMs`. */
  note(streamMs: number, arrivalMs: number): void {
    if (++this.#notes > WINDOW_NOTES) {
      this.#beforeMs = this.#nowMs;
      this.#nowMs = Infinity;
      this.#notes = 1;
    }
    this.#nowMs = Math.min(this.#nowMs, arrivalMs - streamMs);
  }

  /** The stream's time leapt: what came before says nothing any more. */
  restart(): void {
    this.#beforeMs = Infinity;
    this.#nowMs = Infinity;
    this.#notes = 0;
  }

  /** When what has this time in the stream was said, on the clock of the arrivals. There must have been a note. */
  clockMs(streamMs: number): number {
    return streamMs + Math.min(this.#beforeMs, this.#nowMs);
  }
}
