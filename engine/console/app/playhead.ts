/**
 * One playhead for a call's log and its recordings. While a track sounds, where that one is is where the playhead is:
 * a browser takes its time to load, to seek and to begin, and who waits for it is never ahead of it. The other tracks
 * are held to it, and where none sounds the clock goes on alone.
 */
import type { Clock } from "../../ports.ts";

/** What is needed of an `<audio>` element. Times are in seconds, as the browser has them. */
export interface Track {
  currentTime: number;
  playbackRate: number;
  preload: string;
  /** `NaN` before it is known. */
  readonly duration: number;
  readonly paused: boolean;
  readonly ended: boolean;
  readonly seeking: boolean;
  /** From 2 on (`HAVE_CURRENT_DATA`) `currentTime` is where it is, and not where it is to be. */
  readonly readyState: number;
  /** What went wrong for good. */
  readonly error: unknown;
  play(): Promise<void>;
  pause(): void;
  addEventListener(type: "seeking" | "pause", listener: () => void): void;
  removeEventListener(type: "seeking" | "pause", listener: () => void): void;
}

export interface PlayheadOptions {
  readonly clock: Pick<Clock, "monotonicMs" | "setTimeout" | "clearTimeout">;
  /** Where it is, in ms since the recordings begin; while it plays, each {@link TICK_MS}. */
  readonly onMove: (atMs: number) => void;
  readonly onPlaying: (playing: boolean) => void;
  /** The browser lets no track begin. */
  readonly onRefused: (error: unknown) => void;
}

export const TICK_MS = 50;
/** Two tracks that are further apart are heard as two. */
export const MAX_DRIFT_MS = 150;
/** A track that was put right needs time to begin: doing so again and again would keep it silent. */
const RIGHTED_AGAIN_AFTER_MS = 1000;
const HAVE_CURRENT_DATA = 2;
/** Browsers round the time that they are set to. */
const ROUNDING_S = 0.02;

interface Kept {
  /** What we have set it to, to know of whose doing a seek is. */
  setS: number;
  rightedAtMs: number;
}

export class Playhead {
  readonly #options: PlayheadOptions;
  readonly #tracks = new Map<Track, Kept>();
  #atMs = 0;
  #endMs = 0;
  #speed = 1;
  #playing = false;
  /** When `#atMs` was so, on the clock. */
  #sinceMs = 0;
  #timer: unknown = null;
  /** How often a track was put right. */
  readonly counters = { righted: 0 };

  constructor(options: PlayheadOptions) {
    this.#options = options;
  }

  get atMs(): number {
    return this.#atMs;
  }

  get playing(): boolean {
    return this.#playing;
  }

  /** Where it stops, in ms since the recordings begin. */
  setEnd(endMs: number): void {
    this.#endMs = endMs;
  }

