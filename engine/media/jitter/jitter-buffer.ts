import { invariant } from "../../errors.ts";
import { ULAW_BYTES_PER_MS, ULAW_SILENCE } from "../g711.ts";
import { ulawPower } from "../level.ts";
import { compress } from "./compress.ts";
import { Concealer } from "./concealer.ts";
import { newJitterCounters, type JitterCounters } from "./counters.ts";
import { FRAME_BYTES, FRAME_MS, FrameRing } from "./frame-ring.ts";

const TARGET_QUANTILE = 0.95;
/** The target stays below this share of the capacity, so that a burst has room above it. */
const MAX_TARGET_SHARE = 0.75;
/** With so many pops well above the target and no pause, speech is compressed: at most every third frame. */
const PATIENCE_POPS = 10;
const CUT_EVERY_POPS = 3;
/** Half a second of pops tells how much is really held. */
const WATCHED_POPS = 25;

/** −50 dBov: the noise of a room on a phone line lies below it, speech far above. */
const QUIET_POWER = 10 ** (-50 / 10);

/** `buffering`: frames gather and stream time stands still. `playing`: each pop plays 20 ms of the stream. */
export type JitterState = "buffering" | "playing";

/** What `out` holds after a pop: audio that came, audio made up for a short loss, or silence. */
export type Popped = "frame" | "concealed" | "silence";

export interface JitterBufferOptions {
  /** Frames held at most; the oldest makes room. */
  readonly capacityFrames: number;
  /** Where sequence numbers wrap: 16 for RTP. Default 32. */
  readonly sequenceBits?: 16 | 32;
  /** The adaptive target never falls below this. Default 1. */
  readonly minTargetFrames?: number;
}

/**
 * Turns frames that come unevenly, in any order, into one every 20 ms: 160 bytes of μ-law each, of one stream.
 * It has no clock: whoever pops gives the beat, and several buffers popped on one beat stay in step.
 *
 * - The target depth follows the 95th percentile of relative delay ({@link DelayEstimator}), or is fixed.
 * - A frame that is missing when its turn comes is concealed, and dropped as late should it come after all.
 * - When nothing at all is held, stream time stands still until something is: a stall delays and loses nothing.
 * - Delay above the target is taken out in pauses, and when no pause comes out of speech, by whole pitch
 *   periods. Delay that falls short of it is added in pauses.
 *
 * Every frame given is played, trimmed in a pause, or in `duplicates`, `late`, `overflow`, `stale` or `strays`.
 * Nothing is allocated after the constructor.
 */
export class JitterBuffer {
  readonly counters: JitterCounters = newJitterCounters();
  readonly #ring: FrameRing;
  readonly #minTarget: number;
  readonly #maxTarget: number;
  readonly #concealer = new Concealer();
  #concealing = false;
  #state: JitterState = "buffering";
  #target = 0;
  #listening = false;
  /** 0: the target adapts, and this many samples of delay went into it. */
  #fixedTarget = 0;
  #samples = -1;
  /** Pops that waited for depth, and those for which stream time has stood still. */
  #waited = 0;
  #stood = 0;
  /** The greatest depth in so many pops, and the frames by which the last such depth fell short. */
  #peak = 0;
  #watched = 0;
  #owed = 0;
  #loudPops = 0;
  #hurrying = false;
  #sinceCut = 0;
  /** Audio that was taken but not put out yet: what a cut leaves is not whole frames. */
  readonly #rest = new Uint8Array(3 * FRAME_BYTES);
  #restBytes = 0;
  readonly #scratch = new Uint8Array(FRAME_BYTES);
  /** Stream time after what was taken last, and at the beginning of what was put out last. */
  #endMs = NaN;
  #poppedMs = NaN;

