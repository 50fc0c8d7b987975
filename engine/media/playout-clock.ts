import { ULAW_BYTES_PER_MS } from "./g711.ts";
import { RoundTrips } from "./round-trips.ts";

/** A silence of this long lets the carrier's buffer run dry whatever delayed it before. */
const IDLE_MS = 1_000;
/** A mark later than this after its due time is taken for lost. */
const LOST_AFTER_MS = 250;
/** Outstanding marks remembered; the oldest is forgotten first. */
const MAX_OUTSTANDING = 256;
/** One way at most while no mark has shown it: what ITU-T G.114 allows a call in all. */
const ASSUMED_DELAY_MS = 150;

interface Mark {
  readonly position: number;
  /** When the byte before it is played, by the clock. */
  readonly dueMs: number;
}

/** Where the carrier is, and between which positions it really may be. */
export interface PlayedRange {
  readonly low: number;
  readonly position: number;
  readonly high: number;
}

/**
 * Where the carrier is in the audio it was sent. Positions are bytes since the leg began.
 *
 * The carrier plays what it has at 8 bytes per ms, from the moment it arrives. So the send times alone tell
 * its position, but for the time on the wire: this is the byte clock, and it starts anew when the carrier
 * ran dry. Marks come back when their place was played: they are certain, but late by the round trip, and
 * some never come (https://github.com/bolna-ai/bolna/issues/962 lost 15 of 46). The fastest recent round
 * trip, halved, is the delay on the wire; marks that all come later than that show a carrier that is behind.
 *
 * Each position comes with the range in which the truth lies, provided that the carrier plays in real time
 * what it has, that both ways take equally long, and that a trip varies no more than the trips of late did.
 * Where that does not hold the range may miss the truth: by the difference of the two ways, or by a stall of
 * the line that began too short a time ago for a mark to be missed. While one is overdue, nothing counts but
 * what holds without any assumption, and what every range keeps to: what marks confirm, and what was sent.
 */
export class PlayoutClock {
  readonly counters = { marksSent: 0, marksHeard: 0, marksStale: 0, marksForgotten: 0, marksSkipped: 0 };
  readonly #marks = new Map<number, Mark>();
  readonly #trips = new RoundTrips();
  #generation = 0;
  #sequence = 0;
  #sent = 0;
  #confirmed = 0;
  #playEndMs = Number.NEGATIVE_INFINITY;
  #runStart = 0;
  /** End of the run before this one: what was still on the wire when this one began. */
  #previousEndMs = Number.NEGATIVE_INFINITY;
  #previousStart = 0;

  get sent(): number {
    return this.#sent;
  }

  get confirmed(): number {
    return this.#confirmed;
  }

  /** The fastest recent round trip to the carrier, 0 while unknown. */
  get roundTripMs(): number {
    return this.#trips.fastestMs;
  }

