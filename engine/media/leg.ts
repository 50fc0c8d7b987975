import { errorText } from "../errors.ts";
import type { Clock, HeardItem, Log, ModelAudio } from "../ports.ts";
import { ArrivalDelay } from "./arrival-delay.ts";
import { checkedBytes } from "./base64.ts";
import { InboundTimeline, SILENCE_FRAME_BASE64, SILENCE_FRAME_BYTES } from "./inbound-timeline.ts";
import type { Turns } from "./first-frame.ts";
import { type LegLevels, LevelMeter } from "./level.ts";
import { MediaMetrics, TIMED_EVERY } from "./media-metrics.ts";
import { MediaTextReader, cutMark, parseStreamMessage, type StreamMessage } from "./media-text.ts";
import { Playout } from "./playout.ts";
import type { Heard } from "./playout-items.ts";
import type { MediaSocket } from "./socket.ts";
import type { Tape } from "./tape.ts";
import type { PacingWheel } from "./wheel.ts";

/** What a leg tells its user. Called synchronously from the socket handler or the pacing timer. */
export interface LegEvents {
  /** Hot path: a piece of the caller's audio, μ-law in base64; lost time comes as frames of silence. */
  audio(base64: string, bytes: number): void;
  /** Whether audio goes on to the model as it comes. Left out: it does not, or nobody times it. */
  isLive?(): boolean;
  dtmf(digit: string): void;
  /** A complete item was played to its end (or what of it fitted the queue was). */
  itemHeard(item: HeardItem): void;
}

/** What a leg tells the gateway that owns its socket. */
export interface LegOwner {
  stopped(): void;
  badMessage(): void;
  failed(error: unknown): void;
}

/** How speech is handed to the carrier. */
export interface LegPacing {
  /** How far the carrier's buffer is kept filled; at least one chunk. Default 160. */
  readonly leadMs?: number;
  /** Speech per message, in whole frames of 20 ms: fewer messages cost less. Default 20. */
  readonly chunkMs?: number;
  /** Default 160. */
  readonly markEveryMs?: number;
}

export interface MediaLegOptions extends LegPacing {
  readonly socket: MediaSocket;
  readonly streamSid: string;
  readonly clock: Clock;
  readonly wheel: PacingWheel;
  readonly log: Log;
  /** Audio that waits here at most; more is refused (the newest) and counted. */
  readonly maxQueuedMs?: number;
  readonly events?: LegEvents;
  readonly owner?: LegOwner;
  readonly metrics?: MediaMetrics;
}

/**
 * One Media Streams connection: cuts the caller's audio out of the messages, paces the model's audio to the
 * carrier, and knows how much of it was heard.
 */
export class MediaLeg {
  readonly streamSid: string;
  readonly #socket: MediaSocket;
  readonly #owner: LegOwner | undefined;
  readonly #reader: MediaTextReader;
  readonly #timeline = new InboundTimeline();
  readonly #playout: Playout;
  readonly #levels: LegLevels;
  readonly #clock: Clock;
  readonly #metrics: MediaMetrics;
  readonly #arrival = new ArrivalDelay();
  #events: LegEvents | null;
  #closed = false;
  readonly #counters = { inMessages: 0, inBytes: 0, inSlowPath: 0, inBad: 0, inUnknown: 0, inOtherTrack: 0 };

  constructor(options: MediaLegOptions) {
    this.streamSid = options.streamSid;
    this.#socket = options.socket;
    this.#events = options.events ?? null;
    this.#owner = options.owner;
    this.#reader = new MediaTextReader(options.streamSid);
    this.#clock = options.clock;
    this.#metrics = options.metrics ?? new MediaMetrics();
    this.#playout = new Playout({
      socket: options.socket,
      streamSid: options.streamSid,
      clock: options.clock,
      wheel: options.wheel,
      log: options.log,
      leadMs: options.leadMs ?? 160,
      chunkMs: options.chunkMs ?? 20,
      markEveryMs: options.markEveryMs ?? 160,
      maxQueuedMs: options.maxQueuedMs ?? 300_000,
      metrics: this.#metrics,
      onHeard: (item) => this.#events?.itemHeard(item),
      onFailed: (error) => {
        options.log.error("media.leg_failed", { streamSid: options.streamSid, error: errorText(error) });
        if (this.#owner) this.#owner.failed(error);
        else this.close(1011, "internal error");
      },
    });
    this.#levels = { caller: new LevelMeter(), agent: this.#playout.level };
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Replaces who is told; `null` for nobody. */
  listen(events: LegEvents | null): void {
    this.#events = events;
  }

  // ------------------------------------------------------------------ carrier → engine

