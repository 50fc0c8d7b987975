import type { Clock, HeardItem, Log, ModelAudio } from "../ports.ts";
import { decodeBase64 } from "./base64.ts";
import { ByteRing } from "./byte-ring.ts";
import { FirstFrame, type Turns } from "./first-frame.ts";
import { ULAW_BYTES_PER_MS } from "./g711.ts";
import { LevelMeter } from "./level.ts";
import { MediaMetrics } from "./media-metrics.ts";
import { MediaTextWriter } from "./media-text.ts";
import { PlayoutClock } from "./playout-clock.ts";
import { type Heard, PlayoutItems } from "./playout-items.ts";
import type { MediaSocket } from "./socket.ts";
import type { Tape } from "./tape.ts";
import type { PacedSlot, PacingWheel } from "./wheel.ts";

/** The carrier runs dry within this time unless something is sent: the next slot would be too late. */
const NEARLY_DRY_MS = 20;
/** Marks say at once what is over; without them it is looked up this often. */
const SETTLE_EVERY_MS = 100;
/** A mark behind a `clear` comes back at once; one that does not is asked for again. */
const FLUSH_AGAIN_MS = 500;
/** Chunks sent at one time at most, whatever their size. */
const MAX_BURST = 64;
/** The socket holds back that much: what is stuck there cannot be cut any more, so nothing is added. */
const MAX_SOCKET_BYTES = 32 * 1024;

export interface PlayoutOptions {
  readonly socket: MediaSocket;
  readonly streamSid: string;
  readonly clock: Clock;
  readonly wheel: PacingWheel;
  readonly log: Log;
  readonly leadMs: number;
  readonly chunkMs: number;
  readonly markEveryMs: number;
  readonly maxQueuedMs: number;
  readonly metrics?: MediaMetrics;
  /** An item was played to its end. */
  readonly onHeard: (item: HeardItem) => void;
  /** The pacing timer met a throw; nothing may escape it. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * The engine's mouth on one stream: a queue of the model's speech that is sent to the carrier a small lead
 * ahead of its playing, and a ledger of what was heard.
 */
export class Playout implements PacedSlot {
  /** Of what was sent. */
  readonly level = new LevelMeter();
  readonly #socket: MediaSocket;
  readonly #clock: Clock;
  readonly #wheel: PacingWheel;
  readonly #log: Log;
  readonly #streamSid: string;
  readonly #leadMs: number;
  readonly #markEveryBytes: number;
  readonly #onHeard: (item: HeardItem) => void;
  readonly #onFailed: (error: unknown) => void;
  readonly #metrics: MediaMetrics;
  readonly #firstFrame: FirstFrame;
  readonly #carrier = new PlayoutClock();
  readonly #items = new PlayoutItems();
  readonly #ring: ByteRing;
  readonly #write: MediaTextWriter;
  readonly #chunk: Uint8Array;
  #lastMarkAt = 0;
  #markOwed = false;
  #clearOwed = false;
  /** The wheel calls. */
  #paced = false;
  #pumpedAtMs = 0;
  #settleAtMs = 0;
  /** The socket holds something back. */
  #backlogged = false;
  #flushed: (() => void) | null = null;
  #flushMark = "";
  #flushes = 0;
  #flushAgainMs = 0;
  #drainAt = -1;
  #drained: (() => void) | null = null;
  /** Time stands still for a closed playout: nothing more is heard. */
  #closedAtMs: number | null = null;
  readonly #counters = {
    outFrames: 0,
    outBytes: 0,
    outDropped: 0,
    outHeldBack: 0,
    underruns: 0,
    badAudio: 0,
    refusedBytes: 0,
    cuts: 0,
    cutBytes: 0,
  };

