import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { MediaSocket } from "../../../engine/media/socket.ts";

/** A clock of a process that can hang: time passes, and timers fire late. */
export class StallingClock extends VirtualClock {
  #stalledMs = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + this.#stalledMs;
  }

  stall(ms: number): void {
    this.#stalledMs += ms;
  }
}

export interface FakeCarrierOptions {
  readonly clock: VirtualClock;
  readonly oneWayMs?: number;
  /** More delay, per message and direction; order is kept, as on one TCP connection. */
  readonly jitterMs?: () => number;
  /** Loses a mark on its way back. */
  readonly losesMark?: (name: string) => boolean;
  /** What reaches the engine. */
  readonly toEngine: (text: string) => void;
  readonly streamSid?: string;
}

interface Held {
  readonly bytes: Uint8Array;
  readonly startMs: number;
}

/**
 * The carrier's end of a media stream on a virtual clock: it plays what arrives at 8 bytes per ms, returns
 * marks when they are played and all of them on `clear`, and knows exactly what was heard.
 */
export class FakeCarrier implements MediaSocket {
  readonly events: string[] = [];
  readonly marks: string[] = [];
  readonly frames: Uint8Array[] = [];
  closed: { code: number; reason: string } | null = null;
  /** When the last clear took effect. */
  clearedAtMs = Number.NaN;
  /** The answer of `send` and whether it was taken: 0 drops. */
  sendResult: (text: string) => number = (text) => text.length;
  buffered = 0;
  readonly #options: FakeCarrierOptions;
  readonly #clock: VirtualClock;
  readonly #oneWayMs: number;
  readonly #sid: string;
  readonly #heardBytes: number[] = [];
  #playing: Held[] = [];
  #playEndMs = 0;
  #lastOutMs = 0;
  #lastInMs = 0;
  #waitingMarks = new Map<string, unknown>();

  constructor(options: FakeCarrierOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#oneWayMs = options.oneWayMs ?? 0;
    this.#sid = options.streamSid ?? "MZ1";
  }

  send(text: string): number {
    const result = this.sendResult(text);
    if (result === 0) return 0;
    const delayMs = this.#oneWayMs + (this.#options.jitterMs?.() ?? 0);
    this.#lastOutMs = Math.max(this.#lastOutMs, this.#clock.monotonicMs() + delayMs);
    this.#clock.setTimeout(() => this.#receive(text), this.#lastOutMs - this.#clock.monotonicMs());
    this.events.push(JSON.parse(text).event as string);
    return result;
  }

  bufferedBytes(): number {
    return this.buffered;
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }

  /** Bytes played by now. */
  playedBytes(): number {
    this.#advance();
    return this.#heardBytes.length;
  }

  /** All that was ever heard, in order. */
  heard(): Uint8Array {
    this.#advance();
    return Uint8Array.from(this.#heardBytes);
  }

  /** Milliseconds waiting to be played. */
  bufferedMs(): number {
    return Math.max(0, this.#playEndMs - this.#clock.monotonicMs());
  }

  #receive(text: string): void {
    this.#advance();
    const message = JSON.parse(text) as {
      event: string;
      streamSid: string;
      media?: { payload: string };
      mark?: { name: string };
    };
    if (message.streamSid !== this.#sid) throw new Error(`wrong streamSid in ${text}`);
    if (message.media) {
      const bytes = Uint8Array.fromBase64(message.media.payload);
      this.frames.push(bytes);
      const startMs = Math.max(this.#playEndMs, this.#clock.monotonicMs());
      this.#playing.push({ bytes, startMs });
      this.#playEndMs = startMs + bytes.length / 8;
    } else if (message.mark) {
      this.#mark(message.mark.name);
    } else {
      this.#clear();
    }
  }

  #mark(name: string): void {
    this.marks.push(name);
    const waitMs = Math.max(0, this.#playEndMs - this.#clock.monotonicMs());
    this.#waitingMarks.set(
      name,
      this.#clock.setTimeout(() => this.#returnMark(name), waitMs),
    );
  }

  #returnMark(name: string): void {
    this.#waitingMarks.delete(name);
    if (this.#options.losesMark?.(name)) return;
    const delayMs = this.#oneWayMs + (this.#options.jitterMs?.() ?? 0);
    this.#lastInMs = Math.max(this.#lastInMs, this.#clock.monotonicMs() + delayMs);
    const text = JSON.stringify({ event: "mark", sequenceNumber: "9", streamSid: this.#sid, mark: { name } });
    this.#clock.setTimeout(() => this.#options.toEngine(text), this.#lastInMs - this.#clock.monotonicMs());
  }

  #clear(): void {
    this.#playing = [];
    this.#playEndMs = this.#clock.monotonicMs();
    this.clearedAtMs = this.#playEndMs;
    for (const [name, timer] of this.#waitingMarks) {
      this.#clock.clearTimeout(timer);
      this.#returnMark(name);
    }
  }

  /** Moves what was played by now from the buffer to the ear. */
  #advance(): void {
    const nowMs = this.#clock.monotonicMs();
    const rest: Held[] = [];
    for (const held of this.#playing) {
      const due = Math.min(held.bytes.length, Math.max(0, Math.floor((nowMs - held.startMs) * 8 + 1e-6)));
      for (let i = 0; i < due; i++) this.#heardBytes.push(held.bytes[i] as number);
      if (due === held.bytes.length) continue;
      rest.push({ bytes: held.bytes.subarray(due), startMs: held.startMs + due / 8 });
    }
    this.#playing = rest;
  }
}
