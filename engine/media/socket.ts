/** The carrier's side of one Media Streams connection, as far as the data plane needs it. */
export interface MediaSocket {
  /** Bytes sent, -1 when queued under backpressure, 0 when dropped (the meaning of Bun's `ws.send`). */
  send(text: string): number;
  /** Runs `work`; what it sends goes out together. Without it each message is a write of its own. */
  cork?(work: () => void): void;
  /** Bytes that the socket still holds in this process. */
  bufferedBytes(): number;
  close(code: number, reason: string): void;
}