  /** The round trip of the newest mark: how much later it came back than its place was due to be played. */
  get lastRoundTripMs(): number {
    return this.#trips.lastMs;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Milliseconds of audio that the carrier has not played yet, as if it received at once. */
  aheadMs(nowMs: number): number {
    return Math.max(0, this.#playEndMs - nowMs);
  }

  /** Notes `bytes` sent now. Returns `true` when the carrier had run dry before them. */
  send(nowMs: number, bytes: number): boolean {
    const dry = nowMs > this.#playEndMs;
    if (dry) {
      if (nowMs - this.#playEndMs > IDLE_MS) this.#trips.forgetBehind();
      this.#previousEndMs = this.#playEndMs;
      this.#previousStart = this.#runStart;
      this.#runStart = this.#sent;
      this.#playEndMs = nowMs;
    }
    this.#sent += bytes;
    this.#playEndMs += bytes / ULAW_BYTES_PER_MS;
    return dry;
  }

  /** Name of the mark that goes out now, after everything sent so far. */
  nextMarkName(): string {
    return `g${this.#generation}:${this.#sequence + 1}`;
  }

  /** Notes that the mark of {@link nextMarkName} was sent. */
  markSent(): void {
    this.counters.marksSent++;
    this.#marks.set(++this.#sequence, { position: this.#sent, dueMs: this.#playEndMs });
    if (this.#marks.size <= MAX_OUTSTANDING) return;
    for (const oldest of this.#marks.keys()) {
      this.#marks.delete(oldest);
      this.counters.marksForgotten++;
      break;
    }
  }

  /** A mark came back. Returns `false` when it proves nothing: not ours, or of a generation that was cut. */
  markHeard(name: string, nowMs: number): boolean {
    const parts = /^g(\d{1,9}):(\d{1,9})$/.exec(name);
    const sequence = parts ? Number(parts[2]) : 0;
    const mark = parts && Number(parts[1]) === this.#generation ? this.#marks.get(sequence) : undefined;
    if (!mark) {
      this.counters.marksStale++;
      return false;
    }
    this.counters.marksHeard++;
    // Marks come back in order: those before this one are lost.
    for (const earlier of this.#marks.keys()) {
      if (earlier > sequence) break;
      this.#marks.delete(earlier);
      if (earlier < sequence) this.counters.marksSkipped++;
    }
    this.#confirmed = Math.max(this.#confirmed, mark.position);
    this.#trips.learn(nowMs - mark.dueMs);
    return true;
  }

  /** Bytes the carrier has played by now. */
  heard(nowMs: number): number {
    const { behindMs, fastestMs } = this.#trips;
    return this.#clamp(this.#positionAt(nowMs - behindMs - fastestMs / 2));
  }

  heardRange(nowMs: number): PlayedRange {
    const { behindMs, fastestMs, isKnown } = this.#trips;
    const earlyMs = isKnown ? 0 : ASSUMED_DELAY_MS;
    return this.#range(this.heard(nowMs), nowMs, nowMs - behindMs - fastestMs / 2, earlyMs);
  }

  /**
   * Bytes the carrier will have played when a `clear` sent now takes effect: the clear travels as long as
   * the audio did, so the time on the wire cancels out.
   */
  heardWhenCleared(nowMs: number): number {
    return this.#clamp(this.#positionAt(nowMs - this.#trips.behindMs));
  }

  heardWhenClearedRange(nowMs: number): PlayedRange {
    return this.#range(this.heardWhenCleared(nowMs), nowMs, nowMs - this.#trips.behindMs, 0);
  }

  /** When the byte at `position`, of the last two runs, is played or was, if the carrier received it at once. */
  playsAtMs(position: number): number {
    return position >= this.#runStart
      ? this.#playEndMs - (this.#sent - position) / ULAW_BYTES_PER_MS
      : this.#previousEndMs - (this.#runStart - position) / ULAW_BYTES_PER_MS;
  }

  /** Bytes that are played for certain: by their mark, or because that mark is long overdue. */
  settled(nowMs: number): number {
    const { behindMs, fastestMs } = this.#trips;
    return this.#clamp(this.#positionAt(nowMs - behindMs - fastestMs - LOST_AFTER_MS));
  }

  /** The carrier's buffer was cleared: marks on the way prove nothing any more. */
  cut(): void {
    this.#generation++;
    this.#marks.clear();
    this.#trips.forgetBehind();
    this.#confirmed = this.#sent;
    this.#runStart = this.#sent;
    this.#previousStart = this.#sent;
    this.#playEndMs = Number.NEGATIVE_INFINITY;
    this.#previousEndMs = Number.NEGATIVE_INFINITY;
  }

  #positionAt(atMs: number): number {
    const played = this.#sent - (this.#playEndMs - atMs) * ULAW_BYTES_PER_MS;
    if (played >= this.#runStart) return Math.min(played, this.#sent);
    const before = this.#runStart - (this.#previousEndMs - atMs) * ULAW_BYTES_PER_MS;
    return Math.min(Math.max(before, this.#previousStart), this.#runStart);
  }

  #clamp(position: number): number {
    return Math.floor(Math.min(this.#sent, Math.max(this.#confirmed, position)));
  }

  /** @param earlyMs by how much less may have been played on top of what the trips tell. */
  #range(position: number, nowMs: number, atMs: number, earlyMs: number): PlayedRange {
    const { spreadMs } = this.#trips;
    if (this.#isMarkOverdue(nowMs, spreadMs)) return { low: this.#confirmed, position, high: this.#sent };
    const low = this.#clamp(this.#positionAt(atMs - spreadMs - earlyMs));
    const high = this.#clamp(this.#positionAt(atMs + spreadMs));
    return { low, position, high };
  }

  /** The next mark is later than any was of late: it is lost, or the line or the carrier stands still. */
  #isMarkOverdue(nowMs: number, spreadMs: number): boolean {
    const { behindMs, fastestMs, isKnown } = this.#trips;
    if (!isKnown) return false;
    for (const { dueMs } of this.#marks.values()) {
      const overdueMs = nowMs - dueMs - fastestMs - behindMs - spreadMs;
      if (overdueMs <= LOST_AFTER_MS) return overdueMs > 0;
    }
    return false;
  }
}