  constructor(options: PlayoutOptions) {
    const { streamSid } = options;
    this.#socket = options.socket;
    this.#clock = options.clock;
    this.#wheel = options.wheel;
    this.#log = options.log;
    this.#streamSid = streamSid;
    this.#leadMs = options.leadMs;
    this.#chunk = new Uint8Array(options.chunkMs * ULAW_BYTES_PER_MS);
    this.#markEveryBytes = options.markEveryMs * ULAW_BYTES_PER_MS;
    this.#onHeard = options.onHeard;
    this.#onFailed = options.onFailed;
    this.#metrics = options.metrics ?? new MediaMetrics();
    this.#firstFrame = new FirstFrame(options.clock, this.#metrics);
    this.#ring = new ByteRing(options.maxQueuedMs * ULAW_BYTES_PER_MS);
    this.#write = new MediaTextWriter(streamSid);
  }

  /** The fastest recent round trip to the carrier, 0 while unknown. */
  get roundTripMs(): number {
    return this.#carrier.roundTripMs;
  }

  /**
   * Queues a piece of the model's speech; what the lead allows is sent at once. Returns how many bytes of μ-law
   * the piece held, whether they were queued or refused. What is sent of a new item is recorded on `tape`.
   */
  play(chunk: ModelAudio, tape: Tape | null = null): number {
    if (this.#closedAtMs !== null) return 0;
    const nowMs = this.#nowMs();
    if (this.#ring.length === 0) this.#firstFrame.pieceCame(nowMs);
    const bytes = decodeBase64(chunk.base64);
    if (!bytes) {
      this.#counters.badAudio++;
      return 0;
    }
    if (bytes.length === 0) return 0;
    const item = this.#items.open(chunk, tape);
    item.receivedBytes += bytes.length;
    const fits = !item.refused && this.#ring.length + bytes.length <= this.#ring.maxBytes;
    if (!fits || !this.#items.append(item, bytes.length)) {
      if (!item.refused) this.#log.warn("media.playout_overflow", { streamSid: this.#streamSid });
      item.refused = true;
      this.#counters.refusedBytes += bytes.length;
      return bytes.length;
    }
    this.#ring.push(bytes);
    this.#pace();
    this.#pump(nowMs);
    this.#firstFrame.pieceTaken();
    return bytes.length;
  }

  /** The caller has stopped speaking: the next frame's delay is told to `turns`, if nothing older waits. */
  turnEnded(turns: Turns): void {
    if (this.#ring.length === 0) this.#firstFrame.turnEnded(this.#nowMs(), turns);
  }

  /** No more audio will come for this item, or for this response. */
  end(key: "itemId" | "responseId", id: string): void {
    if (this.#closedAtMs !== null) return;
    this.#items.finish(key, id);
    // Its last mark is owed when all its bytes went out before its end was known.
    const unmarked = this.#ring.length === 0 && this.#carrier.sent > this.#lastMarkAt;
    if (unmarked && this.#items.lastItem()?.ended) this.#markOwed = true;
    this.#pump(this.#nowMs());
    this.#settle();
  }

  /**
   * Stops playout now: drops what waits, empties the carrier's buffer, and returns the items that will not
   * be heard to their end, in order of playout. How much was heard counts what the carrier still plays
   * until the `clear` reaches it. With nothing unheard nothing is sent and the answer is empty; but where nothing
   * may be heard any more (`surely`) only marks prove that: a line that stalls brings late what was sent.
   */
  cut(surely = false): readonly HeardItem[] {
    const nowMs = this.#nowMs();
    const played = this.#carrier.heardWhenClearedRange(nowMs);
    const { position } = played;
    const anySent = this.#carrier.sent > this.#carrier.confirmed;
    if (position >= this.#items.end) {
      if (surely && anySent) this.#clear();
      this.#settle();
      return [];
    }
    this.#counters.cuts++;
    this.#counters.cutBytes += this.#items.end - position;
    const stoppedAtMs = this.#carrier.playsAtMs(position);
    this.#ring.clear();
    this.#carrier.cut();
    this.#lastMarkAt = this.#carrier.sent;
    this.#markOwed = false;
    const items = this.#items.cut(played, this.#carrier.sent, stoppedAtMs);
    if (anySent) this.#clear();
    this.#settle();
    return items;
  }

  /** How much of an item was heard by now; `null` for an item this leg does not remember. */
  heard(itemId: string, contentIndex = 0): Heard | null {
    const item = this.#items.find(itemId, contentIndex);
    return item ? this.#items.heard(item, this.#carrier.heardRange(this.#nowMs())) : null;
  }

  /** Milliseconds of audio, sent or queued, that were not heard yet. */
  pendingMs(): number {
    return (this.#items.end - this.#carrier.heard(this.#nowMs())) / ULAW_BYTES_PER_MS;
  }

  /**
   * Calls back once all audio queued so far is played or cut, at once when that is so already. A mark says
   * when; if it is lost, the clock does a little later. One waiter: a new one takes the place of the old.
   */
  onDrained(callback: (() => void) | null): void {
    this.#drained = callback;
    this.#drainAt = this.#items.end;
    if (callback) this.#settle();
  }

  /**
   * Clears what the carrier holds, and calls back once nothing that was sent so far can sound any more: when a mark
   * behind the `clear` has come back. A line that stands still holds back speech, `clear` and mark alike. One
   * waiter; none is told after {@link close}.
   */
  flush(callback: () => void): void {
    if (this.#closedAtMs !== null) return;
    this.#flushed = callback;
    this.#flushMark = `flush:${++this.#flushes}`;
    this.#clear();
    this.#sendFlushMark(this.#nowMs());
    this.#pace();
  }

  /** The socket can take data again after backpressure. */
  onWritable(): void {
    if (this.#closedAtMs === null) this.#pump(this.#nowMs());
  }

  onSlot(nowMs: number): void {
    try {
      if (this.#ring.length > 0 || this.#markOwed || this.#clearOwed) this.#pump(nowMs);
      if (this.#flushed && nowMs >= this.#flushAgainMs) this.#sendFlushMark(nowMs);
      if (nowMs >= this.#settleAtMs) this.#settle(nowMs);
    } catch (error) {
      this.#onFailed(error);
    }
  }

  /** A mark came back from the carrier. */
  onMark(name: string): void {
    if (this.#flushed && name === this.#flushMark) {
      const flushed = this.#flushed;
      this.#flushed = null;
      flushed();
      return;
    }
    if (!this.#carrier.markHeard(name, this.#nowMs())) return;
    this.#metrics.carrierRoundTrip.record(this.#carrier.lastRoundTripMs);
    this.#settle();
  }

  /** Nothing is sent or reported after it. {@link cut} still tells what was heard. */
  close(): void {
    this.#closedAtMs ??= this.#clock.monotonicMs();
    this.#drained = null;
    this.#flushed = null;
    this.#rest();
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#counters,
      ...this.#carrier.counters,
      roundTripMs: this.#carrier.roundTripMs,
      queuedBytes: this.#ring.length,
    };
  }

  #nowMs(): number {
    return this.#closedAtMs ?? this.#clock.monotonicMs();
  }

  #pump(nowMs: number): void {
    if (this.#clearOwed && !this.#flushClear()) return;
    if (this.#backlogged && this.#socket.bufferedBytes() > MAX_SOCKET_BYTES) {
      this.#counters.outHeldBack++;
      return;
    }
    this.#pumpedAtMs = nowMs;
    // A mark goes out with the chunk before it, and chunks of one burst together: a write costs more than all else.
    const chunkBytes = this.#chunk.length;
    const several =
      this.#markOwed ||
      this.#ring.length > chunkBytes ||
      this.#carrier.sent + chunkBytes - this.#lastMarkAt >= this.#markEveryBytes;
    if (several && this.#socket.cork) this.#socket.cork(this.#burst);
    else this.#burst();
  }

  readonly #burst = (): void => {
    for (let i = 0; i < MAX_BURST; i++) {
      if (this.#markOwed && !this.#sendMark()) return;
      if (this.#ring.length === 0 || !this.#sendChunk(this.#pumpedAtMs)) return;
    }
  };

  /** Sends the next chunk if it is time for it. A chunk never spans two items. */
  #sendChunk(nowMs: number): boolean {
    const segment = this.#items.at(this.#carrier.sent);
    if (!segment) return false;
    const aheadMs = this.#carrier.aheadMs(nowMs);
    const count = Math.min(this.#chunk.length, segment.end - this.#carrier.sent);
    const more = !segment.item.ended && this.#items.isLast(segment);
    if (aheadMs > NEARLY_DRY_MS) {
      if (aheadMs + count / ULAW_BYTES_PER_MS > this.#leadMs) return false;
      // A short chunk waits for the rest of it.
      if (count < this.#chunk.length && more) return false;
    }
    // The end of an item may be known only by the start of the next.
    const unmarked = this.#carrier.sent === segment.start && this.#carrier.sent > this.#lastMarkAt;
    if (unmarked && !this.#sendMark()) return false;
    this.#ring.peek(this.#chunk, count);
    const bytes = count === this.#chunk.length ? this.#chunk : this.#chunk.subarray(0, count);
    if (!this.#send(this.#write.media(bytes.toBase64()))) return false;
    this.#firstFrame.sent();
    this.level.add(this.#chunk, count);
    this.#ring.skip(count);
    this.#counters.outFrames++;
    this.#counters.outBytes += count;
    const within = this.#carrier.sent > segment.start;
    if (this.#carrier.send(nowMs, count) && within) this.#counters.underruns++;
    const sent = this.#carrier.sent;
    segment.item.tape?.add(this.#chunk, count, this.#carrier.playsAtMs(sent - count));
    const itemOver = sent === segment.end && !more;
    if (itemOver || sent - this.#lastMarkAt >= this.#markEveryBytes) this.#markOwed = true;
    return true;
  }

  #sendMark(): boolean {
    if (!this.#send(this.#write.mark(this.#carrier.nextMarkName()))) return false;
    this.#carrier.markSent();
    this.#lastMarkAt = this.#carrier.sent;
    this.#markOwed = false;
    return true;
  }

  #clear(): void {
    if (this.#closedAtMs !== null) return;
    this.#clearOwed = true;
    this.#flushClear();
  }

  /** Never ahead of the `clear`. */
  #sendFlushMark(nowMs: number): void {
    if (this.#clearOwed) return;
    this.#flushAgainMs = this.#send(this.#write.mark(this.#flushMark)) ? nowMs + FLUSH_AGAIN_MS : nowMs;
  }

  #flushClear(): boolean {
    if (!this.#send(this.#write.clear)) {
      this.#pace();
      return false;
    }
    this.#clearOwed = false;
    return true;
  }

  /** `false` when the socket dropped it. What a socket holds is asked for only once it has said that it holds some. */
  #send(text: string): boolean {
    const sent = this.#socket.send(text);
    this.#backlogged = sent <= 0;
    if (sent !== 0) return true;
    this.#counters.outDropped++;
    return false;
  }

  #pace(): void {
    if (this.#paced) return;
    this.#paced = true;
    this.#wheel.add(this);
  }

  #rest(): void {
    this.#paced = false;
    this.#wheel.remove(this);
  }

  /** Retires what is played for certain and tells about it; leaves the wheel when nothing is left to pace. */
  #settle(nowMs = this.#nowMs()): void {
    this.#settleAtMs = nowMs + SETTLE_EVERY_MS;
    const position = this.#carrier.settled(nowMs);
    this.#items.settle(position);
    const heard = this.#items.takeHeard();
    if (heard) for (const item of heard) this.#onHeard(item);
    if (this.#drained && position >= Math.min(this.#drainAt, this.#items.end)) {
      const drained = this.#drained;
      this.#drained = null;
      drained();
    }
    const idle = this.#items.end <= position && !this.#clearOwed && !this.#markOwed && !this.#flushed;
    if (idle && this.#paced) this.#rest();
  }
}