  constructor(options: JitterBufferOptions) {
    const { capacityFrames, sequenceBits = 32, minTargetFrames = 1 } = options;
    this.#maxTarget = Math.floor(capacityFrames * MAX_TARGET_SHARE);
    invariant(minTargetFrames >= 1 && minTargetFrames <= this.#maxTarget, "jitter buffer: too small");
    this.#minTarget = minTargetFrames;
    this.#ring = new FrameRing(capacityFrames, sequenceBits, this.counters);
    this.#retarget();
  }

  get state(): JitterState {
    return this.#state;
  }

  /** From the frame that is due to the newest one, missing ones included. */
  get depthFrames(): number {
    return this.#ring.span;
  }

  /** The depth that is aimed at, the frame that is due included. */
  get targetFrames(): number {
    return this.#target;
  }

  /**
   * The stream's own time at the first sample of the last pop, for who lays several streams side by side; `NaN`
   * when that was no part of the stream.
   */
  get poppedTimestampMs(): number {
    return this.#poppedMs;
  }

  /** Keeps the target at `frames`; what comes later than the fastest by more than `maxLateMs` is dropped. */
  fixTarget(frames: number, maxLateMs: number = Infinity): void {
    this.#fixedTarget = Math.max(1, Math.min(frames, this.#maxTarget));
    this.#ring.maxLateMs = maxLateMs;
    this.#retarget();
  }

  /** The target follows the delay again. */
  adapt(): void {
    this.#fixedTarget = 0;
    this.#ring.maxLateMs = Infinity;
    this.#retarget();
  }

  /**
   * Takes a frame (160 bytes, copied). `timestampMs` is where it belongs in the stream, on any clock that runs
   * like the stream's; `arrivalMs` is when it came, on one that never goes back.
   */
  push(sequence: number, timestampMs: number, arrivalMs: number, frame: Uint8Array): void {
    this.#ring.push(sequence, timestampMs, arrivalMs, frame);
  }

  /** Fills `out` (160 bytes) with the next 20 ms. */
  pop(out: Uint8Array): Popped {
    if (this.#restBytes > 0 || this.#hurrying) return this.#popThroughRest(out);
    const popped = this.#take(out);
    this.#poppedMs = this.#endMs - FRAME_MS;
    return popped;
  }

  #retarget(): void {
    this.#samples = this.#ring.delay.samples;
    const wantedFrames = Math.ceil(this.#ring.delay.delayQuantileMs(TARGET_QUANTILE) / FRAME_MS);
    const adaptive = Math.max(this.#minTarget, Math.min(wantedFrames, this.#maxTarget));
    this.#target = this.#fixedTarget > 0 ? this.#fixedTarget : adaptive;
  }

  #take(out: Uint8Array): Popped {
    if (this.#ring.delay.samples !== this.#samples) this.#retarget();
    if (!this.#listening) this.#listen();
    if (this.#state === "buffering" && !this.#mayPlay()) return this.#standStill(out);
    if (this.#ring.span > this.#target) this.#shed();
    else {
      this.#hurrying = false;
      this.#loudPops = 0;
    }
    const ring = this.#ring;
    if (this.#widens()) {
      // The noise of the pause goes on for one more frame.
      out.set(ring.before(1));
      return "concealed";
    }
    while (ring.span > 0) {
      if (ring.isHere) {
        out.set(ring.frame);
        this.#played();
        if (this.#concealing) this.#endConcealment(out);
        return "frame";
      }
      if (this.#stood > 0) {
        // What was put out while stream time stood still took the place of this one.
        this.#stood--;
        this.counters.expanded--;
        ring.skipMissing();
        continue;
      }
      this.#endMs += FRAME_MS;
      const popped = this.#conceal(out);
      ring.skipMissing(out);
      return popped;
    }
    this.#state = "buffering";
    this.counters.underflow++;
    return this.#standStill(out);
  }

  /** After what was taken but not put out. */
  #popThroughRest(out: Uint8Array): Popped {
    const rest = this.#rest;
    const enough = this.#ring.span >= this.#target || this.#state === "buffering";
    if (this.#restBytes > 0 && enough && isQuiet(rest, this.#restBytes)) {
      // A pause: what is left of the last cut goes, and frames are whole again.
      this.counters.compressedSamples += this.#restBytes;
      this.#restBytes = 0;
    }
    let popped: Popped = "frame";
    if (this.#restBytes < FRAME_BYTES && !(this.#hurrying && this.#cut())) {
      popped = this.#take(this.#scratch);
      if (popped === "silence" && this.#restBytes > 0) popped = "concealed";
      rest.set(this.#scratch, this.#restBytes);
      this.#restBytes += FRAME_BYTES;
    }
    this.#poppedMs = this.#endMs - this.#restBytes / ULAW_BYTES_PER_MS;
    for (let i = 0; i < FRAME_BYTES; i++) out[i] = rest[i] as number;
    this.#restBytes -= FRAME_BYTES;
    rest.copyWithin(0, FRAME_BYTES, FRAME_BYTES + this.#restBytes);
    return popped;
  }

  /** Takes two frames and cuts pitch periods out of them; `false` when it is not yet time, or they are not there. */
  #cut(): boolean {
    if (++this.#sinceCut < CUT_EVERY_POPS || this.#state !== "playing" || this.#ring.span < 2) return false;
    if (!this.#ring.isHere || !this.#ring.nextIsHere || this.#concealing) return false;
    for (let i = 0; i < 2; i++) {
      this.#rest.set(this.#ring.frame, this.#restBytes);
      this.#restBytes += FRAME_BYTES;
      this.#played();
    }
    const bytes = compress(this.#rest, this.#restBytes);
    this.#restBytes -= bytes;
    this.#sinceCut = 0;
    this.counters.compressions++;
    this.counters.compressedSamples += bytes;
    if (this.#ring.span <= this.#target) this.#hurrying = false;
    return true;
  }

  /** What came before anybody listened is not played late, but for the newest of it. */
  #listen(): void {
    this.#listening = true;
    if (this.#ring.span > this.#target) this.#ring.begun = true;
    while (this.#ring.span > this.#target) {
      if (this.#ring.isHere) this.counters.stale++;
      this.#ring.skip();
    }
  }

  /** Whether enough is held to begin. A few frames that are followed by nothing are let out after a while. */
  #mayPlay(): boolean {
    if (this.#ring.span === 0) return false;
    // After a stall half the target will do: what comes now has been delayed already.
    const needed = this.#ring.begun ? Math.max(1, this.#target >> 1) : this.#target;
    if (this.#ring.span < needed && this.#waited < needed) {
      this.#waited++;
      return false;
    }
    this.#waited = 0;
    this.#ring.begun = true;
    this.#state = "playing";
    this.counters.started++;
    return true;
  }

  #standStill(out: Uint8Array): Popped {
    this.#endMs = NaN;
    if (!this.#ring.begun) {
      out.fill(ULAW_SILENCE);
      return "silence";
    }
    this.#stood++;
    this.counters.expanded++;
    return this.#conceal(out);
  }

  #conceal(out: Uint8Array): Popped {
    if (!this.#concealing) {
      this.#concealing = true;
      this.#concealer.begin(this.#ring.before(3), this.#ring.before(2), this.#ring.before(1));
    }
    if (this.#concealer.next(out)) {
      this.counters.concealed++;
      return "concealed";
    }
    this.counters.silent++;
    return "silence";
  }

  #endConcealment(frame: Uint8Array): void {
    this.#concealing = false;
    this.#concealer.end(frame);
  }

  /** More is held than wanted: leaves out what is silent, and notes for how long there was nothing silent. */
  #shed(): void {
    // Two quiet frames in a row are a pause; one may be part of a word.
    while (this.#ring.span > this.#target && isQuiet(this.#ring.before(1), FRAME_BYTES)) {
      if (this.#ring.isHere) {
        if (!isQuiet(this.#ring.frame, FRAME_BYTES)) break;
        this.counters.trimmed++;
        this.#ring.skip();
      } else {
        this.counters.skipped++;
        this.#ring.skipMissing();
      }
      this.#loudPops = 0;
    }
    if (this.#ring.span <= this.#target + 1) return;
    if (++this.#loudPops >= PATIENCE_POPS || this.#ring.span >= this.#maxTarget) this.#hurrying = true;
  }

  /** Whether stream time is to stand still for a frame, because less is held than wanted and there is a pause. */
  #widens(): boolean {
    const { span } = this.#ring;
    if (span > this.#peak) this.#peak = span;
    if (++this.#watched >= WATCHED_POPS) {
      // The depth when the fastest frame has come is the delay; it is less whenever a frame is late.
      this.#owed = this.#target - this.#peak;
      this.#peak = 0;
      this.#watched = 0;
    }
    if (this.#owed <= 0 || !this.#ring.isHere) return false;
    if (!isQuiet(this.#ring.before(1), FRAME_BYTES) || !isQuiet(this.#ring.frame, FRAME_BYTES)) return false;
    this.#owed--;
    this.#endMs = NaN;
    this.counters.expanded++;
    return true;
  }

  #played(): void {
    this.counters.played++;
    this.#endMs = this.#ring.timestampMs + FRAME_MS;
    this.#stood = 0;
    this.#ring.skip();
  }
}

/** Whether the first `bytes` of `ulaw` are a pause. */
function isQuiet(ulaw: Uint8Array, bytes: number): boolean {
  return ulawPower(ulaw, bytes) <= QUIET_POWER;
}
