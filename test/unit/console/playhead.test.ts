/** The playhead on tracks that begin, stall and wander as those of a browser do, each on its own clock. */
import { describe, expect, test } from "bun:test";
import { MAX_DRIFT_MS, Playhead, TICK_MS, type Track } from "../../../engine/console/app/playhead.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

/** An `<audio>` element as far as the playhead sees it. */
class FakeTrack implements Track {
  playbackRate = 1;
  preload = "none";
  error: unknown = null;
  readyState = 0;
  seeking = false;
  paused = true;
  /** Its clock goes this much faster than ours. */
  wander = 0;
  refuses: string | null = null;
  readonly #clock: VirtualClock;
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #seconds: number;
  #atS = 0;
  #sinceMs = 0;

  constructor(clock: VirtualClock, seconds: number) {
    this.#clock = clock;
    this.#seconds = seconds;
  }

  get duration(): number {
    return this.readyState === 0 ? Number.NaN : this.#seconds;
  }

  get ended(): boolean {
    return this.readyState > 0 && this.currentTime >= this.#seconds;
  }

  get currentTime(): number {
    if (this.paused || this.readyState < 2) return this.#atS;
    const passedS = (this.#clock.monotonicMs() - this.#sinceMs) / 1000;
    return Math.min(this.#seconds, this.#atS + passedS * this.playbackRate * (1 + this.wander));
  }

  set currentTime(toS: number) {
    this.#place(toS);
    this.tell("seeking");
  }

  async play(): Promise<void> {
    if (this.refuses !== null) throw Object.assign(new Error("no gesture"), { name: this.refuses });
    this.paused = false;
    this.#place(this.#atS);
  }

  pause(): void {
    this.#place(this.currentTime);
    this.paused = true;
    this.tell("pause");
  }

  /** The browser has read some of it. */
  load(): void {
    this.readyState = 4;
    this.#place(Math.min(this.#atS, this.#seconds));
  }

  addEventListener(type: string, listener: () => void): void {
    const all = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, all.add(listener));
  }

  removeEventListener(type: string, listener: () => void): void {
    this.#listeners.get(type)?.delete(listener);
  }

  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  tell(type: string): void {
    for (const listener of this.#listeners.get(type) ?? []) listener();
  }

  #place(atS: number): void {
    this.#atS = atS;
    this.#sinceMs = this.#clock.monotonicMs();
  }
}

function make(...seconds: readonly number[]) {
  const clock = new VirtualClock();
  const moves: number[] = [];
  const refused: unknown[] = [];
  const playing: boolean[] = [];
  const playhead = new Playhead({
    clock,
    onMove: (atMs) => moves.push(atMs),
    onPlaying: (is) => playing.push(is),
    onRefused: (error) => refused.push(error),
  });
  playhead.setEnd(60_000);
  const tracks = seconds.map((each) => new FakeTrack(clock, each));
  const leaves = tracks.map((track) => playhead.add(track));
  return { clock, playhead, tracks, leaves, moves, refused, playing };
}

describe("the playhead", () => {
  test("waits until the track can be heard, and is from then on where the track is", () => {
    const { clock, playhead, tracks } = make(30);
    const [track] = tracks as [FakeTrack];
    playhead.play();
    expect(track.preload).toBe("auto");
    clock.advance(5000);
    expect(playhead.atMs).toBe(0);
    track.load();
    track.wander = 0.1;
    clock.advance(2000);
    expect(Math.abs(playhead.atMs - track.currentTime * 1000)).toBeLessThan(2 * TICK_MS);
    expect(playhead.atMs).toBeGreaterThan(2000);
  });

  test("holds further tracks to the first one", () => {
    const { clock, playhead, tracks } = make(40, 40);
    const [first, second] = tracks as [FakeTrack, FakeTrack];
    for (const track of tracks) track.load();
    second.wander = 0.05;
    playhead.play();
    let widestMs = 0;
    for (let i = 0; i < 300; i++) {
      clock.advance(100);
      widestMs = Math.max(widestMs, Math.abs(first.currentTime - second.currentTime) * 1000);
    }
    // It gains 5 ms a look, and is put right at the next one.
    expect(widestMs).toBeWithin(MAX_DRIFT_MS - TICK_MS, MAX_DRIFT_MS + TICK_MS);
    expect(playhead.counters.righted).toBe(9);
  });

  test("goes on by the clock when the track has ended, stops at the end of the log, and can go back", () => {
    const { clock, playhead, tracks, moves, playing } = make(10);
    const [track] = tracks as [FakeTrack];
    track.load();
    playhead.seek(8000);
    playhead.play();
    clock.advance(20_000);
    expect(track.ended).toBe(true);
    expect(Math.abs(playhead.atMs - 28_000)).toBeLessThanOrEqual(2 * TICK_MS);
    clock.advance(60_000);
    expect([playhead.atMs, moves.at(-1), playhead.playing]).toEqual([60_000, 60_000, false]);
    playhead.seek(1000);
    playhead.play();
    clock.advance(1000);
    expect(Math.abs(playhead.atMs - 2000)).toBeLessThanOrEqual(2 * TICK_MS);
    expect(playing).toEqual([true, false, true]);
  });

  test("is not pulled back by a track that turns out to be shorter", () => {
    const { clock, playhead, tracks } = make(10);
    const [track] = tracks as [FakeTrack];
    playhead.seek(20_000);
    playhead.play();
    track.load();
    track.tell("seeking");
    clock.advance(1000);
    expect(Math.abs(playhead.atMs - 21_000)).toBeLessThanOrEqual(2 * TICK_MS);
    expect(track.paused).toBe(true);
  });

  test("takes the tracks along when it is moved, and is moved by any of them", () => {
    const { playhead, tracks, moves } = make(30, 30);
    const [first, second] = tracks as [FakeTrack, FakeTrack];
    for (const track of tracks) track.load();
    playhead.seek(12_000);
    expect([first.currentTime, second.currentTime, moves]).toEqual([12, 12, []]);
    second.currentTime = 7;
    expect([first.currentTime, playhead.atMs, moves]).toEqual([7, 7000, [7000]]);
  });

  test("plays as fast as it is asked to, with and without a sound", () => {
    const { clock, playhead, tracks } = make(20);
    const [track] = tracks as [FakeTrack];
    track.load();
    playhead.setSpeed(4);
    playhead.play();
    clock.advance(8000);
    expect(Math.abs(playhead.atMs - 32_000)).toBeLessThanOrEqual(4 * 2 * TICK_MS);
    expect(track.playbackRate).toBe(4);
  });

  test("stops when a track is stopped by a key of the keyboard, and says so", () => {
    const { clock, playhead, tracks, playing } = make(20);
    const [track] = tracks as [FakeTrack];
    track.load();
    playhead.play();
    clock.advance(1000);
    track.pause();
    expect([playhead.playing, playing]).toEqual([false, [true, false]]);
    clock.advance(1000);
    expect(Math.abs(playhead.atMs - 1000)).toBeLessThanOrEqual(TICK_MS);
  });

  test("stops and tells why when the browser lets nothing begin, and plays on without what is broken", async () => {
    const refusing = make(20);
    const [track] = refusing.tracks as [FakeTrack];
    track.refuses = "NotAllowedError";
    refusing.playhead.play();
    await Promise.resolve();
    expect(refusing.playhead.playing).toBe(false);
    expect(refusing.refused).toHaveLength(1);

    const broken = make(20);
    const [other] = broken.tracks as [FakeTrack];
    other.refuses = "NotSupportedError";
    broken.playhead.play();
    other.error = { code: 4 };
    await Promise.resolve();
    broken.clock.advance(1000);
    expect([broken.playhead.playing, broken.refused]).toEqual([true, []]);
    expect(broken.playhead.atMs).toBeGreaterThan(900);
  });

  test("leaves a track that does not play along any more silent, and listens to it no longer", () => {
    const { clock, playhead, tracks, leaves } = make(20, 30);
    const [first, second] = tracks as [FakeTrack, FakeTrack];
    for (const track of tracks) track.load();
    playhead.play();
    clock.advance(1000);
    leaves[0]?.();
    expect([first.paused, first.listeners, second.paused, playhead.playing]).toEqual([true, 0, false, true]);
    clock.advance(1000);
    expect(Math.abs(playhead.atMs - second.currentTime * 1000)).toBeLessThanOrEqual(TICK_MS);
  });
});
