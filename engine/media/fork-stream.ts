import type { Clock } from "../ports.ts";
import { ArrivalOrigin } from "./arrival-origin.ts";
import { checkedBytes } from "./base64.ts";
import { ULAW_BYTES_PER_MS, ULAW_SILENCE } from "./g711.ts";
import { InboundTimeline } from "./inbound-timeline.ts";
import { FRAME_BYTES, FRAME_MS } from "./jitter/frame-ring.ts";
import { JitterBuffer } from "./jitter/jitter-buffer.ts";
import { MediaTextReader, parseStreamMessage, type StreamMessage } from "./media-text.ts";
import type { StreamEnd, StreamOwner } from "./stream-end.ts";

/** A second. Held by one fork at most; the oldest frame makes room for a new one and is counted. */
const CAPACITY_FRAMES = 50;

/** Who hears a fork. Called synchronously from the socket handler. */
export interface ForkListener {
  /** Hot path: 160 bytes of μ-law that were said at `atMs` on the monotonic clock; the array is used again. */
  frame(ulaw: Uint8Array, atMs: number): void;
}

export interface ForkStreamOptions {
  readonly streamSid: string;
  readonly clock: Clock;
  readonly owner: StreamOwner;
}

/**
 * The audio of one leg alone, forked by `<Start><Stream>`: nothing is ever sent on it. Frames pass a jitter buffer and
 * come out in order, losses concealed, each with its time on our clock, so that forks can be laid beside each other.
 *
 * What arrives gives the beat: each frame that comes lets go what is held beyond the target depth. So a stall delays
 * frames and loses none, no timer runs, and what a fork takes is bounded by its buffer.
 */
export class ForkStream implements StreamEnd {
  readonly streamSid: string;
  readonly #clock: Clock;
  readonly #owner: StreamOwner;
  readonly #reader: MediaTextReader;
  readonly #timeline = new InboundTimeline();
  readonly #jitter = new JitterBuffer({ capacityFrames: CAPACITY_FRAMES });
  readonly #origin = new ArrivalOrigin();
  readonly #frame = new Uint8Array(FRAME_BYTES);
  readonly #out = new Uint8Array(FRAME_BYTES);
  /** Bytes of the frame that is being filled, whatever the length of messages. */
  #filled = 0;
  /** Of the next frame: its number, and with that its time in the stream. */
  #sequence = 0;
  #leaps = 0;
  #listener: ForkListener | null = null;
  #closed = false;
  readonly #counters = { forkMessages: 0, forkBytes: 0, forkBad: 0, forkOtherTrack: 0, forkUnknown: 0 };

  constructor(options: ForkStreamOptions) {
    this.streamSid = options.streamSid;
    this.#clock = options.clock;
    this.#owner = options.owner;
    this.#reader = new MediaTextReader(options.streamSid);
  }

  /** What comes before anybody listens is dropped. */
  listen(listener: ForkListener | null): void {
    this.#listener = listener;
  }

  onText(text: string): void {
    if (this.#closed) return;
    const reader = this.#reader;
    // The check of the payload has decoded it already.
    if (reader.cut(text)) this.#audio(reader.payloadBytes, reader.timestampMs);
    else this.#slowPath(parseStreamMessage(text));
  }

  onUnusable(): void {
    this.#bad();
  }

  onWritable(): void {
    // Nothing is ever written.
  }

  /** Lets go what is still held. */
  dispose(): void {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#jitter.depthFrames > 0) this.#pop();
    this.#listener = null;
  }

  counters(): Readonly<Record<string, number>> {
    const { concealed, lost, late, overflow, trimmed, resets } = this.#jitter.counters;
    return {
      ...this.#counters,
      forkConcealed: concealed,
      forkLost: lost,
      forkLate: late,
      forkOverflow: overflow,
      forkTrimmed: trimmed,
      forkResets: resets,
    };
  }

  #slowPath(message: StreamMessage | null): void {
    if (!message || ("streamSid" in message && message.streamSid !== this.streamSid)) {
      this.#bad();
    } else if (message.event === "media") {
      if (message.track !== "inbound") this.#counters.forkOtherTrack++;
      else this.#audio(message.payloadBytes, message.timestampMs);
    } else if (message.event === "stop") {
      this.#owner.stopped();
    } else if (message.event === "unknown") {
      this.#counters.forkUnknown++;
    } else {
      this.#bad();
    }
  }

  #bad(): void {
    this.#counters.forkBad++;
    this.#owner.badMessage();
  }

  /** What was decoded last: `count` bytes that begin at `timestampMs` of the carrier's clock. */
  #audio(count: number, timestampMs: number): void {
    this.#counters.forkMessages++;
    this.#counters.forkBytes += count;
    const arrivalMs = this.#clock.monotonicMs();
    const missing = this.#timeline.silenceBefore(timestampMs, count);
    if (missing > 0) this.#leaveOut(missing, arrivalMs);
    this.#seeLeap();
    this.#origin.note(this.#streamMs + count / ULAW_BYTES_PER_MS, arrivalMs);
    const bytes = checkedBytes();
    for (let done = 0; done < count;) {
      const part = Math.min(FRAME_BYTES - this.#filled, count - done);
      for (let i = 0; i < part; i++) this.#frame[this.#filled + i] = bytes[done + i] as number;
      this.#filled += part;
      done += part;
      if (this.#filled === FRAME_BYTES) this.#push(arrivalMs);
    }
  }

  /** In the stream's own time, which runs on where the carrier's began anew: where the next byte belongs. */
  get #streamMs(): number {
    return this.#sequence * FRAME_MS + this.#filled / ULAW_BYTES_PER_MS;
  }

  /** Frames that never came: what is known of the one before them goes first. */
  #leaveOut(frames: number, arrivalMs: number): void {
    if (this.#filled > 0) {
      const known = this.#filled;
      this.#frame.fill(ULAW_SILENCE, known);
      this.#push(arrivalMs);
      // Its rest is part of the gap; what that is short of makes the next frame.
      this.#sequence += frames - 1;
      this.#frame.fill(ULAW_SILENCE);
      this.#filled = known;
    } else {
      this.#sequence += frames;
    }
  }

  #seeLeap(): void {
    const { gapCutMs, clockRestarts } = this.#timeline.counters;
    const leaps = gapCutMs + clockRestarts;
    if (leaps === this.#leaps) return;
    this.#leaps = leaps;
    this.#origin.restart();
  }

  #push(arrivalMs: number): void {
    this.#filled = 0;
    this.#jitter.push(this.#sequence, this.#sequence * FRAME_MS, arrivalMs, this.#frame);
    this.#sequence++;
    while (this.#jitter.depthFrames >= this.#jitter.targetFrames) this.#pop();
  }

  #pop(): void {
    this.#jitter.pop(this.#out);
    const streamMs = this.#jitter.poppedTimestampMs;
    // What is put out while the stream stands still is no part of it.
    if (Number.isNaN(streamMs)) return;
    // Whoever throws hears nothing more, so that the fork can still be ended.
    const listener = this.#listener;
    this.#listener = null;
    listener?.frame(this.#out, this.#origin.clockMs(streamMs));
    this.#listener = listener;
  }
}