  /** Takes every text message after `start`. Hot path. */
  onText(text: string): void {
    if (this.#closed) return;
    const timed = this.#counters.inMessages % TIMED_EVERY === 0;
    const startMs = timed ? this.#clock.monotonicMs() : 0;
    const reader = this.#reader;
    if (reader.cut(text)) {
      if (timed) this.#inboundTimed(startMs);
      else this.#inbound(reader.payload, reader.payloadBytes, reader.timestampMs);
      return;
    }
    const mark = cutMark(text, this.streamSid);
    if (mark !== null) {
      this.#playout.onMark(mark);
      return;
    }
    const message = parseStreamMessage(text);
    if (message) this.#onMessage(message);
    else this.#bad();
  }

  /** A message that no leg can use: binary or too long. */
  onUnusable(): void {
    if (!this.#closed) this.#bad();
  }

  #onMessage(message: StreamMessage): void {
    if ("streamSid" in message && message.streamSid !== this.streamSid) {
      this.#bad();
      return;
    }
    switch (message.event) {
      case "media":
        this.#counters.inSlowPath++;
        if (message.track === "inbound") {
          this.#inbound(message.payload, message.payloadBytes, message.timestampMs);
        } else {
          this.#counters.inOtherTrack++;
        }
        return;
      case "mark":
        this.#playout.onMark(message.name);
        return;
      case "dtmf":
        this.#events?.dtmf(message.digit);
        return;
      case "stop":
        this.#owner?.stopped();
        return;
      case "unknown":
        this.#counters.inUnknown++;
        return;
      default:
        // `connected` or `start` once more.
        this.#bad();
    }
  }

  #inbound(payload: string, bytes: number, timestampMs: number): void {
    this.#counters.inMessages++;
    this.#counters.inBytes += bytes;
    // The check of the payload has decoded it already.
    this.#levels.caller.add(checkedBytes(), bytes);
    const events = this.#events;
    const silence = this.#timeline.silenceBefore(timestampMs, bytes);
    if (!events) return;
    for (let i = 0; i < silence; i++) events.audio(SILENCE_FRAME_BASE64, SILENCE_FRAME_BYTES);
    events.audio(payload, bytes);
  }

  #inboundTimed(startMs: number): void {
    const { payload, payloadBytes, timestampMs } = this.#reader;
    this.#metrics.arrivalDelay.record(this.#arrival.of(startMs, timestampMs));
    this.#inbound(payload, payloadBytes, timestampMs);
    if (this.#events?.isLive?.() !== true) return;
    this.#metrics.inboundHandling.record(this.#clock.monotonicMs() - startMs);
  }

  #bad(): void {
    this.#counters.inBad++;
    this.#owner?.badMessage();
  }

  // ------------------------------------------------------------------ engine → carrier

  /** The fastest recent round trip to the carrier, 0 while unknown. */
  get roundTripMs(): number {
    return this.#playout.roundTripMs;
  }

  /** Queues a piece of the model's speech; what the lead allows is sent at once. See {@link Playout.play}. */
  play(chunk: ModelAudio, tape: Tape | null = null): number {
    return this.#playout.play(chunk, tape);
  }

  /** The caller has stopped speaking: see {@link Playout.turnEnded}. */
  turnEnded(turns: Turns): void {
    this.#playout.turnEnded(turns);
  }

  /** No more audio will come for this item. */
  endItem(itemId: string): void {
    this.#playout.end("itemId", itemId);
  }

  /** No more audio will come for any item of this response. */
  endResponse(responseId: string): void {
    this.#playout.end("responseId", responseId);
  }

  /** Stops playout now: see {@link Playout.cut}. */
  cut(surely = false): readonly HeardItem[] {
    return this.#playout.cut(surely);
  }

  /** How much of an item was heard by now; `null` for an item this leg does not remember. */
  heard(itemId: string, contentIndex = 0): Heard | null {
    return this.#playout.heard(itemId, contentIndex);
  }

  /** Milliseconds of audio, sent or queued, that were not heard yet. */
  pendingMs(): number {
    return this.#playout.pendingMs();
  }

  /** Calls back once when all audio so far is over: see {@link Playout.onDrained}. */
  onDrained(callback: (() => void) | null): void {
    this.#playout.onDrained(callback);
  }

  /** Calls back once nothing that was sent so far can sound any more: see {@link Playout.flush}. */
  flush(callback: () => void): void {
    this.#playout.flush(callback);
  }

  /** The socket can take data again after backpressure. */
  onWritable(): void {
    this.#playout.onWritable();
  }

  /** Ends the leg: nothing is played or reported after it. Closes the socket unless it is closed already. */
  close(code = 1000, reason = ""): void {
    if (this.#closed) return;
    this.dispose();
    this.#socket.close(code, reason);
  }

  /** The socket is gone. {@link cut} still tells what was heard. */
  dispose(): void {
    this.#closed = true;
    this.#playout.close();
  }

  /** How loud the caller's audio and the agent's as sent were. */
  levels(): LegLevels {
    return this.#levels;
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, ...this.#timeline.counters, ...this.#playout.counters() };
  }
}
