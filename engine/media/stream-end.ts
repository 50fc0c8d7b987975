/** Our end of one media stream, as the gateway drives it: `MediaLeg` speaks and listens, `ForkStream` listens. */
export interface StreamEnd {
  /** Takes every text message after `start`. Hot path. */
  onText(text: string): void;
  /** A message that no stream can use: binary or too long. */
  onUnusable(): void;
  /** The socket can take data again after backpressure. */
  onWritable(): void;
  /** The socket is gone, or goes: nothing is told after this. */
  dispose(): void;
}

/** What it tells the gateway. */
export interface StreamOwner {
  stopped(): void;
  badMessage(): void;
}