  setSpeed(speed: number): void {
    this.#speed = speed;
    for (const track of this.#tracks.keys()) track.playbackRate = speed;
  }

  /** Plays along until what is returned is called. */
  add(track: Track): () => void {
    const kept: Kept = { setS: track.currentTime, rightedAtMs: Number.NEGATIVE_INFINITY };
    const onSeeking = (): void => {
      const toS = track.currentTime;
      if (Math.abs(toS - kept.setS) <= ROUNDING_S || this.#isBehindEnd(track, kept.setS)) return;
      kept.setS = toS;
      this.#goTo(toS * 1000, track);
    };
    // By the keys of a keyboard or a headset, that is: what we stop ourselves is not playing any more by then.
    const onPause = (): void => {
      if (this.#playing && !track.ended && !track.error && this.#isDue(track)) this.stop();
    };
    track.addEventListener("seeking", onSeeking);
    track.addEventListener("pause", onPause);
    track.playbackRate = this.#speed;
    this.#tracks.set(track, kept);
    this.#set(track, kept);
    return () => {
      this.#tracks.delete(track);
      track.removeEventListener("seeking", onSeeking);
      track.removeEventListener("pause", onPause);
      if (!track.paused) track.pause();
    };
  }

  play(): void {
    if (this.#playing) return;
    this.#playing = true;
    this.#sinceMs = this.#options.clock.monotonicMs();
    this.#options.onPlaying(true);
    this.#tick();
  }

  stop(): void {
    if (!this.#playing) return;
    this.#playing = false;
    this.#options.clock.clearTimeout(this.#timer);
    const [first] = this.#due();
    if (first && isThere(first) && !first.paused) this.#atMs = first.currentTime * 1000;
    for (const track of this.#tracks.keys()) if (!track.paused) track.pause();
    this.#options.onPlaying(false);
    this.#options.onMove(this.#atMs);
  }

  /** All tracks as well; whether it plays stays as it is. `onMove` is not told: who asks knows. */
  seek(atMs: number): void {
    this.#atMs = Math.max(0, atMs);
    this.#sinceMs = this.#options.clock.monotonicMs();
    for (const [track, kept] of this.#tracks) this.#set(track, kept);
  }

  readonly #tick = (): void => {
    const { clock, onMove } = this.#options;
    const nowMs = clock.monotonicMs();
    const [first] = this.#due();
    if (!first) this.#atMs += (nowMs - this.#sinceMs) * this.#speed;
    else if (isThere(first) && !first.paused) this.#atMs = first.currentTime * 1000;
    this.#sinceMs = nowMs;
    if (this.#atMs >= this.#endMs) {
      this.stop();
      this.#atMs = this.#endMs;
      return onMove(this.#atMs);
    }
    for (const [track, kept] of this.#tracks) {
      if (!this.#isDue(track)) {
        if (!track.paused) track.pause();
      } else if (track.paused) this.#begin(track, kept);
      else if (track !== first) this.#hold(track, kept, nowMs);
    }
    this.#timer = clock.setTimeout(this.#tick, TICK_MS);
    onMove(this.#atMs);
  };

  #begin(track: Track, kept: Kept): void {
    track.preload = "auto";
    this.#set(track, kept);
    track.play().catch((error: unknown) => {
      // Somebody has stopped it before it could begin, or it is broken, which its own event tells.
      if (!this.#playing || track.error || !this.#tracks.has(track) || !track.paused) return;
      if ((error as Error).name === "AbortError") return;
      this.stop();
      this.#options.onRefused(error);
    });
  }

  #hold(track: Track, kept: Kept, nowMs: number): void {
    const apartMs = Math.abs(track.currentTime * 1000 - this.#atMs);
    if (!isThere(track) || apartMs <= MAX_DRIFT_MS) return;
    if (nowMs - kept.rightedAtMs < RIGHTED_AGAIN_AFTER_MS) return;
    kept.rightedAtMs = nowMs;
    this.counters.righted++;
    this.#set(track, kept);
  }

  #set(track: Track, kept: Kept): void {
    const toS = this.#atMs / 1000;
    kept.setS = toS;
    if (Math.abs(track.currentTime - toS) > ROUNDING_S && !this.#isBehindEnd(track, toS))
      track.currentTime = toS;
  }

  #goTo(atMs: number, by: Track): void {
    this.#atMs = atMs;
    this.#sinceMs = this.#options.clock.monotonicMs();
    for (const [track, kept] of this.#tracks) if (track !== by) this.#set(track, kept);
    this.#options.onMove(atMs);
  }

  #due(): readonly Track[] {
    return [...this.#tracks.keys()].filter((track) => this.#isDue(track));
  }

  /** It has something at this moment, as far as is known. */
  #isDue(track: Track): boolean {
    return !track.error && !track.ended && !this.#isBehindEnd(track, this.#atMs / 1000);
  }

  #isBehindEnd({ duration }: Track, atS: number): boolean {
    return Number.isFinite(duration) && atS >= duration;
  }
}

function isThere({ readyState, seeking }: Track): boolean {
  return readyState >= HAVE_CURRENT_DATA && !seeking;
}
