import { Histogram } from "../platform/histogram.ts";

/** Of the carrier's media messages every so many are timed: reading the clock costs as much as the rest. */
export const TIMED_EVERY = 32;
/** The same of the pieces of a model's speech that nothing waits before. */
export const TIMED_PIECES_EVERY = 8;

/** Where the engine's share of the latency is counted, for all calls together. Recording allocates nothing. */
export class MediaMetrics {
  /** Carrier's message handed to the leg → its audio handed to the model's session. */
  readonly inboundHandling = new Histogram();
  /** Model's piece of speech handed to the bridge → its first frame handed to the carrier's socket. */
  readonly outboundHandling = new Histogram();
  /** When the audio before a mark would be played, had the carrier got it at once → the mark came back. */
  readonly carrierRoundTrip = new Histogram();
  /** How much later than the fastest of the last seconds a message came. */
  readonly arrivalDelay = new Histogram();
  /** The caller's start of speech handed to the bridge → `clear` handed to the carrier's socket. */
  readonly bargeIn = new Histogram();
  /** The caller's end of speech handed to the bridge → first frame of the answer handed to the socket. */
  readonly turn = new Histogram();
  /** How late each tick of the pacing wheel ran. */
  readonly wheelLateness = new Histogram();
}
